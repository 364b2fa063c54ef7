"""What the gates refused, and whether refusing paid: counted by day in the database, weighed in R."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count, F, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from analytics.selectors.estimates import Daily, daily_difference, daily_ratio
from analytics.selectors.scope import Scope
from ingestion.timeframes import FloatArray
from learning.labels import NEUTRAL_R
from signals.gates import REASONS
from signals.models import RejectedSignal, Signal, TrackedDecision

OUTCOMES = ("target", "stop", "time", "void")

GOOD = Q(net_r__lt=-NEUTRAL_R)
MISSED = Q(net_r__gt=NEUTRAL_R)


@dataclass(frozen=True)
class DayCount:
    """The matured decisions of one day, outcome and reason (empty for signals)."""

    day: int
    reason: str
    outcome: str
    count: int
    valued: int
    good: int
    missed: int
    sum_r: float
    sum_pct: float
    missed_r: float
    good_r: float

    @property
    def neutral(self) -> int:
        return self.valued - self.good - self.missed


def matured(model: type[TrackedDecision], scope: Scope) -> "QuerySet[Any]":
    """Decisions whose time limit ended inside the scope: whole cohorts, since early resolvers are mostly losses."""
    return model._default_manager.filter(**scope.filters("expires_at")).exclude(outcome="")


def counts_by_day(model: type[TrackedDecision], scope: Scope) -> list[DayCount]:
    """One row a day, reason and outcome; the day is that of the decision."""
    reason = {"reason": F("rejection")} if model is RejectedSignal else {}
    groups = matured(model, scope).annotate(day=TruncDate("opened_at"), **reason).values("day", *reason, "outcome")
    rows = groups.annotate(
        count=Count("pk"),
        valued=Count("net_r"),
        good=Count("pk", filter=GOOD),
        missed=Count("pk", filter=MISSED),
        sum_r=Sum("net_r", default=0.0),
        sum_pct=Sum("net_pct", default=0.0),
        missed_r=Sum("net_r", filter=MISSED, default=0.0),
        good_r=Sum("net_r", filter=GOOD, default=0.0),
    ).order_by("day", *reason, "outcome")
    return [DayCount(**(row | {"day": row["day"].toordinal(), "reason": row.get("reason", "")})) for row in rows]


def daily(rows: Iterable[DayCount], top: str, bottom: str) -> Daily:
    """Two figures of the rows summed by day: a ratio's numerator and denominator."""
    sums: dict[int, FloatArray] = defaultdict(lambda: np.zeros(2))
    for row in rows:
        sums[row.day] += (getattr(row, top), getattr(row, bottom))
    days = sorted(sums)
    table = np.array([sums[day] for day in days]).reshape(len(days), 2)
    return Daily(np.array(days, dtype=np.int64), table[:, 0], table[:, 1])


def accuracy_days(rows: Iterable[DayCount]) -> Daily:
    """Good rejections over good and missed ones, by day."""
    judged = daily(rows, "good", "missed")
    return Daily(judged.days, judged.sums, judged.sums + judged.counts)


def rejection_analysis(scope: Scope) -> dict[str, Any]:
    """Everything the rejection endpoint says; null and n = 0 where nothing has matured."""
    shadows, signals = counts_by_day(RejectedSignal, scope), counts_by_day(Signal, scope)
    accuracy = daily_ratio(accuracy_days(shadows))
    gate_value = daily_difference(daily(signals, "sum_r", "valued"), daily(shadows, "sum_r", "valued"))
    valued, accepted = _total(shadows, "valued"), _total(signals, "valued")
    return {
        "rejection_statistics": _statistics(shadows, scope),
        "rejection_breakdown": {
            outcome: _of_outcome([row for row in shadows if row.outcome == outcome]) for outcome in OUTCOMES
        },
        "by_reason": {reason: of_reason([row for row in shadows if row.reason == reason]) for reason in REASONS},
        **accuracy.beside("rejection_accuracy"),
        **gate_value.beside("gate_value_r", prefix="gate_value_r_"),
        "opportunity_cost_r": sum(row.missed_r for row in shadows) if valued else None,
        "avoided_loss_r": -sum(row.good_r for row in shadows) if valued else None,
        "learning_data_multiplier": (valued + accepted) / accepted if accepted else None,
        "resolved_leans": valued + accepted,
        "accepted_resolved": accepted,
    }


def _statistics(shadows: list[DayCount], scope: Scope) -> dict[str, Any]:
    opened = RejectedSignal.objects.filter(**scope.filters("opened_at"))
    seen = opened.aggregate(rejections=Count("pk"), still_open=Count("pk", filter=Q(outcome="")))
    missed = daily_ratio(daily(shadows, "missed", "valued"))
    mean_r = daily_ratio(daily(shadows, "sum_r", "valued"))
    return {
        **seen,
        "matured": _total(shadows, "count"),
        "good_rejections": _total(shadows, "good"),
        "missed_opportunities": _total(shadows, "missed"),
        "neutral_rejections": _total(shadows, "neutral"),
        "void": _total(shadows, "count") - _total(shadows, "valued"),
        **missed.beside("missed_opportunity_rate"),
        **mean_r.beside("avg_r", prefix="avg_r_"),
    }


def _of_outcome(rows: list[DayCount]) -> dict[str, Any]:
    valued = _total(rows, "valued")
    return {
        "count": _total(rows, "count"),
        "avg_profit": sum(row.sum_pct for row in rows) / valued if valued else None,
        **daily_ratio(daily(rows, "sum_r", "valued")).beside("avg_r"),
    }


def of_reason(rows: list[DayCount]) -> dict[str, Any]:
    """One gate's refusals: what they were worth, and what refusing them was (minus their mean net R)."""
    value = daily_ratio(daily(rows, "sum_r", "valued")).negated()
    return {
        "count": _total(rows, "count"),
        "good": _total(rows, "good"),
        "missed": _total(rows, "missed"),
        "neutral": _total(rows, "neutral"),
        **value.beside("gate_value_r"),
        "ci": [value.ci_low, value.ci_high],
    }


def _total(rows: Iterable[DayCount], figure: str) -> int:
    return int(sum(getattr(row, figure) for row in rows))
