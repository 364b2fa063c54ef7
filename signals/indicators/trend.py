"""Trend: where price is heading and how firmly. Prices in quote currency unless the docstring says percent."""

import talib

from signals.indicators.base import FloatArray, Indicator, ta

MACD = ta(talib.MACD, fastperiod=12, slowperiod=26, signalperiod=9)
SUPERTREND = ta(talib.SUPERTREND, timeperiod=14, multiplier=3.0)


def macd_line(close: FloatArray) -> FloatArray:
    """EMA 12 less EMA 26, shape (n,), in price units (Appel, 1979; TA-Lib MACD).

    TA-Lib seeds both averages on the same bar and starts all three MACD series together, hence a lookback of 33.
    """
    return MACD(close)[0]


def macd_signal(close: FloatArray) -> FloatArray:
    """EMA 9 of the MACD line, shape (n,), in price units (TA-Lib MACD)."""
    return MACD(close)[1]


def macd_histogram(close: FloatArray) -> FloatArray:
    """MACD line less its signal, shape (n,), in price units (TA-Lib MACD)."""
    return MACD(close)[2]


def aroon_up(high: FloatArray, low: FloatArray) -> FloatArray:
    """How recent the 25-bar high is, 0 to 100, shape (n,); from highs, never closes (Chande, 1995; TA-Lib AROON).

    Of equal highs the latest counts, so a flat market has both lines at 100 and their difference at 0.
    """
    return talib.AROON(high, low, 25)[1]


def aroon_down(high: FloatArray, low: FloatArray) -> FloatArray:
    """How recent the 25-bar low is, 0 to 100, shape (n,); from lows, never closes (Chande, 1995; TA-Lib AROON)."""
    return talib.AROON(high, low, 25)[0]


def ppo_line(fast: FloatArray, slow: FloatArray) -> FloatArray:
    """EMA 12 over EMA 26, less one, in percent, shape (n,): the MACD without a price unit (Appel; TA-Lib PPO)."""
    line: FloatArray = (fast - slow) / slow * 100
    return line


def supertrend(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """The trailing band of 3 x ATR 14 on price's far side, shape (n,), in price units (Seban; TA-Lib SUPERTREND).

    Below price in an up trend, above it in a down trend. On a flat market it lies on the price.
    """
    return SUPERTREND(high, low, close)[0]


def ema_spread(fast: FloatArray, slow: FloatArray, close: FloatArray) -> FloatArray:
    """Fast EMA less slow EMA in percent of the close, shape (n,): the same scale for every symbol."""
    spread: FloatArray = 100 * (fast - slow) / close
    return spread


CLOSE = ("close",)
HIGH_LOW = ("high", "low")
HIGH_LOW_CLOSE = ("high", "low", "close")

INDICATORS: list[Indicator] = [
    Indicator("macd", CLOSE, macd_line, lookback=33),
    Indicator("macd_signal", CLOSE, macd_signal, lookback=33),
    Indicator("macd_histogram", CLOSE, macd_histogram, lookback=33),
    Indicator("adx_14", HIGH_LOW_CLOSE, ta(talib.ADX, timeperiod=14), lookback=27),
    Indicator("plus_di_14", HIGH_LOW_CLOSE, ta(talib.PLUS_DI, timeperiod=14), lookback=14),
    Indicator("minus_di_14", HIGH_LOW_CLOSE, ta(talib.MINUS_DI, timeperiod=14), lookback=14),
    Indicator("aroon_up_25", HIGH_LOW, aroon_up, lookback=25, reach=25),
    Indicator("aroon_down_25", HIGH_LOW, aroon_down, lookback=25, reach=25),
    Indicator("dema_20", CLOSE, ta(talib.DEMA, timeperiod=20), lookback=38),
    Indicator("ppo", ("ema_12", "ema_26"), ppo_line, lookback=25, reach=0),
    # EMA 9 of the PPO line, in percent.
    Indicator("ppo_signal", ("ppo",), ta(talib.EMA, timeperiod=9), lookback=33),
    Indicator("ichimoku_base_26", HIGH_LOW, ta(talib.MIDPRICE, timeperiod=26), lookback=25, reach=25),
    # From weighted averages throughout; half period and square root are rounded down (Hull, 2005).
    Indicator("hma_9", CLOSE, ta(talib.HMA, timeperiod=9), lookback=10),
    Indicator("hma_14", CLOSE, ta(talib.HMA, timeperiod=14), lookback=15),
    Indicator("hma_20", CLOSE, ta(talib.HMA, timeperiod=20), lookback=22),
    Indicator("supertrend", HIGH_LOW_CLOSE, supertrend, lookback=14),
    Indicator("ema_spread_fast", ("ema_12", "ema_26", "close"), ema_spread, lookback=25, reach=0),
    Indicator("ema_spread_medium", ("ema_21", "ema_50", "close"), ema_spread, lookback=49, reach=0),
]
