"""What became of every lean of a history: both sides' first touch, from the same function as live. Pure."""

from dataclasses import dataclass

from ingestion.timeframes import Candles, Timeframe
from signals.first_touch import FirstTouch, Order, first_touch
from signals.scan import Decisions, Rules


@dataclass(frozen=True)
class Followed:
    """A lean and its mirror to the end of the history; None where a side is still open there."""

    order: Order
    touch: FirstTouch | None
    mirror: FirstTouch | None

    def ended_by(self, at_ms: int) -> bool:
        """Both sides over by then, so that it may become a learning event."""
        return all(side is not None and side.exit_ms <= at_ms for side in (self.touch, self.mirror))


def order_at(decided: Decisions, row: int, timeframe: Timeframe, rules: Rules) -> Order:
    opened_ms = int(decided.close_ms[row])
    return Order(
        side=int(decided.lean[row]),
        stop_loss=float(decided.stop_loss[row]),
        take_profit=float(decided.take_profit[row]),
        risk=float(decided.risk[row]),
        opened_ms=opened_ms,
        expires_ms=opened_ms + timeframe.ms * rules.bracket.limit_bars,
    )


def follow(
    decided: Decisions, row: int, minutes: Candles, known_until_ms: int, timeframe: Timeframe, rules: Rules
) -> Followed:
    """Follow one lean through its symbol's 1m candles, known to be complete before `known_until_ms`."""
    order = order_at(decided, row, timeframe, rules)
    mirror = order.mirror(float(decided.reference[row]), rules.bracket.target_r)
    return Followed(
        order,
        first_touch(order, minutes, known_until_ms, rules.costs),
        first_touch(mirror, minutes, known_until_ms, rules.costs),
    )
