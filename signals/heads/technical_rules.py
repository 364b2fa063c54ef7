"""The 25 readings of the technical head: each maps indicators of one timeframe to -1 (short) .. +1 (long). Pure.

All of them are read with the move: an oscillator above its middle is long, also when it is "overbought". Mixing the
two readings (trend rules with the move, oscillators against it) makes the groups cancel by construction, and what is
left is noise; exhaustion is for the heads that look at swings and zones.

Distances are taken in ATR or in the indicator's own bounded scale, never in price, so a rule means the same for BTC
and for DOGE. Where a book names a level, that level is the full vote; the other scales are measured: they are the
90th percentile of the absolute reading on 15m candles of eight symbols, June 2021, rounded, so that one bar in ten
casts the full vote of its rule.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import talib

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.heads.parts import bounded, change, in_atrs
from signals.indicators.primitives import ratio
from signals.window import Frame

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
ULTIMATE_REACH = 20.0  # 50 +- 20: the 70 and 30 lines (Williams, 1985)

ATR_MEAN_BARS = 100  # what counts as this market's usual ATR: about a day of 15m bars
ATR_EXPANSION = 0.5  # half as much again as usual is a full vote; no source, a round figure
BULGE_TOP, BULGE_END = 27.0, 26.5  # the reversal bulge of the mass index (Dorsey, Stocks & Commodities, 1992)
BULGE_BARS = 9  # bars for which a finished bulge speaks: the length of Dorsey's trend average


@dataclass(frozen=True)
class Rule:
    """One reading: the indicators it needs and the formula from a frame to shape (bars,), -1..1, NaN without data."""

    name: str
    indicators: tuple[str, ...]
    read: Callable[[Frame], FloatArray]


def in_percent_atrs(frame: Frame, percent: FloatArray) -> FloatArray:
    """A percentage of price in units of ATR 14 in percent, shape (bars,); NaN where nothing has moved."""
    return ratio(percent, frame["atr_percent"], at_zero=np.nan)


def ema_cross(frame: Frame) -> FloatArray:
    """EMA 12 over EMA 26."""
    return bounded(in_percent_atrs(frame, frame["ema_spread_fast"]) / EMA_CROSS_ATRS)


def macd(frame: Frame) -> FloatArray:
    """MACD over its signal line; the line itself would repeat the EMA cross."""
    return bounded(in_atrs(frame, frame["macd_histogram"]) / MACD_HISTOGRAM_ATRS)


def directional_movement(frame: Frame) -> FloatArray:
    """Which of +DI and -DI leads, as far as ADX says there is a trend at all (Wilder, 1978)."""
    plus, minus = frame["plus_di_14"], frame["minus_di_14"]
    lead = ratio(plus - minus, plus + minus, at_zero=0.0)
    strength: FloatArray = np.minimum(frame["adx_14"] / STRONG_ADX, 1.0)
    return bounded(lead * strength)


def supertrend(frame: Frame) -> FloatArray:
    """The side of the trailing band that the close is on."""
    return np.sign(frame["close"] - frame["supertrend"])


def sma_order(frame: Frame) -> FloatArray:
    """Short over middle over long average: both in order is a full vote, one against the other none."""
    short, middle, long = frame["sma_20"], frame["sma_50"], frame["sma_100"]
    return (np.sign(short - middle) + np.sign(middle - long)) / 2


def hull_slope(frame: Frame) -> FloatArray:
    """Where the Hull average has moved since the last bar (Hull, 2005)."""
    return bounded(in_atrs(frame, change(frame["hma_20"], 1)) / HULL_SLOPE_ATRS)


def aroon(frame: Frame) -> FloatArray:
    """The Aroon oscillator: a newer high than low is long (Chande, 1995)."""
    return (frame["aroon_up_25"] - frame["aroon_down_25"]) / 100


def dema(frame: Frame) -> FloatArray:
    """The close over the double exponential average."""
    return bounded(in_atrs(frame, frame["close"] - frame["dema_20"]) / DEMA_DISTANCE_ATRS)


def ichimoku_base(frame: Frame) -> FloatArray:
    """The close over the Ichimoku base line."""
    return bounded(in_atrs(frame, frame["close"] - frame["ichimoku_base_26"]) / BASE_DISTANCE_ATRS)


def rsi(frame: Frame) -> FloatArray:
    return bounded((frame["rsi_14"] - 50) / RSI_REACH)


def stochastic(frame: Frame) -> FloatArray:
    return bounded((frame["stoch_k"] - 50) / STOCHASTIC_REACH)


def true_strength(frame: Frame) -> FloatArray:
    return bounded(frame["tsi"] / TSI_REACH)


def chande_momentum(frame: Frame) -> FloatArray:
    return bounded(frame["cmo_14"] / CMO_REACH)


def price_oscillator(frame: Frame) -> FloatArray:
    """The PPO line: in percent, so ATR percent is its unit."""
    return bounded(in_percent_atrs(frame, frame["ppo"]) / PPO_ATRS)


def trix(frame: Frame) -> FloatArray:
    """The one-bar change of the triple average, in percent (Hutson, 1983)."""
    return bounded(in_percent_atrs(frame, frame["trix_15"]) / TRIX_ATRS)


def williams(frame: Frame) -> FloatArray:
    return bounded((frame["williams_r_14"] + 50) / WILLIAMS_REACH)


def commodity_channel(frame: Frame) -> FloatArray:
    return bounded(frame["cci_20"] / CCI_REACH)


def ultimate(frame: Frame) -> FloatArray:
    return bounded((frame["ultimate_osc"] - 50) / ULTIMATE_REACH)


def awesome(frame: Frame) -> FloatArray:
    return bounded(in_atrs(frame, frame["awesome_osc"]) / AWESOME_ATRS)


def bollinger(frame: Frame) -> FloatArray:
    """Percent b as a breakout reading: at the band is the full vote ("a tag of the band is no signal", Bollinger)."""
    return bounded(2 * frame["bb_percent_b"] - 1)


def keltner(frame: Frame) -> FloatArray:
    """The close in its Keltner channel: middle 0, upper edge +1."""
    middle = frame["keltner_middle"]
    return bounded(ratio(frame["close"] - middle, frame["keltner_upper"] - middle, at_zero=0.0))


def donchian(frame: Frame) -> FloatArray:
    """The close in its 20-bar range: bottom -1, top +1 (Donchian's breakout rule)."""
    upper, lower = frame["donchian_upper"], frame["donchian_lower"]
    return bounded(ratio((frame["close"] - lower) - (upper - frame["close"]), upper - lower, at_zero=0.0))


def chandelier(frame: Frame) -> FloatArray:
    """Above both trailing stops long, below both short, between them nothing (LeBeau; Elder, 2002)."""
    close = frame["close"]
    return (np.sign(close - frame["chandelier_long"]) + np.sign(close - frame["chandelier_short"])) / 2


def atr_regime(frame: Frame) -> FloatArray:
    """The side of the 20-bar mean, as far as the ATR has grown beyond its usual size: an expansion backs the move."""
    atr = frame["atr_14"]
    growth = ratio(atr, talib.SMA(atr, ATR_MEAN_BARS), at_zero=np.nan) - 1
    backing: FloatArray = np.clip(growth / ATR_EXPANSION, 0.0, 1.0)
    return np.sign(frame["close"] - frame["bb_middle"]) * backing


def mass_index(frame: Frame) -> FloatArray:
    """Against the trend average as it sloped when a reversal bulge ended, for some bars; otherwise nothing to say.

    The one rule that turns against the move, and it must: the bulge has no other reading (Dorsey, 1992).
    """
    ended = bulge_ends(frame["mass_index"])
    since = last_row(ended)
    bar = np.arange(len(frame))
    fresh = (since >= 0) & (bar - since < BULGE_BARS)
    slope = change(frame["ema_9"], 1)
    return np.where(fresh, -np.sign(slope[np.maximum(since, 0)]), np.nan)


def bulge_ends(index: FloatArray) -> BoolArray:
    """Where the mass index falls below the bulge's end after it has been above its top, shape (bars,)."""
    calm = index < BULGE_END
    bulging = last_row(index > BULGE_TOP) > last_row(calm)
    ends = np.zeros(len(index), np.bool_)
    ends[1:] = bulging[:-1] & calm[1:]
    return ends


def last_row(happened: BoolArray) -> IntArray:
    """The last row up to each one at which it happened, -1 before there is one, shape (bars,)."""
    rows: IntArray = np.maximum.accumulate(np.where(happened, np.arange(len(happened)), -1))
    return rows


TREND: tuple[Rule, ...] = (
    Rule("ema_cross", ("ema_spread_fast", "atr_percent"), ema_cross),
    Rule("macd", ("macd_histogram", "atr_14"), macd),
    Rule("adx", ("adx_14", "plus_di_14", "minus_di_14"), directional_movement),
    Rule("supertrend", ("supertrend",), supertrend),
    Rule("sma_order", ("sma_20", "sma_50", "sma_100"), sma_order),
    Rule("hull_slope", ("hma_20", "atr_14"), hull_slope),
    Rule("aroon", ("aroon_up_25", "aroon_down_25"), aroon),
    Rule("dema", ("dema_20", "atr_14"), dema),
    Rule("ichimoku_base", ("ichimoku_base_26", "atr_14"), ichimoku_base),
)
MOMENTUM: tuple[Rule, ...] = (
    Rule("rsi", ("rsi_14",), rsi),
    Rule("stochastic", ("stoch_k",), stochastic),
    Rule("tsi", ("tsi",), true_strength),
    Rule("cmo", ("cmo_14",), chande_momentum),
    Rule("ppo", ("ppo", "atr_percent"), price_oscillator),
    Rule("trix", ("trix_15", "atr_percent"), trix),
    Rule("williams", ("williams_r_14",), williams),
    Rule("cci", ("cci_20",), commodity_channel),
    Rule("ultimate", ("ultimate_osc",), ultimate),
    Rule("awesome", ("awesome_osc", "atr_14"), awesome),
)
VOLATILITY: tuple[Rule, ...] = (
    Rule("bollinger", ("bb_percent_b",), bollinger),
    Rule("keltner", ("keltner_upper", "keltner_middle"), keltner),
    Rule("donchian", ("donchian_upper", "donchian_lower"), donchian),
    Rule("chandelier", ("chandelier_long", "chandelier_short"), chandelier),
    Rule("atr_regime", ("atr_14", "bb_middle"), atr_regime),
    Rule("mass_index", ("mass_index", "ema_9"), mass_index),
)
