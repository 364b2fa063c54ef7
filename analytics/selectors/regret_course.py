"""Regret day by day: how much more the consensus lost so far than equal weights, and than the best head alone."""

from dataclasses import dataclass

import numpy as np

from analytics.selectors.outcomes import Outcomes
from analytics.selectors.scores import LeanLosses
from ingestion.timeframes import FloatArray
from learning import evaluation

DAY_SECONDS = 86_400


@dataclass(frozen=True)
class RegretCourse:
    """Sums from the first day of a stretch to the end of each (unix second, nats); below zero the consensus was better.

    `best_head` is the best one of the whole stretch, which nobody knew before it was over.
    """

    best_head: str | None
    against_equal: tuple[tuple[int, float], ...]
    against_best: tuple[tuple[int, float], ...]


def regret_course(outcomes: Outcomes, losses: LeanLosses, names: tuple[str, ...]) -> RegretCourse:
    """The last point of each line is the total that the API gives."""
    best = evaluation.best_head(losses.heads, names)
    if best is None:
        return RegretCourse(None, (), ())
    equal = _summed(outcomes, losses.consensus - losses.equal)
    return RegretCourse(best, equal, _summed(outcomes, losses.consensus - losses.heads[names.index(best)]))


def _summed(outcomes: Outcomes, difference: FloatArray) -> tuple[tuple[int, float], ...]:
    sums = evaluation.by_day(outcomes.day, difference)[:, 0]
    totals = (outcomes.thinned_by * np.cumsum(sums)).tolist()
    ends = ((np.unique(outcomes.day) + 1) * DAY_SECONDS).tolist()
    return tuple(zip(ends, totals, strict=True))
