"""Figures with their sample size and interval, as the API says them, from the statistics of `learning.evaluation`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from learning import evaluation

LEVEL = 0.95


@dataclass(frozen=True)
class Estimate(evaluation.Estimate):
    """A figure, how many cases it rests on and its interval; None where it is not known."""

    level: float = LEVEL

    @classmethod
    def of(cls, found: evaluation.Estimate, level: float = LEVEL) -> "Estimate":
        return cls(found.value, found.n, found.ci_low, found.ci_high, level)

    def beside(self, name: str, prefix: str = "") -> dict[str, Any]:
        """The figure under its name, with n, ci_low and ci_high (behind `prefix`) beside it."""
        return {
            name: self.value,
            f"{prefix}n": self.n,
            f"{prefix}ci_low": self.ci_low,
            f"{prefix}ci_high": self.ci_high,
        }

    def lies_above(self, value: float) -> bool:
        return self.ci_low is not None and self.ci_low > value

    def lies_below(self, value: float) -> bool:
        return self.ci_high is not None and self.ci_high < value

    def negated(self) -> "Estimate":
        value, low, high = (None if figure is None else -figure for figure in (self.value, self.ci_high, self.ci_low))
        return replace(self, value=value, ci_low=low, ci_high=high)


NO_ESTIMATE = Estimate(None, 0)


@dataclass(frozen=True)
class Daily:
    """Sums and counts of each day that has any, ascending; arrays (days,)."""

    days: IntArray
    sums: FloatArray
    counts: FloatArray

    @property
    def n(self) -> int:
        return int(self.counts.sum())

    def part(self, chosen: slice) -> "Daily":
        return Daily(self.days[chosen], self.sums[chosen], self.counts[chosen])


def per_day(day: IntArray, values: FloatArray) -> Daily:
    """Values (n,) summed and counted by their day."""
    totals = evaluation.by_day(day, values, np.ones(len(values)))
    return Daily(evaluation.days_of(day)[0], totals[:, 0], totals[:, 1])


def share(successes: int, n: int) -> Estimate:
    """A rate of cases that may be taken as independent."""
    return Estimate.of(evaluation.wilson(successes, n))


def daily_ratio(daily: Daily, level: float = LEVEL) -> Estimate:
    """The sums over the counts; whole days are resampled, since cases of one day share its market."""
    return _resampled(evaluation.ratio, np.column_stack([daily.sums, daily.counts]), daily.n, level)


def daily_mean(day: IntArray, values: FloatArray, level: float = LEVEL) -> Estimate:
    """The mean of values (n,), whole days resampled."""
    return daily_ratio(per_day(day, values), level)


def daily_difference(first: Daily, second: Daily) -> Estimate:
    """The mean of the first minus that of the second, days resampled together; none without one of the two."""
    if not first.n or not second.n:
        return Estimate(None, first.n + second.n)
    days = np.union1d(first.days, second.days)
    totals = np.zeros((len(days), 4))
    for column, part in ((0, first), (2, second)):
        rows = np.searchsorted(days, part.days)
        totals[rows, column], totals[rows, column + 1] = part.sums, part.counts
    return _resampled(evaluation.difference, totals, first.n + second.n, LEVEL)


def _resampled(statistic: Callable[[FloatArray], FloatArray], totals: FloatArray, n: int, level: float) -> Estimate:
    seed = evaluation.seed_of(totals)
    return Estimate.of(evaluation.day_bootstrap(statistic, totals, n=n, seed=seed, level=level), level)
