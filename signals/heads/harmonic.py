"""Head G: harmonic patterns, which turn where a leg ends at a known ratio of the legs before it. Pure.

Only the bullish form is written down, which a leg down from C completes; the bearish form is the same code on the
chart upside down. Gartley (Profits in the Stock Market, 1935) drew the first, Pesavento (Fibonacci Ratios with Pattern
Recognition, 1997) put the ratios to it, and Carney (The Harmonic Trader, 1999; Harmonic Trading, volume 1, 2010) the
rest.
"""

from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.frame import Frame
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.zigzag import pivots_of
from signals.window import Window

SWING_BARS = 5  # as in the structure head: turns that one sees on the chart
TOLERANCE = 0.05  # market.md, section 2: of each ratio
LEG_BARS = 40  # bars from C within which price has to come to D


@dataclass(frozen=True)
class Pattern:
    """The ratios of a pattern as (least, most); equal where one figure is meant.

    b: AB of XA, None where there is no X. c: BC of AB. d: AD of XA, or CD of AB where there is no X. bc: CD of BC.
    """

    name: str
    b: tuple[float, float] | None
    c: tuple[float, float]
    d: tuple[float, float]
    bc: tuple[float, float]


# Carney, Harmonic Trading, volume 1: C gives back .382 to .886 of AB in all of them, and BC is projected as given here.
PATTERNS = (
    Pattern("gartley", b=(0.618, 0.618), c=(0.382, 0.886), d=(0.786, 0.786), bc=(1.13, 1.618)),
    Pattern("butterfly", b=(0.786, 0.786), c=(0.382, 0.886), d=(1.27, 1.27), bc=(1.618, 2.24)),
    Pattern("bat", b=(0.382, 0.50), c=(0.382, 0.886), d=(0.886, 0.886), bc=(1.618, 2.618)),
    Pattern("crab", b=(0.382, 0.618), c=(0.382, 0.886), d=(1.618, 1.618), bc=(2.24, 3.618)),
    Pattern("abcd", b=None, c=(0.382, 0.886), d=(1.0, 1.0), bc=(1.13, 2.618)),
)
NAMES = tuple(pattern.name for pattern in PATTERNS)
HAS_X = np.array([[pattern.b is not None] for pattern in PATTERNS])
RATIOS = ("b_of_xa", "c_of_ab", "d_of_xa", "cd_of_bc")

# What one pattern states, what more it states where all ratios are met to the point, and where a second one agrees.
# A choice, not a finding: published success rates are of charts picked by eye. The consensus calibrates.
LEAST_PROBABILITY, NEAR_GAIN, AGREE_GAIN = 0.58, 0.04, 0.04
LEAST_CONFIDENCE = 0.5  # at the edge of every tolerance; 1 where all ratios are met to the point


def bounds(side: int) -> FloatArray:
    """The least (0) or most (1) of each ratio of each pattern, shape (ratios, patterns, 1); NaN where it has none."""
    none = (np.nan, np.nan)
    rows = [[(each.b or none)[side] for each in PATTERNS]]
    rows += [[bound[side] for bound in column] for column in zip(*((p.c, p.d, p.bc) for p in PATTERNS), strict=True)]
    return np.array(rows)[:, :, None]


LEAST, MOST = bounds(0), bounds(1)
RULES = np.isfinite(LEAST).sum(axis=0)


@dataclass(frozen=True)
class Legs:
    """The legs before the one that runs, on a chart turned so that this one goes down from C; arrays of shape (rows,).

    side: 1 where the chart stands as it is, -1 where it is turned, NaN before there are pivots. price: the close.
    a, c: the last pivots but B and X. xa, ab, bc: lengths, NaN unless positive. age: bars since C.
    """

    side: FloatArray
    price: FloatArray
    a: FloatArray
    c: FloatArray
    xa: FloatArray
    ab: FloatArray
    bc: FloatArray
    age: FloatArray

    def take(self, rows: IntArray) -> "Legs":
        return Legs(**{name: values[rows] for name, values in vars(self).items()})


@dataclass(frozen=True)
class Reading:
    """What is seen at some rows; near and held of shape (patterns, rows).

    ratios: (ratios, patterns, rows), those of the running leg as if it ended at the close. strain: how far off each
    one is, 0 within its bounds and 1 at the edge of the tolerance. near: 1 where all are met, 0 where all are at the
    edge. held: the patterns in whose zone price is.
    """

    ratios: FloatArray
    strain: FloatArray
    near: FloatArray
    held: BoolArray


