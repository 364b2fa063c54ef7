"""Confirmed swing points: the highs and lows that levels are drawn through, known only once confirmed. Pure."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from signals.window import Frame

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
    return Swings(high=_side(high, high, left, right), low=_side(low, -low, left, right))


def swings_of(frame: Frame, left: int, right: int) -> Swings:
    """A frame's confirmed swings; through `frame.derived(swings_of, left, right)` all heads share them."""
    return confirmed_swings(frame["high"], frame["low"], left=left, right=right)


def _side(prices: FloatArray, heights: FloatArray, left: int, right: int) -> Side:
    return _last_confirmed(prices, _is_confirmed(heights, left, right), right)


def _is_confirmed(heights: FloatArray, left: int, right: int) -> BoolArray:
    """True at the bar that confirms the bar `right` before it as a top."""
    bars = len(heights)
    confirmed = np.zeros(bars, np.bool_)
    if bars <= left + right:
        return confirmed
    top = heights[left : bars - right]
    stands = np.isfinite(top)
    for step in range(1, left + 1):
        stands &= top > heights[left - step : bars - right - step]
    for step in range(1, right + 1):
        stands &= top >= heights[left + step : bars - right + step]
    confirmed[left + right :] = stands
    return confirmed


def _last_confirmed(prices: FloatArray, confirmed: BoolArray, right: int) -> Side:
    rows = np.flatnonzero(confirmed) - right
    kept_prices, kept_ages = np.full((2, KEPT, len(prices)), np.nan)
    known = np.cumsum(confirmed)
    bar = np.arange(len(prices), dtype=np.float64)
    for rank in range(min(KEPT, len(rows))):
        exists = known > rank
        row = rows[known[exists] - 1 - rank]
        kept_prices[rank, exists] = prices[row]
        kept_ages[rank, exists] = bar[exists] - row
    return Side(prices=kept_prices, ages=kept_ages, confirmed=confirmed)
