"""First touch: which barrier the market met first after a decision, from 1m highs and lows. Pure.

Stop first when one minute touches both (flagged ambiguous), a gap through a barrier fills at the open, time-out closes
at the last close before the limit. One function for signals, shadows, mirrors, live and replay.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from ingestion.timeframes import MINUTE_MS, Candles
from signals.bracket import Costs


class Outcome(StrEnum):
    """What became of a bracket. VOID: it could not be entered, since the minute after the decision does not exist."""

    TARGET = "target"
    STOP = "stop"
    TIME = "time"
    VOID = "void"


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


def void(order: Order) -> FirstTouch:
    nan = float("nan")
    return FirstTouch(Outcome.VOID, nan, nan, order.opened_ms + MINUTE_MS, nan, nan, nan, nan, False, 0)


def first_touch(order: Order, minutes: Candles, known_until_ms: int, costs: Costs) -> FirstTouch | None:
    """How the bracket ended, or None while it is open.

    `minutes` holds every 1m candle of [opened_ms, known_until_ms); a minute absent there is known not to exist.
    """
    if known_until_ms <= order.opened_ms:
        return None
    path = minutes.between(order.opened_ms, min(known_until_ms, order.expires_ms))
    if not len(path) or path.open_ms[0] != order.opened_ms:
        return void(order)
    last = _first_row(order, path)
    if last is None:
        if known_until_ms < order.expires_ms:
            return None
        return _end(order, path, len(path) - 1, Outcome.TIME, float(path.close[-1]), costs, False)
    return _touched(order, path, last, costs)


def _first_row(order: Order, path: Candles) -> int | None:
    """The first minute whose range reaches a barrier."""
    if order.side > 0:
        hit = (path.low <= order.stop_loss) | (path.high >= order.take_profit)
    else:
        hit = (path.high >= order.stop_loss) | (path.low <= order.take_profit)
    row = int(hit.argmax())
    return row if hit[row] else None


def _touched(order: Order, path: Candles, row: int, costs: Costs) -> FirstTouch:
    """The end at a minute that reached a barrier; at its open if it opened beyond one."""
    opening, high, low = float(path.open[row]), float(path.high[row]), float(path.low[row])
    side = order.side
    if side * (opening - order.stop_loss) <= 0:
        return _end(order, path, row, Outcome.STOP, opening, costs, False)
    if side * (opening - order.take_profit) >= 0:
        return _end(order, path, row, Outcome.TARGET, opening, costs, False)
    stopped = low <= order.stop_loss if side > 0 else high >= order.stop_loss
    reached = high >= order.take_profit if side > 0 else low <= order.take_profit
    if stopped:
        return _end(order, path, row, Outcome.STOP, order.stop_loss, costs, reached)
    return _end(order, path, row, Outcome.TARGET, order.take_profit, costs, False)


def _end(
    order: Order, path: Candles, row: int, outcome: Outcome, price: float, costs: Costs, ambiguous: bool
) -> FirstTouch:
    side = order.side
    entry = float(path.open[0]) * (1 + side * costs.slippage)
    exit_price = price * (1 - side * costs.slippage)
    net = side * (exit_price - entry) - costs.fee * (entry + exit_price)
    # The minute of a touch counts as far as its fill: what it did afterwards nobody held.
    held = row + 1 if outcome is Outcome.TIME else row
    highest = max(entry, float(path.high[:held].max(initial=price)))
    lowest = min(entry, float(path.low[:held].min(initial=price)))
    up, down = (highest - entry) / order.risk, (lowest - entry) / order.risk
    exit_ms = int(path.open_ms[row]) + MINUTE_MS
    expected = (int(path.open_ms[row]) - order.opened_ms) // MINUTE_MS + 1
    if outcome is Outcome.TIME:
        exit_ms, expected = order.expires_ms, (order.expires_ms - order.opened_ms) // MINUTE_MS
    return FirstTouch(
        outcome=outcome,
        entry=entry,
        exit_price=exit_price,
        exit_ms=exit_ms,
        net_r=net / order.risk,
        net_pct=100 * net / entry,
        best_r=up if side > 0 else -down,
        worst_r=down if side > 0 else -up,
        ambiguous=ambiguous,
        missing_minutes=expected - (row + 1),
    )
