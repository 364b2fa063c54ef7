"""What a job of the learner takes and leaves: its memory, the versions it drafts, its report. Pure."""

from dataclasses import dataclass, field
from typing import Any

from learning.calendar import DueJob
from learning.config import Config
from learning.procedure import Procedure
from learning.state import BEFORE_HISTORY
from signals.consensus import Calibration, Weights
from signals.gates import Thresholds
from signals.heads import HEADS
from signals.version import Version

HEAD_NAMES = tuple(head.name for head in HEADS)


@dataclass(frozen=True)
class Memory:
    """What a job hands to the next: the learner's procedure, and the weights, thresholds and calibration in force.

    `calibrated_day`: the first whole day that this calibration decided.
    """

    procedure: Procedure
    weights: Weights
    thresholds: Thresholds
    calibration: Calibration = field(default_factory=Calibration)
    calibrated_day: int = BEFORE_HISTORY

    @classmethod
    def at_birth(cls, config: Config) -> "Memory":
        return cls(Procedure.at_birth(HEAD_NAMES, config), Weights.at_birth(HEAD_NAMES), Thresholds())


@dataclass(frozen=True)
class VersionDraft:
    """A version to store. `weights`, `thresholds` or `calibration` is its content.

    It takes effect with its job, or at `later_ms` if that is given, unless it is held back.
    """

    state_type: str
    job: DueJob
    status: str
    reason: str
    created_by: str
    weights: Weights | None = None
    thresholds: Thresholds | None = None
    calibration: Calibration | None = None
    later_ms: int | None = None
    figures: dict[str, Any] = field(default_factory=dict)

    @property
    def takes_effect(self) -> bool:
        return self.status == "active"

    @property
    def effective_ms(self) -> int:
        return self.job.effective_ms if self.later_ms is None else self.later_ms


@dataclass(frozen=True)
class Lesson:
    """What a job leaves: the next memory, versions in the order to store them, and a report for job_runs."""

    job: DueJob
    memory: Memory
    drafts: tuple[VersionDraft, ...]
    report: dict[str, Any]


@dataclass(frozen=True)
class ScanFigure:
    """What the weekly threshold needs of a scan: its expected R (None without a lean), and how far it came."""

    close_ms: int
    expected_r: float | None
    passed_before_quality: bool
    passed_quality: bool
    is_signal: bool


def born_version() -> Version:
    """Equal weights, the default threshold and no calibration, version 1 of each."""
    return Version(Weights.at_birth(HEAD_NAMES), Thresholds(), 1, 1, calibration_version=1)
