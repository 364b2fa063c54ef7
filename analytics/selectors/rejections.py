"""What the gates refused, and whether refusing paid, as the rejection endpoint says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db.models import Count, Q, Sum

from analytics.selectors.estimates import Daily, Estimate, daily_ratio
from analytics.selectors.gates import GateWorth, gate_days, held_in, whole_days, worths
from analytics.selectors.kept import kept
from analytics.selectors.scope import Scope
from learning.gate_days import GateDays, cube
from learning.proposals import Proposal, propose
from learning.refusals import BARRIERS, Held
from signals.configuration import rules
from signals.models import RejectedSignal


def daily(rows: GateDays, top: str, bottom: str) -> Daily:
    """Two figures of the rows summed by day: a ratio's numerator and denominator."""
    days = np.unique(rows.day)
    totals = cube(days, rows, np.zeros(len(rows), np.int64), 1, (top, bottom))
    return Daily(days, totals[:, 0, 0], totals[:, 0, 1])


@dataclass(frozen=True)
class Weighed:
    """What was refused in a stretch: `analysis` as the rejection endpoint says it, and what its days propose."""

    analysis: dict[str, Any]
    proposals: list[Proposal]


@kept
def weighed(scope: Scope) -> Weighed:
    """Both from one reading of the days, and once for all pages and reports about that stretch."""
    held = held_in(scope)
    figures = gate_days(scope, held)
    return Weighed(_analysis(scope, held, figures), propose(figures, rules().gates.regime_limits))


def rejection_analysis(scope: Scope) -> dict[str, Any]:
    """Everything the rejection endpoint says; null and n = 0 where nothing has matured. Shared: read it only."""
    return weighed(scope).analysis


def _analysis(scope: Scope, held: Held, figures: GateDays) -> dict[str, Any]:
    refused, published = figures.refused, figures.published
    found = worths(figures)
    valued, accepted = int(refused.total("valued")), int(published.total("valued"))
    return {
        "rejection_statistics": _statistics(refused, scope, held),
        "rejection_breakdown": {
            **{outcome: _of_barrier(refused, outcome) for outcome in BARRIERS},
            "void": _of_void(refused),
        },
        "by_reason": {reason: gate(worth) for reason, worth in found.by_reason.items()},
        "by_regime": _nested(found.by_regime),
        "by_symbol": _nested(found.by_symbol),
        **found.overall.accuracy.beside("rejection_accuracy"),
        **found.overall.against_published.beside("gate_value_r", prefix="gate_value_r_"),
        **_costs(found.overall),
        "learning_data_multiplier": (valued + accepted) / accepted if accepted else None,
        "resolved_leans": valued + accepted,
        "accepted_resolved": accepted,
    }


def _statistics(refused: GateDays, scope: Scope, held: Held) -> dict[str, Any]:
    missed = daily_ratio(daily(refused, "missed", "valued"))
    mean_r = daily_ratio(daily(refused, "sum_net_r", "valued"))
    return {
        **_opened(scope, held),
        "matured": int(refused.total("shadows")),
        "good_rejections": int(refused.total("good")),
        "missed_opportunities": int(refused.total("missed")),
        "neutral_rejections": int(refused.total("neutral")),
        "void": int(refused.total("void")),
        **missed.beside("missed_opportunity_rate"),
        **mean_r.beside("avg_r", prefix="avg_r_"),
    }


def _opened(scope: Scope, held: Held) -> dict[str, int]:
    """Shadows opened inside the scope, and how many of them are open; those of the days the table holds have ended."""
    rest = RejectedSignal.objects.filter(held.elsewhere, **scope.filters("opened_at"))
    found = rest.aggregate(rejections=Count("pk"), still_open=Count("pk", filter=Q(outcome="")))
    ended = whole_days(scope, held).exclude(reason="").aggregate(shadows=Sum("shadows", default=0))
    return {"rejections": found["rejections"] + ended["shadows"], "still_open": found["still_open"]}


def _of_barrier(refused: GateDays, outcome: str) -> dict[str, Any]:
    """Shadows that met one barrier; each of them has a result."""
    name = BARRIERS[outcome]
    count = int(refused.total(f"{name}s"))
    return {
        "count": count,
        "avg_profit": refused.total(f"{name}_net_pct") / count if count else None,
        **daily_ratio(daily(refused, f"{name}_net_r", f"{name}s")).beside("avg_r"),
    }


def _of_void(refused: GateDays) -> dict[str, Any]:
    return {"count": int(refused.total("void")), "avg_profit": None, **Estimate(None, 0).beside("avg_r")}


def gate(worth: GateWorth) -> dict[str, Any]:
    """One gate's refusals: what refusing them was worth, how often it was right, and at what cost."""
    value = worth.mean_r.negated()
    return {
        "count": worth.count,
        "good": worth.good,
        "missed": worth.missed,
        "neutral": worth.neutral,
        **value.beside("gate_value_r"),
        "ci": [value.ci_low, value.ci_high],
        **worth.against_published.beside("against_published_r", prefix="against_published_r_"),
        **worth.accuracy.beside("rejection_accuracy", prefix="rejection_accuracy_"),
        **_costs(worth),
    }


def _costs(worth: GateWorth) -> dict[str, float | None]:
    return {
        "opportunity_cost_r": worth.opportunity_cost_r,
        "avoided_loss_r": worth.avoided_loss_r,
        "opportunity_cost_r_per_day": worth.a_day(worth.opportunity_cost_r),
        "avoided_loss_r_per_day": worth.a_day(worth.avoided_loss_r),
    }


def _nested(found: Mapping[str, Mapping[str, GateWorth]]) -> dict[str, dict[str, Any]]:
    return {key: {reason: gate(worth) for reason, worth in by_reason.items()} for key, by_reason in found.items()}
