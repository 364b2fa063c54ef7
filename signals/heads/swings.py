"""Confirmed swing points: the highs and lows that levels are drawn through, known only once confirmed. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import talib

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.indicators.base import ta
from signals.window import Frame

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
    whole = [(0, len(high))]
    return Swings(_side([Tops.of(high, high, left, right)], whole), _side([Tops.of(low, -low, left, right)], whole))


def swings_of(frame: Frame, left: int, right: int) -> Swings:
    """A frame's confirmed swings. Found once on each whole frame, and drawn out for the rows that are asked for."""
    rows = [(part.start, part.stop) for part in frame.parts]
    return Swings(
        high=_side([part.frame.derived(high_tops, left, right) for part in frame.parts], rows),
        low=_side([part.frame.derived(low_tops, left, right) for part in frame.parts], rows),
    )


@dataclass(frozen=True)
class Tops:
    """The confirmed swings of one side of a whole frame: their prices and rows, and how many each bar knows.

    Before the first one stand KEPT unknown ones, so that there is always something to point at.
    """

    prices: FloatArray
    rows: FloatArray
    known: IntArray
    confirmed: BoolArray

    @classmethod
    def of(cls, prices: FloatArray, heights: FloatArray, left: int, right: int) -> "Tops":
        confirmed = _is_confirmed(heights, left, right)
        rows = np.flatnonzero(confirmed) - right
        unknown = np.full(KEPT, np.nan)
        return cls(
            np.concatenate((unknown, prices[rows])),
            np.concatenate((unknown, rows)),
            np.cumsum(confirmed),
            confirmed,
        )

    def last(self, rank: int) -> FloatArray:
        """Price of the last swing (rank 0), the one before it (1) and so on, as known at each bar; shape (bars,)."""
        found: FloatArray = self.prices[self.known + (KEPT - 1 - rank)]
        return found


def high_tops(frame: Frame, left: int, right: int) -> Tops:
    return Tops.of(frame["high"], frame["high"], left, right)


def low_tops(frame: Frame, left: int, right: int) -> Tops:
    return Tops.of(frame["low"], -frame["low"], left, right)


def _side(tops: Sequence[Tops], rows: Sequence[tuple[int, int]]) -> Side:
    """The last KEPT swings at some rows of each frame, one frame after the other."""
    begins = np.cumsum([0, *(len(each.rows) for each in tops[:-1])]).tolist()
    known = [each.known[start:stop] + begin for each, (start, stop), begin in zip(tops, rows, begins, strict=True)]
    place = np.concatenate(known) + np.arange(KEPT - 1, -1, -1)[:, None]
    bar = np.concatenate([np.arange(start, stop) for start, stop in rows])
    return Side(
        prices=np.concatenate([each.prices for each in tops])[place],
        ages=bar - np.concatenate([each.rows for each in tops])[place],
        confirmed=np.concatenate([each.confirmed[start:stop] for each, (start, stop) in zip(tops, rows, strict=True)]),
    )


def _is_confirmed(heights: FloatArray, left: int, right: int) -> BoolArray:
    """True at the bar that confirms the bar `right` before it as a top."""
    bars = len(heights)
    confirmed = np.zeros(bars, np.bool_)
    tops = bars - left - right
    if tops > 0:
        top, last = heights[left : bars - right], {span: _greatest(heights, span) for span in {left, right}}
        above = top > last[left][left - 1 : bars - right - 1]
        confirmed[left + right :] = above & (top >= last[right][left + right :])
    return confirmed


def _greatest(heights: FloatArray, bars: int) -> FloatArray:
    """The greatest of the last `bars` values, shape (n,), NaN on the first `bars - 1`."""
    return GREATEST(heights, timeperiod=bars) if bars > 1 else heights
