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
        """The newest reading available at each close, NaN where none is fresh; shape of `close_ms`."""
        return self._at(self._readings(close_ms, bar_ms))

    def _readings(self, close_ms: IntArray, bar_ms: int) -> IntArray:
        """Index of the reading that each close sees, -1 where none is fresh.

        A reading that arrives after a newer one changes nothing, one that arrives twice neither.
        """
        if not len(self.as_of_ms):
            return np.full(len(close_ms), -1)
        row = np.searchsorted(self.available_ms, close_ms, side="right") - 1
        reading = newest_reading(self.as_of_ms)[row]
        age = close_ms - self.as_of_ms[reading]
        fresh = (row >= 0) & (age < (bar_ms if self.fresh_ms is None else self.fresh_ms))
        return np.where(fresh, reading, -1)

    def _at(self, reading: IntArray) -> FloatArray:
        return (
            np.where(reading >= 0, self.values[reading], np.nan) if len(self.values) else np.full(len(reading), np.nan)
        )


Feeds = Mapping[str, Feed]


def newest_reading(as_of_ms: IntArray) -> IntArray:
    """For each reading, the index of the newest one that had arrived by then; of equal ones the first to arrive."""
    newest = np.maximum.accumulate(as_of_ms)
    brought = np.r_[True, newest[1:] > newest[:-1]]
    index: IntArray = np.maximum.accumulate(np.where(brought, np.arange(len(as_of_ms)), 0))
    return index


def all_seen_at(feeds: Feeds, close_ms: IntArray, bar_ms: int) -> dict[str, FloatArray]:
    """Each feed's `seen_at`; figures that were read together, sharing their arrays of times, are looked up once."""
    known: dict[tuple[int, int, int | None], IntArray] = {}
    seen = {}
    for name, feed in feeds.items():
        key = (id(feed.as_of_ms), id(feed.available_ms), feed.fresh_ms)
        if key not in known:
            known[key] = feed._readings(close_ms, bar_ms)
        seen[name] = feed._at(known[key])
    return seen
