"""Feeds: figures from outside the candles, each usable only from the moment it was there. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import FloatArray, IntArray


@dataclass(frozen=True)
class Feed:
    """One figure over time; arrays of one shape (readings,), ascending in `available_ms`.

    `as_of_ms` is the moment a reading speaks of, `available_ms` the moment from which it may be used, both in ms.
    A reading is fresh for `fresh_ms` after the moment it speaks of; None means for one bar of the scan.
    """

    as_of_ms: IntArray
    available_ms: IntArray
    values: FloatArray
    fresh_ms: int | None = None

    def seen_at(self, close_ms: IntArray, bar_ms: int) -> FloatArray:
        """The newest reading available at each close, NaN where none is fresh; shape of `close_ms`.

        A reading that arrives after a newer one changes nothing, one that arrives twice neither.
        """
        if not len(self.values):
            return np.full(len(close_ms), np.nan)
        newest = newest_reading(self.as_of_ms)
        row = np.searchsorted(self.available_ms, close_ms, side="right") - 1
        reading = newest[np.maximum(row, 0)]
        age = close_ms - self.as_of_ms[reading]
        fresh = (row >= 0) & (age < (bar_ms if self.fresh_ms is None else self.fresh_ms))
        return np.where(fresh, self.values[reading], np.nan)


Feeds = Mapping[str, Feed]


def newest_reading(as_of_ms: IntArray) -> IntArray:
    """For each reading, the index of the newest one that had arrived by then; of equal ones the first to arrive."""
    newest = np.maximum.accumulate(as_of_ms)
    brought = np.r_[True, newest[1:] > newest[:-1]]
    index: IntArray = np.maximum.accumulate(np.where(brought, np.arange(len(as_of_ms)), 0))
    return index
