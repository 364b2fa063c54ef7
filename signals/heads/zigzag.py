"""The zigzag: confirmed swings as one line of highs and lows in turn, known only once confirmed. Pure."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from signals.frame import Frame
from signals.heads.swings import KEPT, high_tops, low_tops

PIVOTS = 4  # remembered: X, A, B and C of a harmonic pattern
UNKNOWN = np.full(1, np.nan)
NONE_BEFORE = np.zeros(PIVOTS - 1, np.int64)
RUNS_BACK = np.arange(PIVOTS - 2, -1, -1)[:, None]


@dataclass(frozen=True)
class Pivots:
    """The last pivots of the zigzag as known at each bar.

    prices: (PIVOTS, bars), row 0 the last one, row 1 the one before it and so on; NaN before there are any. age:
    (bars,), bars since the last one's own bar. side: (bars,), 1 where the last one is a high and -1 where it is a low.
    """

    prices: FloatArray
    age: FloatArray
    side: FloatArray


def pivots_of(frame: Frame, left: int, right: int) -> Pivots:
    """The pivots of a whole frame, through swings of `left` and `right` bars; row i knows rows 0..i only.

    A swing of the other side than the last pivot's is the next pivot. One of the same side moves the last pivot, if it
    goes beyond it; else it counts for nothing. Of a bar that is both at once the side of the last pivot comes first:
    the leg that ran goes on to its end and turns there. Before the first pivot such a bar has no order and is left out.
    """
    highs, lows = frame.derived(high_tops, left, right), frame.derived(low_tops, left, right)
    high_count = len(highs.rows) - KEPT
    rows = np.concatenate((highs.rows[KEPT:], lows.rows[KEPT:]))
    prices = np.concatenate((highs.prices[KEPT:], lows.prices[KEPT:]))
    order = in_order(rows, high_count)
    side = np.where(order < high_count, 1.0, -1.0)
    prices, rows = prices[order], np.concatenate((UNKNOWN, rows[order]))
    behind = swings_behind(prices, side)
    known = highs.known + lows.known
    if len(order) < high_count + len(lows.rows) - KEPT:
        known = np.maximum(known - (high_count + len(lows.rows) - KEPT - len(order)), 0)
    return Pivots(
        prices=np.concatenate((UNKNOWN, prices))[behind].take(known, axis=1),
        age=np.arange(len(known)) - rows[behind[0]].take(known),
        side=np.concatenate((UNKNOWN, side)).take(known),
    )


def in_order(rows: FloatArray, highs: int) -> IntArray:
    """The order in which swings count, of which the first `highs` are highs and the others lows, either by row."""
    order = rows.argsort(kind="stable")
    ordered = rows[order]
    begin = 0
    for first in (ordered[1:] == ordered[:-1]).nonzero()[0].tolist():  # rare: a bar that is both
        if first == begin:
            begin += 2
        elif (order[first] < highs) != (order[first - 1] < highs):
            order[[first, first + 1]] = order[[first + 1, first]]
    return order[begin:]


def swings_behind(prices: FloatArray, side: FloatArray) -> IntArray:
    """Which swing is each pivot after so many swings, counted from 1, 0 where none; shape (PIVOTS, swings + 1).

    The last pivot is the furthest swing so far of the run of one side that lasts, the others those of the runs before.
    """
    turns = side[1:] != side[:-1]
    run = np.zeros(len(side), np.int64)
    turns.cumsum(out=run[1:])
    furthest = furthest_of_run(prices * side, run) + 1
    behind = np.zeros((PIVOTS, len(side) + 1), np.int64)
    behind[0, 1:] = furthest
    behind[1:, 1:] = np.concatenate((NONE_BEFORE, furthest[:-1][turns]))[run + RUNS_BACK]
    return behind


def furthest_of_run(heights: FloatArray, run: IntArray) -> IntArray:
    """Where the greatest height of each one's run stands so far, the first of equal ones; `run` counts up from 0."""
    count = len(heights)
    order = (-heights).argsort(kind="stable")
    key = np.empty(count, np.int64)
    key[order] = np.arange(count, 0, -1)
    floor = run * count  # lifts each run above all earlier ones
    furthest: IntArray = order[count - (np.maximum.accumulate(key + floor) - floor)]
    return furthest
