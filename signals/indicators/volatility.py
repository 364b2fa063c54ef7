"""Volatility: how far price usually strays, and the bands drawn from it. Bands in price units."""

from functools import partial

import numpy as np
import talib

from signals.indicators.base import FloatArray, Indicator, ta
from signals.indicators.primitives import ratio

BOLLINGER_PERIOD = 20
BOLLINGER_DEVIATIONS = 2.0
KELTNER_PERIOD, KELTNER_ATR_PERIOD, KELTNER_ATRS = 20, 10, 2.0
CHANDELIER_PERIOD, CHANDELIER_ATRS = 22, 3.0


def bollinger(middle: FloatArray, deviation: FloatArray, *, deviations: float) -> FloatArray:
    """SMA 20 plus `deviations` population standard deviations, shape (n,), in price units (Bollinger, 2001)."""
    band: FloatArray = middle + deviations * deviation
    return band


def bollinger_width(middle: FloatArray, deviation: FloatArray) -> FloatArray:
    """Upper less lower band as a fraction of the middle one, shape (n,), 0 on a flat market (Bollinger, 2001)."""
    fraction: FloatArray = 2 * BOLLINGER_DEVIATIONS * deviation / middle
    return fraction


def bollinger_percent_b(close: FloatArray, middle: FloatArray, deviation: FloatArray) -> FloatArray:
    """Where the close stands between the bands, 0 at the lower, 1 at the upper, shape (n,) (Bollinger, 2001).

    A fraction that may leave [0, 1]; 0.5 when the bands have no width, for the close is then on the middle one.
    Taken from the middle and not from two rounded bands, which on a quiet market differ by little more than rounding.
    """
    return 0.5 + ratio(close - middle, 2 * BOLLINGER_DEVIATIONS * deviation, at_zero=0.0)


def atr_percent(atr: FloatArray, close: FloatArray) -> FloatArray:
    """The ATR in percent of the close, shape (n,) (TA-Lib NATR)."""
    percent: FloatArray = atr / close * 100
    return percent


def keltner(middle: FloatArray, atr: FloatArray, *, atrs: float) -> FloatArray:
    """EMA 20 of the close plus `atrs` times Wilder's ATR 10, shape (n,), in price units (Raschke's form).

    TA-Lib's own KC centres on the typical price instead of the close.
    """
    band: FloatArray = middle + atrs * atr
    return band


def chandelier_long(high: FloatArray, atr: FloatArray) -> FloatArray:
    """Trailing stop of a long: 22-bar high less 3 x ATR 22, shape (n,), in price units (LeBeau; Elder, 2002)."""
    stop: FloatArray = talib.MAX(high, CHANDELIER_PERIOD) - CHANDELIER_ATRS * atr
    return stop


def chandelier_short(low: FloatArray, atr: FloatArray) -> FloatArray:
    """Trailing stop of a short: 22-bar low plus 3 x ATR 22, shape (n,), in price units (LeBeau; Elder, 2002)."""
    stop: FloatArray = talib.MIN(low, CHANDELIER_PERIOD) + CHANDELIER_ATRS * atr
    return stop


CLOSE = ("close",)
HIGH_LOW_CLOSE = ("high", "low", "close")
BOLLINGER, KELTNER = ("sma_20", "stddev_20"), ("keltner_middle", "atr_10")

PARTS: list[Indicator] = [
    Indicator("stddev_20", CLOSE, ta(talib.STDDEV, timeperiod=BOLLINGER_PERIOD), lookback=19),
    Indicator("atr_10", HIGH_LOW_CLOSE, ta(talib.ATR, timeperiod=KELTNER_ATR_PERIOD), lookback=10),
    Indicator("atr_22", HIGH_LOW_CLOSE, ta(talib.ATR, timeperiod=CHANDELIER_PERIOD), lookback=22),
]
INDICATORS: list[Indicator] = [
    Indicator("bb_upper", BOLLINGER, partial(bollinger, deviations=BOLLINGER_DEVIATIONS), lookback=19, reach=0),
    Indicator("bb_middle", ("sma_20",), np.copy, lookback=19, reach=0),
    Indicator("bb_lower", BOLLINGER, partial(bollinger, deviations=-BOLLINGER_DEVIATIONS), lookback=19, reach=0),
    Indicator("bb_width", BOLLINGER, bollinger_width, lookback=19, reach=0),
    Indicator("bb_percent_b", ("close", *BOLLINGER), bollinger_percent_b, lookback=19, reach=0),
    Indicator("atr_14", HIGH_LOW_CLOSE, ta(talib.ATR, timeperiod=14), lookback=14),
    Indicator("atr_percent", ("atr_14", "close"), atr_percent, lookback=14, reach=0),
    Indicator("donchian_upper", ("high",), ta(talib.MAX, timeperiod=20), lookback=19, reach=19),
    Indicator("donchian_lower", ("low",), ta(talib.MIN, timeperiod=20), lookback=19, reach=19),
    Indicator("keltner_upper", KELTNER, partial(keltner, atrs=KELTNER_ATRS), lookback=19, reach=0),
    Indicator("keltner_middle", CLOSE, ta(talib.EMA, timeperiod=KELTNER_PERIOD), lookback=19),
    Indicator("keltner_lower", KELTNER, partial(keltner, atrs=-KELTNER_ATRS), lookback=19, reach=0),
    Indicator("chandelier_long", ("high", "atr_22"), chandelier_long, lookback=22, reach=21),
    Indicator("chandelier_short", ("low", "atr_22"), chandelier_short, lookback=22, reach=21),
]
