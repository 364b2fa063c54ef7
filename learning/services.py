"""The jobs against the database: the lessons of `daily` and `weekly`, taken once a period, stored with their proof."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet

from alphapulse_site.jobs import beat, run_once
from alphapulse_site.models import JobRun
from learning import ledger, refusals, selectors
from learning.as_of import AsOf
from learning.calendar import DAILY, DAY_MS, WEEK_MS, DueJob, first_whole_day
from learning.config import Config
from learning.daily import teach_night
from learning.lessons import Lesson, Memory, ScanFigure, VersionDraft
from learning.metrics import store_rejection_metrics
from learning.models import LearningEvent, LearningState
from learning.proposals import propose
from learning.signal_twins import twins_at
from learning.versions import (
    VersionError,
    calibration_content,
    create_version,
    ensure_birth,
    thresholds_content,
    weights_content,
)
from learning.weekly import teach_week
from signals.configuration import rules, scan_timeframe
from signals.consensus import Calibration
from signals.gates import SYMBOL_GATES
from signals.models import ScanClose, ScanHistory
from signals.rows import to_ms, to_time

logger = logging.getLogger(__name__)
CONFIG = Config()
# A night or week that begins later than this, by the market's clock, was missed and is made up.
ON_TIME, LATE = timedelta(0), timedelta(hours=1)


def run_due_jobs() -> int:
    """Run every night and week that is due, in order; returns how many were run. Missed periods are made up."""
    ensure_birth()
    append_outcomes()
    ran = 0
    for job in selectors.due_jobs():
        run = run_job(job)
        if run is None or not run.is_done:  # another worker has it, and the next job needs its version
            break
        ran += 1
    beat("learning", ran=ran)
    return ran


def append_outcomes() -> int:
    """Bring the ledger up to the last decided close."""
    until = selectors.decided_until(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    return 0 if until is None else append_until(until)


def append_until(until: datetime) -> int:
    """Append close by close what has ended, so that the ledger is the same however seldom and late this is done."""
    return sum(
        ledger.append_outcomes(timeframe=scan_timeframe(), until=close, rules=rules())
        for close in selectors.closes_to_tell(until)
    )


def run_job(job: DueJob) -> JobRun | None:
    """One night or week, once: the lesson, its versions and its report in one transaction."""
    run = run_once(job.job, job.period, lambda: _learn(job), due_at=to_time(job.cut_off_ms))
    if run is not None and run.is_done and (run.lateness or ON_TIME) > LATE:
        logger.warning("%s %s was made up %s of the market after it was due", run.job, run.period, run.lateness)
    return run


def _learn(job: DueJob) -> Mapping[str, Any]:
    at = to_time(job.cut_off_ms)
    append_until(at)
    lesson = lesson_of(job)
    if job.job == DAILY:
        store_rejection_metrics(until=at)
    store_lesson(lesson)
    report_conflicts(lesson)
    return report_of(lesson)


def report_conflicts(lesson: Lesson) -> None:
    """Say aloud which outcomes came with two contents; the job's report names them, and none of them was learned."""
    if conflicts := lesson.report.get("conflicts"):
        logger.error(
            "%s %s: %d rows of the ledger contradict another one of the same scan and were not learned from (%s);"
            " compare them with their scans, and restore the database from a backup if they were changed",
            *(lesson.job.job, lesson.job.period, len(conflicts), ", ".join(sorted(set(conflicts))[:5])),
        )


def lesson_of(job: DueJob, then: AsOf | None = None) -> Lesson:
    """What the job learns from the ledger and the versions as they stand, or as they stood `then`; stores nothing."""
    then, at = then or AsOf(), to_time(job.cut_off_ms)
    memory = memory_at(job, then.versions)
    if job.job == DAILY:
        return teach_night(job, memory, then.outcomes(at), CONFIG, twins=twins_at(at, CONFIG))
    return teach_week(job, memory, week_scans(job), then.stated(at), CONFIG)


