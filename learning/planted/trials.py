"""The trials of the benchmark: which learners run over which market, each a job for a process of its own. Pure."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from learning.planted.course import Course, Market, run, run_on_accepted
from learning.planted.guards import Caught, Offers, Opening, days_until_caught, offers, opening
from learning.planted.rivals import Learner, rivals
from learning.planted.watched import Watch, Watched
from learning.planted.world import World
from learning.procedure import Procedure

LEARNER = "learner"
TOLD_HOURS = "learner, told the hours"
HISTORY = 28  # days of history before a warm start
GOAL = 0.90  # share of the gain that is waited for when only accepted scans teach
LONGER = 4  # times the days that this may take


@dataclass(frozen=True)
class Job:
    """One trial in one world drawn by one seed. `reference`: scans that weights are scored on."""

    trial: str
    kind: str
    seed: int
    days: int
    reference: int

    def market(self, *, history: int = 0, shuffled: bool = False) -> Market:
        world = World.planted(self.kind, self.seed)
        return Market(world, history=history, reference=self.reference, shuffled=shuffled)


@dataclass(frozen=True)
class Found:
    """What a job found: the fields that its trial has."""

    job: Job
    courses: dict[str, Course] = field(default_factory=dict)
    watch: Watch | None = None
    opening: Opening | None = None
    offers: Offers | None = None
    caught: Caught | None = None


def _cold(job: Job) -> Found:
    """The learner, told the hours of the shocks and not, and every rival, from equal weights on."""
    market, learner, told = job.market(), Watched(), Watched(hours=True)
    others = rivals(market.world, market.yardstick)
    learners: dict[str, Learner] = {LEARNER: learner, TOLD_HOURS: told, **others}
    return Found(job, run(market, learners, job.days), learner.watch)


def _warm(job: Job) -> Found:
    learner, told = Watched(), Watched(hours=True)
    courses = run(job.market(history=HISTORY), {LEARNER: learner, TOLD_HOURS: told}, job.days)
    return Found(job, courses, learner.watch)


def _accepted(job: Job) -> Found:
    """The learner told of its accepted scans only, for as long as it takes or four times the days."""
    learner = Watched()
    course = run_on_accepted(job.market(), learner, LONGER * job.days, until=GOAL)
    return Found(job, {LEARNER: course}, learner.watch)


def _opening(job: Job) -> Found:
    return Found(job, opening=opening(job.market(), job.days))


def _warm_opening(job: Job) -> Found:
    return Found(job, opening=opening(job.market(history=HISTORY), job.days))


def _shuffled(job: Job) -> Found:
    return Found(job, opening=opening(job.market(shuffled=True), job.days, stop=False))


def _offers(job: Job) -> Found:
    return Found(job, offers=offers(job.market(), job.days))


def _pinned(job: Job) -> Found:
    """The spoilt version held in force by hand."""
    return Found(job, caught=days_until_caught(job.market(), job.days, Procedure.pin))


def _released(job: Job) -> Found:
    """The spoilt version put in force once; the nights after it step on from there."""
    return Found(job, caught=days_until_caught(job.market(), job.days, Procedure.roll_back))


TRIALS: dict[str, Callable[[Job], Found]] = {
    "cold": _cold,
    "warm": _warm,
    "accepted": _accepted,
    "opening": _opening,
    "warm opening": _warm_opening,
    "shuffled": _shuffled,
    "offers": _offers,
    "pinned": _pinned,
    "released": _released,
}
# Which worlds have more than the cold start.
BESIDE = {"A": ("warm", "opening", "warm opening", "offers", "pinned", "released"), "steady": ("accepted",)}


def jobs(kinds: Iterable[str], *, seeds: int, days: int, reference: int, shuffled: bool) -> list[Job]:
    """Every job of a run, seed by seed, so that a run cut short has whole seeds."""
    trials = [(trial, kind) for kind in kinds for trial in ("cold", *BESIDE.get(kind, ()))]
    trials += [("shuffled", "A")] if shuffled else []
    return [Job(trial, kind, seed, days, reference) for seed in range(seeds) for trial, kind in trials]


def done(job: Job) -> Found:
    """Do the job: always the same answer for the same job."""
    return TRIALS[job.trial](job)
