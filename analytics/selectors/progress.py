"""Whether learning works: proper scores of the consensus and its regret on the same outcomes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analytics.selectors.estimates import NO_ESTIMATE, Estimate, daily_mean
from analytics.selectors.outcomes import Outcomes
from analytics.selectors.scores import lean_losses
from ingestion.timeframes import FloatArray
from learning import evaluation
from learning.models import LearningState
from signals.consensus import Weights


@dataclass(frozen=True)
class Regret:
    """Log-loss of the consensus minus that of another forecast: in total (nats), and per lean with its interval."""

    total: float | None
    per_lean: Estimate


NO_REGRET_KNOWN = Regret(None, NO_ESTIMATE)


def regret(outcomes: Outcomes, ours: FloatArray, theirs: FloatArray) -> Regret:
    difference = ours - theirs
    if not len(difference):
        return NO_REGRET_KNOWN
    scale = outcomes.thinned_by  # every row that was read stands for that many
    return Regret(scale * float(difference.sum()), Estimate.of(evaluation.regret(ours, theirs, outcomes.day)))


def learning_progress(outcomes: Outcomes, versions: Mapping[int, Weights], names: tuple[str, ...]) -> dict[str, Any]:
    """Scores of the probabilities that were given at the decisions, never recomputed later."""
    losses = lean_losses(outcomes, versions)
    best = evaluation.best_head(losses.heads, names)
    against_best = (
        NO_REGRET_KNOWN if best is None else regret(outcomes, losses.consensus, losses.heads[names.index(best)])
    )
    against_equal = regret(outcomes, losses.consensus, losses.equal)
    squared = (outcomes.win_probability - outcomes.won) ** 2
    return {
        **daily_mean(outcomes.day, losses.consensus).beside("log_loss"),
        "base_rate_log_loss": float(losses.base_rate.mean()) if len(outcomes) else None,
        **daily_mean(outcomes.day, squared).beside("brier", prefix="brier_"),
        "best_head": best,
        "regret_vs_best_head": against_best.total,
        **against_best.per_lean.beside("regret_vs_best_head_per_lean", prefix="regret_vs_best_head_per_lean_"),
        "regret_vs_equal": against_equal.total,
        **against_equal.per_lean.beside("regret_vs_equal_per_lean", prefix="regret_vs_equal_per_lean_"),
        **certified(),
        "calibration": calibration(evaluation.calibration(outcomes.win_probability, outcomes.won)),
    }


def certified() -> dict[str, Any]:
    """The latest night's certificate, and the regret against equal weights that it allows."""
    nights = LearningState.objects.filter(state_type="head_weights", certificate__has_key="bound").order_by("-version")
    certificate = nights.values_list("certificate", flat=True).first()
    return {"regret_bound": certificate["bound"]["equal"] if certificate else None, "certificate": certificate}


def calibration(found: evaluation.Calibrated) -> dict[str, Any]:
    """The calibration as the API says it."""
    return {
        "slope": found.slope.value,
        "slope_ci_low": found.slope.ci_low,
        "slope_ci_high": found.slope.ci_high,
        "intercept": found.intercept,
        "n": found.slope.n,
        "bins": [
            {"low": part.low, "high": part.high, "stated": part.stated, **Estimate.of(part.happened).beside("won")}
            for part in found.bins
        ],
    }
