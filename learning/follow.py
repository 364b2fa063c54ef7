"""What became of every lean of a history: both sides' first touch, from the same function as live. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ingestion.timeframes import Candles, IntArray, Timeframe
from signals.bracket import place
from signals.first_touch import NEVER, OPEN, FirstTouch, Order, Orders, Touches, first_touches, void_at
from signals.scan import Judged, Results, Rules


@dataclass(frozen=True)
class Followed:
    """A lean and its mirror to the end of the history; None where a side is still open there."""

    order: Order
    touch: FirstTouch | None
    mirror: FirstTouch | None

    def ended_by(self, at_ms: int) -> bool:
        """Both sides over by then, so that it may become a learning event."""
        return all(side is not None and side.exit_ms <= at_ms for side in (self.touch, self.mirror))


@dataclass(frozen=True)
class Ends:
    """What became of n scans' brackets; a scan without a lean has none, and stays open."""

    orders: Orders
    touch: Touches
    mirror: Touches

    def take(self, chosen: IntArray | slice) -> "Ends":
        return Ends(self.orders.take(chosen), self.touch.take(chosen), self.mirror.take(chosen))

    def at(self, row: int) -> Followed:
        return Followed(self.orders.at(row), self.touch.at(row), self.mirror.at(row))

    @property
    def results(self) -> Results:
        return Results(exit_ms=np.where(self.touch.outcome == OPEN, 0, self.touch.exit_ms), net_r=self.touch.net_r)


@dataclass(frozen=True)
class Voided:
    """A bracket that a person declared void at a time, with its mirror if that was open too (`both`)."""

    at_ms: int
    both: bool

    def put(self, rows: IntArray, ends: Ends) -> None:
        """Write it over what the candles say of some rows."""
        void = Touches.all_void(np.full(len(rows), self.at_ms))
        for side in (ends.touch, ends.mirror) if self.both else (ends.touch,):
            side.put(rows, void)

    def over(self, mirror: FirstTouch | None) -> tuple[FirstTouch | None, FirstTouch | None]:
        """The ends of both sides; a mirror that was over before stands as it ended."""
        void = void_at(self.at_ms)
        return void, void if self.both else mirror


Voids = Mapping[tuple[str, int], Voided]  # by symbol and opening (ms)


@dataclass(frozen=True)
class Known:
    """How far a market is known when brackets are followed: complete before `until_ms`, some symbols less far.

    `delisted_ms`: when each symbol was delisted, ascending, for those that ever were. `voids`: what people ended.
    """

    until_ms: int
    less_far: Mapping[str, int] = field(default_factory=dict)
    delisted_ms: Mapping[str, IntArray] = field(default_factory=dict)
    voids: Voids = field(default_factory=dict)


def follow(judged: Judged, minutes: Mapping[str, Candles], known: Known, timeframe: Timeframe, rules: Rules) -> Ends:
    """Follow every lean through its symbol's 1m candles, as far as they are known."""
    ends = Ends(orders_of(judged, timeframe, rules), Touches.all_open(len(judged)), Touches.all_open(len(judged)))
    mirrored = ends.orders.mirrored(judged.reference, rules.bracket.target_r)
    leans = np.flatnonzero(judged.lean)
    symbols, owner = np.unique(judged.symbol[leans], return_inverse=True)
    for place_, symbol in enumerate(symbols.tolist()):
        rows = leans[owner == place_]
        until_ms, delisted_ms = known.less_far.get(symbol, known.until_ms), known.delisted_ms.get(symbol, NEVER)
        for orders, touches in ((ends.orders, ends.touch), (mirrored, ends.mirror)):
            touches.put(rows, first_touches(orders.take(rows), minutes[symbol], until_ms, rules.costs, delisted_ms))
    for (symbol, opened_ms), voided in known.voids.items():
        voided.put(
            np.flatnonzero((judged.symbol == symbol) & (judged.close_ms == opened_ms) & (judged.lean != 0)), ends
        )
    return ends


def orders_of(judged: Judged, timeframe: Timeframe, rules: Rules) -> Orders:
    """The bracket of every scan; without prices where it does not lean."""
    bracket = place(judged.reference, np.where(judged.lean == 0, np.nan, judged.risk), judged.lean, rules.bracket)
    return Orders(
        side=judged.lean.astype(np.float64),
        stop_loss=bracket.stop_loss,
        take_profit=bracket.take_profit,
        risk=judged.risk,
        opened_ms=judged.close_ms,
        expires_ms=judged.close_ms + timeframe.ms * rules.bracket.limit_bars,
    )
