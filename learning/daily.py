"""The nightly lesson (00:00 UTC): what the outcomes of the ledger say about the heads' weights. Pure."""

from dataclasses import replace
from typing import Any

from learning.calendar import DAY_MS, DueJob
from learning.config import Config
from learning.events import Events
from learning.lessons import Lesson, Memory, VersionDraft
from learning.nightly import Draft, Night, run_night
from learning.promotion import Twins
from signals.consensus import Calibration


def teach_night(job: DueJob, memory: Memory, events: Events, config: Config, *, twins: Twins | None = None) -> Lesson:
    """The lesson of one night from all outcomes that the ledger knew by its cut-off, void ones left out.

    `twins` compares the signals of the last days with their shadows; None where there is none.
    """
    night = run_night(
        memory.procedure,
        events,
        today=job.cut_off_ms // DAY_MS,
        config=config,
        threshold_r=memory.thresholds.quality_r,
        twins=twins,
        calibration=memory.calibration,
    )
    drafts = tuple(_weight_draft(job, draft) for draft in night.drafts)
    if night.rolled_back and not memory.calibration.is_identity:
        drafts += (_without_calibration(job, night),)
    after = replace(memory, procedure=night.procedure, weights=night.weights)
    return Lesson(job, after, drafts, _night_report(night, len(events)))


def _weight_draft(job: DueJob, draft: Draft) -> VersionDraft:
    figures = {
        "evidence": dict(draft.evidence),
        "certificate": dict(draft.certificate),
        "metrics_before": dict(draft.metrics_before),
        "metrics_after": dict(draft.metrics_after),
        "explanation": [dict(row) for row in draft.explanation],
    }
    return VersionDraft(
        "head_weights", job, draft.status, draft.reason, draft.created_by, weights=draft.weights, figures=figures
    )


def _without_calibration(job: DueJob, night: Night) -> VersionDraft:
    """What decided was the calibrated pool: when the guard falls, equal weights come back as they were proven."""
    reason = next(draft.reason for draft in night.drafts if draft.created_by == "live_guard")
    return VersionDraft("calibration", job, "active", reason, "live_guard", calibration=Calibration())


def _night_report(night: Night, outcomes: int) -> dict[str, Any]:
    return {
        "outcomes_processed": outcomes,
        "learned_tonight": night.draft.evidence["tonight"],
        "opened": night.opened,
        "rolled_back": night.rolled_back,
        "drift": night.drift.as_json() if night.drift else None,
        "conflicts": [key.decode() for key in night.conflicts.key.tolist()],
        "verdicts": {verdict.name: {"passed": verdict.passed, "reason": verdict.reason} for verdict in night.verdicts},
    }
