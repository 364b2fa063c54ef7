"""Where a market goes sideways, the climax that stopped it, and volume against what it moved. Pure.

After Wyckoff as Pruden (The Three Skills of Top Trading, 2007) and Weis (Trades About to Happen, 2013) teach him. They
read charts by eye and name few figures; where they name none, a round one in ATR or times the usual volume stands.
"""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.columns import Rows
from signals.frame import Frame
from signals.heads.swings import KEPT, Side, swings_of
from signals.indicators.primitives import ratio

SWING_BARS = 5  # as in the structure head: turns that one sees on the chart
# A range is drawn once support and resistance have both been tested: two swings in the outer quarter of either side.
EDGE_SHARE = 0.25
# It is no mere pause (a swing alone takes eleven bars), and neither a ripple nor a trend: of the 65 bars that one
# lasts by the median (measured on 15m candles of eight spot symbols, June 2021) a market without direction covers
# some 8 ATR (the range of a random walk grows with the root of its steps, Feller, 1951), a sideways one less.
LEAST_BARS = 20
NARROWEST_ATRS, WIDEST_ATRS = 2.5, 8.0

VOLUME_BARS = 20  # as in the patterns head: the bars before whose median is the usual volume
CLIMAX_ATRS, CLIMAX_TIMES = 2.0, 2.5  # a bar unlike those around it, in range and in volume
CLIMAX_LOWEST_BARS = 50  # it ends a decline: no lower low for so long
CLIMAX_OFF_LOW = 0.25  # the close is taken back by at least this share of the bar


def mirrored(straight: FloatArray, upside_down: FloatArray) -> FloatArray:
    """Both ways to hold the chart, shape (2, bars): row 0 as it is, row 1 the negated series of the chart turned."""
    both = np.empty((2, len(straight)))
    both[0] = straight
    np.negative(upside_down, out=both[1])
    return both


@dataclass(frozen=True)
class TradingRange:
    """The range that price is in, or was in last, as known at each bar; shapes (2, bars), NaN where none is.

    Row 0 is the chart, row 1 the chart upside down (its support is the negated resistance). `bars`, shape (bars,), is
    how long ago its first swing was.
    """

    support: FloatArray
    resistance: FloatArray
    bars: FloatArray

    @property
    def width(self) -> FloatArray:
        wide: FloatArray = self.resistance[0] - self.support[0]
        return wide


def trading_range(frame: Frame) -> TradingRange:
    """The longest range that the last swings are part of: from their lowest low to their highest high."""
    swings, atr = swings_of(frame, SWING_BARS, SWING_BARS), frame["atr_14"]
    lowest, low_test = _edge(swings.low, np.minimum, np.maximum)
    highest, high_test = _edge(swings.high, np.maximum, np.minimum)
    begun = np.maximum(swings.low.ages[1:], swings.high.ages[1:])
    width = highest - lowest
    slack = EDGE_SHARE * width
    fits = (width >= NARROWEST_ATRS * atr) & (width <= WIDEST_ATRS * atr) & (begun >= LEAST_BARS)
    fits &= (low_test - lowest <= slack) & (highest - high_test <= slack)
    longest = (KEPT - 2) - np.argmax(fits[::-1], axis=0), np.arange(fits.shape[1])
    known = fits[longest]
    support, resistance, bars = (np.where(known, each[longest], np.nan) for each in (lowest, highest, begun))
    return TradingRange(mirrored(support, resistance), mirrored(resistance, support), bars)


def _edge(side: Side, outer: np.ufunc, inner: np.ufunc) -> tuple[FloatArray, FloatArray]:
    """The outermost of a side's last two, three and four swings, and the one next to it; shapes (KEPT - 1, bars)."""
    outermost = outer.accumulate(side.prices, axis=0)
    # The next one in is the outermost of all that were outdone, by the swings before them or after.
    return outermost[1:], outer.accumulate(inner(outermost[:-1], side.prices[1:]), axis=0)


