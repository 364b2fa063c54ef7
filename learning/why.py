"""What is known of a version, gathered from its row, its job's report and the outcomes that it decided itself."""

from dataclasses import asdict
from typing import Any

import numpy as np

from alphapulse_site.clock import market_now
from alphapulse_site.models import JobRun
from ingestion.timeframes import FloatArray
from learning.calendar import DAILY
from learning.evaluation import mean_by_day
from learning.lessons import HEAD_NAMES
from learning.logistic import event_losses
from learning.models import LearningEvent, LearningState
from learning.outcomes import decided_by
from learning.selectors import in_force, newest_in_force, weights_from
from learning.state import theta_of
from learning.story import BY_NIGHT, Account, AfterTheFact, story
from learning.versions import VersionError
from signals.configuration import scan_timeframe
from signals.consensus import Weights

HEAD_WEIGHTS = "head_weights"


def why(*, state_type: str = HEAD_WEIGHTS, version: int | None = None) -> dict[str, Any]:
    """The account of a version, by default of the one in force, as plain values with its story in `words`.

    Raises VersionError where there is none.
    """
    account = account_of(_asked(state_type, version))
    return {**asdict(account), "words": story(account)}


def _asked(state_type: str, version: int | None) -> LearningState:
    versions = LearningState.objects.filter(state_type=state_type)
    if version is None:
        at = market_now()
        row = in_force(state_type, at) if at else newest_in_force(state_type)
    else:
        row = versions.filter(version=version).first()
    if row is None:
        known = list(versions.order_by("version").values_list("version", flat=True))
        listed = f"versions {known[0]} to {known[-1]} exist" if known else "it has no versions yet"
        raise VersionError(f"{state_type} has no version {version or 'in force'}: {listed}")
    return row


def account_of(row: LearningState) -> Account:
    """All that is known of a version."""
    before = newest_in_force(row.state_type, LearningState.objects.filter(version__lt=row.version))
    evidence = row.certificate.get("evidence", {})
    return Account(
        state_type=row.state_type,
        version=row.version,
        status=row.status,
        created_by=row.created_by,
        period=row.period,
        notes=row.notes,
        effective_from=row.effective_from,
        effective_until=_until(row),
        outcomes=row.event_count,
        new_outcomes=evidence.get("tonight"),
        first_decided=_decided_at(row.first_event),
        last_decided=_decided_at(row.last_event),
        replaced=before.version if before else None,
        moves=row.certificate.get("moves") or _moved(row, before),
        content=row.content,
        judged=_judged(row),
        verdicts=_verdicts(row),
        certificate=row.certificate,
        effect=row.metrics_after.get("effect", {}),
        after=after_the_fact(row, before),
    )


def _until(row: LearningState) -> Any:
    """When the next version took over."""
    later = LearningState.objects.filter(state_type=row.state_type, version__gt=row.version)
    if row.effective_from is None:
        return None
    successor = later.filter(effective_from__isnull=False).order_by("version").first()
    return successor.effective_from if successor else None


def _decided_at(scan_id: Any) -> Any:
    event = LearningEvent.objects.filter(scan_id=scan_id).first() if scan_id else None
    return event.decided_at if event else None


def _judged(row: LearningState) -> int | None:
    """The learner's draft of the same night, which is the last version that the night stored."""
    night = LearningState.objects.filter(state_type=row.state_type, period=row.period, created_by__in=BY_NIGHT)
    last = night.order_by("-version").first() if row.created_by in BY_NIGHT else None
    return last.version if last else None


def _verdicts(row: LearningState) -> dict[str, Any]:
    """What the guards said; the version does not hold it, the report of its night does."""
    if row.created_by not in BY_NIGHT:
        return {}
    run = JobRun.objects.filter(job=DAILY, period=row.period, status=JobRun.Status.DONE).first()
    found: dict[str, Any] = run.report.get("verdicts", {}) if run else {}
    return found


def _moved(row: LearningState, before: LearningState | None) -> list[dict[str, Any]]:
    """How a version made by hand differs from the one in force before it; largest change first."""
    if row.state_type != HEAD_WEIGHTS or before is None:
        return []
    was, now = weights_from(before.content), weights_from(row.content)
    if was.heads != now.heads:
        return []
    rows = zip(now.heads, was.beta.tolist(), now.beta.tolist(), strict=True)
    moves = [{"head": head, "before": old, "after": new, "change": new - old} for head, old, new in rows]
    return sorted(moves, key=lambda move: -abs(move["change"]))


def after_the_fact(row: LearningState, before: LearningState | None) -> AfterTheFact | None:
    """How the version scored on what it decided itself, against the weights before it and against equal ones.

    Equal weights have the version's own base rates, so that what is compared is the weights. No calibration is applied
    to any of them. None for a version that never decided, or that weighs other heads than vote now.
    """
    if row.state_type != HEAD_WEIGHTS or row.effective_from is None:
        return None
    weights = weights_from(row.content)
    if weights.heads != HEAD_NAMES:
        return None
    events = decided_by(row.version, timeframe=scan_timeframe().name)
    if not len(events):
        return AfterTheFact()
    rivals = {"equal weights": Weights(HEAD_NAMES, Weights.at_birth(HEAD_NAMES).beta, weights.bias)}
    if before is not None and weights_from(before.content).heads == HEAD_NAMES:
        rivals = {f"version {before.version}, in force before it": weights_from(before.content), **rivals}
    votes = np.ascontiguousarray(events.evidence.T)
    won_long, won_short = events.won_long.astype(np.float64), events.won_short.astype(np.float64)

    def losses(of: Weights) -> FloatArray:
        return event_losses(theta_of(of), votes, won_long, won_short)

    own, day = losses(weights), events.decided_day
    return AfterTheFact(
        outcomes=len(events),
        days=len(np.unique(day)),
        log_loss=mean_by_day(own, day).value,
        saved={name: mean_by_day(losses(rival) - own, day) for name, rival in rivals.items()},
    )
