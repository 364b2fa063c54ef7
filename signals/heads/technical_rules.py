"""The 25 rules of the technical head: each measures one thing, and reads it as -1 (short) .. +1 (long). Pure.

All of them are read with the move: an oscillator above its middle is long, also when it is "overbought". Mixing the
two readings (trend rules with the move, oscillators against it) makes the groups cancel by construction, and what is
left is noise; exhaustion is for the heads that look at swings and zones.

Distances are taken in ATR or in the indicator's own bounded scale, never in price, so a rule means the same for BTC
and for DOGE. Where a book names a level, that level is the full vote; the other scales are measured: they are the
90th percentile of the absolute reading on 15m candles of eight symbols, June 2021, rounded, so that one bar in ten
casts the full vote of its rule.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import talib

from ingestion.timeframes import FloatArray, IntArray
from signals.frame import Frame, across
from signals.heads.parts import change, in_atrs
from signals.indicators.base import ta
from signals.indicators.primitives import ratio

# Full votes in ATR units, measured as said above.
EMA_CROSS_ATRS = 1.1
MACD_HISTOGRAM_ATRS = 0.36
HULL_SLOPE_ATRS = 0.47
DEMA_DISTANCE_ATRS = 1.5
BASE_DISTANCE_ATRS = 2.7
PPO_ATRS = 1.1
TRIX_ATRS = 0.16
AWESOME_ATRS = 2.9

# Full votes by the books.
STRONG_ADX = 25.0  # a trend worth following (Wilder, New Concepts in Technical Trading Systems, 1978)
RSI_REACH = 20.0  # 50 +- 20: the 70 and 30 lines (Wilder, 1978)
STOCHASTIC_REACH = 30.0  # 50 +- 30: the 80 and 20 lines (Lane, 1984)
TSI_REACH = 25.0  # the +-25 lines (Blau, Momentum, Direction and Divergence, 1995)
CMO_REACH = 50.0  # the +-50 lines (Chande and Kroll, The New Technical Trader, 1994)
WILLIAMS_REACH = 30.0  # -50 +- 30: the -20 and -80 lines (Williams, 1973)
CCI_REACH = 100.0  # the +-100 lines (Lambert, Commodities magazine, 1980)
AROON_REACH = 100.0  # up less down at its ends: a high on this bar and a low 25 bars ago (Chande, 1995)
ULTIMATE_REACH = 20.0  # 50 +- 20: the 70 and 30 lines (Williams, 1985)

ATR_MEAN_BARS = 100  # what counts as this market's usual ATR: about a day of 15m bars
SMA = ta(talib.SMA, timeperiod=ATR_MEAN_BARS)
ATR_EXPANSION = 0.5  # half as much again as usual is a full vote; no source, a round figure
BULGE_TOP, BULGE_END = 27.0, 26.5  # the reversal bulge of the mass index (Dorsey, Stocks & Commodities, 1992)
BULGE_BARS = 9  # bars for which a finished bulge speaks: the length of Dorsey's trend average

Measure = Callable[[Frame], FloatArray]
MEMORY = 1  # bars that a measure looks back


@dataclass(frozen=True)
class Rule:
    """One thing to measure, and how to read it: nothing to say at `middle`, a full vote `full` away from it.

    `measure` maps a frame to shape (bars,), NaN without data, from the indicators named; it counts in `unit`, another
    indicator, if there is one. It looks back by MEMORY bars at most, unless it `remembers`: then it is asked for whole
    frames only. `shown` is the figure that people see as the reason where that is not the measure itself.
    """

    name: str
    indicators: tuple[str, ...]
    measure: Measure
    unit: str | None = None
    middle: float = 0.0
    full: float = 1.0
    remembers: bool = False
    shown: Measure | None = None


def measured(frame: Frame, rules: Sequence[Rule]) -> FloatArray:
    """What each rule measures in its unit, shape (rules, bars); NaN where the unit is 0, as where nothing has moved."""
    figures, units = np.empty((len(rules), len(frame))), np.ones((len(rules), len(frame)))
    for line, rule in enumerate(rules):
        figures[line] = frame.derived(rule.measure) if rule.remembers else rule.measure(frame)
        if rule.unit:
            units[line] = frame[rule.unit]
    counted = np.full(figures.shape, np.nan)
    np.divide(figures, units, out=counted, where=units != 0)
    return counted


def column(name: str) -> Measure:
    """The indicator of that name as it stands."""
    return lambda frame: frame[name]


def directional_movement(frame: Frame) -> FloatArray:
    """Which of +DI and -DI leads, as far as ADX says there is a trend at all, -1..1 (Wilder, 1978)."""
    plus, minus = frame["plus_di_14"], frame["minus_di_14"]
    lead = ratio(plus - minus, plus + minus, at_zero=0.0)
    strength: FloatArray = np.minimum(frame["adx_14"] / STRONG_ADX, 1.0)
    return lead * strength


def supertrend(frame: Frame) -> FloatArray:
    """The side of the trailing band that the close is on."""
    return np.sign(frame["close"] - frame["supertrend"])


def supertrend_distance(frame: Frame) -> FloatArray:
    """How far the close is above the trailing band, in ATRs."""
    return in_atrs(frame, frame["close"] - frame["supertrend"])


def sma_order(frame: Frame) -> FloatArray:
    """Short over middle over long average: both in order is a full vote, one against the other none."""
    short, middle, long = frame["sma_20"], frame["sma_50"], frame["sma_100"]
    return (np.sign(short - middle) + np.sign(middle - long)) / 2


def hull_slope(frame: Frame) -> FloatArray:
    """Where the Hull average has moved since the last bar (Hull, 2005)."""
    return change(frame["hma_20"], 1)


def aroon(frame: Frame) -> FloatArray:
    """The Aroon oscillator, in percent: a newer high than low is long (Chande, 1995)."""
    return frame["aroon_up_25"] - frame["aroon_down_25"]


def dema(frame: Frame) -> FloatArray:
    """The close over the double exponential average."""
    return frame["close"] - frame["dema_20"]


def ichimoku_base(frame: Frame) -> FloatArray:
    """The close over the Ichimoku base line."""
    return frame["close"] - frame["ichimoku_base_26"]


def keltner(frame: Frame) -> FloatArray:
    """The close in its Keltner channel: middle 0, upper edge +1."""
    middle = frame["keltner_middle"]
    return ratio(frame["close"] - middle, frame["keltner_upper"] - middle, at_zero=0.0)


def donchian(frame: Frame) -> FloatArray:
    """The close in its 20-bar range: bottom -1, top +1 (Donchian's breakout rule)."""
    upper, lower, close = frame["donchian_upper"], frame["donchian_lower"], frame["close"]
    return ratio((close - lower) - (upper - close), upper - lower, at_zero=0.0)


def chandelier(frame: Frame) -> FloatArray:
    """Above both trailing stops long, below both short, between them nothing (LeBeau; Elder, 2002)."""
    close = frame["close"]
    return (np.sign(close - frame["chandelier_long"]) + np.sign(close - frame["chandelier_short"])) / 2


def atr_growth(frame: Frame) -> FloatArray:
    """The ATR beyond its usual size, as a share of that; NaN where nothing has moved. For whole frames."""
    atr = frame["atr_14"]
    return ratio(atr, SMA(atr), at_zero=np.nan) - 1


def atr_regime(frame: Frame) -> FloatArray:
    """The side of the 20-bar mean, as far as the ATR has grown beyond its usual size: an expansion backs the move."""
    backing = np.minimum(np.maximum(frame.derived(atr_growth) / ATR_EXPANSION, 0.0), 1.0)
    return np.sign(frame["close"] - frame["bb_middle"]) * backing


@across
def mass_index(frame: Frame) -> FloatArray:
    """Against the trend average as it sloped when a reversal bulge ended, for some bars; otherwise nothing to say.

    The one rule that turns against the move, and it must: the bulge has no other reading (Dorsey, 1992).
    """
    reading, average, begins = np.full(len(frame), np.nan), frame["ema_9"], frame.begins
    for row in bulge_ends(frame["mass_index"], begins).tolist():
        speaks = slice(row, row + BULGE_BARS)
        side = -np.sign(average[row] - average[row - 1])
        reading[speaks] = np.where(begins[speaks] == begins[row], side, reading[speaks])
    return reading


def bulge_ends(index: FloatArray, begins: IntArray) -> IntArray:
    """The rows at which the mass index first falls below the bulge's end after it has been above its top, ascending.

    Both in one frame, whose first row `begins` names.
    """
    bulging, calm = np.flatnonzero(index > BULGE_TOP), np.flatnonzero(index < BULGE_END)
    following = np.searchsorted(calm, bulging)
    found = following < len(calm)
    ends = calm[following[found]]
    # A bulge of several bars finds its end several times.
    return np.unique(ends[begins[ends] == begins[bulging[found]]])


TREND: tuple[Rule, ...] = (
    # EMA 12 over EMA 26; the MACD line would repeat it, so that rule reads its histogram.
    Rule(
        "ema_cross", ("ema_spread_fast", "atr_percent"), column("ema_spread_fast"), "atr_percent", full=EMA_CROSS_ATRS
    ),
    Rule("macd", ("macd_histogram", "atr_14"), column("macd_histogram"), "atr_14", full=MACD_HISTOGRAM_ATRS),
    Rule("adx", ("adx_14", "plus_di_14", "minus_di_14"), directional_movement, shown=column("adx_14")),
    Rule("supertrend", ("supertrend", "atr_14"), supertrend, shown=supertrend_distance),
    Rule("sma_order", ("sma_20", "sma_50", "sma_100"), sma_order),
    Rule("hull_slope", ("hma_20", "atr_14"), hull_slope, "atr_14", full=HULL_SLOPE_ATRS),
    Rule("aroon", ("aroon_up_25", "aroon_down_25"), aroon, full=AROON_REACH),
    Rule("dema", ("dema_20", "atr_14"), dema, "atr_14", full=DEMA_DISTANCE_ATRS),
    Rule("ichimoku_base", ("ichimoku_base_26", "atr_14"), ichimoku_base, "atr_14", full=BASE_DISTANCE_ATRS),
)
MOMENTUM: tuple[Rule, ...] = (
    Rule("rsi", ("rsi_14",), column("rsi_14"), middle=50.0, full=RSI_REACH),
    Rule("stochastic", ("stoch_k",), column("stoch_k"), middle=50.0, full=STOCHASTIC_REACH),
    Rule("tsi", ("tsi",), column("tsi"), full=TSI_REACH),
    Rule("cmo", ("cmo_14",), column("cmo_14"), full=CMO_REACH),
    # The PPO line and the change of the triple average (Hutson, 1983) are in percent of price, so is their unit.
    Rule("ppo", ("ppo", "atr_percent"), column("ppo"), "atr_percent", full=PPO_ATRS),
    Rule("trix", ("trix_15", "atr_percent"), column("trix_15"), "atr_percent", full=TRIX_ATRS),
    Rule("williams", ("williams_r_14",), column("williams_r_14"), middle=-50.0, full=WILLIAMS_REACH),
    Rule("cci", ("cci_20",), column("cci_20"), full=CCI_REACH),
    Rule("ultimate", ("ultimate_osc",), column("ultimate_osc"), middle=50.0, full=ULTIMATE_REACH),
    Rule("awesome", ("awesome_osc", "atr_14"), column("awesome_osc"), "atr_14", full=AWESOME_ATRS),
)
VOLATILITY: tuple[Rule, ...] = (
    # Percent b as a breakout reading: at the band is the full vote ("a tag of the band is no signal", Bollinger).
    Rule("bollinger", ("bb_percent_b",), column("bb_percent_b"), middle=0.5, full=0.5),
    Rule("keltner", ("keltner_upper", "keltner_middle"), keltner),
    Rule("donchian", ("donchian_upper", "donchian_lower"), donchian),
    Rule("chandelier", ("chandelier_long", "chandelier_short"), chandelier),
    Rule("atr_regime", ("atr_14", "bb_middle"), atr_regime, remembers=True, shown=atr_growth),
    Rule("mass_index", ("mass_index", "ema_9"), mass_index, remembers=True, shown=column("mass_index")),
)
