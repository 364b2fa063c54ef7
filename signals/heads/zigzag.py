"""The zigzag: confirmed swings as one line of highs and lows in turn, known only once confirmed. Pure."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.frame import Frame, across
from signals.heads.swings import KEPT, high_tops, low_tops

PIVOTS = 4  # remembered: X, A, B and C of a harmonic pattern
UNKNOWN = np.full(1, np.nan)
NONE_BEFORE = np.zeros(PIVOTS - 1, np.int64)
RUNS_BACK = np.arange(PIVOTS - 2, -1, -1)[:, None]


@dataclass(frozen=True)
class Pivots:
    """The last pivots of the zigzag as known at some bars.

    prices: (PIVOTS, bars), row 0 the last one, row 1 the one before it and so on; NaN before there are any. age:
    (bars,), bars since the last one's own bar. side: (bars,), 1 where the last one is a high and -1 where it is a low.
    """

    prices: FloatArray
    age: FloatArray
    side: FloatArray


@dataclass(frozen=True)
class Zigzag:
    """The zigzags of whole frames, one after the other, and how many of the swings each bar counts.

    prices, rows, side: (swings + 1,), in the order in which they count, after one that is unknown. behind: (PIVOTS,
    swings + 1), which of them is each pivot after so many swings. counted: (bars,), 0 before a frame's own first one.
    """

    prices: FloatArray
    rows: FloatArray
    side: FloatArray
    behind: IntArray
    counted: IntArray

    def at(self, bars: IntArray) -> Pivots:
        counted = self.counted[bars]
        behind = self.behind[:, counted]
        return Pivots(self.prices[behind], bars - self.rows[behind[0]], self.side[counted])


def pivots_of(frame: Frame, left: int, right: int, bars: IntArray | None = None) -> Pivots:
    """The pivots known at some bars of a frame, or at all, through swings of `left` and `right` bars.

    Bar i knows bars 0..i only. A swing of the other side than the last pivot's is the next pivot. One of the same side
    moves the last pivot, if it goes beyond it; else it counts for nothing. Of a bar that is both at once the side of
    the last pivot comes first: the leg that ran goes on to its end and turns there. Before the first pivot such a bar
    has no order and is left out.
    """
    places = frame.places if bars is None else frame.places[bars]
    return frame.whole.derived(zigzag, left, right).at(places)


@across
def zigzag(frame: Frame, left: int, right: int) -> Zigzag:
    highs, lows = frame.derived(high_tops, left, right), frame.derived(low_tops, left, right)
    high_count = len(highs.rows) - KEPT
    rows = np.concatenate((highs.rows[KEPT:], lows.rows[KEPT:]))
    prices = np.concatenate((highs.prices[KEPT:], lows.prices[KEPT:]))
    begins = frame.begins[rows.astype(np.int64)]
    order, counts = in_order(rows, begins, high_count)
    counted = np.concatenate((np.zeros(1, np.int64), counts.cumsum()))
    before, known = counted[highs.before + lows.before], counted[highs.known + lows.known]
    order = order[counts]
    prices, side = prices[order], np.where(order < high_count, 1.0, -1.0)
    return Zigzag(
        prices=np.concatenate((UNKNOWN, prices)),
        rows=np.concatenate((UNKNOWN, rows[order])),
        side=np.concatenate((UNKNOWN, side)),
        behind=swings_behind(prices, side, begins[order]),
        counted=np.where(known > before, known, 0),
    )


def in_order(rows: FloatArray, begins: IntArray, highs: int) -> tuple[IntArray, BoolArray]:
    """The order of swings, of which the first `highs` are highs and the others lows, either by row; and which count.

    `begins`: the row at which each one's frame begins.
    """
    order = rows.argsort(kind="stable")
    ordered, frame = rows[order], begins[order]
    counts = np.ones(len(order), np.bool_)
    for first in (ordered[1:] == ordered[:-1]).nonzero()[0].tolist():  # rare: a bar that is both
        if first == 0 or frame[first - 1] != frame[first] or not counts[first - 1]:
            counts[[first, first + 1]] = False
        elif (order[first] < highs) != (order[first - 1] < highs):
            order[[first, first + 1]] = order[[first + 1, first]]
    return order, counts


def swings_behind(prices: FloatArray, side: FloatArray, begins: IntArray) -> IntArray:
    """Which swing is each pivot after so many swings, counted from 1, 0 where none; shape (PIVOTS, swings + 1).

    The last pivot is the furthest swing so far of the run of one side that lasts, the others those of the runs before
    in the same frame, which begins at the same row.
    """
    turns = (side[1:] != side[:-1]) | (begins[1:] != begins[:-1])
    run = np.zeros(len(side), np.int64)
    turns.cumsum(out=run[1:])
    furthest = furthest_of_run(prices * side, run) + 1
    behind = np.zeros((PIVOTS, len(side) + 1), np.int64)
    behind[0, 1:] = furthest
    behind[1:, 1:] = np.concatenate((NONE_BEFORE, furthest[:-1][turns]))[run + RUNS_BACK]
    frame = np.concatenate((np.full(1, -1), begins))
    return np.where(frame[behind] == frame, behind, 0)


def furthest_of_run(heights: FloatArray, run: IntArray) -> IntArray:
    """Where the greatest height of each one's run stands so far, the first of equal ones; `run` counts up from 0."""
    count = len(heights)
    order = (-heights).argsort(kind="stable")
    key = np.empty(count, np.int64)
    key[order] = np.arange(count, 0, -1)
    floor = run * count  # lifts each run above all earlier ones
    furthest: IntArray = order[count - (np.maximum.accumulate(key + floor) - floor)]
    return furthest
