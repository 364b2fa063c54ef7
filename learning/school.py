"""A teacher who learns along a walk: replay and bootstrap take the lessons that live takes, at the same times. Pure."""

from dataclasses import dataclass, field, replace

from learning.calendar import DAILY, WEEK_MS, DueJob, in_effect_by, next_effective_ms
from learning.config import Config
from learning.daily import teach_night
from learning.events import Events, join
from learning.labels import Label, events_of
from learning.lessons import HEAD_NAMES, Lesson, Memory, ScanFigure, VersionDraft, born_version
from learning.walk import Walk
from learning.weekly import teach_week
from signals.gates import SYMBOL_GATES
from signals.version import Version


@dataclass
class School:
    """A teacher who learns along a walk: every job whose version a close must know of is done before it decides."""

    config: Config = field(default_factory=Config)
    lessons: list[Lesson] = field(default_factory=list)
    events: Events = field(
        default_factory=lambda: events_of([], len(HEAD_NAMES))
    )  # all that was told, void ones left out
    told: dict[DueJob, list[Label]] = field(default_factory=dict)  # what was new to the ledger at each job
    _began_ms: int | None = None
    _version: Version = field(default_factory=born_version)
    _memory: Memory | None = None
    _last_numbers: dict[str, int] = field(default_factory=lambda: {"head_weights": 1, "thresholds": 1})

    def version_at(self, close_ms: int, walk: Walk) -> Version:
        if self._began_ms is None:
            self._began_ms = close_ms
        for job in in_effect_by(self._began_ms, close_ms)[len(self.lessons) :]:
            self._take(job, walk)
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
        if job.job == DAILY:
            lesson = teach_night(job, self.memory, self.events, self.config)
        else:
            lesson = teach_week(job, self.memory, scan_figures(walk, job.cut_off_ms))
        self.lessons.append(lesson)
        self._memory = lesson.memory
        for draft in lesson.drafts:
            self._last_numbers[draft.state_type] += 1
            if draft.takes_effect:
                self._put_in_force(draft, lesson.memory)

    def _put_in_force(self, draft: VersionDraft, memory: Memory) -> None:
        number = self._last_numbers[draft.state_type]
        version = replace(self._version, weights=memory.weights, thresholds=memory.thresholds)
        if draft.weights is None:
            self._version = replace(version, threshold_version=number)
        else:
            self._version = replace(version, weight_version=number)


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
