"""The permutation test: what the same nights learn where outcomes have nothing to do with the evidence. Pure.

Outcomes change sides, not places. Moved to another hour of their day they would meet evidence that already knows them:
on real candles what is heard in the evening tells what a bracket of the morning came to, and every shuffle then beats
the base rate. Dealt out one by one they would also be as many independent coins as rows, which overlapping brackets
are not.

Whether outcomes leak is asked of the shuffles: predictions of a day must not fit its shuffled outcomes any better than
the mirrored ones, since a coin decided which of the two they met.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.config import Config
from learning.evaluating.course import LEARNER, ZERO, Course, courses_of
from learning.evaluation import seed_of
from learning.events import Events
from learning.layers import learn
from learning.logistic import side_loss
from learning.state import LearnerState
from learning.student import student_reach
from signals.consensus import BIRTH_BIAS

SHUFFLES = 49
# An alarm once in a thousand honest evaluations; fewer shuffles cannot tell.
ALARM_LEVEL, ALARM_SHUFFLES = 0.998, 10


def shuffled(events: Events, seed: Sequence[int]) -> Events:
    """The events with the outcomes of the long and the short side exchanged on half of the days, drawn by `seed`.

    All of a day's events change together: overlaps, hours and what symbols share stay, and so do each day's evidence
    and its rate of wins over both sides. Only which way the market went is no longer what was heard.
    """
    days, place = np.unique(events.decided_day, return_inverse=True)
    turned = (np.random.default_rng(list(seed)).uniform(size=len(days)) < 0.5)[place]
    return replace(
        events,
        won_long=np.where(turned, events.won_short, events.won_long),
        won_short=np.where(turned, events.won_long, events.won_short),
        net_r_long=np.where(turned, events.net_r_short, events.net_r_long),
        net_r_short=np.where(turned, events.net_r_long, events.net_r_short),
    )


def nights_of(events: Events, heads: tuple[str, ...], config: Config) -> tuple[Course, Course]:
    """The learner's nights over collected events from birth: its own course, and that of the base rates alone."""
    state = LearnerState.at_birth(heads, np.full(2, BIRTH_BIAS), config)
    nights = [state.recent[-1]]
    for today in range(int(events.matured_day.min()), int(events.matured_day.max()) + 1):
        state = learn(state, events.known_on(today), today=today, config=config).state
        nights.append(state.recent[-1])
    courses = courses_of(nights, config)
    return courses[LEARNER], courses[ZERO]


def losses(course: Course, events: Events, *, mirrored: bool = False) -> FloatArray:
    """Mean log-loss of both brackets of each event (n,) by what was in force when it was decided.

    `mirrored`: as if the long side had come to what the short one did, and the other way round.
    """
    long, short = course.margins(events.decided_day, events.evidence)
    won_long, won_short = events.won_long.astype(np.float64), events.won_short.astype(np.float64)
    if mirrored:
        won_long, won_short = won_short, won_long
    return 0.5 * (side_loss(long, won_long) + side_loss(short, won_short))


@dataclass(frozen=True)
class Run:
    """One rerun of the nights over counted events; sums in nats, and their number.

    Every event counts 1, as in all other scores. The learner weighs them by uniqueness, which depends on how long a
    bracket lasted: under those weights fast markets count more, whatever was published in them.

    `gain`: what the learner gains over the base rate. `fit`: what its predictions lose less on the outcomes they met
    than on the mirrored ones. In a shuffle either was as likely for whoever did not know the day's outcomes yet.
    """

    gain: float = 0.0
    fit: float = 0.0
    events: int = 0

    def __add__(self, other: "Run") -> "Run":
        return Run(self.gain + other.gain, self.fit + other.fit, self.events + other.events)


def rerun(events: Events, counted: BoolArray, heads: tuple[str, ...], config: Config) -> Run:
    """The nights over one ledger: all events are learned from, the counted ones scored."""
    own, base = nights_of(events, heads, config)
    met = losses(own, events)
    return Run(
        gain=float((losses(base, events) - met)[counted].sum()),
        fit=float((losses(own, events, mirrored=True) - met)[counted].sum()),
        events=int(counted.sum()),
    )


@dataclass(frozen=True)
class Permutation:
    """Mean gain over the base rate in nats an event: with the real outcomes, and with each shuffle (N,).

    `p_value` = (1 + shuffles at least as good) / (1 + N). `fits` (N,): how much better each shuffle's predictions fit
    the outcomes they met than the mirrored ones; about zero on average, unless outcomes were known too early (`leaks`).
    None where there is too little to compare.
    """

    gain: float | None
    shuffled: tuple[float, ...]
    fits: tuple[float, ...]
    events: int

    @property
    def p_value(self) -> float | None:
        if self.gain is None or not self.shuffled:
            return None
        return (1 + sum(each >= self.gain for each in self.shuffled)) / (1 + len(self.shuffled))

    @property
    def mean_shuffled(self) -> float | None:
        return sum(self.shuffled) / len(self.shuffled) if self.shuffled else None

    @property
    def fit(self) -> float | None:
        return sum(self.fits) / len(self.fits) if self.fits else None

    @property
    def leaks(self) -> bool | None:
        count = len(self.fits)
        if count < ALARM_SHUFFLES:
            return None
        found = np.array(self.fits)
        return bool(found.mean() > student_reach(ALARM_LEVEL, count - 1) * found.std(ddof=1) / count**0.5)


def permuted(
    ledgers: Sequence[tuple[Events, BoolArray]],
    heads: tuple[str, ...],
    *,
    shuffles: int = SHUFFLES,
    config: Config | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> Permutation:
    """The test over one or several ledgers, each with a learner of its own; beside each, which events are counted."""
    used = [(events, counted) for events, counted in ledgers if counted.any()]
    if not used:
        return Permutation(None, (), (), 0)
    runs = []
    for number in range(shuffles + 1):
        runs.append(Run())
        for events, counted in used:
            seed = (seed_of(events.decided_day, events.net_r_long, events.net_r_short) % 2**32, number)
            dealt = shuffled(events, seed) if number else events
            runs[-1] += rerun(dealt, counted, heads, config or Config())
        progress((number + 1) / (shuffles + 1))
    real, *others = runs
    return Permutation(
        gain=real.gain / real.events,
        shuffled=tuple(run.gain / run.events for run in others),
        fits=tuple(run.fit / run.events for run in others),
        events=real.events,
    )
