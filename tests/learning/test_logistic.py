"""The penalised fit against scipy, which nobody here wrote."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from learning.logistic import INTERCEPT_LIMIT, Problem, Sample, cholesky, fit, moments, solve, standard_errors

FREE = INTERCEPT_LIMIT


def problem(seed: int, count: int, heads: int = 4, ridge: float = 11.0, bounded: bool = False) -> Problem:
    draw = np.random.default_rng(seed)
    votes = draw.normal(size=(heads, count))
    chance = 1 / (1 + np.exp(-votes.T @ draw.normal(0, 0.7, heads)))
    won_long = (draw.uniform(size=count) < chance).astype(np.float64)
    won_short = (draw.uniform(size=count) < 0.7 * (1 - chance)).astype(np.float64)
    sample = Sample(votes, won_long, won_short, draw.uniform(0.1, 1.0, count))
    lower = np.concatenate([[-FREE, -FREE], np.full(heads, 0.0 if bounded else -np.inf)])
    upper = np.concatenate([[FREE, FREE], np.full(heads, np.inf)])
    return Problem(sample, ridge, 0.2, lower, upper)


def objective(theta: np.ndarray, given_problem: Problem) -> float:
    """Written from learning.md's formula, not from the code."""
    sample, beta = given_problem.sample, theta[2:]
    pooled = sample.votes.T @ beta
    sign_long, sign_short = 2 * sample.won_long - 1, 2 * sample.won_short - 1
    loss = np.logaddexp(0, -sign_long * (theta[0] + pooled)) + np.logaddexp(0, -sign_short * (theta[1] - pooled))
    return float((sample.weight / 2 * loss).sum() + given_problem.ridge / 2 * ((beta - 0.2) ** 2).sum())


def start(heads: int) -> np.ndarray:
    return np.concatenate([[-0.7, -0.7], np.full(heads, 0.2)])


@pytest.mark.parametrize("bounded", [False, True])
@pytest.mark.parametrize(("seed", "count"), [(0, 30), (1, 400), (2, 9000), (3, 20_000)])
def test_the_fit_is_the_minimum_that_scipy_finds(seed, count, bounded) -> None:
    given_problem = problem(seed, count, bounded=bounded)

    ours = fit(given_problem, start(4)).theta
    theirs = minimize(
        objective,
        start(4),
        args=(given_problem,),
        method="L-BFGS-B",
        bounds=list(zip(given_problem.lower, given_problem.upper, strict=True)),
        options={"maxiter": 5000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-10},
    )

    assert ours == pytest.approx(theirs.x, abs=2e-5)
    assert objective(ours, given_problem) <= theirs.fun + 1e-9


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 9999), count=st.integers(0, 80), bounded=st.booleans())
def test_no_direction_leads_down_from_the_fit(seed, count, bounded) -> None:
    given_problem = problem(seed, count, bounded=bounded)

    theta = fit(given_problem, start(4)).theta

    slope = moments(given_problem, theta).gradient
    low, high = theta <= given_problem.lower, theta >= given_problem.upper
    assert np.abs(slope[~low & ~high]).max(initial=0.0) < 1e-6
    assert (slope[low] > -1e-6).all()
    assert (slope[high] < 1e-6).all()


def test_gradient_and_hessian_are_the_derivatives_of_the_value() -> None:
    given_problem, theta, width = problem(5, 300), np.array([-0.4, 0.1, 0.3, -0.2, 0.5, 0.0]), 1e-5
    here = moments(given_problem, theta)

    for place, unit in enumerate(np.eye(6)):
        up, down = moments(given_problem, theta + width * unit), moments(given_problem, theta - width * unit)
        assert here.gradient[place] == pytest.approx((up.value - down.value) / (2 * width), abs=1e-4)
        assert here.hessian[place] == pytest.approx((up.gradient - down.gradient) / (2 * width), abs=1e-4)


def test_separable_data_give_finite_coefficients() -> None:
    votes = np.array([[1.0, 2.0, -1.0, -2.0]])
    won = np.array([1.0, 1.0, 0.0, 0.0])
    sample = Sample(votes, won, 1 - won, np.full(4, 1000.0))
    bounds = np.array([FREE, FREE, np.inf])

    theta = fit(Problem(sample, 11.0, 0.2, -bounds, bounds), np.array([0.0, 0.0, 0.2])).theta

    assert np.isfinite(theta).all()
    assert theta[2] > 1


@pytest.mark.parametrize("won", [0.0, 1.0])
def test_a_single_class_stops_at_the_limit_of_the_intercept(won) -> None:
    sample = Sample(np.zeros((2, 50)), np.full(50, won), np.full(50, won), np.ones(50))
    bounds = np.array([FREE, FREE, np.inf, np.inf])

    theta = fit(Problem(sample, 11.0, 0.2, -bounds, bounds), np.array([-0.7, -0.7, 0.2, 0.2])).theta

    assert theta.tolist() == [(2 * won - 1) * FREE] * 2 + [0.2, 0.2]


def test_an_empty_sample_leaves_everything_where_it_was() -> None:
    empty = Sample(np.empty((2, 0)), np.empty(0), np.empty(0), np.empty(0))
    bounds = np.array([FREE, FREE, np.inf, np.inf])
    born = np.array([-0.7, -0.7, 0.2, 0.2])

    assert fit(Problem(empty, 11.0, 0.2, -bounds, bounds), born).theta.tolist() == born.tolist()


def test_a_held_coordinate_does_not_move_by_a_bit() -> None:
    free = problem(4, 200)
    held = 0.1 + 0.2
    lower, upper = free.lower.copy(), free.upper.copy()
    lower[3] = upper[3] = held

    theta = fit(Problem(free.sample, 11.0, 0.2, lower, upper), start(4)).theta

    assert theta[3] == held


def test_small_systems_and_standard_errors_agree_with_numpy() -> None:
    draw = np.random.default_rng(0)
    root = draw.normal(size=(9, 9))
    matrix, right = root @ root.T + np.eye(9), draw.normal(size=9)

    assert solve(cholesky(matrix), right) == pytest.approx(np.linalg.solve(matrix, right), rel=1e-9)
    errors = standard_errors(matrix, np.full(9, True))
    assert errors == pytest.approx(np.sqrt(np.diag(np.linalg.inv(matrix))), rel=1e-9)
