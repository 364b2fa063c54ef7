"""What a person may do to the versions: roll back, pin, freeze, release. Each makes a new version and an event.

`expected`: the version that the person saw in force. Where another has come since, VersionError and nothing is done,
so that a form sent twice, or one of yesterday, acts at most once.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from alphapulse_site.clock import market_now
from learning import ledger
from learning.config import Config
from learning.lessons import HEAD_NAMES
from learning.models import LearningEvent, LearningState
from learning.selectors import newest_in_force, procedure_now, weights_from
from learning.versions import VersionError, create_version

KINDS = ("rollback", "pin", "freeze", "release")
HEAD_WEIGHTS = "head_weights"
UNTIL_WHEN = "until released, or until the live guard puts equal weights back"


def rollback(*, state_type: str, version: int, by: str, expected: int | None = None) -> LearningState:
    """Put an old version's content in force again, as a new version, from the next market minute on.

    Raises VersionError where there is no such version or it weighs other heads.
    """
    return _make("rollback", {"state_type": state_type, "to": version}, by, expected)


def pin(*, version: int, by: str, expected: int | None = None) -> LearningState:
    """Put a version of the head weights in force and hold it; the nights go on learning beside it.

    Raises VersionError where there is no such version or it weighs other heads.
    """
    return _make("pin", {"state_type": HEAD_WEIGHTS, "to": version}, by, expected)


def freeze(*, by: str, expected: int | None = None) -> LearningState:
    """Hold the head weights that are in force. Raises VersionError where they are held already."""
    return _make("freeze", {"state_type": HEAD_WEIGHTS}, by, expected)


def release(*, by: str, expected: int | None = None) -> LearningState:
    """Let the next night move the head weights again. Raises VersionError where nothing is held."""
    return _make("release", {"state_type": HEAD_WEIGHTS}, by, expected)


def _make(kind: str, asked: dict[str, Any], by: str, expected: int | None) -> LearningState:
    """The version and its event in one transaction; what may not be is refused while nobody else can change it."""
    now, state_type = market_now() or timezone.now(), asked["state_type"]
    with transaction.atomic():
        ledger.take_ledger()
        _refuse_stale(state_type, expected)
        _refuse(kind, asked)
        detail = {**asked, "by": by}
        row = create_version(state_type, **columns_by_hand(kind, detail, now, LearningState.objects.all()))
        ledger.append([LearningEvent(kind=kind, market_at=now, detail={**detail, "version": row.version})])
    return row


def _refuse_stale(state_type: str, expected: int | None) -> None:
    ruling = newest_in_force(state_type)
    if expected is not None and (ruling is None or ruling.version != expected):
        now = f"version {ruling.version} ({ruling.created_by})" if ruling else "no version"
        raise VersionError(f"version {expected} of {state_type} was in force when this was asked, but now {now} is")


def _refuse(kind: str, asked: dict[str, Any]) -> None:
    if "to" in asked:
        _refuse_version(asked["state_type"], asked["to"])
    else:
        _refuse_in_force(newest_in_force(HEAD_WEIGHTS))
    holder = held_by()
    if kind == "freeze" and holder:
        raise VersionError(f"head_weights are held already ({holder}); let go first: manage.py release")
    if kind == "release" and not holder:
        raise VersionError("nothing is held: head_weights are neither pinned nor frozen")


def _refuse_version(state_type: str, version: int) -> None:
    versions = LearningState.objects.filter(state_type=state_type).order_by("version")
    chosen = versions.filter(version=version).first()
    if chosen is None:
        known = versions.values_list("version", flat=True)
        listed = f"versions {known[0]} to {known[len(known) - 1]} exist" if known else "it has no versions yet"
        raise VersionError(f"{state_type} has no version {version}: {listed}")
    if state_type == HEAD_WEIGHTS and weights_from(chosen.content).heads != HEAD_NAMES:
        raise VersionError(f"head_weights version {version} weighs other heads than vote now; choose a later one")


def _refuse_in_force(row: LearningState | None) -> None:
    if row is None:
        raise VersionError("head_weights has no versions yet; run manage.py bootstrap, or start it with manage.py up")
    if weights_from(row.content).heads != HEAD_NAMES:
        raise VersionError("what is in force weighs other heads than vote now; start the system once, then try again")


def held_by() -> str:
    """Which version holds the head weights, and who made it; empty where they are free to move."""
    if not procedure_now(Config()).pinned:
        return ""
    held = LearningState.objects.filter(state_type=HEAD_WEIGHTS, created_by__regex="^(pin|freeze) by ")
    found = held.order_by("-version").first()
    return f"version {found.version}, {found.created_by}" if found else "by hand"


def columns_by_hand(kind: str, detail: dict[str, Any], at: datetime, before: QuerySet[LearningState]) -> dict[str, Any]:
    """The columns of the version that this makes at a market time after the versions `before`; the audit asks again."""
    state_type = detail["state_type"]
    chosen = before.get(state_type=state_type, version=detail["to"]) if "to" in detail else _in_force(before)
    return {
        "content": chosen.content,
        "status": "active",
        "created_by": f"{kind} by {detail['by']}",
        "procedure": _procedure_after(kind, chosen, before) if state_type == HEAD_WEIGHTS else None,
        "effective_from": at + timedelta(minutes=1),
        "notes": _notes(kind, chosen.version),
    }


def _in_force(before: QuerySet[LearningState]) -> LearningState:
    row = newest_in_force(HEAD_WEIGHTS, before)
    if row is None:
        raise VersionError("head_weights has no versions yet")
    return row


def _procedure_after(kind: str, chosen: LearningState, before: QuerySet[LearningState]) -> bytes:
    """The learner's memory goes on from its last night: this changes what is live, not what was seen."""
    procedure, weights = procedure_now(Config(), before), weights_from(chosen.content)
    if kind == "pin":
        return procedure.pin(weights).to_bytes()
    if kind == "rollback":
        return procedure.roll_back(weights).to_bytes()
    return (procedure.freeze() if kind == "freeze" else procedure.release()).to_bytes()


def _notes(kind: str, version: int) -> str:
    return {
        "rollback": f"Rolled back to version {version}.",
        "pin": f"Pinned to version {version}: held {UNTIL_WHEN}.",
        "freeze": f"Version {version} was in force and is held {UNTIL_WHEN}.",
        "release": f"Version {version} was in force and stays; the next night may move it again.",
    }[kind]
