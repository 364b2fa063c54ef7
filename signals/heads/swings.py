"""Confirmed swing points: the highs and lows that levels are drawn through, known only once confirmed. Pure."""

from dataclasses import dataclass

import numpy as np
import talib

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.frame import Frame, across
from signals.indicators.base import ta

GREATEST = ta(talib.MAX)
KEPT = 4  # swings remembered a side: three shoulders of a head and shoulders, and one to compare them with


@dataclass(frozen=True)
class Side:
    """The last confirmed swings of one side as seen from each bar; shape (KEPT, bars), NaN before there are any.

    Row 0 is the last one, row 1 the one before it, and so on. `ages` counts bars since the swing bar itself, so an
    age is never below the bars that its confirmation takes. `confirmed` (bars,): row 0 has just been confirmed.
    """

    prices: FloatArray
    ages: FloatArray
    confirmed: BoolArray

    @property
    def price(self) -> FloatArray:
        found: FloatArray = self.prices[0]
        return found

    @property
    def age(self) -> FloatArray:
        found: FloatArray = self.ages[0]
        return found

    @property
    def earlier_price(self) -> FloatArray:
        found: FloatArray = self.prices[1]
        return found

    @property
    def earlier_age(self) -> FloatArray:
        found: FloatArray = self.ages[1]
        return found


@dataclass(frozen=True)
class Swings:
    """Confirmed swing highs and swing lows of one series of bars."""

    high: Side
    low: Side


def confirmed_swings(high: FloatArray, low: FloatArray, *, left: int, right: int) -> Swings:
    """The last KEPT swing highs and lows known at each bar; inputs of shape (bars,) in price units.

    A swing high is higher than each of the `left` bars before it and not lower than any of the `right` bars after it
    (of a flat top the first bar counts, of a flat market none does). It is usable from the bar `right` bars later.
    Williams' fractal is left = right = 2 (Williams, Trading Chaos, 1995).
    """
    if left < 1 or right < 1:
        raise ValueError(
            f"confirmed_swings needs left and right of at least 1, got {left} and {right}: ask for one bar more"
        )
    bars = np.arange(len(high))
    begins = np.zeros(len(high), np.int64)
    return Swings(
        *(Tops.of(prices, heights, left, right, begins).side(bars) for prices, heights in ((high, high), (low, -low)))
    )


def swings_of(frame: Frame, left: int, right: int) -> Swings:
    """A frame's confirmed swings. Found once on all whole frames, and drawn out for the rows that are asked for."""
    highs, lows = (frame.whole.derived(tops, left, right) for tops in (high_tops, low_tops))
    return Swings(high=highs.side(frame.places), low=lows.side(frame.places))


@dataclass(frozen=True)
class Tops:
    """The confirmed swings of one side of whole frames: their prices and rows, and how many each bar knows.

    Before the first one stand KEPT unknown ones, so that there is always something to point at. `before` (bars,) are
    those of the frames before its own, which a bar does not know.
    """

    prices: FloatArray
    rows: FloatArray
    known: IntArray
    before: IntArray
    confirmed: BoolArray

    @classmethod
    def of(cls, prices: FloatArray, heights: FloatArray, left: int, right: int, begins: IntArray) -> "Tops":
        confirmed = _is_confirmed(heights, left, right, begins)
        rows = np.flatnonzero(confirmed) - right
        unknown = np.full(KEPT, np.nan)
        known = np.cumsum(confirmed, dtype=np.int64)
        return cls(
            np.concatenate((unknown, prices[rows])),
            np.concatenate((unknown, rows)),
            known,
            # A frame's first bar confirms nothing.
            known[begins],
            confirmed,
        )

    def last(self, rank: int) -> FloatArray:
        """Price of the last swing (rank 0), the one before it (1) and so on, as known at each bar; shape (bars,)."""
        return np.where(self.known - self.before > rank, self.prices[self.known + (KEPT - 1 - rank)], np.nan)

    def side(self, bars: IntArray) -> Side:
        """The last KEPT of them as known at some bars."""
        known, ranks = self.known[bars], np.arange(KEPT)[:, None]
        place = np.where(known - self.before[bars] > ranks, known + (KEPT - 1) - ranks, 0)
        return Side(self.prices[place], bars - self.rows[place], self.confirmed[bars])


@across
def high_tops(frame: Frame, left: int, right: int) -> Tops:
    return Tops.of(frame["high"], frame["high"], left, right, frame.begins)


@across
def low_tops(frame: Frame, left: int, right: int) -> Tops:
    return Tops.of(frame["low"], -frame["low"], left, right, frame.begins)


def _is_confirmed(heights: FloatArray, left: int, right: int, begins: IntArray) -> BoolArray:
    """True at the bar that confirms the bar `right` before it as a top."""
    bars = len(heights)
    confirmed = np.zeros(bars, np.bool_)
    if bars > left + right:
        top, last = heights[left : bars - right], {span: _greatest(heights, span) for span in {left, right}}
        above = top > last[left][left - 1 : bars - right - 1]
        confirmed[left + right :] = above & (top >= last[right][left + right :])
        confirmed &= np.arange(bars) - begins >= left + right
    return confirmed


def _greatest(heights: FloatArray, bars: int) -> FloatArray:
    """The greatest of the last `bars` values, shape (n,), NaN on the first `bars - 1`."""
    return GREATEST(heights, timeperiod=bars) if bars > 1 else heights
