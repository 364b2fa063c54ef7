"""First touch: which barrier the market met first after a decision, from 1m highs and lows. Pure.

Stop first when one minute touches both (flagged ambiguous), a gap through a barrier fills at the open, time-out closes
at the last close before the limit. A market that closes for good before any barrier was met leaves no result. One
function for signals, shadows, mirrors, live and replay.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import MINUTE_MS, BoolArray, Candles, FloatArray, IntArray
from signals.bracket import Costs
from signals.columns import Rows, runs

SLAB_ROWS = 2**17  # three months of minutes; their extremes take some 25 MB


class Outcome(StrEnum):
    """What became of a bracket.

    VOID: it has no result, since it could not be entered (the minute after the decision does not exist) or not be left
    (the symbol was delisted first), or since a person declared it void while it was open.
    """

    TARGET = "target"
    STOP = "stop"
    TIME = "time"
    VOID = "void"


NEVER: IntArray = np.empty(0, np.int64)  # when a symbol was delisted that never was
NEVER_MS = 2**62

OUTCOMES = tuple(Outcome)
OPEN = -1
TARGET, STOP, TIME, VOID = range(len(OUTCOMES))


@dataclass(frozen=True)
class Order:
    """One bracket to follow: prices fixed at the decision, times in ms. Entry is the open of the minute `opened_ms`."""

    side: int
    stop_loss: float
    take_profit: float
    risk: float
    opened_ms: int
    expires_ms: int

    def mirror(self, reference: float, target_r: float) -> "Order":
        """The same bracket on the other side: what the head that voted against the lean is scored on."""
        return replace(
            self,
            side=-self.side,
            stop_loss=reference + self.side * self.risk,
            take_profit=reference - self.side * target_r * self.risk,
        )


@dataclass(frozen=True)
class Orders(Rows):
    """Many brackets of one symbol; columns as in `Order`, `side` as float."""

    side: FloatArray
    stop_loss: FloatArray
    take_profit: FloatArray
    risk: FloatArray
    opened_ms: IntArray
    expires_ms: IntArray

    @classmethod
    def of(cls, orders: Sequence[Order]) -> "Orders":
        prices = np.array(
            [(order.side, order.stop_loss, order.take_profit, order.risk) for order in orders], dtype=np.float64
        )
        times = np.array([(order.opened_ms, order.expires_ms) for order in orders], dtype=np.int64)
        return cls(*prices.reshape(-1, 4).T, *times.reshape(-1, 2).T)

    def at(self, row: int) -> Order:
        return Order(
            side=int(self.side[row]),
            stop_loss=float(self.stop_loss[row]),
            take_profit=float(self.take_profit[row]),
            risk=float(self.risk[row]),
            opened_ms=int(self.opened_ms[row]),
            expires_ms=int(self.expires_ms[row]),
        )

    def mirrored(self, reference: FloatArray, target_r: float) -> "Orders":
        """Each bracket on its other side, around its reference price; the figures of `Order.mirror`."""
        return replace(
            self,
            side=-self.side,
            stop_loss=reference + self.side * self.risk,
            take_profit=reference - self.side * target_r * self.risk,
        )


@dataclass(frozen=True)
class FirstTouch:
    """The end of a bracket. Prices after slippage; `net_r` in units of the planned risk, `net_pct` of entry in percent.

    `exit_ms` is the close of the minute that ended it; excursions are in R, best and worst, before costs.
    `missing_minutes` counts the minutes between entry and exit that no candle covers.
    """

    outcome: Outcome
    entry: float
    exit_price: float
    exit_ms: int
    net_r: float
    net_pct: float
    best_r: float
    worst_r: float
    ambiguous: bool
    missing_minutes: int


@dataclass(frozen=True)
class Touches(Rows):
    """The ends of many brackets; columns as in `FirstTouch`. `outcome` counts in OUTCOMES, OPEN where it is open yet.

    An open one has NaN prices and times of 0; a void one has NaN prices.
    """

    outcome: npt.NDArray[np.int8]
    entry: FloatArray
    exit_price: FloatArray
    exit_ms: IntArray
    net_r: FloatArray
    net_pct: FloatArray
    best_r: FloatArray
    worst_r: FloatArray
    ambiguous: BoolArray
    missing_minutes: IntArray

    @classmethod
    def all_open(cls, count: int) -> "Touches":
        entry, exit_price, net_r, net_pct, best_r, worst_r = np.full((6, count), np.nan)
        exit_ms, missing_minutes = np.zeros((2, count), np.int64)
        outcome, ambiguous = np.full(count, OPEN, np.int8), np.zeros(count, np.bool_)
        return cls(outcome, entry, exit_price, exit_ms, net_r, net_pct, best_r, worst_r, ambiguous, missing_minutes)

    @classmethod
    def all_void(cls, at_ms: IntArray) -> "Touches":
        touches = cls.all_open(len(at_ms))
        _put_void(touches, np.arange(len(at_ms)), at_ms)
        return touches

    def at(self, row: int) -> FirstTouch | None:
        """One end, None while it is open."""
        if self.outcome[row] == OPEN:
            return None
        figures = (getattr(self, name)[row].item() for name in FirstTouch.__dataclass_fields__ if name != "outcome")
        return FirstTouch(OUTCOMES[self.outcome[row]], *figures)

    def put(self, rows: IntArray, ends: "Touches") -> None:
        """Write the ends of some rows."""
        for name in Touches.__dataclass_fields__:
            getattr(self, name)[rows] = getattr(ends, name)


def void_at(at_ms: int) -> FirstTouch:
    """The end of a bracket without a result."""
    nan = float("nan")
    return FirstTouch(Outcome.VOID, nan, nan, at_ms, nan, nan, nan, nan, ambiguous=False, missing_minutes=0)


def first_touch(
    order: Order, minutes: Candles, known_until_ms: int, costs: Costs, delisted_ms: IntArray = NEVER
) -> FirstTouch | None:
    """How one bracket ended, or None while it is open: `first_touches` of one."""
    return first_touches(Orders.of([order]), minutes, known_until_ms, costs, delisted_ms).at(0)


def first_touches(
    orders: Orders, minutes: Candles, known_until_ms: int, costs: Costs, delisted_ms: IntArray = NEVER
) -> Touches:
    """How brackets of one symbol ended.

    `minutes` holds every 1m candle from the first `opened_ms` to `known_until_ms`; a minute absent there is known not
    to exist. `delisted_ms`: when the symbol was delisted, ascending; it may have come back. A bracket's end does not
    depend on what else is asked with it.
    """
    listed_until = _listed_until(orders.opened_ms, delisted_ms)
    ends_ms = np.minimum(orders.expires_ms, listed_until)
    first = np.searchsorted(minutes.open_ms, orders.opened_ms)
    last = np.searchsorted(minutes.open_ms, np.minimum(ends_ms, known_until_ms))
    touches = Touches.all_open(len(orders))
    begun = known_until_ms > orders.opened_ms
    entered = begun & (first < last)
    entered[entered] = minutes.open_ms[first[entered]] == orders.opened_ms[entered]
    _put_void(touches, begun & ~entered, orders.opened_ms + MINUTE_MS)
    rows = np.flatnonzero(entered)
    walked = _walk_in_slabs(orders.take(rows), minutes, first[rows], last[rows])
    over = walked.touched | (known_until_ms >= ends_ms[rows])
    stranded = over & ~walked.touched & (listed_until[rows] < orders.expires_ms[rows])
    _put_void(touches, rows[stranded], listed_until)
    ended = over & ~stranded
    rows, walked = rows[ended], walked.take(ended)
    touches.put(rows, _ends(orders.take(rows), minutes, first[rows], walked, costs))
    return touches


def _listed_until(opened_ms: IntArray, delisted_ms: IntArray) -> IntArray:
    """The first delisting after each opening, NEVER_MS where there is none."""
    ends = np.append(delisted_ms, NEVER_MS)
    until: IntArray = ends[np.searchsorted(delisted_ms, opened_ms, side="right")]
    return until


def _put_void(touches: Touches, rows: IntArray | BoolArray, at_ms: IntArray) -> None:
    touches.outcome[rows] = VOID
    touches.exit_ms[rows] = at_ms[rows]


@dataclass(frozen=True)
class _Walked(Rows):
    """How far each bracket came: the row of its end, whether a barrier was met there, the extremes held before it."""

    row: IntArray
    touched: BoolArray
    highest: FloatArray
    lowest: FloatArray


def _walk_in_slabs(orders: Orders, minutes: Candles, first: IntArray, last: IntArray) -> _Walked:
    """`_walk`, for brackets that begin within one slab of the history at a time, which bounds its memory."""
    slab = first // SLAB_ROWS
    order = np.argsort(slab, kind="stable")
    parts = [
        _walk(orders.take(order[start:stop]), minutes, first[order[start:stop]], last[order[start:stop]])
        for start, stop in runs(slab[order])
    ]
    back = np.empty(len(order), np.int64)
    back[order] = np.arange(len(order))
    return _Walked.concatenate(parts).take(back) if parts else _walk(orders, minutes, first, last)


def _walk(orders: Orders, minutes: Candles, first: IntArray, last: IntArray) -> _Walked:
    """Go through rows [first, last) of each bracket until its range reaches a barrier, all brackets in step.

    Binary lifting (Bender & Farach-Colton 2000): stretches of 2^k minutes that reach no barrier are skipped, longest
    first, so a bracket costs a look at some dozen extremes, however long it lasts.
    """
    lower = np.minimum(orders.stop_loss, orders.take_profit)
    upper = np.maximum(orders.stop_loss, orders.take_profit)
    highest, lowest = np.full(len(orders), -np.inf), np.full(len(orders), np.inf)
    begin, end = int(first.min(initial=0)), int(last.max(initial=0))
    longest = int((last - first).max(initial=1))
    at, end_row = first - begin, last - begin
    for length, tops, bottoms in _extremes(minutes.high[begin:end], minutes.low[begin:end], longest):
        start = np.minimum(at, len(tops) - 1)
        top, bottom = tops[start], bottoms[start]
        skips = (at + length <= end_row) & (bottom > lower) & (top < upper)
        highest = np.where(skips, np.maximum(highest, top), highest)
        lowest = np.where(skips, np.minimum(lowest, bottom), lowest)
        at = np.where(skips, at + length, at)
    touched = at < end_row
    return _Walked(np.where(touched, at, end_row - 1) + begin, touched, highest, lowest)


def _extremes(high: FloatArray, low: FloatArray, longest: int) -> list[tuple[int, FloatArray, FloatArray]]:
    """Highest and lowest price of the 2^k minutes from each row on, for every 2^k up to `longest`, greatest first."""
    levels = [(1, high, low)]
    while (length := 2 * levels[-1][0]) <= longest:
        half, tops, bottoms = levels[-1]
        levels.append((length, np.maximum(tops[:-half], tops[half:]), np.minimum(bottoms[:-half], bottoms[half:])))
    return levels[::-1]


def _ends(orders: Orders, minutes: Candles, first: IntArray, walked: _Walked, costs: Costs) -> Touches:
    """The figures of brackets that are over."""
    side, row = orders.side, walked.row
    outcome, price, ambiguous = _fills(orders, minutes, walked)
    entry = minutes.open[first] * (1 + side * costs.slippage)
    exit_price = price * (1 - side * costs.slippage)
    net = side * (exit_price - entry) - costs.fee * (entry + exit_price)
    # The minute of a touch counts as far as its fill: what it did afterwards nobody held.
    up = (np.maximum(entry, np.maximum(walked.highest, price)) - entry) / orders.risk
    down = (np.minimum(entry, np.minimum(walked.lowest, price)) - entry) / orders.risk
    exit_ms = np.where(outcome == TIME, orders.expires_ms, minutes.open_ms[row] + MINUTE_MS)
    return Touches(
        outcome=outcome,
        entry=entry,
        exit_price=exit_price,
        exit_ms=exit_ms,
        net_r=net / orders.risk,
        net_pct=100 * net / entry,
        best_r=np.where(side > 0, up, -down),
        worst_r=np.where(side > 0, down, -up),
        ambiguous=ambiguous,
        missing_minutes=(exit_ms - orders.opened_ms) // MINUTE_MS - (row - first + 1),
    )


def _fills(orders: Orders, minutes: Candles, walked: _Walked) -> tuple[npt.NDArray[np.int8], FloatArray, BoolArray]:
    """Outcome, price before slippage and ambiguity of each end; a minute that opened beyond a barrier ends there."""
    side, row = orders.side, walked.row
    opening, high, low = minutes.open[row], minutes.high[row], minutes.low[row]
    below, above = side * (opening - orders.stop_loss) <= 0, side * (opening - orders.take_profit) >= 0
    stopped = np.where(side > 0, low <= orders.stop_loss, high >= orders.stop_loss)
    reached = np.where(side > 0, high >= orders.take_profit, low <= orders.take_profit)
    ended = [~walked.touched, below, above, stopped]
    outcome = np.select(ended, [TIME, STOP, TARGET, STOP], TARGET).astype(np.int8)
    price = np.select(ended, [minutes.close[row], opening, opening, orders.stop_loss], orders.take_profit)
    ambiguous = walked.touched & ~below & ~above & stopped & reached
    return outcome, price, ambiguous
