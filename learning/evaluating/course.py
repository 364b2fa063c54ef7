"""Courses: what a forecaster puts in force, night after night. Whatever is scored beside the live path is one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from learning.candidates import names
from learning.config import Config
from learning.logistic import INTERCEPTS, probability
from learning.state import Remembered, weights_of
from signals.consensus import SideArray, Weights

LEARNER, EQUAL, ZERO = "learner", "equal", "zero"


@dataclass(frozen=True)
class Course:
    """Weights over time: `theta` (nights, 2 + H) = (a_long, a_short, b) of each night, in order; one rules from its
    `day` (nights,) to the next one's, the first also all days before."""

    day: IntArray
    theta: FloatArray

    def in_force(self, decided_day: IntArray) -> FloatArray:
        """What ruled decisions of these days (n,): (n, 2 + H)."""
        night = np.searchsorted(self.day, decided_day, side="right") - 1
        found: FloatArray = self.theta[np.maximum(night, 0)]
        return found

    def weights(self, heads: tuple[str, ...], decided_day: int) -> Weights:
        return weights_of(heads, self.in_force(np.array([decided_day]))[0])

    def with_betas(self, beta: FloatArray) -> "Course":
        """The same intercepts with betas (H,) or (nights, H)."""
        theta = self.theta.copy()
        theta[:, INTERCEPTS:] = beta
        return Course(self.day, theta)

    def margins(self, decided_day: IntArray, evidence: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Log-odds that the long and that the short bracket wins, as stated on these days; (n,) each."""
        theta = self.in_force(decided_day)
        pooled = np.zeros(len(evidence))
        for head in range(evidence.shape[1]):  # in head order, as the scan sums
            pooled = pooled + theta[:, INTERCEPTS + head] * evidence[:, head]
        return theta[:, 0] + pooled, theta[:, 1] - pooled

    def chances(self, decided_day: IntArray, evidence: FloatArray, side: SideArray) -> FloatArray:
        """P(the bracket on `side` (n,) wins) as stated on these days, from evidence (n, H) toward up; (n,)."""
        long, short = self.margins(decided_day, evidence)
        return probability(np.where(side > 0, long, short))


def courses_of(nights: Sequence[Remembered], config: Config) -> Mapping[str, Course]:
    """The learner's own weights (step cap, no opening gate, no veto) and each of its K candidates, by name.

    `nights`: what was in force at birth and after each night.
    """
    day = np.array([night.day for night in nights], dtype=np.int64)
    candidates = np.array([night.candidates for night in nights])
    found = {name: Course(day, candidates[:, place]) for place, name in enumerate(names(config))}
    return {LEARNER: Course(day, np.array([night.theta for night in nights])), **found}
