"""What the gates held back in a stretch of time, as the page of rejections shows it."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from analytics.selectors.advice import gate_advice
from analytics.selectors.kept import GRACE_SECONDS, keep
from analytics.selectors.overview import Decided, decided
from analytics.selectors.rejections import weighed
from analytics.selectors.scope import Scope
from analytics.selectors.stamps import read_stamp
from learning.refusals import GOOD, MISSED
from signals.gates import GATES, REASONS
from signals.models import RejectedSignal

SHOWN, MOST_SYMBOLS = 8, 20


class Step(NamedTuple):
    """One narrowing of the funnel: what came to it, what it held back, what went on."""

    name: str
    reason: str
    came: int
    held: int

    @property
    def left(self) -> int:
        return self.came - self.held


def funnel(found: Decided) -> list[Step]:
    """From scans to signals: what had no lean, then what each gate refused as the first one that did."""
    steps = [Step("lean", "no lean", found.scans, found.scans - found.leans)]
    for gate, reason in zip(GATES, REASONS, strict=True):
        steps.append(Step(gate, reason, steps[-1].left, found.rejected.get(reason, 0)))
    return steps


@dataclass(frozen=True)
class Refused:
    """`analysis`: as the rejection endpoint says it, of the leans whose time limit ended in the scope, like the lists.

    `missed`, `good`: the shadows that would have won most, and lost most. `advice`: what excludes no change.
    """

    scope: Scope
    decided: Decided
    steps: list[Step]
    analysis: dict[str, Any]
    missed: list[RejectedSignal]
    good: list[RejectedSignal]
    advice: list[dict[str, Any]]


def lately_refused(length: timedelta) -> Refused | None:
    """Of the stretch that ends at the last decided close, kept until the next; None before there is any market."""

    def compute() -> Refused | None:
        until = read_stamp().until
        return refused(Scope.last(length, until=until)) if until else None

    return keep(("refused", length), read_stamp, compute, GRACE_SECONDS)


def refused(scope: Scope) -> Refused:
    """Everything on the page of rejections."""
    found, judged = decided(scope.since, scope.until), weighed(scope)
    return Refused(
        scope=scope,
        decided=found,
        steps=funnel(found),
        analysis=judged.analysis,
        missed=list(matured(scope).filter(MISSED).order_by("-net_r", "-opened_at")[:SHOWN]),
        good=list(matured(scope).filter(GOOD).order_by("net_r", "-opened_at")[:SHOWN]),
        advice=gate_advice(judged.proposals),
    )


def matured(scope: Scope) -> "QuerySet[RejectedSignal]":
    return RejectedSignal.objects.filter(**scope.filters("expires_at"))


class Worth(NamedTuple):
    """One line of the table of gates: where, which reason, and its figures as the endpoint says them."""

    key: str
    reason: str
    figures: dict[str, Any]


class Worths(NamedTuple):
    """Lines of as many keys as are shown, of how many there are."""

    lines: list[Worth]
    shown: int
    of: int


def worth_by(analysis: dict[str, Any], part: str) -> Worths:
    """The gates' figures by `reason`, `regime` or `symbol`; of symbols the costliest, in that order."""
    found = {"": analysis["by_reason"]} if part == "reason" else analysis[f"by_{part}"]
    keys = sorted(found, key=lambda key: -cost_of(found[key]))[:MOST_SYMBOLS] if part == "symbol" else list(found)
    lines = [Worth(key, reason, it) for key in keys for reason, it in found[key].items() if it["count"]]
    return Worths(lines, len(keys), len(found))


def cost_of(by_reason: dict[str, dict[str, Any]]) -> float:
    """What refusing cost in R, less what it avoided."""
    known = [gate for gate in by_reason.values() if gate["opportunity_cost_r"] is not None]
    return float(sum(gate["opportunity_cost_r"] - gate["avoided_loss_r"] for gate in known))
