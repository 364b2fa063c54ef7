"""The two operations the families share and TA-Lib lacks: a sum without memory, and a ratio that knows 0 / 0."""

import numpy as np

from signals.indicators.base import FloatArray


def rolling_sum(values: FloatArray, period: int) -> FloatArray:
    """Sum of the last `period` rows, shape (n,), NaN on the first `period - 1`, in the unit of `values`.

    Each row is added up afresh, newest first. TA-Lib's SUM adds the new row and takes off the old one, and what that
    rounds away stays: after a burst of volume twenty silent bars do not sum to zero. A NaN reaches `period` rows.
    """
    total = np.full(len(values), np.nan)
    if len(values) < period:
        return total
    last = len(values)
    full = values[period - 1 :].copy()
    for lag in range(1, period):
        full += values[period - 1 - lag : last - lag]
    total[period - 1 :] = full
    return total


def ratio(numerator: FloatArray, denominator: FloatArray, *, at_zero: float) -> FloatArray:
    """`numerator / denominator`, shape (n,), without unit, and `at_zero` where the denominator is exactly zero."""
    quotient = np.full(len(numerator), at_zero)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
