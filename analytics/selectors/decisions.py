"""Signals and shadows as people look for them: narrowed down, newest first, and one between its neighbours."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from signals.models import RejectedSignal, Signal, TrackedDecision

OPEN = "open"
KINDS: dict[str, type[TrackedDecision]] = {"signal": Signal, "shadow": RejectedSignal}


@dataclass(frozen=True)
class Wanted:
    """What a list is narrowed to; None and '' leave it open. `outcome` "open": not ended yet. `until` is exclusive."""

    symbol: str = ""
    timeframe: str = ""
    direction: int | None = None
    regime: int | None = None
    outcome: str = ""
    rejection: str = ""
    since: datetime | None = None
    until: datetime | None = None

    @property
    def filters(self) -> dict[str, Any]:
        plain = ("symbol", "timeframe", "direction", "regime", "outcome", "rejection")
        found = {name: getattr(self, name) for name in plain if getattr(self, name) not in (None, "")}
        if self.outcome == OPEN:
            found["outcome"] = ""
        bounds = {"opened_at__gte": self.since, "opened_at__lt": self.until}
        return found | {name: moment for name, moment in bounds.items() if moment is not None}


def decisions(kind: str, wanted: Wanted) -> "QuerySet[TrackedDecision]":
    """The signals or shadows that are wanted, newest first."""
    return KINDS[kind]._default_manager.filter(**wanted.filters).order_by("-opened_at", "-pk")


class Neighbours(NamedTuple):
    """The decisions of its kind made just before and just after one."""

    earlier: TrackedDecision | None
    later: TrackedDecision | None


def neighbours(decision: TrackedDecision) -> Neighbours:
    """In the order of the list. The bound on the time alone is what the index answers."""
    rows, at = type(decision)._default_manager.all(), decision.opened_at
    before = rows.filter(opened_at__lte=at).exclude(opened_at=at, pk__gte=decision.pk)
    after = rows.filter(opened_at__gte=at).exclude(opened_at=at, pk__lte=decision.pk)
    return Neighbours(before.order_by("-opened_at", "-pk").first(), after.order_by("opened_at", "pk").first())
