"""Momentum: how fast price moves and how far it stands in its recent range.

A market that has not moved is an observation, not a missing value: every bounded oscillator stands at its neutral
point there (RSI, stochastic and ultimate 50, Williams -50, CCI, CMO and TSI 0, mass index 25).
"""

from functools import partial

import numpy as np
import talib

from signals.indicators.base import FloatArray, Indicator, ta
from signals.indicators.primitives import ratio, rolling_sum

STOCHASTIC_PERIOD = 14
STOCHASTIC_LOOKBACK = 17
ULTIMATE_SPANS = (7, 14, 28)
ULTIMATE_WEIGHTS = (4.0, 2.0, 1.0)
RSI = ta(talib.RSI)
ULTOSC = ta(talib.ULTOSC, timeperiod1=ULTIMATE_SPANS[0], timeperiod2=ULTIMATE_SPANS[1], timeperiod3=ULTIMATE_SPANS[2])


def rsi(close: FloatArray, *, period: int) -> FloatArray:
    """Relative strength index with Wilder's smoothing, 0 to 100, shape (n,), 50 while nothing has moved (Wilder, 1978).

    TA-Lib says 0 for "no move yet" as well as for "only falls". Turned upside down a fall reads 100, no move still 0.
    """
    index = RSI(close, timeperiod=period)
    unmoved = index == 0
    if unmoved.any():
        index[unmoved & (RSI(-close, timeperiod=period) == 0)] = 50.0
    return index


def range_position(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Where the close stands in the 14-bar range, 0 at the low to 1 at the high, shape (n,), 0.5 in a range of zero."""
    top, bottom = talib.MAX(high, STOCHASTIC_PERIOD), talib.MIN(low, STOCHASTIC_PERIOD)
    return ratio(close - bottom, top - bottom, at_zero=0.5)


def mean_of_three(values: FloatArray) -> FloatArray:
    """Simple mean of the last three rows, shape (n,)."""
    return rolling_sum(values, 3) / 3


def stochastic_k(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Slow %K: mean of three of the 14-bar range position, 0 to 100, shape (n,) (Lane, 1984; TA-Lib STOCH).

    Starts with %D, as in TA-Lib. A range of zero counts as 50; TA-Lib's 0 would read as deeply oversold.
    """
    slow_k = mean_of_three(100 * range_position(high, low, close))
    slow_k[:STOCHASTIC_LOOKBACK] = np.nan
    return slow_k


def stochastic_d(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Slow %D: mean of three of slow %K, 0 to 100, shape (n,) (Lane, 1984; TA-Lib STOCH)."""
    return mean_of_three(mean_of_three(100 * range_position(high, low, close)))


def williams_r(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Williams %R, -100 at the 14-bar low to 0 at its high, shape (n,), -50 in a range of zero (Williams, 1973)."""
    return 100 * range_position(high, low, close) - 100


def ultimate_sums(high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """The ultimate oscillator as TA-Lib has it, with 0 for a span that does not move, shape (n,)."""
    return ULTOSC(high, low, close)


def ultimate_oscillator(sums: FloatArray, high: FloatArray, low: FloatArray, close: FloatArray) -> FloatArray:
    """Buying pressure over true range at 7, 14 and 28 bars, weighted 4:2:1, 0 to 100, shape (n,) (Williams, 1985).

    A span without any true range counts as half; the 0 of TA-Lib's `sums` would read as deeply oversold.
    """
    oscillator = sums.copy()
    before = np.empty(len(close))
    before[:1], before[1:] = np.nan, close[:-1]
    true_low = np.minimum(low, before)
    true_range = np.maximum(high, before) - true_low
    # The shortest span is flat wherever a longer one is; only there TA-Lib's figure will not do.
    flat = talib.MAX(true_range, ULTIMATE_SPANS[0]) == 0
    if flat.any():
        oscillator[flat] = ultimate_of_flat(close - true_low, true_range)[flat]
    return oscillator


def ultimate_of_flat(pressure: FloatArray, true_range: FloatArray) -> FloatArray:
    """The ultimate oscillator with sums that have no memory and a half for what is flat, shape (n,)."""
    total = np.zeros(len(pressure))
    for period, weight in zip(ULTIMATE_SPANS, ULTIMATE_WEIGHTS, strict=True):
        total += weight * ratio(rolling_sum(pressure, period), rolling_sum(true_range, period), at_zero=0.5)
    return 100 * total / sum(ULTIMATE_WEIGHTS)


CLOSE = ("close",)
HIGH_LOW = ("high", "low")
HIGH_LOW_CLOSE = ("high", "low", "close")

PARTS: list[Indicator] = [Indicator("ultimate_sums", HIGH_LOW_CLOSE, ultimate_sums, lookback=28)]
INDICATORS: list[Indicator] = [
    Indicator("rsi_7", CLOSE, partial(rsi, period=7), lookback=7),
    Indicator("rsi_14", CLOSE, partial(rsi, period=14), lookback=14),
    Indicator("rsi_21", CLOSE, partial(rsi, period=21), lookback=21),
    Indicator("rsi_28", CLOSE, partial(rsi, period=28), lookback=28),
    Indicator("stoch_k", HIGH_LOW_CLOSE, stochastic_k, lookback=STOCHASTIC_LOOKBACK, reach=17),
    Indicator("stoch_d", HIGH_LOW_CLOSE, stochastic_d, lookback=STOCHASTIC_LOOKBACK, reach=17),
    Indicator("williams_r_14", HIGH_LOW_CLOSE, williams_r, lookback=13, reach=13),
    Indicator("cci_20", HIGH_LOW_CLOSE, ta(talib.CCI, timeperiod=20), lookback=19),
    Indicator("cmo_14", CLOSE, ta(talib.CMO, timeperiod=14), lookback=14),
    Indicator("trix_15", CLOSE, ta(talib.TRIX, timeperiod=15), lookback=43),
    Indicator("ultimate_osc", ("ultimate_sums", *HIGH_LOW_CLOSE), ultimate_oscillator, lookback=28, reach=28),
    Indicator("roc_9", CLOSE, ta(talib.ROC, timeperiod=9), lookback=9, reach=9),
    Indicator("roc_12", CLOSE, ta(talib.ROC, timeperiod=12), lookback=12, reach=12),
    Indicator("roc_25", CLOSE, ta(talib.ROC, timeperiod=25), lookback=25, reach=25),
    Indicator("tsi", CLOSE, ta(talib.TSI, firstperiod=25, secondperiod=13), lookback=37),
    Indicator("awesome_osc", HIGH_LOW, ta(talib.AO, fastperiod=5, slowperiod=34), lookback=33),
    Indicator("mass_index", HIGH_LOW, ta(talib.MASSI, fastperiod=9, slowperiod=25), lookback=40),
]
