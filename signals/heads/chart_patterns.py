"""Chart patterns drawn through confirmed swings, each at the bar whose close confirms it. Pure.

Only the bullish form of each is written down; the bearish form is the same code on the chart turned upside down.
Shapes follow Edwards and Magee, Technical Analysis of Stock Trends (1948); the tolerances have no source and are
round figures in ATR.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import talib

from ingestion.timeframes import BoolArray, FloatArray
from signals.heads.swings import KEPT, Side, Swings

MAX_AGE = 96  # bars back to a pattern's first swing: one day of 15m bars
MIN_APART = 8  # bars between two bottoms; nearer ones are one bottom
SAME_LEVEL_ATRS = 0.75  # two swings this close are at the same level
MIN_DEPTH_ATRS = 2.0  # from bottom to neckline, and a triangle's width at its open end
HEAD_ATRS = 1.0  # the head beyond both shoulders
SHOULDERS_ATRS = 1.5  # one shoulder to the other
FLAT_ATRS = 0.5  # a triangle's side may lean this much the wrong way and still count as flat
NARROWED = 0.75  # of its first width a triangle must have left at most
POLE_ATRS = 4.0
POLE_BARS = 10
FLAG_BARS = 20  # a longer rest is no flag
FLAG_RETRACEMENT = 0.5  # of the pole at most


@dataclass(frozen=True)
class Chart:
    """Bars and their confirmed swings; arrays of shape (bars,), prices in any one unit, ATR in the same."""

    high: FloatArray
    low: FloatArray
    close: FloatArray
    atr: FloatArray
    swings: Swings

    def upside_down(self) -> "Chart":
        """The chart with every price negated: its lows are this one's highs."""
        swings = Swings(high=negated(self.swings.low), low=negated(self.swings.high))
        return Chart(high=-self.low, low=-self.high, close=-self.close, atr=self.atr, swings=swings)


def negated(side: Side) -> Side:
    return Side(prices=-side.prices, ages=side.ages, confirmed=side.confirmed)


def crosses_above(close: FloatArray, level: FloatArray, slope: FloatArray | float = 0.0) -> BoolArray:
    """The first close above a line that is at `level` now and moves by `slope` a bar."""
    before = np.full(len(close), np.nan)
    before[1:] = close[:-1]
    crossed: BoolArray = (close > level) & (before <= level - slope)
    return crossed


def peak_between(side: Side, newer: FloatArray, older: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Price and age of the highest swing whose age lies between `newer` and `older`, NaN where there is none."""
    price, age = np.full((2, len(newer)), np.nan)
    for rank in range(KEPT):
        there = (side.ages[rank] > newer) & (side.ages[rank] < older)
        higher = there & ~(side.prices[rank] <= price)
        price, age = np.where(higher, side.prices[rank], price), np.where(higher, side.ages[rank], age)
    return price, age


def double_bottom(chart: Chart) -> BoolArray:
    """Two lows at one level with a peak between them, confirmed by the first close above that peak."""
    lows = chart.swings.low
    apart = lows.earlier_age - lows.age
    neckline, _ = peak_between(chart.swings.high, lows.age, lows.earlier_age)
    depth = neckline - np.maximum(lows.price, lows.earlier_price)
    shaped: BoolArray = (
        (np.abs(lows.price - lows.earlier_price) <= SAME_LEVEL_ATRS * chart.atr)
        & (apart >= MIN_APART)
        & (lows.earlier_age <= MAX_AGE)
        & (depth >= MIN_DEPTH_ATRS * chart.atr)
    )
    return shaped & crosses_above(chart.close, neckline)


def inverse_head_and_shoulders(chart: Chart) -> BoolArray:
    """Three lows, the middle one deepest, confirmed by the first close above the line through the peaks between."""
    (right, head, left), (right_age, head_age, left_age) = chart.swings.low.prices[:3], chart.swings.low.ages[:3]
    near, near_age = peak_between(chart.swings.high, right_age, head_age)
    far, far_age = peak_between(chart.swings.high, head_age, left_age)
    slope = (near - far) / (far_age - near_age)
    neckline = near + slope * near_age
    shaped: BoolArray = (
        (np.minimum(left, right) - head >= HEAD_ATRS * chart.atr)
        & (np.abs(left - right) <= SHOULDERS_ATRS * chart.atr)
        & (np.minimum(near, far) - head >= MIN_DEPTH_ATRS * chart.atr)
        & (left_age <= MAX_AGE)
    )
    return shaped & crosses_above(chart.close, neckline, slope)


def triangle_break(chart: Chart) -> BoolArray:
    """Highs that do not rise over lows that do not fall, drawing together, confirmed by a close above the highs' line.

    Ascending, descending and symmetrical triangles alike: which way it breaks is what counts.
    """
    highs, lows = chart.swings.high, chart.swings.low
    roof_slope = (highs.price - highs.earlier_price) / (highs.earlier_age - highs.age)
    floor_slope = (lows.price - lows.earlier_price) / (lows.earlier_age - lows.age)
    roof, floor = highs.price + roof_slope * highs.age, lows.price + floor_slope * lows.age
    opened = np.maximum(highs.earlier_age, lows.earlier_age)
    width, first_width = roof - floor, (roof - floor) - (roof_slope - floor_slope) * opened
    shaped: BoolArray = (
        (highs.price - highs.earlier_price <= FLAT_ATRS * chart.atr)
        & (lows.earlier_price - lows.price <= FLAT_ATRS * chart.atr)
        & (first_width >= MIN_DEPTH_ATRS * chart.atr)
        & (width > 0)
        & (width <= NARROWED * first_width)
        & (opened <= MAX_AGE)
    )
    return shaped & crosses_above(chart.close, roof, roof_slope)


def flag_break(chart: Chart) -> BoolArray:
    """A steep pole up to a swing high and a rest that keeps half of it, confirmed by the first close above the pole."""
    top, age = chart.swings.high.price, chart.swings.high.age
    height = top - value_at(talib.MIN(chart.low, POLE_BARS), age)
    shaped: BoolArray = (
        (age <= FLAG_BARS)
        & (height >= POLE_ATRS * chart.atr)
        & (lowest_since(chart.low, age) >= top - FLAG_RETRACEMENT * height)
    )
    return shaped & crosses_above(chart.close, top)


def value_at(values: FloatArray, age: FloatArray) -> FloatArray:
    """Each row's value `age` bars before it, shape (bars,), NaN where the age is NaN or beyond FLAG_BARS."""
    found, bar = np.full(len(values), np.nan), np.arange(len(values))
    known = np.flatnonzero((age <= FLAG_BARS) & (age <= bar))
    found[known] = values[bar[known] - age[known].astype(np.int64)]
    return found


def lowest_since(low: FloatArray, age: FloatArray) -> FloatArray:
    """Lowest low of the last `age` bars, shape (bars,), NaN where the age is NaN or beyond FLAG_BARS."""
    lowest = np.full(len(low), np.nan)
    running = low.copy()
    for bars in range(1, min(FLAG_BARS, len(low)) + 1):
        lowest = np.where(age == bars, running, lowest)
        running[bars:] = np.minimum(running[bars:], low[:-bars])
    return lowest


BULLISH: tuple[Callable[[Chart], BoolArray], ...] = (
    double_bottom,
    inverse_head_and_shoulders,
    triangle_break,
    flag_break,
)
