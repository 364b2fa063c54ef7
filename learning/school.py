"""A teacher who learns along a walk: replay and bootstrap take the lessons that live takes, at the same times. Pure."""

from dataclasses import dataclass, field, replace

from learning.calendar import DAILY, WEEK_MS, DueJob, first_whole_day, in_effect_by, next_effective_ms
from learning.config import Config
from learning.daily import teach_night
from learning.events import Events, join
from learning.labels import Label, events_of
from learning.lessons import HEAD_NAMES, Lesson, Memory, ScanFigure, VersionDraft, born_version
from learning.stated import Stated, stated_of
from learning.twins import WalkedTwins
from learning.walk import Walk
from learning.weekly import teach_week
from signals.consensus import Calibration, Weights
from signals.gates import SYMBOL_GATES
from signals.version import Version

STATE_TYPES = ("head_weights", "thresholds", "calibration")


@dataclass
class School:
    """A teacher who learns along a walk: every job whose version a close must know of is done before it decides."""

    config: Config = field(default_factory=Config)
    lessons: list[Lesson] = field(default_factory=list)
    events: Events = field(
        default_factory=lambda: events_of([], len(HEAD_NAMES))
    )  # all that was told, void ones left out
    told: dict[DueJob, list[Label]] = field(default_factory=dict)  # what was new to the ledger at each job
    leans: Stated = field(default_factory=lambda: stated_of([], {}))  # as the weights of their decision stated them
    twins: WalkedTwins = field(default_factory=WalkedTwins)
    _began_ms: int | None = None
    _version: Version = field(default_factory=born_version)
    _memory: Memory | None = None
    _last_numbers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATE_TYPES, 1))
    _weights: dict[int, Weights] = field(default_factory=lambda: {1: Weights.at_birth(HEAD_NAMES)})
    _waiting: list[tuple[VersionDraft, int]] = field(default_factory=list)

    def version_at(self, close_ms: int, walk: Walk) -> Version:
        if self._began_ms is None:
            self._began_ms = close_ms
        for job in in_effect_by(self._began_ms, close_ms)[len(self.lessons) :]:
            self._put_in_force(job.effective_ms)
            self._take(job, walk)
        self._put_in_force(close_ms)
        return self._version

    def steady_until(self, close_ms: int) -> int:
        return next_effective_ms(close_ms)

    @property
    def memory(self) -> Memory:
        return self._memory or Memory.at_birth(self.config)

    def _take(self, job: DueJob, walk: Walk) -> None:
        new = walk.labels_until(job.cut_off_ms)
        self.told[job] = new
        self.events = join([self.events, events_of(new, len(HEAD_NAMES))])
        self.leans = Stated.concatenate([self.leans, stated_of(new, self._weights)])
        if job.job == DAILY:
            twins = self.twins.compared(walk, job.cut_off_ms, self.config)
            lesson = teach_night(job, self.memory, self.events, self.config, twins=twins)
        else:
            lesson = teach_week(job, self.memory, scan_figures(walk, job.cut_off_ms), self.leans, self.config)
        self.lessons.append(lesson)
        self._memory = lesson.memory
        for draft in lesson.drafts:
            self._last_numbers[draft.state_type] += 1
            if draft.takes_effect:
                self._waiting.append((draft, self._last_numbers[draft.state_type]))

    def _put_in_force(self, at_ms: int) -> None:
        """The versions whose effect has begun by then."""
        due = [entry for entry in self._waiting if entry[0].effective_ms <= at_ms]
        self._waiting = [entry for entry in self._waiting if entry[0].effective_ms > at_ms]
        for draft, number in due:
            if draft.weights is not None:
                self._weights[number] = draft.weights
                self._version = replace(self._version, weights=draft.weights, weight_version=number)
            elif draft.thresholds is not None:
                self._version = replace(self._version, thresholds=draft.thresholds, threshold_version=number)
            elif draft.calibration is not None:
                self._calibrate(draft.calibration, number, draft.effective_ms)

    def _calibrate(self, calibration: Calibration, number: int, effective_ms: int) -> None:
        self._version = replace(self._version, calibration=calibration, calibration_version=number)
        since = first_whole_day(effective_ms)
        self._memory = replace(self.memory, calibration=calibration, calibrated_day=since)


def scan_figures(walk: Walk, cut_off_ms: int) -> list[ScanFigure]:
    """The week's scans of a walk."""
    found = []
    for decided in reversed(walk.closes):
        if decided.close_ms <= cut_off_ms - WEEK_MS:
            break
        decisions = decided.decisions
        for row in range(len(decisions)):
            leans = decisions.lean[row] != 0
            found.append(
                ScanFigure(
                    decided.close_ms,
                    float(decisions.expected_r[row]) if leans else None,
                    bool(decisions.passed[row, :2].all()),
                    bool(decisions.passed[row, :SYMBOL_GATES].all()),
                    bool(decisions.reason[row] == ""),
                )
            )
    return found
