"""The planted markets are what they say: posteriors calibrated, evidence as planted, the oracle above all."""

import numpy as np
import pytest

from learning.planted.course import HALF, Market
from learning.planted.world import (
    HEADS,
    KINDS,
    SCANS_A_DAY,
    SCANS_AN_HOUR,
    SHOCK_VARIANCE,
    SKILLS,
    SWITCHER,
    World,
    noise_covariance,
)
from learning.planted.yardstick import Yardstick, accepted_rows, best_weights


@pytest.mark.parametrize("kind", KINDS)
def test_posteriors_are_calibrated(kind: str) -> None:
    scans, posterior = World.planted(kind, 5).reference(0, 60_000)

    for low, high in ((0.0, 0.35), (0.35, 0.45), (0.45, 0.55), (0.55, 0.65), (0.65, 1.0)):
        rows = (posterior >= low) & (posterior < high)
        error = np.sqrt(0.25 / max(rows.sum(), 1))
        assert abs(scans.won[rows].mean() - posterior[rows].mean()) < 4 * error if rows.any() else True
    if kind == "N":
        assert (posterior == 0.5).all()


def test_the_posterior_is_that_of_the_likelihoods_of_both_sides() -> None:
    """Brute force: the Gaussian densities of what was perceived, whoever is awake, under up and under down."""
    from scipy.stats import multivariate_normal

    world = World.planted("A", 2)
    skills = world.skills_on(0)
    _, signal, awake = world._drawn_scans(np.random.default_rng(0), skills, np.arange(40))
    found = world._posterior(signal, awake, skills)
    for row in range(40):
        heads = np.flatnonzero(awake[row])
        spread = noise_covariance()[np.ix_(heads, heads)]
        up, down = (multivariate_normal(side * skills[heads], spread).pdf(signal[row, heads]) for side in (1.0, -1.0))
        assert found[row] == pytest.approx(up / (up + down), abs=1e-9)


def test_the_hidden_context_is_summed_over() -> None:
    from scipy.stats import multivariate_normal

    world = World.planted("C", 2)
    skills = world.skills_on(0)
    _, signal, awake = world._drawn_scans(np.random.default_rng(0), skills, np.arange(20))
    awake[:] = True
    found = world._posterior(signal, awake, skills)
    for row in range(20):
        up, down = (
            sum(multivariate_normal(side * c * skills, noise_covariance()).pdf(signal[row]) for c in (1.6, 0.4))
            for side in (1.0, -1.0)
        )
        assert found[row] == pytest.approx(up / (up + down), abs=1e-9)


def test_heads_perceive_with_the_covariance_and_skills_of_the_design() -> None:
    world = World.planted("A", 3)
    truth, signal, awake = world._drawn_scans(np.random.default_rng(1), world.skills_on(0), np.arange(100_000))

    noise = signal - truth[:, None] * SKILLS
    assert np.allclose((truth[:, None] * signal).mean(axis=0), SKILLS, atol=0.015)
    assert np.allclose(np.cov(noise.T), noise_covariance(), atol=0.02)
    assert np.allclose(awake.mean(axis=0), world.awake, atol=0.01)


def test_an_hour_moves_together_by_the_design_effect() -> None:
    world = World.planted("N", 3)
    hour = np.repeat(np.arange(4000), SCANS_AN_HOUR)
    truth, signal, _ = world._drawn_scans(np.random.default_rng(1), world.skills_on(0), hour)

    pull = (truth * signal[:, 0]).reshape(4000, SCANS_AN_HOUR).sum(axis=1)
    assert pull.var() / SCANS_AN_HOUR == pytest.approx(1 + (SCANS_AN_HOUR - 1) * SHOCK_VARIANCE, rel=0.1)


def test_the_same_day_is_the_same_whenever_it_is_asked_for_and_seeds_differ() -> None:
    world = World.planted("A", 7)

    assert np.array_equal(world.day(3).evidence, World.planted("A", 7).day(3).evidence)
    assert not np.array_equal(world.day(3).won, world.day(4).won)
    assert not np.array_equal(world.day(3).won, World.planted("A", 8).day(3).won)


def test_the_switch_turns_one_head_on_its_day() -> None:
    world, steady = World.planted("A", 1), World.planted("steady", 1)

    assert world.switch_day == 42
    assert world.skills_on(41)[SWITCHER] > 0 > world.skills_on(42)[SWITCHER]
    assert np.array_equal(np.delete(world.skills_on(42), SWITCHER), np.delete(world.skills_on(0), SWITCHER))
    assert np.array_equal(steady.day(50).won, world.day(50).won)
    assert np.array_equal(steady.skills_on(50), world.skills_on(0))


