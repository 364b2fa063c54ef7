"""Versions: immutable rows, the pointer to the one in force, and the way back."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from alphapulse_site.clock import market_now
from learning import ledger
from learning.lessons import HEAD_NAMES
from learning.models import ActiveLearningState, LearningEvent, LearningState
from learning.procedure import Procedure
from learning.selectors import latest, latest_procedure, weights_from
from signals.consensus import Calibration, Weights
from signals.gates import Thresholds
from signals.models import ScanClose, ScanHistory

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
HASHED = (
    *("state_type", "version", "parent", "period", "content", "first_event", "last_event", "event_count"),
    *("events_digest", "metrics_before", "metrics_after", "certificate", "notes", "created_by"),
)


class VersionError(Exception):
    """A version that does not exist or cannot be used; the message says what to do."""


def weights_content(weights: Weights) -> dict[str, Any]:
    return {"heads": list(weights.heads), "beta": (weights.beta + 0.0).tolist(), "bias": (weights.bias + 0.0).tolist()}


def thresholds_content(thresholds: Thresholds) -> dict[str, Any]:
    return {"quality_r": thresholds.quality_r}


def calibration_content(calibration: Calibration) -> dict[str, Any]:
    return {"slope": float(calibration.slope), "intercept": float(calibration.intercept) + 0.0}


def version_hash(row: LearningState, parent_hash: str) -> str:
    """SHA-256 over the parent's hash and all that this version says; status and wall-clock times are not part of it."""
    body = {name: getattr(row, name) for name in HASHED}
    body["effective_from"] = row.effective_from.isoformat() if row.effective_from else None
    body["procedure"] = hashlib.sha256(bytes(row.procedure)).hexdigest() if row.procedure else None
    return hashlib.sha256((parent_hash + json.dumps(body, sort_keys=True, default=str)).encode()).hexdigest()


def create_version(
    state_type: str, *, content: dict[str, Any], status: str, created_by: str, **columns: Any
) -> LearningState:
    """Append a version after the latest one; with `effective_from` it takes over from that market time on."""
    with transaction.atomic():
        ledger.take_ledger()
        parent = latest(state_type)
        row = LearningState(
            state_type=state_type,
            version=parent.version + 1 if parent else 1,
            parent=parent.version if parent else None,
            content=content,
            status=status,
            created_by=created_by,
            created_at=timezone.now(),
            **{"event_count": 0, "period": "", **columns},
        )
        row.hash = version_hash(row, parent.hash if parent else "")
        row.save(force_insert=True)
        if row.effective_from is not None:
            _put_in_force(row, row.effective_from)
    return row


def _put_in_force(row: LearningState, effective_from: datetime) -> None:
    in_force = LearningState.objects.filter(state_type=row.state_type, status="active").exclude(pk=row.pk)
    in_force.update(status="rolled_back" if row.created_by.startswith(("rollback", "live_guard")) else "archived")
    ActiveLearningState.objects.update_or_create(
        state_type=row.state_type, defaults={"state": row, "effective_from": effective_from}
    )


def ensure_birth() -> None:
    """The first versions: equal weights, the default threshold and no calibration, in force since ever.

    A release with other heads begins anew with equal weights, from the first close that is not decided yet.
    """
    with transaction.atomic():
        ledger.take_ledger()
        born = latest("head_weights")
        if born is None:
            _give_birth("head_weights", _equal_weights(), BEGINNING, "Equal weights at birth.")
        elif weights_from(born.content).heads != HEAD_NAMES:
            _begin_anew(weights_from(born.content).heads)
        if latest("thresholds") is None:
            _give_birth("thresholds", thresholds_content(Thresholds()), BEGINNING, "Default threshold at birth.")
        if latest("calibration") is None:
            _give_birth("calibration", calibration_content(Calibration()), BEGINNING, "No calibration at birth.")


def _give_birth(state_type: str, content: dict[str, Any], effective_from: datetime, notes: str) -> LearningState:
    return create_version(
        state_type,
        content=content,
        status="active",
        created_by="birth",
        effective_from=effective_from,
        notes=notes,
    )


def _equal_weights() -> dict[str, Any]:
    return weights_content(Weights.at_birth(HEAD_NAMES))


