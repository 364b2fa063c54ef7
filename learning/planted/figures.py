"""The figures of a benchmark run, summarised over seeds with intervals over seeds. Pure."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from learning.planted.course import Course
from learning.planted.guards import PATIENCE, SPOILT_DAY, Offers, Opening
from learning.planted.trials import GOAL, LEARNER, LONGER, Found
from learning.planted.world import World
from learning.student import student_reach

NEVER, UNMEASURED = math.inf, math.nan


@dataclass(frozen=True)
class Figure:
    """A figure over seeds with its 95 % interval. `never` counts the seeds in which what is waited for did not happen;
    a bound or value that would lie beyond the run is None. No seed: not measured."""

    value: float | None
    seeds: int
    ci_low: float | None = None
    ci_high: float | None = None
    never: int = 0

    def as_json(self) -> dict[str, float | int | None]:
        return {
            "value": self.value,
            "seeds": self.seeds,
            "ci_low": self.ci_low,
            "ci_high": self.ci_high,
            "never": self.never,
        }


def mean(values: Iterable[float]) -> Figure:
    """The mean over seeds with Student's interval, from two seeds on; NaN is a seed that could not be measured."""
    known = [value for value in values if not math.isnan(value)]
    count = len(known)
    if count == 0:
        return Figure(None, 0)
    centre = math.fsum(known) / count
    if count < 2:
        return Figure(centre, count)
    spread = math.sqrt(math.fsum((value - centre) ** 2 for value in known) / (count - 1))
    reach = student_reach(0.95, count - 1) * spread / math.sqrt(count)
    return Figure(centre, count, centre - reach, centre + reach)


