"""Volatility: how far price usually strays, and the bands drawn from it. Bands in price units."""

from functools import partial

import talib

from signals.indicators.base import FloatArray, Indicator
from signals.indicators.primitives import ratio

BOLLINGER_PERIOD = 20
BOLLINGER_DEVIATIONS = 2.0
KELTNER_PERIOD, KELTNER_ATR_PERIOD, KELTNER_ATRS = 20, 10, 2.0
CHANDELIER_PERIOD, CHANDELIER_ATRS = 22, 3.0


def bollinger(close: FloatArray, *, deviations: float) -> FloatArray:
    """SMA 20 plus `deviations` population standard deviations, shape (n,), in price units (Bollinger, 2001)."""
    band: FloatArray = talib.SMA(close, BOLLINGER_PERIOD) + deviations * talib.STDDEV(close, BOLLINGER_PERIOD)
    return band


def bollinger_width(close: FloatArray) -> FloatArray:
    """Upper less lower band as a fraction of the middle one, shape (n,), 0 on a flat market (Bollinger, 2001)."""
    width = 2 * BOLLINGER_DEVIATIONS * talib.STDDEV(close, BOLLINGER_PERIOD)
    fraction: FloatArray = width / talib.SMA(close, BOLLINGER_PERIOD)
    return fraction


def bollinger_percent_b(close: FloatArray) -> FloatArray:
    """Where the close stands between the bands, 0 at the lower, 1 at the upper, shape (n,) (Bollinger, 2001).

    A fraction that may leave [0, 1]; 0.5 when the bands have no width, for the close is then on the middle one.
    Taken from the middle and not from two rounded bands, which on a quiet market differ by little more than rounding.
    """
    width = 2 * BOLLINGER_DEVIATIONS * talib.STDDEV(close, BOLLINGER_PERIOD)
    return 0.5 + ratio(close - talib.SMA(close, BOLLINGER_PERIOD), width, at_zero=0.0)


def keltner(high: FloatArray, low: FloatArray, close: FloatArray, *, atrs: float) -> FloatArray:
    """EMA 20 of the close plus `atrs` times Wilder's ATR 10, shape (n,), in price units (Raschke's form).

    TA-Lib's own KC centres on the typical price instead of the close.
    """
    band: FloatArray = talib.EMA(close, KELTNER_PERIOD) + atrs * talib.ATR(high, low, close, KELTNER_ATR_PERIOD)
    return band


def chandelier_long(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Trailing stop of a long: 22-bar high less 3 x ATR 22, shape (n,), in price units (LeBeau; Elder, 2002)."""
    reach = CHANDELIER_ATRS * talib.ATR(high, low, close, CHANDELIER_PERIOD)
    stop: FloatArray = talib.MAX(high, CHANDELIER_PERIOD) - reach
    return stop


def chandelier_short(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Trailing stop of a short: 22-bar low plus 3 x ATR 22, shape (n,), in price units (LeBeau; Elder, 2002)."""
    reach = CHANDELIER_ATRS * talib.ATR(high, low, close, CHANDELIER_PERIOD)
    stop: FloatArray = talib.MIN(low, CHANDELIER_PERIOD) + reach
    return stop


CLOSE = ("close",)
HIGH_LOW_CLOSE = ("high", "low", "close")

INDICATORS: list[Indicator] = [
    Indicator("bb_upper", CLOSE, partial(bollinger, deviations=BOLLINGER_DEVIATIONS), lookback=19),
    Indicator("bb_middle", CLOSE, partial(talib.SMA, timeperiod=BOLLINGER_PERIOD), lookback=19),
    Indicator("bb_lower", CLOSE, partial(bollinger, deviations=-BOLLINGER_DEVIATIONS), lookback=19),
    Indicator("bb_width", CLOSE, bollinger_width, lookback=19),
    Indicator("bb_percent_b", CLOSE, bollinger_percent_b, lookback=19),
    Indicator("atr_14", HIGH_LOW_CLOSE, partial(talib.ATR, timeperiod=14), lookback=14),
    # NATR is the ATR in percent of the close.
    Indicator("atr_percent", HIGH_LOW_CLOSE, partial(talib.NATR, timeperiod=14), lookback=14),
    Indicator("donchian_upper", ("high",), partial(talib.MAX, timeperiod=20), lookback=19),
    Indicator("donchian_lower", ("low",), partial(talib.MIN, timeperiod=20), lookback=19),
    Indicator("keltner_upper", HIGH_LOW_CLOSE, partial(keltner, atrs=KELTNER_ATRS), lookback=19),
    Indicator("keltner_middle", CLOSE, partial(talib.EMA, timeperiod=KELTNER_PERIOD), lookback=19),
    Indicator("keltner_lower", HIGH_LOW_CLOSE, partial(keltner, atrs=-KELTNER_ATRS), lookback=19),
    Indicator("chandelier_long", HIGH_LOW_CLOSE, chandelier_long, lookback=22),
    Indicator("chandelier_short", HIGH_LOW_CLOSE, chandelier_short, lookback=22),
]
