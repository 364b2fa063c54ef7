"""The first page: what was decided lately, what is open, what it earned, and what the last night learned."""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Case, Count, F, Sum, When
from django.db.models.functions import Extract

from analytics.selectors.kept import kept, kept_between_outcomes
from ingestion.selectors import last_closes
from learning.models import LearningState
from signals.gates import REASONS
from signals.models import Position, ScanClose, ScanHistory, Signal
from signals.portfolio import AccountRules

SHOWN = 8
START_EQUITY = AccountRules().start_equity


@dataclass(frozen=True)
class Decided:
    """What the closes of market time (since, until] came to. `rejected`: reason -> scans, in the order of the gates."""

    since: datetime
    until: datetime
    closes: int
    scans: int
    signals: int
    leans: int
    rejected: dict[str, int]


def decided(since: datetime, until: datetime) -> Decided:
    """Counted from the scans themselves; a scan without a lean was asked by no gate."""
    span = {"timeframe": settings.ALPHAPULSE_SCAN_TIMEFRAME, "close_time__gt": since, "close_time__lte": until}
    closes = ScanClose.objects.filter(**span, decided_at__isnull=False)
    totals = closes.aggregate(
        closes=Count("close_time"), scans=Sum("scans", default=0), signals=Sum("signals", default=0)
    )
    counted = ScanHistory.objects.filter(**span).exclude(lean=0).values("rejection").annotate(found=Count("symbol"))
    by_reason = dict(counted.values_list("rejection", "found"))
    rejected = {reason: by_reason[reason] for reason in REASONS if reason in by_reason}
    return Decided(since, until, **totals, leans=sum(by_reason.values()), rejected=rejected)


@dataclass(frozen=True)
class OpenSignal:
    """An open signal, the newest price, and the R it would close with at that price, before costs."""

    signal: Signal
    last: float | None

    @property
    def open_r(self) -> float | None:
        if self.last is None or self.signal.entry is None:
            return None
        return self.signal.direction * (self.last - self.signal.entry) / self.signal.risk


def open_signals() -> list[OpenSignal]:
    """Every open signal, newest first."""
    rows = list(Signal.objects.filter(outcome="").order_by("-opened_at", "symbol"))
    prices = last_closes(row.symbol for row in rows)
    return [OpenSignal(row, prices.get(row.symbol)) for row in rows]


def last_outcomes(at: datetime) -> list[Signal]:
    """The signals that ended last, newest first."""
    return list(Signal.objects.filter(exit_at__lte=at).order_by("-exit_at", "symbol")[:SHOWN])


@dataclass(frozen=True)
class Equity:
    """The paper account: what it holds now, what it held a day ago, and its curve (unix seconds, equity)."""

    now: float
    a_day_ago: float
    curve: tuple[tuple[int, float], ...]

    @property
    def change(self) -> float:
        return self.now / self.a_day_ago - 1


def equity(at: datetime) -> Equity:
    """A point for each moment up to `at` at which a position closed."""
    curve = equity_curve()
    seconds = [second for second, _ in curve]
    known, a_day_ago = (bisect_right(seconds, moment.timestamp()) for moment in (at, at - timedelta(days=1)))
    held = [START_EQUITY, *(equity for _, equity in curve)]
    return Equity(held[known], held[a_day_ago], curve[:known])


@kept_between_outcomes
def equity_curve() -> tuple[tuple[int, float], ...]:
    """Profits added up in the order in which the positions closed."""
    closed = Position.objects.filter(closed_at__isnull=False).values("closed_at").annotate(paid=Sum("profit"))
    in_order = closed.annotate(second=Extract("closed_at", "epoch")).order_by("closed_at")
    total, curve = START_EQUITY, []
    for second, paid in in_order.values_list("second", "paid"):
        total += paid
        curve.append((int(second), total))
    return tuple(curve)


@kept
def learning_curve() -> list[dict[str, Any]]:
    """Night by night: what the learner's weights saved against equal ones on outcomes it had not seen (nats a scan).

    A night is known by its newest draft; those that learned nothing yet have no figure and are left out.
    """
    drafts = LearningState.objects.filter(state_type="head_weights", metrics_after__has_key="effect")
    found = drafts.order_by("period", "-version").distinct("period").values_list("period", F("metrics_after__effect"))
    return [{"period": period, **effect} for period, effect in found if effect and effect.get("value") is not None]


def newest_decisions(at: datetime) -> list[ScanHistory]:
    """The leans of the last decided close: signals first, then by what they promised."""
    timeframe = settings.ALPHAPULSE_SCAN_TIMEFRAME
    closes = ScanClose.objects.filter(timeframe=timeframe, close_time__lte=at, decided_at__isnull=False)
    last = closes.order_by("-close_time").values_list("close_time", flat=True).first()
    if last is None:
        return []
    leans = ScanHistory.objects.filter(timeframe=timeframe, close_time=last).exclude(lean=0)
    shown = leans.only("symbol", "close_time", "lean", "win_probability", "expected_r", "rejection")
    signals_first = Case(When(rejection="", then=0), default=1)
    return list(shown.order_by(signals_first, F("expected_r").desc(nulls_last=True), "symbol")[:SHOWN])
