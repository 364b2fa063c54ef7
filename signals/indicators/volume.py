"""Volume: what was traded behind the move. Where nothing was traded there is nothing to measure: NaN, not neutral."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import talib

from signals.indicators.base import FloatArray, Indicator, ta
from signals.indicators.primitives import ratio, rolling_sum

OBV = ta(talib.OBV)
DAY_MS = 86_400_000
CMF_PERIOD = 20


def on_balance_volume(close: FloatArray, volume: FloatArray) -> FloatArray:
    """Volume added on a rise, taken off on a fall, in base currency, shape (n,) (Granville, 1963; TA-Lib OBV).

    It counts from the first row given, so its level says nothing: read differences of it only.
    """
    return OBV(close, volume)


def vwap(
    open_ms: npt.NDArray[np.int64], high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray
) -> FloatArray:
    """Typical price weighted by volume since 00:00 UTC of each bar's day, in price units, shape (n,).

    NaN while the day has no volume, and NaN before the first midnight the series holds: a day whose beginning is
    missing would have another value in each window. `open_ms` ascends, in ms since the epoch.
    """
    if not len(open_ms):
        return np.empty(0)
    days = days_of(open_ms)
    # A row a day: a running sum over the whole series less its value at midnight would carry the rounding of all the
    # days before into the result, and another window would get other bits.
    table = np.zeros((2, days.count * days.longest))
    table[0, days.place], table[1, days.place] = (high + low + close) / 3 * volume, volume
    sums = np.cumsum(table.reshape(2, days.count, days.longest), axis=2).reshape(2, -1)
    average = ratio(sums[0, days.place], sums[1, days.place], at_zero=np.nan)
    average[: days.unbegun] = np.nan
    return average


@dataclass(frozen=True)
class Days:
    """Where bars stand in a table with a row a day: their places, and how many at first are of a day not begun here."""

    count: int
    longest: int
    place: npt.NDArray[np.int64] | slice
    unbegun: int


def days_of(open_ms: npt.NDArray[np.int64]) -> Days:
    """The days of ascending open times, at least one."""
    first, step = int(open_ms[0]), int(open_ms[1] - open_ms[0]) if len(open_ms) > 1 else DAY_MS
    # Without a gap the first time and the step say it all, and all symbols share them.
    if int(open_ms[-1]) - first == (len(open_ms) - 1) * step:
        return days_of_grid(first, step, len(open_ms))
    return lay_out_days(open_ms)


@lru_cache(maxsize=256)
def days_of_grid(first_ms: int, step_ms: int, bars: int) -> Days:
    return lay_out_days(first_ms + step_ms * np.arange(bars))


def lay_out_days(open_ms: npt.NDArray[np.int64]) -> Days:
    day = open_ms // DAY_MS
    begins = np.concatenate(([0], np.flatnonzero(day[1:] != day[:-1]) + 1))
    bars = np.diff(begins, append=len(day))
    longest = int(bars.max())
    # The first day ends its row, so that without a gap all bars stand in one piece; a day's leading zeros add nothing.
    starts = np.arange(len(begins)) * longest - begins
    starts[0] = longest - bars[0]
    first = int(starts[0])
    place = np.arange(len(day)) + np.repeat(starts, bars) if (starts != first).any() else slice(first, first + len(day))
    return Days(len(begins), longest, place, int(bars[0]) if open_ms[0] % DAY_MS else 0)


def chaikin_money_flow(high: FloatArray, low: FloatArray, close: FloatArray, volume: FloatArray) -> FloatArray:
    """Share of 20 bars' volume that closed near the high less that near the low, -1 to 1, shape (n,) (Chaikin).

    A bar with high == low has no near side: its volume counts, its flow is 0. Without any volume in 20 bars NaN.
    """
    position = ratio((close - low) - (high - close), high - low, at_zero=0.0)
    flow, traded = rolling_sum(position * volume, CMF_PERIOD), rolling_sum(volume, CMF_PERIOD)
    return ratio(flow, traded, at_zero=np.nan)


INDICATORS: list[Indicator] = [
    Indicator("obv", ("close", "volume"), on_balance_volume, lookback=0),
    # No fixed lookback: the first midnight in the series decides, and a series may begin with it.
    Indicator("vwap", ("open_ms", "high", "low", "close", "volume"), vwap, lookback=0),
    Indicator("cmf_20", ("high", "low", "close", "volume"), chaikin_money_flow, lookback=19, reach=19),
]
