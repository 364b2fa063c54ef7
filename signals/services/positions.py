"""Paper positions: opened with their signal, closed with its outcome."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from django.db.models import Sum

from ingestion.models import Symbol
from signals.models import Position, Signal
from signals.portfolio import AccountRules, Filters, position_profit, size_position

ACCOUNT = AccountRules()


def equity(*, at: datetime | None = None) -> float:
    """The account's equity: what it started with and the profit of every position closed, by `at` if given."""
    closed = Position.objects.filter(closed_at__lte=at) if at else Position.objects.all()
    paid = closed.aggregate(total=Sum("profit"))["total"]
    return ACCOUNT.start_equity + (paid or 0.0)


def open_positions(scan_ids: Sequence[UUID]) -> None:
    """Open the paper position of each signal that has none."""
    for signal in Signal.objects.filter(scan_id__in=scan_ids, position=None).order_by("opened_at", "symbol"):
        # As it stood then: a poll may be ahead of the scans, and a size must not depend on when polls ran.
        before = equity(at=signal.opened_at)
        known = Symbol.objects.filter(pk=signal.symbol).first()
        filters = Filters(known.step_size, known.min_notional) if known else Filters()
        quantity = size_position(before, signal.reference_price, signal.risk, ACCOUNT, filters)
        Position.objects.get_or_create(
            signal=signal, defaults={"quantity": quantity, "equity_before": before, "opened_at": signal.opened_at}
        )


def close_positions() -> int:
    """Close every position whose signal has its outcome; a void signal paid nothing."""
    closed = 0
    for position in Position.objects.filter(closed_at=None).exclude(signal__outcome="").select_related("signal"):
        signal = position.signal
        profit = 0.0 if signal.net_r is None else position_profit(position.quantity, signal.net_r, signal.risk)
        still_open = Position.objects.filter(pk=position.pk, closed_at=None)
        closed += still_open.update(closed_at=signal.exit_at, profit=profit)
    return closed
