"""Head D: candlestick and chart patterns with volume behind them, at a level that held before. Pure."""

from collections.abc import Callable

import numpy as np
import talib

from ingestion.timeframes import BoolArray, FloatArray
from signals.heads.base import Needs, Votes
from signals.heads.chart_patterns import Chart, count_bullish
from signals.heads.swings import KEPT, confirmed_swings
from signals.indicators.primitives import ratio
from signals.window import Frame, Window

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
FUNCTIONS: tuple[tuple[Callable[..., FloatArray], int], ...] = tuple(
    (getattr(talib, name), 200 if name in CONFIRMED_AT_200 else 1) for name in CANDLESTICKS
)


class Patterns:
    """Sides with the majority of the confirmed patterns of the last three bars; silent when there are none."""

    name, letter = "patterns", "D"
    needs = Needs(indicators=frozenset({"atr_14"}))

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,). Confidence is the majority's lead over all patterns."""
        frame = window.base
        bullish, bearish = count_confirmed(frame)
        long, short = sum_of_last(bullish, PATTERN_BARS), sum_of_last(bearish, PATTERN_BARS)
        lead = long - short
        return Votes.of(
            side=np.where(frame.ready, lead, np.nan),
            probability=ONE_PATTERN + EACH_MORE * (np.minimum(np.abs(lead), COUNTED) - 1),
            confidence=ratio(np.abs(lead), long + short, at_zero=np.nan),
        )


def count_confirmed(frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Numbers of bullish and bearish patterns at each bar that volume and a level confirm, shapes (bars,)."""
    high, low = frame["high"], frame["low"]
    swings = confirmed_swings(high, low, left=SWING_LEFT, right=SWING_RIGHT)
    chart = Chart(high=high, low=low, close=frame["close"], atr=frame["atr_14"], swings=swings)
    turned = chart.upside_down()
    up, down = count_candlesticks(frame)
    backed = volume_backs(frame["volume"])
    # A chart pattern breaks the level it is drawn through, so it is at one by itself; a candlestick has to be near one.
    bullish = backed * (up * at_support(chart) + count_bullish(chart))
    bearish = backed * (down * at_support(turned) + count_bullish(turned))
    return bullish, bearish


def count_candlesticks(frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Numbers of bullish and bearish candlestick patterns that end at each bar, shapes (bars,)."""
    open_, high, low, close = (frame[column] for column in ("open", "high", "low", "close"))
    bullish, bearish = np.zeros((2, len(frame)))
    for function, least in FUNCTIONS:
        straight, turned = function(open_, high, low, close), function(-open_, -low, -high, -close)
        bullish += (straight >= least) | (turned <= -least)
        bearish += (straight <= -least) | (turned >= least)
    return bullish, bearish


def at_support(chart: Chart) -> BoolArray:
    """Where the low of the last bars came near a confirmed swing level that the close has not lost, shape (bars,).

    A swing low is a support; so is a swing high that price now stands on.
    """
    reached, slack = talib.MIN(chart.low, PATTERN_BARS), LEVEL_ATRS * chart.atr
    near = np.zeros(len(chart.close), np.bool_)
    for side in (chart.swings.low, chart.swings.high):
        for rank in range(KEPT):
            level = side.prices[rank]
            near |= (np.abs(reached - level) <= slack) & (level <= chart.close)
    return near


def volume_backs(volume: FloatArray) -> BoolArray:
    """Where the volume is at least VOLUME_TIMES the median of the bars before it, the bar itself left out."""
    usual = np.full(len(volume), np.nan)
    if len(volume) > VOLUME_BARS:
        sorted_ = np.sort(np.lib.stride_tricks.sliding_window_view(volume[:-1], VOLUME_BARS), axis=1)
        usual[VOLUME_BARS:] = (sorted_[:, VOLUME_BARS // 2 - 1] + sorted_[:, VOLUME_BARS // 2]) / 2
    backed: BoolArray = (volume > 0) & (volume >= VOLUME_TIMES * usual)
    return backed


def sum_of_last(counts: FloatArray, bars: int) -> FloatArray:
    """Counts of the last `bars` bars together, fewer at the beginning, shape (bars,)."""
    total = counts.copy()
    for lag in range(1, min(bars, len(counts))):
        total[lag:] += counts[:-lag]
    return total
