"""The jobs against the database: the lessons of `daily` and `weekly`, taken once a period, stored with their proof."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings

from alphapulse_site.jobs import beat, run_once
from alphapulse_site.models import JobRun
from learning import ledger, outcomes, refusals, selectors
from learning.calendar import DAILY, DAY_MS, WEEK_MS, DueJob, first_whole_day
from learning.config import Config
from learning.daily import teach_night
from learning.lessons import HEAD_NAMES, Lesson, Memory, ScanFigure, VersionDraft
from learning.metrics import store_rejection_metrics
from learning.models import LearningEvent
from learning.procedure import Procedure
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
from signals.models import ScanHistory
from signals.rows import to_ms, to_time

CONFIG = Config()


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
    if until is None:
        return 0
    return ledger.append_outcomes(timeframe=scan_timeframe(), until=until, rules=rules())


def run_job(job: DueJob) -> JobRun | None:
    """One night or week, once: the lesson, its versions and its report in one transaction."""
    return run_once(job.job, job.period, lambda: _learn(job))


def _learn(job: DueJob) -> Mapping[str, Any]:
    at = to_time(job.cut_off_ms)
    ledger.append_outcomes(timeframe=scan_timeframe(), until=at, rules=rules())
    memory = memory_at(job)
    if job.job == DAILY:
        events = outcomes.known_by(at, timeframe=scan_timeframe().name)
        lesson = teach_night(job, memory, events, CONFIG, twins=twins_at(at, CONFIG))
        store_rejection_metrics(until=at)
    else:
        leans = outcomes.stated_by(at, timeframe=scan_timeframe().name)
        lesson = teach_week(job, memory, week_scans(job), leans, CONFIG)
    store_lesson(lesson)
    return report_of(lesson)


def report_of(lesson: Lesson) -> dict[str, Any]:
    """The lesson's report for job_runs; a week's also holds what its gates' figures propose, for people to decide."""
    if lesson.job.job == DAILY:
        return lesson.report
    # Of days that the last night's cut-off knew, so that a week learned late proposes the same.
    known = refusals.figures_until(to_time(lesson.job.cut_off_ms // DAY_MS * DAY_MS))
    proposals = propose(known, rules().gates.regime_limits)
    return {**lesson.report, "proposals": [proposal.described() for proposal in proposals]}


def memory_at(job: DueJob) -> Memory:
    """The memory of the job before this one, from the newest versions."""
    at = to_time(job.effective_ms)
    weights, thresholds = selectors.in_force("head_weights", at), selectors.in_force("thresholds", at)
    if weights is None or thresholds is None:
        raise VersionError("there are no versions yet; run manage.py bootstrap, or start the system with manage.py up")
    kept = selectors.latest_procedure()
    procedure = Procedure.from_bytes(kept) if kept else Procedure.at_birth(HEAD_NAMES, CONFIG)
    # A person may have rolled the calibration back since the last night.
    procedure = procedure.recalibrated(_calibration_at(to_time(job.cut_off_ms))[0])
    calibration, since = _calibration_at(at)
    thresholds_then = selectors.thresholds_from(thresholds.content)
    return Memory(procedure, selectors.weights_from(weights.content), thresholds_then, calibration, since)


def _calibration_at(moment: datetime) -> tuple[Calibration, int]:
    """The calibration in force and the first whole day that it is."""
    found = selectors.in_force("calibration", moment)
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


def store_lesson(lesson: Lesson) -> None:
    """Store the lesson's versions, and what became of each as an event in the ledger."""
    memory = lesson.memory.procedure.to_bytes() if lesson.job.job == DAILY else None
    ledger.take_ledger()
    for draft in lesson.drafts:
        kept = memory if draft.state_type == "head_weights" else None
        row = create_version(draft.state_type, **version_columns(draft, kept))
        kind = "promotion" if draft.takes_effect else "rejection" if draft.status == "rejected" else "job"
        detail = {"state_type": draft.state_type, "version": row.version, "reason": draft.reason}
        ledger.append([LearningEvent(kind=kind, market_at=to_time(lesson.job.cut_off_ms), detail=detail)])
    if drift := lesson.report.get("drift"):
        ledger.append([LearningEvent(kind="drift", market_at=to_time(lesson.job.cut_off_ms), detail=drift)])


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
