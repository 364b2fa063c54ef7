"""The learner in markets whose truth is known: it must find most of what is there, and nothing where nothing is."""

import numpy as np
import pytest

from learning.learner import NightlyLearner
from tests.learning.planted import HEADS, SCANS_A_DAY, World, Yardstick, noise_covariance, top_win_rate, walk

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [1])
def test_three_weeks_from_a_cold_start_close_most_of_the_gap_to_the_best_weights(seed) -> None:
    learner = NightlyLearner(HEADS)

    found = walk(World(seed), learner, 24, count=20_000)

    shares = np.array(found.shares)
    assert shares.mean() >= 0.70  # the first week is mostly equal weights
    assert shares[14:].mean() >= 0.88
    assert shares.argmax() > 7
    assert np.flatnonzero(shares >= 0.80)[0] <= 9
    assert np.mean(found.win_rates[17:]) >= found.oracle - 0.02
    assert learner.last is not None
    assert learner.last.draft.certificate["holds"]


def test_where_nobody_knows_anything_the_learner_goes_quiet() -> None:
    learner = NightlyLearner(HEADS)

    found = walk(World(3, "N"), learner, 16, count=10_000)

    # A step of 20 % a night leaves .64 of the excess: 2.8 first days' worth, and one for a night of too few events.
    excess = np.array(found.losses) - np.log(2)
    assert excess.sum() <= 4.5 * excess[0]
    assert excess[10:].mean() <= 0.003
    assert learner.version.sharpness < 0.25


def test_permuted_outcomes_teach_nothing() -> None:
    world, learner = World(0), NightlyLearner(HEADS)
    for day in range(8):
        scans = world.day(day)
        shuffled = np.random.default_rng(day).permutation(scans.won)
        learner.night(day + 1, np.full(SCANS_A_DAY, day), scans.evidence, shuffled)

    yardstick = Yardstick.of(world, 0, 20_000)
    assert yardstick.share(learner.weights) < 0.6
    assert learner.version.sharpness < 0.6


def test_outcomes_leaked_one_night_early_are_caught_by_scoring_before_learning() -> None:
    """The test is alive: a head that knows the answer lifts tonight's score at once, which no honest head can."""
    world, honest, leaky = World(1), NightlyLearner(HEADS), NightlyLearner([*HEADS, "leak"])
    for day in range(4):
        scans = world.day(day)
        answer = np.where(scans.won, 1.0, -1.0)[:, None]
        honest.night(day + 1, np.full(SCANS_A_DAY, day), scans.evidence, scans.won)
        leaky.night(day + 1, np.full(SCANS_A_DAY, day), np.hstack([scans.evidence, answer]), scans.won)

    assert leaky.procedure.scores[-1].live < honest.procedure.scores[-1].live - 0.05


def test_the_planted_truth_is_what_the_generator_says() -> None:
    scans = World(5).reference(0, 60_000)

    # Posteriors are calibrated, and the covariance is a covariance.
    bold = scans.posterior > 0.7
    assert scans.won[bold].mean() == pytest.approx(scans.posterior[bold].mean(), abs=0.015)
    assert np.linalg.eigvalsh(noise_covariance()).min() > 0
    assert top_win_rate(scans.evidence.sum(axis=1), scans.posterior) == pytest.approx(0.63, abs=0.04)


@pytest.mark.parametrize("kind", ["B", "C"])
def test_words_and_hidden_contexts_leave_something_to_learn(kind) -> None:
    yardstick = Yardstick.of(World(2, kind), 0, 30_000)

    assert yardstick.oracle - yardstick.equal > 0.05
