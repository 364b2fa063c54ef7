"""What a person may do to the versions, told before it is done: what follows, what changes, what speaks against it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from analytics.selectors.version_diff import version_diff, version_row
from learning.by_hand import held_by
from learning.models import LearningState
from learning.selectors import newest_in_force
from learning.story import NAMES, story
from learning.why import account_of

HEAD_WEIGHTS = "head_weights"
TITLES = {"pin": "Pin version {0}", "freeze": "Freeze the weights in force", "release": "Release the weights"}
UNDONE_BY = {
    "rollback": "rolling back to version {0}",
    "pin": "releasing the weights and rolling back to version {0}",
    "freeze": "releasing the weights",
    "release": "freezing the weights again",
}
GUARD = "the live guard puts equal weights back"


@dataclass(frozen=True)
class Act:
    """`blocked`: why it cannot be done now; empty where it can. `diff`: what it changes, None where nothing changes.

    `target`: the version whose content would decide. `unpassed`: guards that it did not pass, with their reasons.
    """

    kind: str
    title: str
    target: LearningState
    ruling: LearningState
    effects: list[str]
    unpassed: list[tuple[str, str]]
    diff: dict[str, Any] | None
    words: list[str]
    blocked: str = ""

    @property
    def is_promotion(self) -> bool:
        return self.kind == "rollback" and is_waiting(self.target)


def is_waiting(row: LearningState) -> bool:
    """Whether a version never decided."""
    return row.effective_from is None


def proposed_act(kind: str, state_type: str, version: int | None, *, at: datetime | None, by: str) -> Act | None:
    """The act as its page tells it, without a version about what is in force; None if there is no such version."""
    ruling = newest_in_force(state_type)
    target = ruling if version is None else version_row(state_type, version)
    if ruling is None or target is None:
        return None
    account = account_of(target)
    held = held_by() if state_type == HEAD_WEIGHTS else ""
    return Act(
        kind=kind,
        title=_title(kind, target),
        target=target,
        ruling=ruling,
        effects=_effects(kind, target, ruling, at, held, by),
        unpassed=_unpassed(target, account.judged, account.verdicts),
        diff=version_diff(target, ruling) if target.pk != ruling.pk else None,
        words=story(account)[:2],
        blocked=_blocked(kind, held),
    )


def _title(kind: str, target: LearningState) -> str:
    if kind == "rollback":
        asked = "Promote version {0} by hand" if is_waiting(target) else "Roll back to version {0}"
        return asked.format(target.version)
    return TITLES[kind].format(target.version)


def _blocked(kind: str, held: str) -> str:
    if kind == "freeze" and held:
        return f"The weights are held already: {held}. Release them first."
    if kind == "release" and not held:
        return "Nothing is held: the nights may move the weights."
    return ""


def _unpassed(target: LearningState, judged: int | None, verdicts: Any) -> list[tuple[str, str]]:
    """Only where the verdicts of its night are about this version, and it did not go live by them."""
    if not is_waiting(target) or judged != target.version:
        return []
    return [(name, told["reason"]) for name, told in verdicts.items() if not told["passed"]]


def _effects(
    kind: str, target: LearningState, ruling: LearningState, at: datetime | None, held: str, by: str
) -> list[str]:
    told = [_first(kind, target, ruling, at), _then(kind, target, ruling)]
    if target.state_type == HEAD_WEIGHTS:
        told.append(_nights(kind, held))
    told.append("Open signals keep their brackets; only decisions from then on are made with it.")
    told.append(f"The ledger records it as “{kind} by {by}”. It is undone by {UNDONE_BY[kind].format(ruling.version)}.")
    return told


def _first(kind: str, target: LearningState, ruling: LearningState, at: datetime | None) -> str:
    # What was put in force for a time to come has that time first.
    begins = max(at + timedelta(minutes=1), ruling.effective_from or at) if at else None
    when = f"from {begins:%Y-%m-%d %H:%M} market time on" if begins else "from the next minute on"
    whose = NAMES[target.state_type]
    if kind in ("freeze", "release"):
        return f"What version {target.version} of {whose} says goes on deciding, as a new version, {when}."
    again = "for the first time: it never decided" if is_waiting(target) else "again"
    return f"What version {target.version} of {whose} says is put in force {when}, as a new version, {again}."


def _then(kind: str, target: LearningState, ruling: LearningState) -> str:
    if kind in ("freeze", "release"):
        return "No weight changes by this."
    if target.pk == ruling.pk:
        return f"Version {ruling.version} is in force now: no number changes by this."
    left = "rolled back" if kind == "rollback" else "archived"
    return f"Version {ruling.version}, in force now, stops deciding then and stays in the list as {left}."


def _nights(kind: str, held: str) -> str:
    if kind in ("pin", "freeze"):
        return f"No night replaces it until somebody releases it, or {GUARD}. The learner goes on learning beside it."
    if kind == "release":
        return "The next night may move the weights on from here."
    if held:
        return f"The weights are held ({held}) and stay held: no night replaces this until they are released."
    return "What was learned is kept: the next night may step on from here. Pin it instead if it is to stay."
