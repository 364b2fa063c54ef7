"""Versions: immutable rows, each chained to the one before, and the pointer to the one in force."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, QuerySet
from django.utils import timezone

from learning import ledger
from learning.config import CODE_VERSION, Config
from learning.lessons import HEAD_NAMES
from learning.models import ActiveLearningState, LearningState
from learning.selectors import latest, newest_in_force, weights_from
from signals.consensus import Calibration, Weights
from signals.gates import Thresholds
from signals.models import LateScan, ScanClose, ScanHistory

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
        before = LearningState.objects.filter(state_type=state_type)
        row = following(before, state_type, {"content": content, "status": status, "created_by": created_by, **columns})
        row.created_at = timezone.now()
        row.save(force_insert=True)
        if row.effective_from is not None:
            _put_in_force(row, row.effective_from)
    return row


def following(before: QuerySet[LearningState], state_type: str, columns: dict[str, Any]) -> LearningState:
    """The unsaved version that these columns make after those `before`, numbered and chained; the audit makes it again.

    None takes effect before the one it replaces: where a job was late, a version made by hand meanwhile had its time.
    """
    parent, replaced = latest(state_type, before), newest_in_force(state_type, before)
    effective_from = columns.get("effective_from")
    if effective_from is not None and replaced is not None and replaced.effective_from is not None:
        effective_from = max(effective_from, replaced.effective_from)
    row = LearningState(
        state_type=state_type,
        version=parent.version + 1 if parent else 1,
        parent=parent.version if parent else None,
        **{
            **{"event_count": 0, "period": "", **columns},
            "effective_from": effective_from,
            "certificate": _signed(columns.get("certificate", {})),
        },
    )
    row.hash = version_hash(row, parent.hash if parent else "")
    return row


def made_with() -> dict[str, str]:
    """The code and the constants that make a version; another release's versions are not made again by this one."""
    return {"code_version": CODE_VERSION, "config": Config().digest}


def _signed(certificate: dict[str, Any]) -> dict[str, Any]:
    return {**certificate, "evidence": {**made_with(), **certificate.get("evidence", {})}}


def status_once_replaced(successor: LearningState) -> str:
    """What becomes of the version in force when this one takes over."""
    return "rolled_back" if successor.created_by.startswith(("rollback", "live_guard")) else "archived"


def _put_in_force(row: LearningState, effective_from: datetime) -> None:
    in_force = LearningState.objects.filter(state_type=row.state_type, status="active").exclude(pk=row.pk)
    in_force.update(status=status_once_replaced(row))
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
            _give_birth("head_weights", BEGINNING, "Equal weights at birth.")
        elif weights_from(born.content).heads != HEAD_NAMES:
            _begin_anew(weights_from(born.content).heads)
        if latest("thresholds") is None:
            _give_birth("thresholds", BEGINNING, "Default threshold at birth.")
        if latest("calibration") is None:
            _give_birth("calibration", BEGINNING, "No calibration at birth.")


def _give_birth(state_type: str, effective_from: datetime, notes: str) -> LearningState:
    return create_version(
        state_type,
        content=birth_content(state_type, HEAD_NAMES),
        status="active",
        created_by="birth",
        effective_from=effective_from,
        notes=notes,
    )


def birth_content(state_type: str, heads: tuple[str, ...]) -> dict[str, Any]:
    """What a state type begins with."""
    if state_type == "head_weights":
        return weights_content(Weights.at_birth(heads))
    if state_type == "thresholds":
        return thresholds_content(Thresholds())
    return calibration_content(Calibration())


def _begin_anew(old: tuple[str, ...]) -> None:
    """Equal weights for another set of heads. What was looked at and not decided is looked at again, by all of them.

    Late scans of decided closes are given up: the heads that would have to vote are gone.
    """
    LateScan.objects.filter(scanned_at=None).delete()
    undecided = ScanClose.objects.filter(decided_at__isnull=True)
    for row in undecided:
        ScanHistory.objects.filter(timeframe=row.timeframe, close_time=row.close_time).delete()
    undecided.update(chunks=None, looked=[], weight_version=None, threshold_version=None, calibration_version=None)
    decided = ScanClose.objects.filter(decided_at__isnull=False).aggregate(last=Max("close_time"))["last"]
    since = decided + timedelta(minutes=1) if decided else BEGINNING
    came, went = [name for name in HEAD_NAMES if name not in old], [name for name in old if name not in HEAD_NAMES]
    _give_birth(
        "head_weights",
        since,
        f"Equal weights for other heads. New: {', '.join(came) or 'none'}; gone: {', '.join(went) or 'none'}. Learning"
        " begins anew from the whole ledger, in which a head that did not vote yet counts as silent.",
    )
    if latest("calibration") is not None:
        _give_birth("calibration", since, "No calibration for other heads.")
