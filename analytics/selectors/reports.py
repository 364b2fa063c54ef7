"""The answers of the learning endpoints, put together from the topics beside this file."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from alphapulse_site.clock import market_now
from analytics.selectors import figures, schedule
from analytics.selectors.advice import adjusted_heads, equal_weights_advice, gate_advice, harm_advice, weight_advice
from analytics.selectors.heads import HeadRecord, described, head_records, ranking
from analytics.selectors.outcomes import Outcomes, matured_outcomes
from analytics.selectors.progress import learning_progress, regret
from analytics.selectors.rejections import rejection_analysis, weighed
from analytics.selectors.scope import Scope
from analytics.selectors.scores import lean_losses
from analytics.selectors.signs import Signs
from analytics.selectors.trades import overall
from analytics.selectors.versions import challenger, shares, weight_history, weights_by_version, weights_in_force
from analytics.selectors.weekly import weekly_trends
from signals.consensus import Weights
from signals.heads import HEADS

Report = dict[str, Any]
HEAD_NAMES = tuple(head.name for head in HEADS)


@dataclass(frozen=True)
class Learned:
    """What matured in a scope and the weights it is judged against; each read once, when first asked for."""

    scope: Scope

    @cached_property
    def versions(self) -> Mapping[int, Weights]:
        return weights_by_version()

    @cached_property
    def outcomes(self) -> Outcomes:
        return matured_outcomes(self.scope, len(HEAD_NAMES)).decided_with(self.versions)

    @cached_property
    def in_force(self) -> Weights | None:
        return weights_in_force(self.scope.until)

    @cached_property
    def suggested(self) -> Mapping[str, float]:
        return shares(challenger(self.scope.until))

    @cached_property
    def records(self) -> list[HeadRecord]:
        return head_records(self.outcomes, self.versions, HEAD_NAMES)

    @cached_property
    def weight_advice(self) -> list[Report]:
        return weight_advice(self.outcomes, self.in_force, self.suggested)


def performance(scope: Scope, period: str) -> Report:
    learned = Learned(scope)
    return {
        "overall": overall(scope) | {"period": period},
        "head_performance": {
            "heads": head_report(learned),
            "analysis_timestamp": scope.at,
            "signals_analyzed": len(learned.outcomes),
            "thinned_by": learned.outcomes.thinned_by,
        },
        "learning_progress": learning_progress(learned.outcomes, learned.versions, HEAD_NAMES),
        "timestamp": scope.at,
    }


def head_report(learned: Learned) -> dict[str, Report]:
    """Each head's record beside its weight, in head order."""
    current, advised = shares(learned.in_force), adjusted_heads(learned.weight_advice)
    return {record.name: described(record, current, learned.suggested, advised) for record in learned.records}


def head_weights(days: int) -> Report:
    at = market_now()
    return {
        "current_weights": shares(weights_in_force(at)),
        "weight_history": weight_history(at - timedelta(days=days)) if at else [],
        "days_analyzed": days,
        "timestamp": at,
    }


def improvements(scope: Scope) -> Report:
    best, worst = ranking(Learned(scope).records)
    return {
        "weekly_trends": weekly_trends(scope),
        "best_performing_heads": best,
        "worst_performing_heads": worst,
        "timestamp": scope.at,
    }


def recommendations(scope: Scope) -> Report:
    rows = advice(Learned(scope))
    return {
        "recommendations": rows,
        "total_recommendations": len(rows),
        "high_priority_count": sum(row["priority"] == "high" for row in rows),
        "timestamp": scope.at,
    }


def advice(learned: Learned) -> list[Report]:
    """The rows of the recommendations."""
    losses, scope = lean_losses(learned.outcomes, learned.versions), learned.scope
    against_equal = regret(learned.outcomes, losses.consensus, losses.equal)
    harmful = harm_advice(learned.records, shares(learned.in_force), learned.suggested)
    system = [*gate_advice(weighed(scope).proposals), *equal_weights_advice(against_equal.per_lean)]
    return [*system, *learned.weight_advice, *harmful]


def stats() -> Report:
    at, signs = market_now(), Signs.read()
    return {
        "coordinator": figures.coordinator(at),
        "monitor": figures.monitor(signs),
        "rejection_learning": figures.rejection_learning(signs, at),
        "timestamp": at,
    }


def rejections(scope: Scope) -> Report:
    return rejection_analysis(scope) | {"timestamp": scope.at}


def scheduler() -> Report:
    at = market_now()
    return {"scheduler": schedule.scheduler(Signs.read(), at), "timestamp": at}
