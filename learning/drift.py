"""Drift: do the probabilities in force cost more than they used to, beside what they claim? Pure.

Page's one-sided cumulative sum (Page 1954) over nights. What is watched is the excess: a night's mean log-loss minus
the loss that the same probabilities claim, which knows neither easy days nor hard ones. The reference is that of the
nights before, so being over-confident is no drift, becoming it is.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from learning.config import Config
from learning.procedure import Score

FURTHEST = 4.0  # standard deviations: no night alone may raise the alarm by more


@dataclass(frozen=True)
class Drift:
    """An alarm: on which night, over how many nights the sum had been rising, mean excess before and since in nats."""

    day: int
    nights: int
    excess_before: float
    excess_since: float
    statistic: float

    @property
    def words(self) -> str:
        return (
            f"drift: over {self.nights} nights the probabilities in force cost {self.excess_since:+.4f} nats a scan"
            f" beside what they claim, {self.excess_before:+.4f} before (cumulative sum {self.statistic:.1f})"
        )

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "words": self.words}


def find_drift(scores: Sequence[Score], *, since: int, config: Config) -> Drift | None:
    """The alarm of the last night, from the nights scored after day `since`; None if it raises none."""
    watched = [score for score in scores if score.day > since and score.claimed is not None]
    excess = [score.live - (score.claimed or 0.0) for score in watched]
    total, rising_since = 0.0, 0
    for night in range(config.drift_least_nights, len(excess)):
        deviation = _standardised(excess[max(0, night - config.drift_reference_nights) : night], excess[night])
        if total == 0.0:
            rising_since = night
        total = max(0.0, total + min(deviation, FURTHEST) - config.drift_allowance)
    if total < config.drift_limit:
        return None
    before = excess[max(0, rising_since - config.drift_reference_nights) : rising_since]
    return Drift(watched[-1].day, len(excess) - rising_since, _mean(before), _mean(excess[rising_since:]), total)


def _standardised(before: Sequence[float], value: float) -> float:
    """How many standard deviations of a new night the value lies above those before."""
    count, mean = len(before), _mean(before)
    spread = math.sqrt(sum((each - mean) ** 2 for each in before) / (count - 1) * (1 + 1 / count))
    if spread == 0.0:
        return math.copysign(FURTHEST, value - mean) if value != mean else 0.0
    return (value - mean) / spread


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
