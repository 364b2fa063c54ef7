"""Weight versions as people see them: shares in force, the latest challenger, and the history with its evidence."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from learning.models import LearningEvent, LearningState
from learning.selectors import in_force, weights_from
from learning.story import story
from learning.why import account_of
from signals.consensus import Weights

HEAD_WEIGHTS = "head_weights"
# The events of the ledger that tell what became of a version.
TURNS = ("promotion", "rejection", "rollback", "pin", "freeze", "release", "drift")


def weights_in_force(at: datetime | None) -> Weights | None:
    """The weights that decide at a market time; None before the first version."""
    state = in_force(HEAD_WEIGHTS, at) if at else None
    return weights_from(state.content) if state else None


def versions_in_force(at: datetime) -> dict[str, int]:
    """The number of the version of each state type that decides at a market time; what still waits is not in force."""
    took_effect = LearningState.objects.filter(effective_from__lte=at)
    newest = took_effect.order_by("state_type", "-effective_from", "-version").distinct("state_type")
    return dict(newest.values_list("state_type", "version"))


def challenger(at: datetime | None) -> Weights | None:
    """The newest version that waits to go live; None when what is in force is newer."""
    ruling = in_force(HEAD_WEIGHTS, at) if at else None
    waiting = LearningState.objects.filter(state_type=HEAD_WEIGHTS, status="challenger")
    newest = waiting.filter(version__gt=ruling.version if ruling else 0).order_by("-version").first()
    return weights_from(newest.content) if newest else None


def shares(weights: Weights | None) -> dict[str, float]:
    """Published weight of each head, on the simplex."""
    return dict(zip(weights.heads, weights.shares.tolist(), strict=True)) if weights else {}


def weights_by_version() -> Mapping[int, Weights]:
    """Every stored version of the head weights."""
    states = LearningState.objects.filter(state_type=HEAD_WEIGHTS).values_list("version", "content")
    return {version: weights_from(content) for version, content in states}


def told_version(row: LearningState) -> dict[str, Any]:
    """A version with all its columns but the learner's memory, and why it is what it is, in sentences."""
    told = {field.name: getattr(row, field.name) for field in row._meta.fields if field.name != "procedure"}
    return told | {"story": story(account_of(row))}


def turns() -> QuerySet[LearningEvent]:
    """What became of versions, by whom and why: promoted, refused, rolled back, held; newest first."""
    return LearningEvent.objects.filter(kind__in=TURNS).order_by("-sequence")


def weight_history(since: datetime) -> list[dict[str, Any]]:
    """The version that ruled at `since` (market time) and every later one, newest first."""
    ruling = in_force(HEAD_WEIGHTS, since)
    states = LearningState.objects.filter(state_type=HEAD_WEIGHTS, version__gte=ruling.version if ruling else 0)
    return [_described(state) for state in states.defer("procedure").order_by("-version")]


def _described(state: LearningState) -> dict[str, Any]:
    weights = weights_from(state.content)
    return {
        "version": state.version,
        "weights": shares(weights),
        "polarity": dict(zip(weights.heads, weights.polarity.tolist(), strict=True)),
        "sharpness": weights.sharpness,
        "performance": {"before": state.metrics_before, "after": state.metrics_after},
        "status": state.status,
        "evidence": {
            "first_event": state.first_event,
            "last_event": state.last_event,
            "event_count": state.event_count,
            "events_digest": state.events_digest,
        },
        "parent": state.parent,
        "period": state.period,
        "effective_from": state.effective_from,
        "notes": state.notes,
        "created_at": state.created_at,
        "created_by": state.created_by,
    }
