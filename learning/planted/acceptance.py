"""The lines of learning.md 5: what must hold, what was found, and whether it does. Pure."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from learning.planted.course import Course
from learning.planted.figures import Figure, Results, in_week, over_days, won
from learning.planted.trials import TOLD_HOURS

LN2 = math.log(2)
# "told": the specification sets no limit.
Relation = Literal["<=", ">=", "interval holds", "told"]


@dataclass(frozen=True)
class Line:
    """One claim with its figure. `met` is None where the run did not measure it, or nothing is asked of it."""

    claim: str
    relation: Relation
    bound: float | None
    figure: Figure
    beside: str = ""

    @property
    def met(self) -> bool | None:
        figure = self.figure
        if figure.seeds == 0 or self.bound is None:
            return None
        if self.relation == "interval holds":
            if figure.ci_low is None or figure.ci_high is None:
                return None
            return figure.ci_low <= self.bound <= figure.ci_high
        if figure.value is None:  # beyond the run in half of the seeds or more
            return False
        return figure.value <= self.bound if self.relation == "<=" else figure.value >= self.bound

    def as_json(self) -> dict[str, Any]:
        return {
            "claim": self.claim,
            "relation": self.relation,
            "bound": self.bound,
            "met": self.met,
            "beside": self.beside,
            **self.figure.as_json(),
        }


def lines(results: Results) -> list[Line]:
    """Every line of section 5, also those that this run did not measure."""
    parts = (_speed, _gain, _win_rates, _accepted_only, _certificate, _noise, _guards, _shuffled)
    return [line for part in parts for line in part(results)]


def _speed(results: Results) -> Iterator[Line]:
    for level, bound in ((0.80, 7), (0.90, 10), (0.95, 15)):
        figure = results.days_to(level, "cold", "A")
        yield Line(f"A cold: median day to {level:.0%} of the oracle's gain", "<=", bound, figure)
    for level, bound in ((0.80, 10), (0.90, 14)):
        figure = results.days_back_to(level, "cold", "A")
        yield Line(f"A cold: median days back to {level:.0%} after the switch", "<=", bound, figure)


def _gain(results: Results) -> Iterator[Line]:
    runs = (
        ("A", "cold", 0.86),
        ("A", "warm", 0.90),
        ("B", "cold", 0.85),
        ("C", "cold", 0.85),
        ("steady", "cold", 0.92),
    )
    for kind, trial, bound in runs:
        figure = results.summary(_share, trial, kind)
        told = results.summary(_share, trial, kind, TOLD_HOURS)
        yield Line(f"{kind} {trial}: mean share of the gain", ">=", bound, figure, f"told the hours {_words(told)}")


def _share(course: Course) -> float:
    return over_days(course.share)


def _win_rates(results: Results) -> Iterator[Line]:
    def rate(week: int, trial: str, name: str = "learner") -> Figure:
        return results.summary(lambda course: in_week(course.win_rate, week), trial, "A", name)

    for week, trial, bound in ((1, "cold", 0.70), (1, "warm", 0.77), (4, "cold", 0.77)):
        others = [
            f"{name} {_words(rate(week, 'cold', name))}" for name in ("oracle", "equal weights", "naive hit rates")
        ]
        others.append(f"told the hours {_words(rate(week, trial, TOLD_HOURS))}")
        claim = f"A {trial}: win rate of accepted in week {week}"
        yield Line(claim, ">=", bound, rate(week, trial), ", ".join(others))


def _words(figure: Figure) -> str:
    return "-" if figure.value is None else f"{figure.value:.3f}"


def _accepted_only(results: Results) -> Iterator[Line]:
    figure = results.longer_on_accepted()
    beside = f"at least: not reached in {figure.never} of {figure.seeds} runs" if figure.never else ""
    yield Line("steady: times longer to 90% of the gain from accepted scans only", ">=", 15.0, figure, beside)


def _certificate(results: Results) -> Iterator[Line]:
    runs = f"{len(results.watched())} runs"
    yield Line("nights without a valid certificate, all runs", "<=", 0, results.broken_certificates(), runs)
    worst, allowed, average = results.regret()
    beside = f"its certificate allows {allowed:.5f}; mean of all {average.value:.5f}" if allowed is not None else ""
    yield Line("greatest regret against the best candidate, nats an effective event", "<=", 0.001, worst, beside)


def _noise(results: Results) -> Iterator[Line]:
    after = results.summary(lambda course: over_days(course.log_loss, 14) - LN2, "cold", "N")
    excess = results.summary(lambda course: over_days(course.log_loss) - LN2, "cold", "N")
    beside = f"{after.value:.5f} after two weeks" if after.value is not None else ""
    yield Line("N cold: excess log-loss over ln 2", "<=", 0.002, excess, beside)
    yield Line("N cold: win rate of accepted", "interval holds", 0.5, results.summary(won, "cold", "N"))


SCALED = "against scaled equal weights"


def _guards(results: Results) -> Iterator[Line]:
    runs = f"{len(results.watched())} runs"
    yield Line("false roll-backs, all honest runs", "<=", 0, results.roll_backs(), runs)
    offers = results.offers()
    beside = f"{sum(each.refused for each in offers)} of {sum(each.offered for each in offers)} nights"
    yield Line("A: median share of spoilt drafts that were vetoed", ">=", 1.0, results.refused(), beside)
    # Vetoed or caught is what must hold; the guard falls where equal weights, however loud, are the better ones.
    claim = "A: median days until a spoilt version held in force is caught"
    yield Line(claim, "told", None, results.caught("pinned"))
    yield Line(f"{claim}, {SCALED}", "told", None, results.caught("pinned", scaled=True))
    claim = "A: median days until a spoilt version let go is caught"
    yield Line(claim, "told", None, results.caught("released"))
    for trial, words in (("opening", "cold"), ("warm opening", "warm")):
        claim = f"A {words}: median day on which the opening gate opens"
        yield Line(claim, "told", None, results.opened(trial))
        yield Line(f"{claim}, {SCALED}", "told", None, results.opened(trial, scaled=True))


def _shuffled(results: Results) -> Iterator[Line]:
    claim = "A shuffled: share of runs that opened the gate"
    yield Line(claim, "<=", 0.05, results.shuffled(lambda each: each.opened is not None))
    scaled = results.shuffled(lambda each: each.over_scaled is not None)
    yield Line(f"{claim}, {SCALED}", "told", None, scaled)
    claim = "A shuffled: share of runs that proved to know more than one half"
    yield Line(claim, "<=", 0.05, results.shuffled(lambda each: each.over_half))
