"""What a person may do to versions in the admin: the question that is asked before, and who may not be asked."""

from functools import partial
from typing import Any

from alphapulse_site.acts import Act
from learning.by_hand import freeze, pin, release, rollback
from learning.models import LearningState
from learning.selectors import newest_in_force
from learning.story import story
from learning.versions import VersionError
from learning.why import account_of

QUESTIONS = {
    "rollback": "Put what version {version} of {state_type} says in force again, from the next market minute on?",
    "pin": "Put the weights of version {version} in force from the next market minute on, and let no night replace "
    "them until they are released or the live guard puts equal weights back?",
    "freeze": "Let no night replace the weights of version {version} until they are released, or the live guard puts "
    "equal weights back?",
    "release": "Let the next night move the weights on from version {version}?",
}


def _do(kind: str, row: LearningState, by: str, reason: str) -> str:
    made = {
        "rollback": lambda: rollback(state_type=row.state_type, version=row.version, by=by),
        "pin": lambda: pin(version=row.version, by=by),
        "freeze": lambda: freeze(by=by),
        "release": lambda: release(by=by),
    }[kind]()
    return f"{made}, from {made.effective_from} on. {made.notes}"


def _refusal(kind: str, row: LearningState) -> str:
    """Why it does not apply to a version; empty where it does."""
    if kind == "rollback":
        return ""
    if row.state_type != "head_weights":
        return "Only head weights are pinned, frozen and released; choose one of their versions."
    ruling = newest_in_force("head_weights")
    if kind != "pin" and ruling is not None and ruling.pk != row.pk:
        return f"Version {ruling.version} of the head weights is in force; choose that one."
    return ""


def _act(kind: str) -> Act:
    def question(row: Any) -> str:
        return QUESTIONS[kind].format(state_type=row.state_type, version=row.version)

    return Act(
        question=question,
        do=partial(_do, kind),
        errors=(VersionError,),
        refusal=partial(_refusal, kind),
        story=lambda row: story(account_of(row)),
    )


ROLLBACK, PIN, FREEZE, RELEASE = (_act(kind) for kind in ("rollback", "pin", "freeze", "release"))
