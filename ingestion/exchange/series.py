"""The minutes of one symbol as arrays, and the candles of longer intervals made from them. Pure numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from ingestion.exchange.intervals import Interval
from ingestion.exchange.running import Row
from ingestion.timeframes import FIGURES, MINUTE_MS, BoolArray, Candles, FloatArray, IntArray

OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, TRADES, TAKER_BASE, TAKER_QUOTE = range(len(FIGURES))


@dataclass(frozen=True)
class Bars:
    """Candles of one symbol and interval, ascending: open and close times (n,), figures (n, 9) in FIGURES' order."""

    open_ms: IntArray
    close_ms: IntArray
    figures: FloatArray

    def __len__(self) -> int:
        return len(self.open_ms)

    def rows(self) -> list[Row]:
        times = zip(self.open_ms.tolist(), self.close_ms.tolist(), strict=True)
        return [Row(*span, *figures) for span, figures in zip(times, self.figures.tolist(), strict=True)]


def no_bars() -> Bars:
    return Bars(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, len(FIGURES))))


class Series:
    """The minutes, and where among them the candles of longer intervals begin. Never changed, only replaced."""

    def __init__(self, open_ms: IntArray, columns: Sequence[FloatArray]) -> None:
        self.open_ms = open_ms
        self.columns = [_slim(column) for column in columns]
        self._places: dict[tuple[str, int], tuple[IntArray, IntArray]] = {}

    @classmethod
    def of(cls, candles: Candles) -> "Series":
        return cls(candles.open_ms, [getattr(candles, name) for name in FIGURES])

    def __len__(self) -> int:
        return len(self.open_ms)

    def places(self, interval: Interval, zone_ms: int = 0) -> tuple[IntArray, IntArray]:
        """Open time of every bar, and the place of its first minute."""
        if interval.ms == MINUTE_MS:
            return self.open_ms, _counted(len(self))
        key = (interval.name, zone_ms)
        if key not in self._places:
            opens = interval.opens(self.open_ms, zone_ms)
            first = np.flatnonzero(np.r_[True, opens[1:] != opens[:-1]]) if len(opens) else np.empty(0, np.int64)
            self._places[key] = opens[first], first
        return self._places[key]

    def figures(self, first: int, last: int) -> FloatArray:
        """A copy of the figures of the minutes [first, last), shape (n, 9)."""
        return np.stack([column[first:last] for column in self.columns], axis=1)

    def row(self, place: int) -> Row:
        open_ms = int(self.open_ms[place])
        return Row(open_ms, open_ms + MINUTE_MS - 1, *(float(column[place]) for column in self.columns))

    def place_of(self, open_ms: int) -> int | None:
        place = int(np.searchsorted(self.open_ms, open_ms))
        return place if place < len(self) and self.open_ms[place] == open_ms else None

    def count_until(self, ms: int) -> int:
        """How many minutes have begun by then."""
        return int(np.searchsorted(self.open_ms, ms, "right"))

    def without(self, start_ms: int, end_ms: int) -> "Series":
        return self._chosen((self.open_ms < start_ms) | (self.open_ms >= end_ms))

    def _chosen(self, kept: BoolArray) -> "Series":
        return Series(self.open_ms[kept], [column[kept] for column in self.columns])

    def restated(self, place: int, figures: Mapping[str, float]) -> "Series":
        columns = [column.copy() for column in self.columns]
        for name, value in figures.items():
            columns[FIGURES.index(name)][place] = value
        return Series(self.open_ms, columns)


@cache
def _counted_to(most: int) -> IntArray:
    return np.arange(most)


def _counted(length: int) -> IntArray:
    """0, 1, 2 and so on: a part of one array that all symbols share, since every page asks for it."""
    return _counted_to(1 << length.bit_length())[:length]


def _slim(column: FloatArray) -> FloatArray:
    """A column that is NaN throughout takes no memory: most recordings have four of them."""
    return np.broadcast_to(np.float64(np.nan), len(column)) if np.isnan(column).all() else column


def joined(minutes: FloatArray, places: IntArray) -> FloatArray:
    """One row of figures for every group of minutes that begins at a place."""
    if len(places) == len(minutes):
        return minutes
    ends = np.r_[places[1:], len(minutes)] - 1
    groups = np.add.reduceat(minutes, places)
    groups[:, OPEN], groups[:, CLOSE] = minutes[places, OPEN], minutes[ends, CLOSE]
    groups[:, HIGH] = np.maximum.reduceat(minutes[:, HIGH], places)
    groups[:, LOW] = np.minimum.reduceat(minutes[:, LOW], places)
    return groups
