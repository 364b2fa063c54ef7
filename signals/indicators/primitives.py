"""The two operations the families share and TA-Lib lacks: a sum without memory, and a ratio that knows 0 / 0."""

import numpy as np

from signals.indicators.base import FloatArray


def rolling_sum(values: FloatArray, period: int) -> FloatArray:
    """Sum of the last `period` rows, shape (n,), NaN on the first `period - 1`, in the unit of `values`.

    Each row is added up afresh, in pairs, pairs of pairs and so on. TA-Lib's SUM adds the new row and takes off the old
    one, and what that rounds away stays: after a burst of volume twenty silent bars do not sum to zero. A NaN reaches
    `period` rows.
    """
    rows = len(values) - period + 1
    if rows < 1:
        return np.full(len(values), np.nan)
    total = np.empty(len(values))
    total[: period - 1] = np.nan
    sums, length, covered = values, 1, 0  # sums[i] is that of values[i : i + length]
    full = total[period - 1 :]
    while True:
        if period & length:
            piece = sums[covered : covered + rows]
            if covered:
                full += piece
            else:
                full[:] = piece
            covered += length
        if 2 * length > period:
            return total
        sums = sums[:-length] + sums[length:]
        length *= 2


def ratio(numerator: FloatArray, denominator: FloatArray, *, at_zero: float) -> FloatArray:
    """`numerator / denominator`, shape (n,), without unit, and `at_zero` where the denominator is exactly zero."""
    quotient = np.full(len(numerator), at_zero)
    np.divide(numerator, denominator, out=quotient, where=denominator != 0)
    return quotient
