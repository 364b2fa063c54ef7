"""A path: every decision of a history under one course of weights, and what it came to. Pure."""

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.calendar import DAY_MS, EFFECTIVE_AFTER_MS, WEEKLY, in_effect_by, next_effective_ms
from learning.config import Config
from learning.evaluating.course import Course
from learning.lessons import Memory, born_version
from learning.school import scan_figures
from learning.walk import Decided, Walk
from learning.weekly import teach_threshold
from signals.columns import Rows
from signals.consensus import SideArray, evidence
from signals.first_touch import OPEN, VOID, Touches
from signals.version import Version


@dataclass(frozen=True)
class Scans(Rows):
    """The scans of a path whose time limit lies inside the history; columns (n,), evidence (n, H) toward up.

    `side`: the lean, 0 where there is none. `chance`: that its bracket wins, as stated. `reason` is empty for a signal.
    `net_r` and `mirror_r` (its other side) are NaN where nothing can be scored: no lean, or a bracket that could not be
    entered or lacks minutes.
    """

    symbol: npt.NDArray[np.str_]
    close_ms: IntArray
    evidence: FloatArray
    side: SideArray
    chance: FloatArray
    reason: npt.NDArray[np.str_]
    net_r: FloatArray
    mirror_r: FloatArray

    @property
    def decided_day(self) -> IntArray:
        """The day whose version decided: before 00:15 still that of the day before."""
        return (self.close_ms - EFFECTIVE_AFTER_MS) // DAY_MS

    @property
    def scored(self) -> BoolArray:
        return np.isfinite(self.net_r)

    @property
    def signals(self) -> BoolArray:
        """Signals with a result."""
        accepted: BoolArray = self.scored & (self.reason == "")
        return accepted


def scans_of(walk: Walk) -> Scans:
    """The matured scans of a finished walk, in order of close, then symbol; none of them if it decided nothing.

    Those that resolved early, with their time limit still ahead when the history ends, are left out with their whole
    cohort: most of them are losses, since the stop is nearer than the target.
    """
    limit_ms = walk.timeframe.ms * walk.rules.bracket.limit_bars
    matured = [decided for decided in walk.closes if decided.close_ms + limit_ms <= walk.known.until_ms]
    rows = Scans.concatenate([_scans(decided) for decided in matured]) if matured else _no_scans()
    return rows.take(np.lexsort((rows.symbol, rows.close_ms)))


def _no_scans() -> Scans:
    words, numbers = np.empty(0, np.str_), np.empty(0)
    heads = len(born_version().weights.heads)
    return Scans(
        *(words, np.empty(0, np.int64), np.empty((0, heads)), np.empty(0, np.int8)), numbers, words, numbers, numbers
    )


def _scans(decided: Decided) -> Scans:
    decisions, ends = decided.decisions, decided.ends
    sound = (decisions.lean != 0) & _clean(ends.touch) & _clean(ends.mirror)
    return Scans(
        symbol=decisions.symbol,
        close_ms=decisions.close_ms,
        evidence=evidence(decisions.direction, decisions.probability, decisions.confidence),
        side=decisions.lean,
        chance=decisions.win_probability,
        reason=decisions.reason,
        net_r=np.where(sound, ends.touch.net_r, np.nan),
        mirror_r=np.where(sound, ends.mirror.net_r, np.nan),
    )


def _clean(touches: Touches) -> BoolArray:
    clean: BoolArray = (touches.outcome != OPEN) & (touches.outcome != VOID) & (touches.missing_minutes == 0)
    return clean


@dataclass
class Scheduled:
    """A teacher who puts a course in force, uncalibrated, and drafts the quality threshold each week from what the
    course itself promised, as live does."""

    course: Course
    memory: Memory = field(default_factory=lambda: Memory.at_birth(Config()))
    _began_ms: int | None = None
    _taken: int = 0

    def version_at(self, close_ms: int, walk: Walk) -> Version:
        if self._began_ms is None:
            self._began_ms = close_ms
        due = in_effect_by(self._began_ms, close_ms)
        for job in due[self._taken :]:
            if job.job == WEEKLY:
                draft = teach_threshold(job, self.memory, scan_figures(walk, job.cut_off_ms))
                if draft.takes_effect and draft.thresholds:
                    self.memory = replace(self.memory, thresholds=draft.thresholds)
        self._taken = len(due)
        day = (close_ms - EFFECTIVE_AFTER_MS) // DAY_MS
        return Version(self.course.weights(self.memory.weights.heads, day), self.memory.thresholds, 0, 0)

    def steady_until(self, close_ms: int) -> int:
        return next_effective_ms(close_ms)


@dataclass(frozen=True)
class Trades(Rows):
    """Signals with a result; columns (n,)."""

    symbol: npt.NDArray[np.str_]
    close_ms: IntArray
    net_r: FloatArray

    @classmethod
    def of(cls, scans: Scans) -> "Trades":
        rows = scans.signals
        return cls(scans.symbol[rows], scans.close_ms[rows], scans.net_r[rows])

    def daily(self, days: IntArray) -> FloatArray:
        """Net R of the signals of each of these days (ascending), 0 on a day without one."""
        day = self.close_ms // DAY_MS
        inside = np.isin(day, days)
        place = np.searchsorted(days, day[inside])
        sums: FloatArray = np.bincount(place, weights=self.net_r[inside], minlength=len(days)).astype(np.float64)
        return sums
