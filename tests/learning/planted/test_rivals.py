"""Each rival against brute force or what its paper promises."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from learning.planted.course import Market, run
from learning.planted.rivals import (
    BestHead,
    Equal,
    Hedge,
    HitRates,
    Learner,
    Logistic,
    MLPoly,
    ScaledEqual,
    head_losses,
    rivals,
)
from learning.planted.world import HEADS, World

seeds = st.integers(0, 10_000)


def night(seed: int, count: int = 60, heads: int = 4) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    evidence = np.where(draw.uniform(size=(count, heads)) < 0.8, draw.normal(0, 1, (count, heads)), 0.0)
    return evidence, draw.uniform(size=count) < 0.5


def taught(rival: Equal, nights: int, heads: int = 4) -> Equal:
    for number in range(nights):
        evidence, won = night(number, heads=heads)
        days = np.full(len(won), number)
        rival.night(number + 1, days, evidence, won, hour_block=days)
    return rival


@pytest.mark.parametrize("make", [Equal, ScaledEqual, HitRates, Hedge, MLPoly, BestHead, Logistic])
def test_a_rival_starts_at_equal_weights_and_a_night_without_outcomes_changes_nothing(make: type[Equal]) -> None:
    rival = make(4)
    rival.night(1, np.empty(0, np.int64), np.empty((0, 4)), np.empty(0, np.bool_), hour_block=np.empty(0, np.int64))

    assert rival.weights.tolist() == [0.2] * 4
    assert np.isfinite(taught(rival, 3).weights).all()


def test_head_losses_are_those_of_their_stated_probabilities() -> None:
    evidence, won = night(3)
    chance = 1 / (1 + np.exp(-evidence))

    brute = -np.log(np.where(won[:, None], chance, 1 - chance)).sum(axis=0)
    assert np.allclose(head_losses(evidence, np.where(won, 1.0, -1.0)), brute)


def test_hit_rates_are_moving_averages_of_hits_among_votes() -> None:
    rates = [0.5] * 3
    for number in range(5):
        evidence, won = night(number, heads=3)
        for head in range(3):
            voted = [(z, w) for z, w in zip(evidence[:, head], won, strict=True) if z != 0]
            rates[head] = 0.9 * rates[head] + 0.1 * sum((z > 0) == w for z, w in voted) / len(voted)

    found = taught(HitRates(3), 5, heads=3).weights
    assert np.allclose(found, 0.6 * np.array(rates) / sum(rates))


@settings(max_examples=100)
@given(seeds, st.sampled_from([2, 5, 9]), st.integers(1, 40))
def test_hedge_keeps_its_regret_bound(seed: int, heads: int, rounds: int) -> None:
    """sum <p, l> <= min_h L_h + ln H / rate + rate / 8 sum range^2 (Cesa-Bianchi & Lugosi 2006), for any loss."""
    losses = np.random.default_rng(seed).exponential(1.0, (rounds, heads)) ** 2
    hedge, paid = Hedge(heads), 0.0
    for row in losses:
        paid += float(hedge.weights @ row) / hedge.total
        hedge.charge(row)

    bound = np.log(heads) / Hedge.RATE + Hedge.RATE / 8 * ((losses.max(axis=1) - losses.min(axis=1)) ** 2).sum()
    assert paid <= losses.sum(axis=0).min() + bound + 1e-9


def test_hedge_weights_are_exponential_in_the_losses() -> None:
    hedge = taught(Hedge(4), 2)
    losses = np.add(*(head_losses(z, np.where(won, 1.0, -1.0)) for z, won in (night(0), night(1))))

    shares = np.exp(-(losses - losses.min()))
    assert np.allclose(hedge.weights, 0.8 * shares / shares.sum())


@settings(max_examples=100)
@given(seeds, st.integers(1, 60))
def test_fixed_share_never_lets_a_head_go_and_is_hedge_without_flow(seed: int, rounds: int) -> None:
    losses = np.random.default_rng(seed).exponential(5.0, (rounds, 5))
    shared, plain, shares = Hedge(5, flow=0.02), Hedge(5), np.full(5, 0.2)
    for row in losses:
        shared.charge(row)
        plain.charge(row)
        paid = shares * np.exp(-(row - row.min()))
        shares = 0.98 * paid / paid.sum() + 0.02 / 5

    assert np.allclose(shared.weights / shared.total, shares)
    assert shared.weights.min() / shared.total >= 0.02 / 5 * (1 - 1e-9)
    assert plain.weights.sum() == pytest.approx(plain.total)


@settings(max_examples=150)
@given(seeds, st.sampled_from([2, 3, 9]), st.integers(1, 80), st.floats(0.0, 1.0))
def test_ml_poly_has_no_negative_weights_and_keeps_its_regret_bound(
    seed: int, heads: int, rounds: int, tilt: float
) -> None:
    """Gaillard, Stoltz & van Erven 2014, Theorem 5, with the spread of regrets E^2 for the paper's 1:
    R_k <= sqrt(K (1 + ln(1 + T)) (E^2 + sum_t r_kt^2)). The first round here has the widest range."""
    draw = np.random.default_rng(seed)
    losses = np.clip(draw.uniform(size=(rounds, heads)) + tilt * np.linspace(-0.5, 0.5, heads), 0, 1)
    losses[0] = np.where(np.arange(heads) == seed % heads, 0.0, 1.0)
    rule, regrets, squares = MLPoly(heads), np.zeros(heads), np.zeros(heads)
    for row in losses:
        regret = float(rule.weights @ row) / rule.total - row
        regrets, squares = regrets + regret, squares + regret**2
        rule.charge(row)
        assert (rule.weights >= 0).all()
        assert rule.weights.sum() == pytest.approx(rule.total)

    bound = np.sqrt(heads * (1 + np.log(1 + rounds)) * (1.0 + squares))
    assert (regrets <= bound).all()


def test_ml_poly_charges_the_slope_of_the_pool_s_log_loss() -> None:
    evidence, won = night(5)
    truth = np.where(won, 1.0, -1.0)

    class Heard(MLPoly):
        def charge(self, losses: np.ndarray) -> None:
            self.losses = losses

    rule = Heard(4)
    rule.learn(evidence, truth)
    for head in range(4):
        step = np.zeros(4)
        step[head] = 1e-6
        up, down = (
            np.logaddexp(0, -truth * (evidence @ (rule.weights + sign * rule.total * step))).mean() for sign in (1, -1)
        )
        assert rule.losses[head] == pytest.approx((up - down) / 2e-6, abs=1e-7)


def test_the_best_head_is_the_one_with_the_least_loss() -> None:
    rule = taught(BestHead(4), 3)
    losses = sum(head_losses(z, np.where(won, 1.0, -1.0)) for z, won in map(night, range(3)))

    assert rule.weights.tolist() == [float(head == np.argmin(losses)) for head in range(4)]


def test_the_logistic_fit_is_the_minimum_and_stops_after_its_nights() -> None:
    whole, stopped = taught(Logistic(4), 3), taught(Logistic(4, nights=2), 3)

    for rule, nights in ((whole, 3), (stopped, 2)):
        rows = [night(number) for number in range(nights)]
        margins = np.concatenate([z * np.where(won, 1.0, -1.0)[:, None] for z, won in rows])
        best = minimize(lambda b, m=margins: np.logaddexp(0, -m @ b).sum() + 0.5 * (b @ b), np.zeros(4), tol=1e-12)
        assert np.allclose(rule.weights, best.x, atol=1e-4)


def test_scaled_equal_weights_are_equal_and_no_louder_than_fits() -> None:
    market = Market(World.planted("A", 1), reference=5000)
    scaled = ScaledEqual(len(HEADS))
    for today, batch in market.nights(12):
        batch.teach(scaled, today)

    yardstick = market.yardstick(0)
    found, equal = (yardstick.worth(beta, np.zeros(2)) for beta in (scaled.weights, np.full(len(HEADS), 0.2)))
    assert len(set(scaled.weights.tolist())) == 1
    assert found.win_rate == equal.win_rate
    assert found.log_loss < min(equal.log_loss, np.log(2))


def test_all_rivals_run_over_a_world_and_none_passes_the_oracle() -> None:
    market = Market(World.planted("A", 3), reference=20_000)
    learners: dict[str, Learner] = rivals(market.world, market.yardstick)

    courses = run(market, learners, 20)

    assert courses["oracle"].share == [1.0] * 20
    assert courses["equal weights"].share == [0.0] * 20
    last = {name: np.mean(course.share[10:]) for name, course in courses.items()}
    assert max(last, key=last.__getitem__) == "oracle"
    assert abs(last["naive hit rates"]) < 0.15  # it averages, it does not solve
    assert last["logistic, all nights"] > 0.8  # nothing has changed yet


def test_the_oracle_knows_when_the_world_turns() -> None:
    market = Market(World.planted("A", 3), reference=5000)
    oracle = rivals(market.world, market.yardstick)["oracle"]
    nothing = market.matured(0)

    nothing.teach(oracle, 41)
    before = oracle.weights
    nothing.teach(oracle, 42)
    assert np.array_equal(before, market.yardstick(0).oracle_weights)
    assert np.array_equal(oracle.weights, market.yardstick(1).oracle_weights)
