"""One contiguous period of candles, walked: the live path, the learner's, and what every rival said. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import MINUTE_MS, BoolArray, Candles, FloatArray, IntArray, Timeframe
from learning.calendar import DAILY, DAY_MS, HOUR_MS
from learning.evaluating.course import EQUAL, LEARNER, ZERO, Course, courses_of
from learning.evaluating.paths import Scans, Scheduled, Trades, scans_of
from learning.evaluating.rivals import AVERAGE, STATIC, alone, average_course, static_course
from learning.events import Events, collect
from learning.follow import Known
from learning.labels import series_of
from learning.lessons import HEAD_NAMES
from learning.procedure import Procedure
from learning.school import School
from learning.walk import Seen, Teacher, Walk, look_over, walk_over
from signals.heads import HEADS
from signals.scan import Rules

LIVE = "live"
Progress = Callable[[str, float], None]


@dataclass(frozen=True)
class Trace:
    """A path and what each rival said of the very same brackets: chances (n,) by name, NaN where nothing leans."""

    scans: Scans
    rivals: Mapping[str, FloatArray]

    def take(self, rows: BoolArray) -> "Trace":
        return Trace(self.scans.take(rows), {name: chance[rows] for name, chance in self.rivals.items()})


@dataclass(frozen=True)
class Period:
    """What a period gave to be scored. `trials`: the signals of every configuration tried, by name; `events`: what the
    learner's nights learned from, those `counted` that no earlier period has; `days`: those with a matured scan, over
    which daily results are taken."""

    live: Trace
    learner: Trace
    trials: Mapping[str, Trades]
    events: Events
    counted: BoolArray
    days: IntArray
    nights: int
    opened: int
    rolled_back: int

    @property
    def paths(self) -> dict[str, Trace]:
        return {LIVE: self.live, LEARNER: self.learner}


@dataclass(frozen=True)
class History:
    """Candles and all that the heads saw in them, to be decided under any teacher."""

    minutes: Mapping[str, Candles]
    timeframe: Timeframe
    rules: Rules
    seen: Seen

    @property
    def limit_ms(self) -> int:
        return self.timeframe.ms * self.rules.bracket.limit_bars

    def scans(self, teacher: Teacher) -> Scans:
        known = Known(max(int(candles.open_ms[-1]) for candles in self.minutes.values()) + MINUTE_MS)
        path = Walk(self.minutes, self.timeframe, self.rules, known)
        for _ in walk_over(self.seen, path, teacher):
            pass
        return scans_of(path)


def looked_at(
    minutes: Mapping[str, Candles],
    timeframe: Timeframe,
    rules: Rules,
    first_close_ms: int,
    last_close_ms: int,
    progress: Progress = lambda step, share: None,
) -> History:
    """Let the heads look at every close of the period; none of the symbols may be without a candle."""
    looked = iter(range(1, len(minutes) + 1))

    def tell(symbol: str) -> None:
        progress("look", next(looked) / len(minutes))

    return History(
        minutes, timeframe, rules, look_over(minutes, timeframe, first_close_ms, last_close_ms, HEADS, rules, tell)
    )


def walked(history: History, progress: Progress = lambda step, share: None) -> Period | None:
    """Decide a period with a learner born at its beginning, then again under every rival's weights.

    None where it is too short for a single scored scan.
    """
    school = School()
    live = history.scans(school)
    if not live.scored.any():
        return None
    courses = _courses(school, live, history.limit_ms)
    again: dict[str, Scans] = {}
    for number, (name, course) in enumerate(courses.items(), 1):
        again[name] = history.scans(Scheduled(course))
        progress("rivals", number / len(courses))
    events = collect(school.events).events
    return Period(
        live=_trace(live, courses, LIVE),
        learner=_trace(again[LEARNER], courses, LEARNER),
        trials={name: Trades.of(scans) for name, scans in again.items()},
        events=events,
        counted=np.full(len(events), True),
        days=np.unique(live.close_ms // DAY_MS),
        nights=sum(lesson.job.job == DAILY for lesson in school.lessons),
        opened=sum(bool(lesson.report.get("opened")) for lesson in school.lessons),
        rolled_back=sum(bool(lesson.report.get("rolled_back")) for lesson in school.lessons),
    )


def _courses(school: School, live: Scans, limit_ms: int) -> dict[str, Course]:
    """Every configuration that is scored: the learner, its candidates, each head alone, and the two other fits."""
    procedures = [Procedure.at_birth(HEAD_NAMES, school.config)]
    procedures += [lesson.memory.procedure for lesson in school.lessons if lesson.job.job == DAILY]
    own = courses_of([procedure.learner.recent[-1] for procedure in procedures], school.config)
    days = own[LEARNER].day
    return {
        **own,
        **alone(own[ZERO], HEAD_NAMES),
        STATIC: static_course(live, days, limit_ms),
        AVERAGE: average_course(live, own[EQUAL], days, limit_ms),
    }


def _trace(scans: Scans, courses: Mapping[str, Course], own: str) -> Trace:
    leans = scans.side != 0
    said = {
        name: np.where(leans, course.chances(scans.decided_day, scans.evidence, scans.side), np.nan)
        for name, course in courses.items()
        if name != own
    }
    return Trace(scans, said)


def distinct(periods: Sequence[Period]) -> list[Period]:
    """The periods in order, each without the hours of a symbol that an earlier one has scored: nothing counts twice."""
    seen = np.empty(0, np.int64)
    found = []
    for period in periods:
        found.append(_without(period, seen))
        scans = found[-1].live.scans
        seen = np.union1d(seen, _hours(_series(scans.symbol), scans.close_ms // HOUR_MS)[scans.scored])
    return found


def _without(period: Period, seen: IntArray) -> Period:
    def is_fresh(rows: Scans | Trades) -> BoolArray:
        fresh: BoolArray = ~np.isin(_hours(_series(rows.symbol), rows.close_ms // HOUR_MS), seen)
        return fresh

    live, learner = (trace.take(is_fresh(trace.scans)) for trace in (period.live, period.learner))
    return replace(
        period,
        live=live,
        learner=learner,
        trials={name: trades.take(is_fresh(trades)) for name, trades in period.trials.items()},
        counted=~np.isin(_hours(period.events.series, period.events.hour_block), seen),
        days=np.unique(live.scans.close_ms // DAY_MS),
    )


def _series(symbols: npt.NDArray[np.str_]) -> IntArray:
    """The number of each symbol as the ledger's events carry it."""
    names, place = np.unique(symbols, return_inverse=True)
    numbers: IntArray = np.array([series_of(name) for name in names.tolist()], dtype=np.int64)[place]
    return numbers


def _hours(series: IntArray, hour: IntArray) -> IntArray:
    """One number for an hour of a symbol; hours since the epoch need 20 bits until the year 2089."""
    return series * 2**20 + hour


def joined(periods: Sequence[Period]) -> Period:
    """Distinct periods as one; events stay with the periods whose nights learned from them."""
    parts = [period for period in periods if len(period.live.scans)]
    return replace(
        parts[0],
        live=_traces([part.live for part in parts]),
        learner=_traces([part.learner for part in parts]),
        trials={name: Trades.concatenate([part.trials[name] for part in parts]) for name in parts[0].trials},
        days=np.unique(np.concatenate([part.days for part in parts])),
        nights=sum(part.nights for part in parts),
        opened=sum(part.opened for part in parts),
        rolled_back=sum(part.rolled_back for part in parts),
    )


def _traces(parts: Sequence[Trace]) -> Trace:
    rivals = {name: np.concatenate([part.rivals[name] for part in parts]) for name in parts[0].rivals}
    return Trace(Scans.concatenate([part.scans for part in parts]), rivals)
