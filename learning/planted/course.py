"""Learners run over a planted market, night after night, and what they were worth on every day. Pure numpy."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import lru_cache

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.planted.rivals import Learner
from learning.planted.world import HOURS_A_DAY, SCANS_A_DAY, SCANS_AN_HOUR, Scans, World
from learning.planted.yardstick import REFERENCE, Yardstick

HALF = SCANS_A_DAY // 2
SHUFFLES = 4  # the stream of chance that permutes outcomes


@dataclass(frozen=True)
class Batch:
    """What matured in a night, in order of time: day and hour of the decision and its place among the day's (n,),
    evidence (n, H), whether up won (n,)."""

    decided_day: IntArray
    place: IntArray
    hour_block: IntArray
    evidence: FloatArray
    won: BoolArray

    def teach(self, learner: Learner, today: int) -> object:
        return learner.night(today, self.decided_day, self.evidence, self.won, hour_block=self.hour_block)

    def rows(self, chosen: BoolArray) -> "Batch":
        return Batch(*(getattr(self, column.name)[chosen] for column in fields(self)))


class Market:
    """A world day by day from day -history on, and its yardsticks, each made once. `shuffled`: outcomes of a day are
    permuted among its scans, so that nothing in the evidence can tell them."""

    def __init__(self, world: World, *, history: int = 0, reference: int = REFERENCE, shuffled: bool = False) -> None:
        self.world, self.history, self.shuffled = world, history, shuffled
        self.yardstick = lru_cache(maxsize=None)(lambda regime: Yardstick.of(world, regime, reference))
        self.scans = lru_cache(maxsize=4)(self._scans)

    def _scans(self, day: int) -> Scans:
        drawn = self.world.day(day)
        if not self.shuffled:
            return drawn
        draw = np.random.default_rng([self.world.seed, SHUFFLES, day + 10_000])
        return Scans(drawn.evidence, draw.permutation(drawn.won))

    def matured(self, today: int) -> Batch:
        """What the night of `today` may learn: all that was decided at least 12 hours before and not learned yet."""
        halves = [(today - 2, np.arange(HALF, SCANS_A_DAY)), (today - 1, np.arange(HALF))]
        parts = [self._decided(day, places) for day, places in halves if day >= -self.history]
        if not parts:
            return self._decided(today, np.arange(0))
        return Batch(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(Batch)))

    def _decided(self, day: int, places: IntArray) -> Batch:
        scans, hours = self.scans(day), day * HOURS_A_DAY + places // SCANS_AN_HOUR
        return Batch(np.full(len(places), day), places, hours, scans.evidence[places], scans.won[places])

    def nights(self, days: int) -> Iterator[tuple[int, Batch]]:
        """Every midnight up to that before the last of `days` days, with what matured by then."""
        for today in range(-self.history, days):
            yield today, self.matured(today)


@dataclass
class Course:
    """One learner in one market, a value a day (days,) under the weights in force on it; `weights` (days, H).

    `accepted` and `wins` count the day's own scans above the threshold of the top 1.5 %, and those that won.
    """

    share: list[float] = field(default_factory=list)
    win_rate: list[float] = field(default_factory=list)
    log_loss: list[float] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    wins: list[int] = field(default_factory=list)
    weights: list[list[float]] = field(default_factory=list)

    def note(self, market: Market, day: int, learner: Learner) -> BoolArray:
        """Write down what the weights in force on that day are worth; returns which of its scans they accept."""
        worth = market.yardstick(market.world.regime(day)).worth(learner.weights, learner.bias)
        scans = market.scans(day)
        pooled = scans.evidence @ learner.weights
        accepted: BoolArray = (np.abs(pooled) >= worth.threshold) & (pooled != 0)
        self.share.append(worth.share)
        self.win_rate.append(worth.win_rate)
        self.log_loss.append(worth.log_loss)
        self.accepted.append(int(accepted.sum()))
        self.wins.append(int((scans.won == (pooled > 0))[accepted].sum()))
        self.weights.append(learner.weights.tolist())
        return accepted


def run(market: Market, learners: Mapping[str, Learner], days: int) -> dict[str, Course]:
    """Teach every learner each night, from the market's history on, and note what it is worth from day 0 on."""
    courses = {name: Course() for name in learners}
    for today, batch in market.nights(days):
        for name, learner in learners.items():
            batch.teach(learner, today)
            if today >= 0:
                courses[name].note(market, today, learner)
    return courses


def run_on_accepted(market: Market, learner: Learner, days: int, *, until: float = np.inf) -> Course:
    """A learner that is told the outcomes of what it accepted itself and of nothing else, until its share of the gain
    is `until` for the first time."""
    course, took = Course(), dict[int, BoolArray]()
    for today, batch in market.nights(days):
        mine = [took[day][place] for day, place in zip(batch.decided_day.tolist(), batch.place.tolist(), strict=True)]
        batch.rows(np.array(mine, np.bool_)).teach(learner, today)
        took[today] = course.note(market, today, learner)
        if course.share[-1] >= until:
            break
    return course
