"""Head H: the order of swings on every timeframe, breaks of them, and where in the dealing range price stands. Pure."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import TIMEFRAMES, BoolArray, FloatArray, IntArray
from signals.frame import Frame, across
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.parts import balance
from signals.heads.swings import high_tops, low_tops
from signals.indicators.primitives import ratio
from signals.window import Window

# A swing is the extreme of five bars on either side, which ICT chart tools (LuxAlgo, Smart Money Concepts, 2022) call
# internal structure; Williams' two bars find a turn in every ripple of 15m.
SWING_BARS = 5
# A break is news for as many bars as it takes to confirm the swing it leaves behind.
FRESH_BARS = SWING_BARS
# market.md 2, head H: one timeframe alone has no structure to agree with.
MIN_TIMEFRAMES = 2
# Top down: the slower screen outvotes the faster one (Elder, Trading for a Living, 1993, three screens).
SLOWER_COUNTS = 1.5
# Half of what full agreement of all timeframes would be.
ALIGNED = 0.50
# Added up to the probability: agreement of the timeframes, a place in the right half of the dealing range (ICT: buy in
# discount, sell in premium), a fresh break on the scan's own timeframe. All three together make 0.75.
ALIGNED_GAIN, ZONE_GAIN, BREAK_GAIN = 0.10, 0.10, 0.05
# What agreement alone is worth as confidence where price is not in the right zone.
OUT_OF_ZONE_CONFIDENCE = 0.60


@dataclass(frozen=True)
class Reading:
    """The structure of one timeframe; arrays of shape (bars,).

    trend: -1..1, the mean of two sides: that of the swings (1 higher high and higher low, -1 both lower) and that of
    the last break, a close through the last confirmed swing; NaN before two swings of each kind. continued and turned:
    the side of a break at its bar, 0 elsewhere; a break of structure goes on with the break before it, a change of
    character turns against it. broken, since: the side of the last break, 0 before any, and the bars since it. high,
    low: the dealing range, from the last confirmed swing low to swing high.
    """

    trend: FloatArray
    continued: FloatArray
    turned: FloatArray
    broken: FloatArray
    since: FloatArray
    high: FloatArray
    low: FloatArray


@dataclass(frozen=True)
class Opinion:
    """What the vote is made of at each base row; arrays of shape (bars,).

    trends: that of each timeframe, fastest first, as the row sees it; shared: their weighted mean; side: that of the
    vote before place and news are asked; place: -1 at the low of the dealing range to 1 at its high; news: a fresh
    break on the vote's side.
    """

    trends: list[FloatArray]
    shared: FloatArray
    side: FloatArray
    place: FloatArray
    news: BoolArray


class Structure:
    """Sides with the trend that the timeframes share, from the right half of the range or on a fresh break with it."""

    name, letter = "structure", "H"
    needs = Needs(timeframes=("1h", "4h"), memory=0)
    inputs = (*(f"trend_{name}" for name in TIMEFRAMES), "place_in_range", "bars_since_break")

    def vote(self, window: Window) -> Votes:
        """Vote on every base row; shapes (bars,). Silent with fewer than two timeframes ready."""
        seen = opinion(window)
        zone, strength = right_zone(seen.side, seen.place), np.abs(seen.shared)
        return Votes.of(
            np.where(window.base.ready & (zone | seen.news), seen.side, np.nan),
            0.5 + ALIGNED_GAIN * strength + ZONE_GAIN * zone + BREAK_GAIN * seen.news,
            strength * np.where(zone, 1.0, OUT_OF_ZONE_CONFIDENCE),
        )

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The trends by their weight, where price stands in the range (low pulls up), and the last break."""
        seen, reading = opinion(window), window.base.derived(read)
        weights = [SLOWER_COUNTS**rank for rank in range(len(seen.trends))]
        trends = (
            Reason(f"trend_{frame.timeframe.name}", float(trend[row]), float(trend[row]) * weight / sum(weights))
            for frame, trend, weight in zip(screens(window), seen.trends, weights, strict=True)
        )
        place, fresh = float(seen.place[row]), reading.since[row] <= FRESH_BARS
        return strongest(
            (
                *trends,
                Reason("place_in_range", place, -place if abs(place) <= 1.0 else 0.0),
                Reason("bars_since_break", float(reading.since[row]), float(reading.broken[row]) if fresh else 0.0),
            )
        )


