"""Feeds: figures from outside the candles, each usable only from the moment it was there. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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


@dataclass(frozen=True)
class Readings:
    """Stored readings of one name and symbol, in order of arrival; times in ms (n,), values (n, fields)."""

    as_of_ms: IntArray
    available_ms: IntArray
    values: FloatArray

    def __len__(self) -> int:
        return len(self.as_of_ms)

    @classmethod
    def of(cls, rows: Sequence[tuple[int, int, Sequence[float]]]) -> "Readings":
        """From rows of moment, arrival and values; at least one."""
        as_of_ms, available_ms, values = zip(*sorted(rows, key=lambda row: (row[1], row[0])), strict=True)
        return cls(np.array(as_of_ms, np.int64), np.array(available_ms, np.int64), np.array(values, np.float64))


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


# Times of one symbol lie within 2**42 ms of 1970 (the year 2109); the next symbol's begin there.
PLACE_MS = 2**42


@dataclass(frozen=True)
class SymbolFeeds:
    """The feeds of many symbols end to end: the times of the symbol at place n are n * PLACE_MS later.

    So the readings of all of them are looked up at once. `symbols` is sorted.
    """

    symbols: tuple[str, ...]
    feeds: Feeds

    def seen_at(self, symbol: npt.NDArray[np.str_], close_ms: IntArray, bar_ms: int) -> dict[str, FloatArray]:
        """What each row's symbol sees of each feed at its close, NaN where it has none or nothing fresh."""
        place = np.searchsorted(self.symbols, symbol) if self.symbols else np.zeros(len(symbol), np.int64)
        held = np.array([*self.symbols, ""])[place] == symbol
        return all_seen_at(self.feeds, np.where(held, close_ms + place * PLACE_MS, -1), bar_ms)


def spread(seen: Mapping[str, FloatArray], rows: IntArray, bars: int) -> dict[str, FloatArray]:
    """Feeds at the rows they were seen from; heads read a feed at the row they vote on and nowhere else."""
    table = {}
    for name, values in seen.items():
        table[name] = np.full(bars, np.nan)
        table[name][rows] = values
    return table
