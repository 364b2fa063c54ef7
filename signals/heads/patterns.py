"""Head D: candlestick and chart patterns with volume behind them, at a level that held before. Pure."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import ceil, log10

import numpy as np
import talib

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.frame import Frame
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.chart_patterns import BULLISH, FLAG_BARS, POLE_BARS, Chart
from signals.heads.swings import swings_of
from signals.indicators.base import ta
from signals.indicators.primitives import ratio
from signals.window import Window, and_before

# A swing that stands out from five bars before it and three after it: levels one can see on the chart, known soon.
SWING_LEFT, SWING_RIGHT = 5, 3
LEVEL_ATRS = 0.5  # market.md, section 2
VOLUME_TIMES, VOLUME_BARS = 1.5, 20  # market.md, section 2
PATTERN_BARS = 3  # market.md, section 2: the bars whose patterns vote, and the length of most candlestick patterns

# One confirmed pattern states 0.55, each further one more than the other side's adds 0.025, up to three. All patterns
# count alike: the published success rates are of daily stocks and would be a guess here.
ONE_PATTERN, EACH_MORE, COUNTED = 0.55, 0.025, 3

# TA-Lib's functions whose sign is a direction. Each is read twice, on the candles and on the candles upside down: so a
# hammer's mirror, the shooting star, is found by the same rule, and long and short are treated alike to the bit.
CANDLESTICKS: tuple[str, ...] = (
    "CDL2CROWS",
    "CDL3INSIDE",
    "CDL3LINESTRIKE",
    "CDL3OUTSIDE",
    "CDL3STARSINSOUTH",
    "CDL3WHITESOLDIERS",
    "CDLABANDONEDBABY",
    "CDLADVANCEBLOCK",
    "CDLBELTHOLD",
    "CDLBREAKAWAY",
    "CDLCLOSINGMARUBOZU",
    "CDLCONCEALBABYSWALL",
    "CDLCOUNTERATTACK",
    "CDLDOJISTAR",
    "CDLDRAGONFLYDOJI",
    "CDLENGULFING",
    "CDLGAPSIDESIDEWHITE",
    "CDLHAMMER",
    "CDLHANGINGMAN",
    "CDLHARAMI",
    "CDLHARAMICROSS",
    "CDLHIKKAKE",
    "CDLHIKKAKEMOD",
    "CDLHOMINGPIGEON",
    "CDLINNECK",
    "CDLKICKING",
    "CDLLADDERBOTTOM",
    "CDLMATCHINGLOW",
    "CDLMATHOLD",
    "CDLMORNINGDOJISTAR",
    "CDLMORNINGSTAR",
    "CDLONNECK",
    "CDLPIERCING",
    "CDLRISEFALL3METHODS",
    "CDLSEPARATINGLINES",
    "CDLSTALLEDPATTERN",
    "CDLSTICKSANDWICH",
    "CDLTASUKIGAP",
    "CDLTHRUSTING",
    "CDLTRISTAR",
    "CDLUNIQUE3RIVER",
    "CDLUPSIDEGAP2CROWS",
    "CDLXSIDEGAP3METHODS",
)
# The rest, left out on purpose. No direction of their own, whatever sign TA-Lib gives them:
DIRECTIONLESS: tuple[str, ...] = (
    "CDLDOJI",
    "CDLHIGHWAVE",
    "CDLLONGLEGGEDDOJI",
    "CDLLONGLINE",
    "CDLRICKSHAWMAN",
    "CDLSHORTLINE",
    "CDLSPINNINGTOP",
)
# The mirror or a narrower form of one above, so it would count twice (and TA-Lib's gravestone doji is signed +100):
REPEATED: tuple[str, ...] = (
    "CDL3BLACKCROWS",
    "CDLDARKCLOUDCOVER",
    "CDLEVENINGDOJISTAR",
    "CDLEVENINGSTAR",
    "CDLGRAVESTONEDOJI",
    "CDLIDENTICAL3CROWS",
    "CDLINVERTEDHAMMER",
    "CDLKICKINGBYLENGTH",
    "CDLMARUBOZU",
    "CDLSHOOTINGSTAR",
    "CDLTAKURI",
)
# The hikkake functions say 100 at the pattern and 200 at the bar that confirms it: only the second is an event here.
CONFIRMED_AT_200 = ("CDLHIKKAKE", "CDLHIKKAKEMOD")

# Looked up once: a misspelt name fails at import. Stubs do not list every function.
FUNCTIONS: tuple[tuple[str, Callable[..., FloatArray], int], ...] = tuple(
    (name.removeprefix("CDL").lower(), ta(getattr(talib, name)), 200 if name in CONFIRMED_AT_200 else 1)
    for name in CANDLESTICKS
)
CHARTS = tuple(pattern.__name__ for pattern in BULLISH)
# Bars that the longest candlestick pattern and TA-Lib's averages behind it reach back.
CANDLESTICK_BARS = 20
# A flag's pole, seen from the end of the flag, and the close before.
CHART_BARS = FLAG_BARS + POLE_BARS
MEMORY = PATTERN_BARS - 1 + max(CANDLESTICK_BARS, CHART_BARS, VOLUME_BARS) + 1
# Binance quotes no more decimals. So many digits are left for sums over a pattern's bars to stay exact in a float.
TICK_DECIMALS, EXACT_DIGITS = 8, 14


class Patterns:
    """Sides with the majority of the confirmed patterns of the last three bars; silent when there are none."""

    name, letter = "patterns", "D"
    needs = Needs(indicators=frozenset({"atr_14"}), memory=MEMORY)
    inputs = (*(name for name, _, _ in FUNCTIONS), *CHARTS, "volume_times_usual")

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,). Confidence is the majority's lead over all patterns."""
        recent = window.recent(MEMORY)
        bullish, bearish = np.zeros((2, len(recent)))
        for _, up, down in confirmed(recent):
            bullish, bearish = bullish + up, bearish + down
        long, short = sum_of_last(bullish, PATTERN_BARS), sum_of_last(bearish, PATTERN_BARS)
        lead = long - short
        return Votes.of(
            side=np.where(recent.base.ready, lead, np.nan),
            probability=ONE_PATTERN + EACH_MORE * (np.minimum(np.abs(lead), COUNTED) - 1),
            confidence=ratio(np.abs(lead), long + short, at_zero=np.nan),
        ).padded(len(window))

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The patterns that count, how often, each with its share of all; else the volume that none of them had."""
        recent = replace(window, first=row).recent(MEMORY)
        now = row - (len(window) - len(recent))
        last = slice(max(now - PATTERN_BARS + 1, 0), now + 1)
        counted = [(name, float(up[last].sum()), float(down[last].sum())) for name, up, down in confirmed(recent)]
        found = sum(up + down for _, up, down in counted)
        volume = recent.base["volume"]
        times = ratio(volume, usual_volume(volume, np.array([now])), at_zero=np.nan)[now]
        return strongest(
            (
                *(Reason(name, up + down, (up - down) / found) for name, up, down in counted if up + down),
                Reason("volume_times_usual", float(times), 0.0),
            )
        )


def confirmed(window: Window) -> Iterator[tuple[str, BoolArray, BoolArray]]:
    """Each pattern by name: where its bullish and its bearish form end at a bar that volume and a level confirm.

    Known at the bars that the votes to be read count, False elsewhere.
    """
    frame, bars = window.base, len(window)
    swings = swings_of(frame, SWING_LEFT, SWING_RIGHT)
    chart = Chart(high=frame["high"], low=frame["low"], close=frame["close"], atr=frame["atr_14"], swings=swings)
    turned = chart.upside_down()
    counted = and_before(window.wanted, PATTERN_BARS - 1, bars)
    counted = counted[volume_backs(frame["volume"], counted)[counted]]
    backed = np.zeros(bars, np.bool_)
    backed[counted] = True
    # A chart pattern breaks the level it is drawn through, so it is at one by itself; a candlestick has to be near one.
    if len(counted):
        yield from candlesticks(frame, backed & at_support(chart), backed & at_support(turned))
    for pattern in BULLISH:
        yield pattern.__name__, backed & pattern(chart), backed & pattern(turned)


def candlesticks(frame: Frame, support: BoolArray, resistance: BoolArray) -> Iterator[tuple[str, BoolArray, BoolArray]]:
    """Each candlestick pattern by name: its bullish form ending at `support`, its bearish one at `resistance`."""
    bars = len(frame)
    at = np.flatnonzero(support | resistance)
    read = and_before(at, CANDLESTICK_BARS, bars)
    if not len(read):
        return
    open_, high, low, close = (prices[read] for prices in in_ticks(frame))
    upside_down = (-open_, -low, -high, -close)
    long, short = support[read], resistance[read]
    for name, function, least in FUNCTIONS:
        straight, turned = function(open_, high, low, close), function(*upside_down)
        up, down = np.zeros((2, bars), np.bool_)
        up[read] = long & ((straight >= least) | (turned <= -least))
        down[read] = short & ((straight <= -least) | (turned >= least))
        yield name, up, down


def in_ticks(frame: Frame) -> tuple[FloatArray, ...]:
    """Open, high, low and close as whole numbers of ticks, shapes (bars,).

    TA-Lib keeps running sums of bodies and shadows. Of whole numbers they are exact, so a pattern does not depend on
    where its series began, and bars of different markets may stand one after the other.
    """
    scale = np.repeat([ticks_of(part.frame["close"]) for part in frame.parts], [len(part) for part in frame.parts])
    return tuple(np.rint(frame[name] * scale) for name in ("open", "high", "low", "close"))


def ticks_of(close: FloatArray) -> float:
    """Ticks in one unit of price, from the first close of a window: 1e8, or fewer where prices are too large for it."""
    digits = ceil(log10(max(abs(float(close[0])), 1.0))) if len(close) else 0
    return 10.0 ** min(TICK_DECIMALS, EXACT_DIGITS - digits)


def at_support(chart: Chart) -> BoolArray:
    """Where the low of the last bars came near a confirmed swing level that the close has not lost, shape (bars,).

    A swing low is a support; so is a swing high that price now stands on.
    """
    reached, slack = talib.MIN(chart.low, PATTERN_BARS), LEVEL_ATRS * chart.atr
    near = np.zeros(len(chart.close), np.bool_)
    for side in (chart.swings.low, chart.swings.high):
        near |= ((np.abs(reached - side.prices) <= slack) & (side.prices <= chart.close)).any(axis=0)
    return near


def volume_backs(volume: FloatArray, rows: IntArray | None = None) -> BoolArray:
    """Where the volume is at least VOLUME_TIMES the usual, at the rows that are asked for or at all."""
    asked = np.arange(len(volume)) if rows is None else rows
    backed: BoolArray = (volume > 0) & (volume >= VOLUME_TIMES * usual_volume(volume, asked))
    return backed


def usual_volume(volume: FloatArray, rows: IntArray) -> FloatArray:
    """The median of the VOLUME_BARS volumes before each row asked for, shape (bars,), NaN elsewhere."""
    usual = np.full(len(volume), np.nan)
    asked = rows[rows >= VOLUME_BARS]
    if len(asked):
        before = np.lib.stride_tricks.sliding_window_view(volume, VOLUME_BARS)[asked - VOLUME_BARS]
        sorted_ = np.sort(before, axis=1)
        usual[asked] = (sorted_[:, VOLUME_BARS // 2 - 1] + sorted_[:, VOLUME_BARS // 2]) / 2
    return usual


def sum_of_last(counts: FloatArray, bars: int) -> FloatArray:
    """Counts of the last `bars` bars together, fewer at the beginning, shape (bars,)."""
    total = counts.copy()
    for lag in range(1, min(bars, len(counts))):
        total[lag:] += counts[:-lag]
    return total