def opinion(window: Window) -> Opinion:
    frames = screens(window)
    readings = [frame.derived(read) for frame in frames]
    trends = [window.aligned(frame.timeframe.name, each.trend) for frame, each in zip(frames, readings, strict=True)]
    shared = balance([(SLOWER_COUNTS**rank, trend) for rank, trend in enumerate(trends)]).score
    known = np.add.reduce([np.isfinite(trend) for trend in trends], axis=0, dtype=np.int64)
    side = np.where((known >= MIN_TIMEFRAMES) & (np.abs(shared) >= ALIGNED), np.sign(shared), 0.0)
    return Opinion(trends, shared, side, place_in_range(window, frames[1:], readings[1:]), is_fresh(readings[0], side))


def screens(window: Window) -> list[Frame]:
    """The base and the context frames slower than it, fastest first."""
    slower = [frame for frame in window.context.values() if frame.timeframe.ms > window.base.timeframe.ms]
    return [window.base, *sorted(slower, key=lambda frame: frame.timeframe.ms)]


@across
def read(frame: Frame) -> Reading:
    """Swings, their order and the breaks through them, at every bar of whole frames; row i knows rows 0..i only."""
    begins = frame.begins
    highs, lows = (frame.derived(tops, SWING_BARS, SWING_BARS) for tops in (high_tops, low_tops))
    high, low, close = highs.last(0), lows.last(0), frame["close"]
    sequence = 0.5 * (np.sign(high - highs.last(1)) + np.sign(low - lows.last(1)))
    breaks = np.where(first_true(close > high, begins), 1.0, np.where(first_true(close < low, begins), -1.0, 0.0))
    bar = np.arange(len(breaks))
    last = np.maximum.accumulate(np.where(breaks != 0, bar, -1))
    known = last >= begins
    broken = np.where(known, breaks[last], 0.0)
    before = np.where(bar > begins, np.concatenate(([0.0], broken[:-1]))[: len(broken)], 0.0)
    return Reading(
        trend=0.5 * (sequence + broken),
        continued=np.where(breaks == before, breaks, 0.0),
        turned=np.where(breaks == -before, breaks, 0.0),
        broken=broken,
        since=np.where(known, bar - last, np.inf),
        high=high,
        low=low,
    )


def first_true(holds: BoolArray, begins: IntArray) -> BoolArray:
    """True where it holds and did not at the bar before; never at a first bar, whose past is unknown."""
    starts = np.zeros(len(holds), np.bool_)
    starts[1:] = holds[1:] & ~holds[:-1]
    starts[begins] = False
    return starts


def is_fresh(reading: Reading, side: FloatArray) -> BoolArray:
    """True where the last break lies on `side` and at most FRESH_BARS back."""
    fresh: BoolArray = (side != 0) & (reading.broken == side) & (reading.since <= FRESH_BARS)
    return fresh


def place_in_range(window: Window, frames: list[Frame], readings: list[Reading]) -> FloatArray:
    """Where the close stands in the dealing range of the fastest slower timeframe that has one: -1 low to 1 high.

    Beyond -1 and 1 price has left the range; NaN without a range whose high is above its low.
    """
    place = np.full(len(window), np.nan)
    for frame, reading in zip(frames, readings, strict=True):
        high = window.aligned(frame.timeframe.name, reading.high)
        low = window.aligned(frame.timeframe.name, reading.low)
        here = ratio(2.0 * window.base["close"] - high - low, np.where(high > low, high - low, np.nan), at_zero=np.nan)
        place = np.where(np.isnan(place), here, place)
    return place


def right_zone(side: FloatArray, place: FloatArray) -> BoolArray:
    """True for a long in the lower half of the range (discount) and for a short in the upper half (premium)."""
    right: BoolArray = (side * place < 0) & (np.abs(place) <= 1.0)
    return right