class Harmonic:
    """Sides against a leg while its price is in the zone in which a pattern says that it ends."""

    name, letter = "harmonic", "G"
    needs = Needs(memory=LEG_BARS)
    inputs = (*NAMES, *RATIOS)

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window that is read; shapes (bars,).

        The last pivot decides the side, so patterns that hold at the same bar never disagree.
        """
        recent = window.recent(LEG_BARS)
        frame, rows = recent.base, past_b(recent.base, recent.wanted)
        direction, (probability, confidence) = np.zeros(len(window), np.int8), np.full((2, len(window)), np.nan)
        if len(rows):
            legs = legs_at(frame, rows)
            found = verdict(legs, read(frame, rows, legs), frame.ready[rows])
            rows = rows + (len(window) - len(recent))
            direction[rows] = found.direction
            probability[rows], confidence[rows] = found.probability, found.confidence
        return Votes(direction, probability, confidence)

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The patterns held by how near they are, with the ratio at which price stands; and the ratios before it.

        Without a pattern the ratios alone, which pull nowhere.
        """
        recent = replace(window, first=row).recent(LEG_BARS)
        rows = np.array([row - (len(window) - len(recent))])
        legs = legs_at(recent.base, rows)
        seen = read(recent.base, rows, legs)
        held = np.flatnonzero(seen.held[:, 0]).tolist()
        side, ratios = float(legs.side[0]), seen.ratios[:, :, 0]
        if not held:
            return strongest(Reason(name, float(ratio), 0.0) for name, ratio in zip(RATIOS, ratios[:, 0], strict=True))
        best = max(held, key=lambda pattern: float(seen.near[pattern, 0]))
        share = side * (1.0 - seen.strain[:, best, 0]) / float(RULES[best, 0])
        return strongest(
            (
                *(Reason(NAMES[each], float(ratios[2, each]), side * float(seen.near[each, 0])) for each in held),
                *(Reason(RATIOS[each], float(ratios[each, best]), float(share[each])) for each in (0, 1, 3)),
            )
        )


def past_b(frame: Frame, rows: IntArray) -> IntArray:
    """Those of the rows whose leg has gone beyond B, as every pattern asks, and has not run for too long."""
    pivots = pivots_of(frame, SWING_BARS, SWING_BARS, rows)
    past = pivots.side * frame["close"][rows] < pivots.side * pivots.prices[1]
    found: IntArray = rows[past & (pivots.age <= LEG_BARS)]
    return found


def legs_at(frame: Frame, rows: IntArray) -> Legs:
    """The last legs as each of these rows knows them."""
    pivots = pivots_of(frame, SWING_BARS, SWING_BARS, rows)
    side = pivots.side
    c, b, a, x = pivots.prices * side
    lengths = np.array((a - x, a - b, c - b))
    xa, ab, bc = np.where(lengths > 0, lengths, np.nan)
    return Legs(side, side * frame["close"][rows], a, c, xa, ab, bc, pivots.age)


def verdict(legs: Legs, seen: Reading, ready: BoolArray) -> Votes:
    """The votes at the rows of these legs, of which some are `ready`."""
    best = np.where(seen.held, seen.near, 0.0).max(axis=0)
    return Votes.of(
        side=np.where(seen.held.any(axis=0) & ready, legs.side, np.nan),
        probability=LEAST_PROBABILITY + NEAR_GAIN * best + AGREE_GAIN * (seen.held.sum(axis=0) > 1),
        confidence=LEAST_CONFIDENCE + (1 - LEAST_CONFIDENCE) * best,
    )


def read(frame: Frame, rows: IntArray, legs: Legs) -> Reading:
    """The patterns at these rows, whose legs are given."""
    ratios = ratios_of(legs, legs.price)
    strain = strain_of(ratios)
    held = (strain <= 1.0).all(axis=0) & (legs.age <= LEG_BARS)
    near = (RULES - (strain[0] + strain[1] + strain[2] + strain[3])) / RULES
    inside = np.flatnonzero(held.any(axis=0))
    if len(inside):
        held[:, inside] &= is_open(frame, rows[inside], legs.take(inside))
    return Reading(ratios, strain, near, held)


def ratios_of(legs: Legs, price: FloatArray) -> FloatArray:
    """The ratios of each pattern if D were at this price of the turned chart; shape (ratios, patterns, rows)."""
    ratios = np.empty((len(RATIOS), len(PATTERNS), len(price)))
    down = legs.c - price
    ratios[0] = legs.ab / legs.xa
    ratios[1] = legs.bc / legs.ab
    ratios[2] = np.where(HAS_X, (legs.a - price) / legs.xa, down / legs.ab)
    ratios[3] = down / legs.bc
    return ratios


def strain_of(ratios: FloatArray) -> FloatArray:
    """How far off each ratio is, 0 within its bounds and 1 at the edge of the tolerance; shape as given.

    NaN where a ratio is unknown, 0 where a pattern does not ask for it.
    """
    below, above = (LEAST - ratios) / (TOLERANCE * LEAST), (ratios - MOST) / (TOLERANCE * MOST)
    strain = np.maximum(np.maximum(below, above), 0.0)
    strain[0] = np.where(HAS_X, strain[0], 0.0)
    return strain


def is_open(frame: Frame, rows: IntArray, legs: Legs) -> BoolArray:
    """Whether, since C, no bar went beyond C and none closed beyond the zone; shape (patterns, rows)."""
    back = np.arange(LEG_BARS)
    bars, since = np.maximum(rows[:, None] - back, 0), back < legs.age[:, None]
    turned = legs.side[:, None]
    highest = np.where(turned > 0, frame["high"][bars], -frame["low"][bars])
    highest = np.where(since, highest, -np.inf).max(axis=1)
    lowest = np.where(since, turned * frame["close"][bars], np.inf).min(axis=1)
    most, deepest = MOST[2:], ratios_of(legs, lowest)[2:]
    found: BoolArray = (deepest - most <= TOLERANCE * most).all(axis=0) & (highest <= legs.c)
    return found
