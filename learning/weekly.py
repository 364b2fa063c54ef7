"""The weekly lesson (Sunday 02:00 UTC): structure, not weights. The quality threshold and the calibration. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from learning.calendar import WEEK_MS, DueJob
from learning.config import Config
from learning.lessons import Lesson, Memory, ScanFigure, VersionDraft
from learning.stated import Stated, digest_of, limit_days, matured, scores_of
from learning.structure import CalibrationDraft, ThresholdDraft, draft_calibration, draft_threshold, wanted_share
from signals.consensus import Calibration
from signals.gates import Thresholds


def teach_week(job: DueJob, memory: Memory, scans: Sequence[ScanFigure], leans: Stated, config: Config) -> Lesson:
    """The lesson of the week that ends at the job's cut-off; `leans` are all that the ledger knew by then."""
    threshold = teach_threshold(job, memory, scans)
    calibration = teach_calibration(job, memory, leans, config)
    after = memory
    if threshold.takes_effect and threshold.thresholds:
        after = replace(memory, thresholds=threshold.thresholds)
    report = {
        "outcomes_analyzed": threshold.figures["evidence"]["count"],
        "weights_deployed": False,
        **threshold.figures["metrics_after"],
        "calibration": _told(calibration),
    }
    return Lesson(job, after, (threshold, calibration), report)


def teach_threshold(job: DueJob, memory: Memory, scans: Sequence[ScanFigure]) -> VersionDraft:
    """The quality threshold of the week that ended."""
    week = [scan for scan in scans if job.cut_off_ms - WEEK_MS < scan.close_ms <= job.cut_off_ms]
    promised = np.array([np.nan if scan.expected_r is None else scan.expected_r for scan in week], dtype=np.float64)
    passed = np.array([scan.passed_before_quality for scan in week], dtype=np.bool_)
    share = wanted_share(sum(scan.passed_quality for scan in week), sum(scan.is_signal for scan in week))
    return _threshold_draft(job, draft_threshold(promised, passed, in_force=memory.thresholds.quality_r, share=share))


def _threshold_draft(job: DueJob, found: ThresholdDraft) -> VersionDraft:
    status = "active" if found.accepted else "rejected"
    figures = {"evidence": {"count": found.figures["scans"]}, "metrics_after": found.figures}
    return VersionDraft(
        "thresholds", job, status, found.reason, "weekly", thresholds=Thresholds(found.quality_r), figures=figures
    )


def teach_calibration(job: DueJob, memory: Memory, leans: Stated, config: Config) -> VersionDraft:
    """The calibration of the pool by everything that has matured; it takes over with the next night, if at all."""
    known = matured(leans, job.cut_off_ms, config.sample_size)
    found = draft_calibration(
        scores_of(known),
        limit_days=limit_days(known),
        config=config,
        in_force=memory.calibration,
        since_day=memory.calibrated_day,
    )
    return _calibration_draft(job, found, known, is_pinned=memory.procedure.pinned)


def _calibration_draft(job: DueJob, found: CalibrationDraft, known: Stated, *, is_pinned: bool) -> VersionDraft:
    first, last = (known.key[0].decode(), known.key[-1].decode()) if len(known) else (None, None)
    evidence = {"count": len(known), "first_event": first, "last_event": last, "digest": digest_of(known)}
    held = found.accepted and is_pinned
    return VersionDraft(
        "calibration",
        job,
        "challenger" if held else found.status,
        f"pinned by hand: not put in force; {found.reason}" if held else found.reason,
        "weekly",
        calibration=Calibration(found.slope, found.intercept),
        # A learning day runs from one night to the next: within it one pool decides, and is scored.
        later_ms=job.next_night_ms,
        figures={"evidence": evidence, "metrics_after": dict(found.figures)},
    )


def _told(draft: VersionDraft) -> dict[str, Any]:
    return {"status": draft.status, "reason": draft.reason, **draft.figures["metrics_after"]}
