"""The weekly lesson (Sunday 02:00 UTC): structure, not weights. Today: the quality threshold. Pure."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from learning.calendar import WEEK_MS, DueJob
from learning.lessons import Lesson, Memory, ScanFigure, VersionDraft
from learning.structure import ThresholdDraft, draft_threshold, wanted_share
from signals.gates import Thresholds


def teach_week(job: DueJob, memory: Memory, scans: Sequence[ScanFigure]) -> Lesson:
    """The lesson of the week that ends at the job's cut-off."""
    week = [scan for scan in scans if job.cut_off_ms - WEEK_MS < scan.close_ms <= job.cut_off_ms]
    promised = np.array([np.nan if scan.expected_r is None else scan.expected_r for scan in week], dtype=np.float64)
    passed = np.array([scan.passed_before_quality for scan in week], dtype=np.bool_)
    share = wanted_share(sum(scan.passed_quality for scan in week), sum(scan.is_signal for scan in week))
    found = draft_threshold(promised, passed, in_force=memory.thresholds.quality_r, share=share)
    draft = _threshold_draft(job, found)
    after = replace(memory, thresholds=draft.thresholds) if draft.takes_effect and draft.thresholds else memory
    return Lesson(job, after, (draft,), {"outcomes_analyzed": len(week), "weights_deployed": False, **found.figures})


def _threshold_draft(job: DueJob, found: ThresholdDraft) -> VersionDraft:
    status = "active" if found.accepted else "rejected"
    figures = {"evidence": {"count": found.figures["scans"]}, "metrics_after": found.figures}
    return VersionDraft(
        "thresholds", job, status, found.reason, "weekly", thresholds=Thresholds(found.quality_r), figures=figures
    )