def _begin_anew(old: tuple[str, ...]) -> None:
    """Equal weights for another set of heads. What was looked at and not decided is looked at again, by all of them."""
    undecided = ScanClose.objects.filter(decided_at__isnull=True)
    for row in undecided:
        ScanHistory.objects.filter(timeframe=row.timeframe, close_time=row.close_time).delete()
    undecided.update(chunks=None, looked=[], weight_version=None, threshold_version=None, calibration_version=None)
    decided = ScanClose.objects.filter(decided_at__isnull=False).aggregate(last=Max("close_time"))["last"]
    since = decided + timedelta(minutes=1) if decided else BEGINNING
    came, went = [name for name in HEAD_NAMES if name not in old], [name for name in old if name not in HEAD_NAMES]
    _give_birth(
        "head_weights",
        _equal_weights(),
        since,
        f"Equal weights for other heads. New: {', '.join(came) or 'none'}; gone: {', '.join(went) or 'none'}. Learning"
        " begins anew from the whole ledger, in which a head that did not vote yet counts as silent.",
    )
    if latest("calibration") is not None:
        since = not_before_last("calibration", since)
        _give_birth("calibration", calibration_content(Calibration()), since, "No calibration for other heads.")


def not_before_last(state_type: str, moment: datetime) -> datetime:
    """The moment, or when the newest version takes effect if that is later: versions take effect in their order."""
    last = LearningState.objects.filter(state_type=state_type).aggregate(last=Max("effective_from"))["last"]
    return max(moment, last) if last else moment


def rollback(*, state_type: str, version: int, by: str) -> LearningState:
    """Put an old version's content in force again, as a new version, from the next market minute on.

    Where a version waits for its time, from that time on and in its place.
    """
    old = LearningState.objects.filter(state_type=state_type, version=version).first()
    if old is None:
        known = (
            LearningState.objects.filter(state_type=state_type).order_by("version").values_list("version", flat=True)
        )
        listed = f"versions {known[0]} to {known[len(known) - 1]} exist" if known else "it has no versions yet"
        raise VersionError(f"{state_type} has no version {version}: {listed}")
    if state_type == "head_weights" and weights_from(old.content).heads != HEAD_NAMES:
        raise VersionError(f"head_weights version {version} weighs other heads than vote now; choose a later one")
    now = market_now() or timezone.now()
    with transaction.atomic():
        row = create_version(
            state_type,
            content=old.content,
            status="active",
            created_by=f"rollback by {by}",
            procedure=_procedure_after(state_type, old.content),
            effective_from=not_before_last(state_type, now + timedelta(minutes=1)),
            notes=f"Rolled back to version {version}.",
        )
        event = LearningEvent(
            kind="rollback",
            market_at=now,
            detail={"state_type": state_type, "to": version, "version": row.version, "by": by},
        )
        ledger.append([event])
    return row


def _procedure_after(state_type: str, content: dict[str, Any]) -> bytes | None:
    """The learner's memory goes on from its last night: a rollback changes what is live, not what was seen."""
    kept = latest_procedure()
    if state_type != "head_weights" or kept is None:
        return None
    return Procedure.from_bytes(kept).roll_back(weights_from(content)).to_bytes()


def verify_chain() -> list[str]:
    """What is wrong with the versions' and the ledger's hash chains; empty when every link holds."""
    return [*_broken_versions(), *_broken_events()]


def _broken_versions() -> list[str]:
    problems: list[str] = []
    parents: dict[str, str] = {}
    for row in LearningState.objects.order_by("state_type", "version"):
        if version_hash(row, parents.get(row.state_type, "")) != row.hash:
            problems.append(f"{row} does not have the hash of its content; restore the database from a backup")
        parents[row.state_type] = row.hash
    return problems


def _broken_events() -> list[str]:
    previous, expected = ledger.GENESIS, 1
    for event in LearningEvent.objects.order_by("sequence").iterator():
        if event.sequence != expected:
            return [f"the ledger has no event {expected}; restore the database from a backup"]
        if ledger.chain_hash(previous, event) != event.hash:
            return [f"ledger event {event.sequence} does not have the hash of its content; restore from a backup"]
        previous, expected = event.hash, expected + 1
    return []