def report_of(lesson: Lesson) -> dict[str, Any]:
    """The lesson's report for job_runs; a week's also holds what its gates' figures propose, for people to decide."""
    if lesson.job.job == DAILY:
        return lesson.report
    # Of days that the last night's cut-off knew, so that a week learned late proposes the same.
    known = refusals.figures_until(to_time(lesson.job.cut_off_ms // DAY_MS * DAY_MS))
    proposals = propose(known, rules().gates.regime_limits)
    return {**lesson.report, "proposals": [proposal.described() for proposal in proposals]}


def memory_at(job: DueJob, versions: QuerySet[LearningState] | None = None) -> Memory:
    """The memory of the job before this one, from the newest versions."""
    at = to_time(job.effective_ms)
    weights = selectors.in_force("head_weights", at, versions)
    thresholds = selectors.in_force("thresholds", at, versions)
    if weights is None or thresholds is None:
        raise VersionError("there are no versions yet; run manage.py bootstrap, or start the system with manage.py up")
    # A person may have rolled the calibration back since the last night.
    calibrated, _ = _calibration_at(to_time(job.cut_off_ms), versions)
    procedure = selectors.procedure_now(CONFIG, versions).recalibrated(calibrated)
    calibration, since = _calibration_at(at, versions)
    thresholds_then = selectors.thresholds_from(thresholds.content)
    return Memory(procedure, selectors.weights_from(weights.content), thresholds_then, calibration, since)


def _calibration_at(moment: datetime, versions: QuerySet[LearningState] | None) -> tuple[Calibration, int]:
    """The calibration in force and the first whole day that it is."""
    found = selectors.in_force("calibration", moment, versions)
    if found is None or found.effective_from is None:
        raise VersionError("there is no calibration yet; start the system with manage.py up, which gives birth to one")
    return selectors.calibration_from(found.content), first_whole_day(to_ms(found.effective_from))


def week_scans(job: DueJob) -> list[ScanFigure]:
    """The scans of the week before a weekly cut-off."""
    rows = ScanHistory.objects.filter(
        timeframe=scan_timeframe().name,
        close_time__gt=to_time(job.cut_off_ms - WEEK_MS),
        close_time__lte=to_time(job.cut_off_ms),
        rejection__isnull=False,
    ).values_list("close_time", "expected_r", "passed", "rejection")
    return [
        ScanFigure(to_ms(close), expected, all(passed[:2]), all(passed[:SYMBOL_GATES]), rejection == "")
        for close, expected, passed, rejection in rows
    ]


def scans_are_kept(job: DueJob) -> bool:
    """Whether the scans that a week learned from are still stored, by its first close; a night learns from none."""
    week = ScanClose.objects.filter(
        timeframe=scan_timeframe().name,
        close_time__gt=to_time(job.cut_off_ms - WEEK_MS),
        close_time__lte=to_time(job.cut_off_ms),
    )
    first = week.filter(scans__gt=0).order_by("close_time").first() if job.job != DAILY else None
    kept = ScanHistory.objects.filter(timeframe=scan_timeframe().name)
    return first is None or kept.filter(close_time=first.close_time).exists()


def store_lesson(lesson: Lesson) -> None:
    """Store the lesson's versions, and what became of each as an event in the ledger."""
    ledger.take_ledger()
    for draft in lesson.drafts:
        row = create_version(draft.state_type, **columns_of(lesson, draft))
        ledger.append([event_of(draft, row.version)])
    ledger.append(alarms_of(lesson))


def columns_of(lesson: Lesson, draft: VersionDraft) -> dict[str, Any]:
    """The columns of a version; every version of a night's weights holds the memory that the night left."""
    holds_memory = lesson.job.job == DAILY and draft.state_type == "head_weights"
    return version_columns(draft, lesson.memory.procedure.to_bytes() if holds_memory else None)


def event_of(draft: VersionDraft, version: int) -> LearningEvent:
    """The unsaved event that tells what became of a draft."""
    kind = "promotion" if draft.takes_effect else "rejection" if draft.status == "rejected" else "job"
    detail = {"state_type": draft.state_type, "version": version, "reason": draft.reason}
    return LearningEvent(kind=kind, market_at=to_time(draft.job.cut_off_ms), detail=detail)


def alarms_of(lesson: Lesson) -> list[LearningEvent]:
    """The unsaved events of what a night found amiss, told after its versions."""
    drift, at = lesson.report.get("drift"), to_time(lesson.job.cut_off_ms)
    return [LearningEvent(kind="drift", market_at=at, detail=drift)] if drift else []


def version_columns(draft: VersionDraft, procedure: bytes | None) -> dict[str, Any]:
    """The columns of a version row; it is in force from its effective time on unless it was held back."""
    if draft.weights is not None:
        content = weights_content(draft.weights)
    elif draft.thresholds is not None:
        content = thresholds_content(draft.thresholds)
    elif draft.calibration is not None:
        content = calibration_content(draft.calibration)
    else:
        raise ValueError("a version draft needs weights, thresholds or a calibration")
    figures, evidence = draft.figures, draft.figures.get("evidence", {})
    return {
        "content": content,
        "status": draft.status,
        "created_by": draft.created_by,
        "period": draft.job.period,
        "effective_from": to_time(draft.effective_ms) if draft.takes_effect else None,
        "procedure": procedure,
        "first_event": _scan_of(evidence.get("first_event")),
        "last_event": _scan_of(evidence.get("last_event")),
        "event_count": evidence.get("count", 0),
        "events_digest": evidence.get("digest", ""),
        "metrics_before": figures.get("metrics_before", {}),
        "metrics_after": figures.get("metrics_after", {}),
        "certificate": {
            **figures.get("certificate", {}),
            "evidence": evidence,
            "moves": figures.get("explanation", []),
        },
        "notes": draft.reason,
    }


def _scan_of(key: str | None) -> UUID | None:
    """The scan behind one of the learner's event keys."""
    return UUID(key) if key else None
