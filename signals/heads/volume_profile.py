"""The volume profile of the last bars: at which prices the volume was traded. Pure.

Steidlmayer's Market Profile, with volume in the place of time (Dalton, Mind over Markets, 1990).
"""

from dataclasses import dataclass

import numpy as np
import talib

from ingestion.timeframes import FloatArray, IntArray

BINS = 24
VALUE_AREA = 0.70  # share of the volume inside the value area, about one standard deviation (Steidlmayer; Dalton, 1990)


@dataclass(frozen=True)
class Profile:
    """Prices of shape (bars,), NaN without a full span, without volume or without a range.

    point_of_control is the middle of the price bin with the most volume, value_low and value_high are the edges of
    the value area around it.
    """

    point_of_control: FloatArray
    value_low: FloatArray
    value_high: FloatArray


def volume_profile(
    high: FloatArray,
    low: FloatArray,
    close: FloatArray,
    volume: FloatArray,
    *,
    span: int,
    rows: IntArray | None = None,
) -> Profile:
    """Profile of the last `span` (2 or more) bars at each row asked for, or at all; shapes (bars,), base volume.

    A bar's volume counts at its typical price. The bins divide the span's own range, so the result has no memory: it
    depends on those bars alone.
    """
    bars = len(close)
    asked = np.arange(bars) if rows is None else rows
    asked = asked[asked >= span - 1]
    found = np.full((3, bars), np.nan)
    if len(asked):
        top, bottom = talib.MAX(high, span)[asked], talib.MIN(low, span)[asked]
        price = spans_of((high + low + close) / 3, span, asked)
        held = volume_by_bin(price, spans_of(volume, span, asked), top, bottom)
        found[:, asked] = in_prices(*value_area(held), top, bottom, held)
    return Profile(point_of_control=found[0], value_low=found[1], value_high=found[2])


def spans_of(values: FloatArray, span: int, rows: IntArray) -> FloatArray:
    """The last `span` values at each row, oldest first, shape (rows, span)."""
    return np.lib.stride_tricks.sliding_window_view(values, span)[rows - span + 1]


def volume_by_bin(price: FloatArray, volume: FloatArray, top: FloatArray, bottom: FloatArray) -> FloatArray:
    """Volume in each of BINS price bins, shape (rows, BINS), added up oldest bar first; zeros without a range."""
    rows = len(price)
    step = (top - bottom) / BINS
    # A market without a range puts all its volume into bin 0, and in_prices() leaves the row out.
    step = np.where(step > 0, step, np.inf)
    place = np.minimum(((price - bottom[:, None]) / step[:, None]).astype(np.int64), BINS - 1)
    place += BINS * np.arange(rows)[:, None]
    # bincount adds in the order of its input, which numpy's sums along an axis do not promise.
    held: FloatArray = np.bincount(place.ravel(), weights=volume.ravel(), minlength=rows * BINS).astype(
        np.float64, copy=False
    )
    return held.reshape(rows, BINS)


def value_area(held: FloatArray) -> tuple[IntArray, IntArray, IntArray]:
    """Fullest bin, lowest and highest bin of the value area, shapes (rows,).

    From the fullest bin the area grows by whichever neighbour holds more volume, by both if they hold the same, until
    it has VALUE_AREA of the whole.
    """
    enough = VALUE_AREA * np.cumsum(held, axis=1)[:, -1]
    # A border of -1 on either side: never more than a bin that exists. Flat, for one index is quicker than two.
    bordered = np.pad(held, ((0, 0), (1, 1)), constant_values=-1.0).ravel()
    begin = np.arange(len(held)) * (BINS + 2)
    fullest = np.argmax(held, axis=1)
    lowest, highest, inside = fullest.copy(), fullest.copy(), bordered[begin + fullest + 1]
    while (growing := inside < enough).any():
        below, above = bordered[begin + lowest], bordered[begin + highest + 2]
        down, up = growing & (below >= above), growing & (above >= below)
        inside = inside + np.where(down, below, 0.0) + np.where(up, above, 0.0)
        lowest, highest = lowest - down, highest + up
    return fullest, lowest, highest


def in_prices(
    fullest: IntArray,
    lowest: IntArray,
    highest: IntArray,
    top: FloatArray,
    bottom: FloatArray,
    held: FloatArray,
) -> FloatArray:
    """Point of control, value area low and high in prices, shape (3, rows), NaN without a range or without volume."""
    step = (top - bottom) / BINS
    known = (step > 0) & (held[np.arange(len(held)), fullest] > 0)
    prices = np.stack([bottom + (fullest + 0.5) * step, bottom + lowest * step, bottom + (highest + 1) * step])
    return np.where(known, prices, np.nan)
