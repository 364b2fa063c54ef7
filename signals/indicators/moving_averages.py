"""Exponential and simple moving averages of the close, in price units. TA-Lib's: an EMA is seeded with the SMA."""

import talib

from signals.indicators.base import Indicator, ta

CLOSE = ("close",)

INDICATORS: list[Indicator] = [
    Indicator("ema_5", CLOSE, ta(talib.EMA, timeperiod=5), lookback=4),
    Indicator("ema_8", CLOSE, ta(talib.EMA, timeperiod=8), lookback=7),
    Indicator("ema_9", CLOSE, ta(talib.EMA, timeperiod=9), lookback=8),
    Indicator("ema_12", CLOSE, ta(talib.EMA, timeperiod=12), lookback=11),
    Indicator("ema_13", CLOSE, ta(talib.EMA, timeperiod=13), lookback=12),
    Indicator("ema_21", CLOSE, ta(talib.EMA, timeperiod=21), lookback=20),
    Indicator("ema_26", CLOSE, ta(talib.EMA, timeperiod=26), lookback=25),
    Indicator("ema_34", CLOSE, ta(talib.EMA, timeperiod=34), lookback=33),
    Indicator("ema_50", CLOSE, ta(talib.EMA, timeperiod=50), lookback=49),
    Indicator("ema_55", CLOSE, ta(talib.EMA, timeperiod=55), lookback=54),
    Indicator("ema_89", CLOSE, ta(talib.EMA, timeperiod=89), lookback=88),
    Indicator("sma_10", CLOSE, ta(talib.SMA, timeperiod=10), lookback=9),
    Indicator("sma_20", CLOSE, ta(talib.SMA, timeperiod=20), lookback=19),
    Indicator("sma_30", CLOSE, ta(talib.SMA, timeperiod=30), lookback=29),
    Indicator("sma_50", CLOSE, ta(talib.SMA, timeperiod=50), lookback=49),
    Indicator("sma_100", CLOSE, ta(talib.SMA, timeperiod=100), lookback=99),
    Indicator("sma_200", CLOSE, ta(talib.SMA, timeperiod=200), lookback=199),
]