def median(values: Iterable[float]) -> Figure:
    """The median over seeds, infinite ones included, between the order statistics that enclose it in 95 % of draws."""
    known = sorted(value for value in values if not math.isnan(value))
    count, never = len(known), sum(map(math.isinf, known))
    if count == 0:
        return Figure(None, 0)
    middle = 0.5 * (known[(count - 1) // 2] + known[count // 2])
    rank = _enclosing_rank(count)
    low, high = (known[rank], known[count - 1 - rank]) if rank is not None else (NEVER, NEVER)
    return Figure(_finite(middle), count, _finite(low), _finite(high), never)


def _enclosing_rank(count: int) -> int | None:
    """The largest r for which the median lies between the r-th values from both ends in 95 %; None with few values."""
    below, best = 0.0, None
    for rank in range(count // 2):
        below += math.comb(count, rank) / 2**count
        if 2 * below > 0.05:
            break
        best = rank
    return best


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def days_to(course: Course, level: float, start: int = 0) -> float:
    """Days from `start` until the share of the gain is first at least `level`: infinite if it never is, NaN where there
    is no gain to share or the run ends before."""
    if len(course.share) <= start or math.isnan(course.share[start]):
        return UNMEASURED
    return next((float(day) for day, share in enumerate(course.share[start:]) if share >= level), NEVER)


def in_week(values: Sequence[float], week: int) -> float:
    """Mean over the days of the week (1 is the first); NaN if the run was shorter."""
    days = values[7 * (week - 1) : 7 * week]
    return math.fsum(days) / 7 if len(days) == 7 else UNMEASURED


def over_days(values: Sequence[float], first: int = 0) -> float:
    days = values[first:]
    return math.fsum(days) / len(days) if days else UNMEASURED


def won(course: Course) -> float:
    """Win rate of the scans accepted over the whole run."""
    accepted = sum(course.accepted)
    return sum(course.wins) / accepted if accepted else UNMEASURED


@dataclass(frozen=True)
class Results:
    """All that a benchmark run found."""

    found: tuple[Found, ...]

    def of(self, trial: str, kind: str) -> list[Found]:
        return [each for each in self.found if (each.job.trial, each.job.kind) == (trial, kind)]

    def courses(self, trial: str, kind: str, name: str = LEARNER) -> list[tuple[World, Course]]:
        """The course of one learner in each seed's world."""
        runs = [each for each in self.of(trial, kind) if name in each.courses]
        return [(World.planted(kind, each.job.seed), each.courses[name]) for each in runs]

    def names(self, kind: str) -> list[str]:
        """The learners that ran in the world from a cold start."""
        return next((list(each.courses) for each in self.of("cold", kind)), [])

    def summary(
        self,
        of: Callable[[Course], float],
        trial: str,
        kind: str,
        name: str = LEARNER,
        over: Callable[[Iterable[float]], Figure] = mean,
    ) -> Figure:
        return over(of(course) for _, course in self.courses(trial, kind, name))

    def days_to(self, level: float, trial: str, kind: str, name: str = LEARNER) -> Figure:
        return self.summary(lambda course: days_to(course, level), trial, kind, name, median)

    def days_back_to(self, level: float, trial: str, kind: str, name: str = LEARNER) -> Figure:
        """Median days after the switch until the share of the gain is as high again."""
        runs = self.courses(trial, kind, name)
        return median(days_to(course, level, world.switch_day) for world, course in runs if world.switch_day)

    def longer_on_accepted(self) -> Figure:
        """How many times longer to 90 % of the gain when only accepted scans teach, world by world, and the median.

        Where it was not reached in the time given, the time given counts: the figure is then too low.
        """
        everything = {found.job.seed: found.courses[LEARNER] for found in self.of("cold", "steady")}
        ratios, never = [], 0
        for found in self.of("accepted", "steady"):
            given = LONGER * found.job.days
            slow, fast = days_to(found.courses[LEARNER], GOAL), days_to(everything[found.job.seed], GOAL)
            ratios.append(min(slow, given) / fast if 0 < fast < NEVER else UNMEASURED)
            never += math.isinf(slow)
        centre = median(ratios)
        return Figure(centre.value, centre.seeds, centre.ci_low, centre.ci_high, never)

    def watched(self) -> list[Found]:
        """Every honest run of the production learner."""
        return [each for each in self.found if each.watch is not None]

    def broken_certificates(self) -> Figure:
        return self._counted(lambda found: found.watch.broken if found.watch else 0)

    def roll_backs(self) -> Figure:
        return self._counted(lambda found: found.watch.rolled_back if found.watch else 0)

    def _counted(self, count: Callable[[Found], int]) -> Figure:
        runs = self.watched()
        return Figure(float(sum(map(count, runs))), len(runs)) if runs else Figure(None, 0)

    def regret(self) -> tuple[Figure, float | None, Figure]:
        """The greatest regret per effective event against the best candidate over the runs on every scan, what that
        run's certificate allows, and the mean over runs."""
        runs = [each.watch for each in self._whole() if each.watch]
        found = [(each.regret, each.bound) for each in runs if each.regret is not None]
        if not found:
            return Figure(None, 0), None, Figure(None, 0)
        worst, allowed = max(found, key=lambda pair: pair[0])
        return Figure(worst, len(found)), allowed, mean(regret for regret, _ in found)

    def _whole(self) -> list[Found]:
        return [each for each in self.watched() if each.job.trial in ("cold", "warm")]

    def opened(self, trial: str, *, scaled: bool = False) -> Figure:
        """Median day on which the gate opened, or would have against scaled equal weights; 0 within the history."""
        openings = [each.opening for each in self.of(trial, "A") if each.opening]
        days = [each.over_scaled if scaled else each.opened for each in openings]
        return median(NEVER if day is None else max(0.0, day) for day in days)

    def offers(self) -> list[Offers]:
        """How the night's judges answered spoilt drafts, a run each."""
        return [each.offers for each in self.of("offers", "A") if each.offers and each.offers.offered]

    def refused(self) -> Figure:
        """Median over runs of the share of spoilt drafts that the night's judges refused."""
        return median(each.refused / each.offered for each in self.offers())

    def caught(self, trial: str, *, scaled: bool = False) -> Figure:
        """Median days until the live guard removed the spoilt version, or would have against scaled equal weights."""
        long_enough = [each for each in self.of(trial, "A") if each.job.days > SPOILT_DAY + PATIENCE]
        found = [each.caught for each in long_enough if each.caught]
        days = [each.by_scaled if scaled else each.by_guard for each in found]
        return median(NEVER if day is None else float(day) for day in days)

    def shuffled(self, promoted: Callable[[Opening], bool]) -> Figure:
        """Share of the runs on permuted outcomes in which something was promoted."""
        runs = [each.opening for each in self.of("shuffled", "A") if each.opening]
        return Figure(sum(map(promoted, runs)) / len(runs), len(runs)) if runs else Figure(None, 0)