def test_drawn_worlds_differ_in_everything_a_learner_could_be_tuned_to() -> None:
    worlds = [World.planted("drawn", seed) for seed in range(8)]

    assert len({world.switch_day for world in worlds}) > 3
    assert len({world.skills.tobytes() for world in worlds}) == 8
    assert len({world.order.tobytes() for world in worlds}) == 8
    assert all(world.awake.min() >= 0.5 for world in worlds)


def test_words_are_four_and_little_is_not_said() -> None:
    said = np.abs(World.planted("B", 1).day(0).evidence)

    assert set(np.unique(said).tolist()) == {0.0, 0.3, 0.7, 1.2, 2.0}


def test_an_unknown_world_is_refused() -> None:
    with pytest.raises(ValueError, match="there is no world 'D'; choose one of A"):
        World.planted("D", 0)


@pytest.mark.parametrize("kind", ["A", "B", "C", "drawn"])
def test_there_is_something_to_learn_and_no_weights_beat_the_oracle(kind: str) -> None:
    yardstick = Yardstick.of(World.planted(kind, 2), 0, 30_000)
    draw = np.random.default_rng(0)

    assert yardstick.oracle - yardstick.equal > 0.05
    best = yardstick.worth(yardstick.oracle_weights, np.zeros(2))
    assert best.share == 1.0
    for _ in range(20):
        other = yardstick.worth(yardstick.oracle_weights + draw.normal(0, 0.15, len(HEADS)), np.zeros(2))
        assert other.win_rate <= best.win_rate + 0.005
        assert other.log_loss > best.log_loss


def test_the_best_weights_leave_no_slope() -> None:
    scans, posterior = World.planted("A", 4).reference(0, 5000)

    beta = best_weights(scans.evidence, posterior)

    slope = scans.evidence.T @ (posterior - 1 / (1 + np.exp(-(scans.evidence @ beta))))
    assert np.abs(slope).max() < 1e-5


def test_a_yardstick_measures_as_brute_force_does() -> None:
    world = World.planted("A", 6)
    yardstick = Yardstick.of(world, 0, 4000)
    beta, bias = np.linspace(-0.2, 0.4, len(HEADS)), np.array([0.1, -0.2])

    found = yardstick.worth(beta, bias)

    scans, posterior = world.reference(0, 4000)
    pooled = scans.evidence @ beta
    top = np.argsort(-np.abs(pooled))[:60]
    right = [p if g > 0 else 1 - p for p, g in zip(posterior[top], pooled[top], strict=True)]
    assert found.win_rate == pytest.approx(np.mean(right))
    assert found.threshold == pytest.approx(np.abs(pooled[top]).min())
    assert sorted(accepted_rows(pooled).tolist()) == sorted(top.tolist())
    long, short = 1 / (1 + np.exp(-(0.1 + pooled))), 1 / (1 + np.exp(-(-0.2 - pooled)))
    loss = -posterior * (np.log(long) + np.log(1 - short)) - (1 - posterior) * (np.log(1 - long) + np.log(short))
    assert found.log_loss == pytest.approx(loss.mean() / 2)


def test_every_scan_matures_in_one_night_at_least_twelve_hours_later() -> None:
    market = Market(World.planted("A", 1), history=3, reference=1000)

    seen: dict[tuple[int, int], int] = {}
    for today, batch in market.nights(4):
        for day, place in zip(batch.decided_day.tolist(), batch.place.tolist(), strict=True):
            assert (day, place) not in seen
            assert today * SCANS_A_DAY - (day * SCANS_A_DAY + place) >= HALF
            seen[(day, place)] = today
    assert sorted(seen) == [(day, p) for day in range(-3, 2) for p in range(SCANS_A_DAY)] + [
        (2, p) for p in range(HALF)
    ]


def test_shuffled_outcomes_are_the_day_s_own_in_another_order() -> None:
    world = World.planted("A", 1)
    shuffled = Market(world, reference=1000, shuffled=True).scans(2)

    assert np.array_equal(shuffled.evidence, world.day(2).evidence)
    assert shuffled.won.sum() == world.day(2).won.sum()
    assert not np.array_equal(shuffled.won, world.day(2).won)
