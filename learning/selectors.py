"""What is in force, and what is due: questions the scan and the jobs ask."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils import timezone

from alphapulse_site.models import JobRun
from learning.calendar import DAILY, WEEKLY, DueJob, in_effect_by, jobs_between
from learning.config import Config
from learning.lessons import HEAD_NAMES
from learning.models import LearningEvent, LearningState
from learning.procedure import Procedure
from signals.consensus import Calibration, Weights
from signals.gates import Thresholds
from signals.heads import HEADS
from signals.models import ScanClose
from signals.rows import to_ms
from signals.selectors import decided_until, first_close
from signals.version import Version


def required_jobs(close: datetime) -> list[DueJob]:
    """The jobs whose versions a close must know of: every night and week that took effect by then."""
    began = first_close(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    return in_effect_by(to_ms(began), to_ms(close)) if began else []


def due_jobs() -> list[DueJob]:
    """Every night and week that has ended with all its closes decided and that no job has learned, in order of time."""
    timeframe = settings.ALPHAPULSE_SCAN_TIMEFRAME
    began, until = first_close(timeframe), decided_until(timeframe)
    if began is None or until is None:
        return []
    return not_done(jobs_between(to_ms(began), to_ms(until)))


def closes_to_tell(until: datetime) -> list[datetime]:
    """The decided closes since the ledger's last outcomes, in order, and `until` itself for what comes late."""
    told = LearningEvent.objects.filter(kind="outcome").aggregate(last=Max("market_at"))["last"]
    closes = ScanClose.objects.filter(
        timeframe=settings.ALPHAPULSE_SCAN_TIMEFRAME, decided_at__isnull=False, close_time__lt=until
    )
    since = closes.filter(close_time__gt=told) if told else closes.none()
    return [*since.order_by("close_time").values_list("close_time", flat=True), until]


def not_done(jobs: list[DueJob]) -> list[DueJob]:
    """Those of the jobs that have no finished run."""
    runs = JobRun.objects.filter(job__in=(DAILY, WEEKLY), status=JobRun.Status.DONE)
    done = set(runs.values_list("job", "period"))
    return [job for job in jobs if (job.job, job.period) not in done]


def in_force(state_type: str, close: datetime, among: QuerySet[LearningState] | None = None) -> LearningState | None:
    """The version that decides at a close: the last one whose effect began by then.

    `among`, here and below: the versions there were at another time; by default all of them.
    """
    return _took_effect(state_type, among).filter(effective_from__lte=close).first()


def newest_in_force(state_type: str, among: QuerySet[LearningState] | None = None) -> LearningState | None:
    """The version that decides from its market time on, which may be to come."""
    return _took_effect(state_type, among).first()


def _took_effect(state_type: str, among: QuerySet[LearningState] | None) -> QuerySet[LearningState]:
    found = _versions(state_type, among).filter(effective_from__isnull=False)
    return found.order_by("-effective_from", "-version")


def latest(state_type: str, among: QuerySet[LearningState] | None = None) -> LearningState | None:
    return _versions(state_type, among).order_by("-version").first()


def latest_procedure(among: QuerySet[LearningState] | None = None) -> bytes | None:
    """The learner's memory as its last night left it; a roll-back changes what is live, not what was seen.

    None after a birth: what was learned for other heads is not gone on with.
    """
    versions = _versions("head_weights", among).order_by("-version")
    born = versions.filter(created_by="birth").first()
    kept = versions.filter(procedure__isnull=False, version__gt=born.version if born else 0).first()
    return bytes(kept.procedure) if kept and kept.procedure else None


def procedure_now(config: Config, among: QuerySet[LearningState] | None = None) -> Procedure:
    """The learner's memory; that of a learner who has not lived a night where there is none."""
    kept = latest_procedure(among)
    return Procedure.from_bytes(kept) if kept else Procedure.at_birth(HEAD_NAMES, config)


def last_night() -> int | None:
    """The day (since the epoch) of the last night that was learned; None before the first, and after a birth."""
    kept = latest_procedure()
    return Procedure.from_bytes(kept).learner.day if kept else None


def _versions(state_type: str, among: QuerySet[LearningState] | None) -> QuerySet[LearningState]:
    return (LearningState.objects.all() if among is None else among).filter(state_type=state_type)


def versions_of_other_heads() -> set[int]:
    """The numbers of the head_weights versions that weigh other heads than vote now."""
    voting = [head.name for head in HEADS]
    known = LearningState.objects.filter(state_type="head_weights").values_list("version", "content__heads")
    return {version for version, heads in known if heads != voting}


def weights_from(content: dict[str, Any]) -> Weights:
    return Weights(tuple(content["heads"]), np.array(content["beta"]), np.array(content["bias"]))


def thresholds_from(content: dict[str, Any]) -> Thresholds:
    return Thresholds(quality_r=content["quality_r"])


def calibration_from(content: dict[str, Any]) -> Calibration:
    return Calibration(content["slope"], content["intercept"])


def version_for(close: datetime, *, tried_since: datetime) -> Version | None:
    """The version in force at a close; None while the job that may replace it is not done and the deadline not over."""
    late = not_done(required_jobs(close))
    waited = timezone.now() - tried_since
    if late and waited < timedelta(seconds=settings.ALPHAPULSE_WEIGHTS_DEADLINE):
        return None
    weights, thresholds = in_force("head_weights", close), in_force("thresholds", close)
    if weights is None or thresholds is None:
        return None
    return _version(weights, thresholds, in_force("calibration", close), waited_too_long=bool(late))


def version_of(row: ScanClose) -> Version:
    """The version that was fixed when the close was opened."""
    if row.weight_version is None or row.threshold_version is None:
        raise ValueError(f"the close {row} has no versions yet; open it before it is looked at or decided")
    weights = LearningState.objects.get(state_type="head_weights", version=row.weight_version)
    thresholds = LearningState.objects.get(state_type="thresholds", version=row.threshold_version)
    # None: the close was opened before there were calibrations.
    number = row.calibration_version
    calibration = number and LearningState.objects.get(state_type="calibration", version=number)
    return _version(weights, thresholds, calibration or None, waited_too_long=row.waited_too_long)


def _version(
    weights: LearningState, thresholds: LearningState, calibration: LearningState | None, *, waited_too_long: bool
) -> Version:
    voting, known = tuple(head.name for head in HEADS), weights_from(weights.content)
    if known.heads != voting:  # votes are columns in head order: other names would weigh other heads' votes
        raise ValueError(
            f"version {weights.version} of head_weights weighs the heads {', '.join(known.heads)}, but"
            f" {', '.join(voting)} vote; roll back to a version made for them, or run the code that made this one"
        )
    return Version(
        weights=known,
        thresholds=thresholds_from(thresholds.content),
        weight_version=weights.version,
        threshold_version=thresholds.version,
        waited_too_long=waited_too_long,
        calibration=calibration_from(calibration.content) if calibration else Calibration(),
        calibration_version=calibration.version if calibration else None,
    )
