"""The learner in markets whose truth is known: it must find most of what is there, and nothing where nothing is."""

import numpy as np

from learning.learner import NightlyLearner
from learning.planted.course import Course, Market, run, run_on_accepted
from learning.planted.figures import days_to
from learning.planted.guards import Offers, offers, opening, spoilt
from learning.planted.watched import Watched
from learning.planted.world import HEADS, SCANS_A_DAY, World
from signals.consensus import Weights


def course_of(kind: str, seed: int, days: int, *, reference: int, history: int = 0) -> tuple[Watched, Course, Market]:
    market = Market(World.planted(kind, seed), reference=reference, history=history)
    learner = Watched()
    return learner, run(market, {"learner": learner}, days)["learner"], market


def test_three_weeks_from_a_cold_start_close_most_of_the_gap_to_the_best_weights() -> None:
    learner, found, market = course_of("A", 1, 24, reference=20_000)

    shares = np.array(found.share)
    assert shares.mean() >= 0.70  # the first week is mostly equal weights
    assert shares[14:].mean() >= 0.88
    assert shares.argmax() > 7
    assert days_to(found, 0.80) <= 9
    assert np.mean(found.win_rate[17:]) >= market.yardstick(0).oracle - 0.02
    assert (learner.watch.broken, learner.watch.rolled_back) == (0, 0)
    assert learner.watch.regret is not None
    assert learner.watch.bound is not None
    assert learner.watch.regret <= learner.watch.bound


def test_a_warm_start_is_there_on_the_first_day() -> None:
    _, found, _ = course_of("steady", 2, 2, reference=20_000, history=14)

    assert len(found.share) == 2
    assert min(found.share) >= 0.85


def test_where_nobody_knows_anything_the_learner_goes_quiet() -> None:
    learner, found, _ = course_of("N", 3, 16, reference=10_000)

    # A step of 20 % a night leaves .64 of the excess: 2.8 first days' worth, and one for a night of too few events.
    excess = np.array(found.log_loss) - np.log(2)
    assert excess.sum() <= 4.5 * excess[0]
    assert excess[10:].mean() <= 0.003
    assert learner.learner.version.sharpness < 0.25


def test_permuted_outcomes_teach_nothing_and_prove_no_knowledge() -> None:
    market = Market(World.planted("A", 0), reference=20_000, shuffled=True)

    found = opening(market, 16, stop=False)

    # It beats equal weights by saying less than they do; that is no knowledge, and opens nothing.
    assert (found.opened, found.over_scaled, found.over_half) == (None, None, False)
    learner = Watched()
    course = run(market, {"learner": learner}, 9)["learner"]
    assert course.share[-1] < 0.6
    assert learner.learner.version.sharpness < 0.6


def test_outcomes_leaked_one_night_early_are_caught_by_scoring_before_learning() -> None:
    """The test is alive: a head that knows the answer lifts tonight's score at once, which no honest head can."""
    world, honest, leaky = World.planted("A", 1), NightlyLearner(HEADS), NightlyLearner([*HEADS, "leak"])
    for day in range(4):
        scans = world.day(day)
        answer = np.where(scans.won, 1.0, -1.0)[:, None]
        honest.night(day + 1, np.full(SCANS_A_DAY, day), scans.evidence, scans.won)
        leaky.night(day + 1, np.full(SCANS_A_DAY, day), np.hstack([scans.evidence, answer]), scans.won)

    assert leaky.procedure.scores[-1].live < honest.procedure.scores[-1].live - 0.05


def test_a_spoilt_draft_is_refused_every_night() -> None:
    found = offers(Market(World.planted("A", 1), reference=1000), 12)

    assert found == Offers(5, 5)  # the first nights have fewer than seven labelled days


def test_a_spoilt_version_has_its_strongest_head_inverted_and_doubled() -> None:
    weights = Weights(("a", "b", "c"), np.array([0.1, -0.4, 0.3]), np.zeros(2))

    assert spoilt(weights).beta.tolist() == [0.1, 0.8, 0.3]
    assert spoilt(weights).bias.tolist() == [0.0, 0.0]


def test_the_gate_opens_behind_the_job_s_own_procedure() -> None:
    found = opening(Market(World.planted("A", 3), reference=1000), 24)

    assert found.opened is not None
    assert found.over_scaled is not None
    assert min(found.opened, found.over_scaled) >= 5
    assert found.last == max(found.opened, found.over_scaled)


def test_a_learner_told_of_accepted_scans_only_hears_of_nothing_else() -> None:
    class Listening(Watched):
        heard = 0

        def night(self, today, decided_day, evidence, won, *, hour_block):
            self.heard += len(won)
            return super().night(today, decided_day, evidence, won, hour_block=hour_block)

    learner = Listening()
    course = run_on_accepted(Market(World.planted("steady", 4), reference=10_000), learner, 10)

    # What the last day accepted, and the second half of the day before, has not matured.
    assert sum(course.accepted[:-2]) <= learner.heard <= sum(course.accepted[:-1])
    assert 3 * 10 <= sum(course.accepted) <= 15 * 10
    assert course.share[0] == course.share[-1] == 0.0  # fewer than 150 effective events: every draft is vetoed
