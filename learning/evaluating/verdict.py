"""The verdict on a path, in words and from intervals only. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from learning.evaluating.gates import GateFigures
from learning.evaluating.permuting import Permutation
from learning.evaluating.scores import PathFigures
from learning.evaluating.sharpe import Sharpe
from learning.evaluation import Estimate
from learning.head_measures import LEAST_BLOCKS

LEVEL = 0.95
BASE_RATE = "base rate"


class Kind(StrEnum):
    """EDGE: every interval and both tests agree. TOO_SHORT: too few days for a verdict. INVALID: outcomes leak."""

    EDGE = "edge"
    NONE = "none"
    TOO_SHORT = "too_short"
    INVALID = "invalid"


@dataclass(frozen=True)
class Verdict:
    """`words` is the whole verdict, `findings` its parts: each condition of an edge, and whether it is met."""

    kind: Kind
    words: str
    findings: tuple[tuple[str, bool], ...]


def verdict(
    figures: PathFigures, gate: GateFigures | None, sharpe: Sharpe, permutation: Permutation, blocks: int
) -> Verdict:
    """An edge is found only where signals earn, pick better than what was rejected, their probabilities beat the base
    rate, shuffled outcomes teach less and the deflated Sharpe ratio is real; each at 95 %."""
    findings = (
        _result(figures.expectancy_r),
        _choice(gate.value_r if gate else Estimate(None, 0)),
        _probabilities(figures.regret.get(BASE_RATE, Estimate(None, 0))),
        _permutation(permutation),
        _sharpe(sharpe),
    )
    said = "; ".join(words for words, _ in findings)
    if permutation.leaks:
        leak = (
            f"invalid: predictions fit shuffled outcomes better than mirrored ones, by {permutation.fit:+.4f} nats on"
            " average: outcomes are known before their time, and no figure here can be trusted"
        )
        return Verdict(Kind.INVALID, leak, findings)
    if blocks < LEAST_BLOCKS:
        return Verdict(
            Kind.TOO_SHORT,
            f"no verdict: signals on {blocks} blocks of days, and fewer than {LEAST_BLOCKS} allow none",
            findings,
        )
    if all(met for _, met in findings):
        return Verdict(Kind.EDGE, f"edge found on this data: {said}", findings)
    return Verdict(Kind.NONE, f"no edge found: {said}", findings)


def is_above_zero(estimate: Estimate) -> bool:
    return estimate.ci_low is not None and estimate.ci_low > 0


def is_below_zero(estimate: Estimate) -> bool:
    return estimate.ci_high is not None and estimate.ci_high < 0


def against_zero(estimate: Estimate, form: str, above: str, below: str) -> str:
    """A figure with its interval, and what may be said of it."""
    if estimate.value is None:
        return "is not known: there is nothing to average"
    if estimate.ci_low is None or estimate.ci_high is None:
        return f"{estimate.value:{form}} has no interval, so nothing is claimed"
    shown = f"{estimate.value:{form}} [{estimate.ci_low:{form}}, {estimate.ci_high:{form}}]"
    if is_above_zero(estimate):
        return f"{shown} {above}"
    return f"{shown} {below}" if is_below_zero(estimate) else f"{shown} cannot be told from zero"


def _result(expectancy: Estimate) -> tuple[str, bool]:
    said = against_zero(expectancy, "+.2f", "is above zero", "is below zero: they lose")
    return f"signals' mean net R {said}", is_above_zero(expectancy)


def _choice(value: Estimate) -> tuple[str, bool]:
    said = against_zero(value, "+.2f", "is above zero", "is below zero: what was rejected did better")
    return f"signals minus rejected leans, in R, {said}", is_above_zero(value)


def _probabilities(regret: Estimate) -> tuple[str, bool]:
    said = against_zero(regret, "+.4f", "is above zero: they are worse", "is below zero: they are better")
    return f"log-loss of the probabilities minus the base rate's {said}", is_below_zero(regret)


def _permutation(permutation: Permutation) -> tuple[str, bool]:
    p, count = permutation.p_value, len(permutation.shuffled)
    if p is None:
        return "shuffled outcomes were not tried", False
    met = p <= 1 - LEVEL
    compared = "the learner's nights gain more than they do from shuffled outcomes"
    words = compared if met else f"that {compared} is not shown"
    return f"{words} (p = {p:.3f}, {count} shuffles)", met


def _sharpe(sharpe: Sharpe) -> tuple[str, bool]:
    if sharpe.deflated is None:
        return "there is no deflated Sharpe ratio", False
    met = sharpe.deflated >= LEVEL
    relation = "at least" if met else "below"
    words = f"deflated Sharpe ratio {sharpe.deflated:.3f} after {sharpe.trials} trials is {relation} {LEVEL}"
    return words, met


def learning_words(regret: Estimate) -> str:
    """Whether learning helped: the learner's log-loss minus that of equal weights with the same base rates."""
    said = against_zero(
        regret, "+.4f", "is above zero: learning cost something", "is below zero: learning helped the probabilities"
    )
    return f"log-loss of the learner minus equal weights {said}"