@dataclass(frozen=True)
class Climaxes(Rows):
    """Selling climaxes (side 0) and then buying climaxes (side 1), arrays (climaxes,), each side ascending in `row`.

    `low`: its price, negated upside down; `times`: its volume over the usual.
    """

    side: IntArray
    row: IntArray
    low: FloatArray
    times: FloatArray


def climaxes(frame: Frame) -> Climaxes:
    """Pruden's selling climax: the widest bar on the heaviest volume at the low of a decline, bought before its close.

    Of a whole frame, whose rows these are.
    """
    high, low, close = frame["high"], frame["low"], frame["close"]
    wide = np.flatnonzero(high - low >= CLIMAX_ATRS * frame["atr_14"])
    wide = wide[wide >= CLIMAX_LOWEST_BARS]
    top, bottom = mirrored(high[wide], low[wide]), mirrored(low[wide], high[wide])
    before = wide[:, None] - np.arange(1, CLIMAX_LOWEST_BARS + 1)
    lowest = mirrored(low[before].min(axis=1), high[before].max(axis=1))
    bought = mirrored(close[wide], close[wide]) - bottom >= CLIMAX_OFF_LOW * (top - bottom)
    times = times_usual(frame["volume"], wide)
    side, found = np.nonzero((bottom <= lowest) & bought & (times >= CLIMAX_TIMES))
    return Climaxes(side, wide[found], bottom[side, found], times[found])


def last_climax(frame: Frame, side: IntArray, row: IntArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Price, age in bars and volume over the usual of the last climax of a side by each row; NaN before there is one.

    `side` and `row`, and each of the three, of shape (asked,); `frame` may be an excerpt, whose rows they count.
    """
    low, since, times = np.full((3, len(row)), np.nan)
    begins = np.cumsum([0, *(len(part) for part in frame.parts[:-1])])
    owner = np.searchsorted(begins, row, side="right") - 1
    for place in sorted(set(owner.tolist())):
        part, asked = frame.parts[place], np.flatnonzero(owner == place)
        found, now = part.frame.derived(climaxes), row[asked] - begins[place] + part.start
        # One ascending number for side and row, so that one search finds the last one of its side.
        bars = len(part.frame)
        last = np.searchsorted(found.side * bars + found.row, side[asked] * bars + now, side="right") - 1
        known = np.flatnonzero((last >= 0) & (found.side[last] == side[asked])) if len(found) else np.empty(0, np.int64)
        asked, last = asked[known], last[known]
        low[asked], since[asked], times[asked] = found.low[last], now[known] - found.row[last], found.times[last]
    return low, since, times


def times_usual(volume: FloatArray, rows: IntArray) -> FloatArray:
    """The volume at each row asked for over the median of the VOLUME_BARS before it, shape (rows,).

    NaN where there are not so many before, and where the usual volume is none.
    """
    if not len(rows):
        return np.empty(0)
    before = np.sort(volume[np.maximum(rows[:, None] - np.arange(1, VOLUME_BARS + 1), 0)], axis=1)
    usual = (before[:, VOLUME_BARS // 2 - 1] + before[:, VOLUME_BARS // 2]) / 2
    times = ratio(volume[rows], usual, at_zero=np.nan)
    return np.where(rows >= VOLUME_BARS, times, np.nan)


def earlier(values: FloatArray, bars: int) -> FloatArray:
    """What stood `bars` bars before, shape (2, bars), NaN on the first ones."""
    moved = np.full(values.shape, np.nan)
    moved[:, bars:] = values[:, :-bars]
    return moved


def bars_since(event: BoolArray) -> FloatArray:
    """Bars since it last was true, 0 where it is, infinite before the first time; along the last axis."""
    index = np.arange(event.shape[-1], dtype=np.float64)
    since: FloatArray = index - np.maximum.accumulate(np.where(event, index, -np.inf), axis=-1)
    return since
