"""Scores and intervals against scipy and against what is known by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from learning.evaluation import (
    Estimate,
    base_rate_losses,
    best_head,
    brier,
    calibration,
    deflated_sharpe,
    gate_value_r,
    head_losses,
    log_loss,
    mean_by_day,
    mean_interval,
    rate_interval,
    regret,
    regrets,
    wilson,
)
from tests.learning.ledgers import number

WON = np.array([True, False, True, True])


def test_proper_scores_are_the_textbook_sums() -> None:
    stated = np.array([0.9, 0.2, 0.5, 0.7])

    assert log_loss(stated, WON) == pytest.approx(-np.log([0.9, 0.8, 0.5, 0.7]).mean())
    assert brier(stated, WON) == pytest.approx(np.mean([0.01, 0.04, 0.25, 0.09]))
    assert log_loss(stated, WON, np.array([1.0, 0, 0, 0])) == pytest.approx(-np.log(0.9))


def test_without_rows_there_is_no_figure() -> None:
    empty, none = np.empty(0), np.empty(0, np.bool_)

    assert log_loss(empty, none) is None
    assert brier(empty, none) is None
    assert wilson(0, 0) == Estimate(None, 0)
    assert mean_by_day(empty, np.empty(0, np.int64)) == Estimate(None, 0)
    assert mean_interval([]) == {"value": None, "n": 0, "ci_low": None, "ci_high": None}
    assert gate_value_r(empty, none, np.empty(0, np.int64)) == Estimate(None, 0)
    assert calibration(empty, none).slope == Estimate(None, 0)
    assert calibration(empty, none).bins == ()
    assert best_head(np.empty((3, 0)), ("a", "b", "c")) is None


def test_certainty_that_was_wrong_costs_much_but_not_infinitely() -> None:
    assert log_loss(np.array([0.0, 1.0]), np.array([True, False])) == pytest.approx(-np.log(1e-6))


@pytest.mark.parametrize("broken", [np.nan, -0.1, 1.1])
def test_what_is_no_probability_is_refused(broken) -> None:
    with pytest.raises(ValueError, match="must lie in"):
        log_loss(np.array([broken]), np.array([True]))


@settings(max_examples=200, deadline=None)
@given(n=st.integers(1, 3000), rate=st.floats(0, 1))
def test_the_interval_of_a_rate_is_scipys_wilson(n, rate) -> None:
    wins = round(rate * n)
    theirs = binomtest(wins, n).proportion_ci(0.95, method="wilson")

    ours = wilson(wins, n)

    assert number(ours.ci_low) == pytest.approx(theirs.low, abs=1e-9)
    assert number(ours.ci_high) == pytest.approx(theirs.high, abs=1e-9)


def test_a_week_of_28_trades_is_known_to_sixteen_points() -> None:
    week = rate_interval(21, 28)

    assert (number(week["ci_high"]) - number(week["ci_low"])) / 2 == pytest.approx(0.16, abs=0.01)


def test_calibration_finds_the_slope_that_was_planted() -> None:
    draw = np.random.default_rng(0)
    stated = draw.normal(size=40_000)
    won = draw.uniform(size=40_000) < 1 / (1 + np.exp(-(0.3 + 0.5 * stated)))

    found = calibration(1 / (1 + np.exp(-stated)), won)

    assert number(found.slope.ci_low) < 0.5 < number(found.slope.ci_high)
    assert number(found.slope.ci_high) - number(found.slope.ci_low) < 0.1
    assert found.intercept == pytest.approx(0.3, abs=0.05)
    assert sum(each.happened.n for each in found.bins) == 40_000


def test_a_constant_probability_has_no_slope() -> None:
    assert calibration(np.full(50, 0.4), np.arange(50) < 20).slope == Estimate(None, 50)


def test_intervals_drawn_by_days_are_wider_where_days_agree() -> None:
    draw = np.random.default_rng(1)
    day = np.repeat(np.arange(40), 50)
    values = draw.normal(size=40)[day] + draw.normal(size=2000)

    blocks, rows = mean_by_day(values, day), mean_interval(values.tolist())

    assert blocks.value == pytest.approx(values.mean())
    assert number(blocks.ci_high) - number(blocks.ci_low) > 3 * (number(rows["ci_high"]) - number(rows["ci_low"]))
    expected = np.sqrt((1 + 1 / 50) / 40)
    assert (number(blocks.ci_high) - number(blocks.ci_low)) / (2 * 1.96) == pytest.approx(expected, rel=0.3)


def test_the_same_rows_always_give_the_same_interval() -> None:
    draw = np.random.default_rng(2)
    values, day = draw.normal(size=300), np.repeat(np.arange(30), 10)

    assert mean_by_day(values, day) == mean_by_day(values.copy(), day.copy())


def test_one_day_gives_a_mean_and_no_interval() -> None:
    assert mean_by_day(np.array([1.0, 3.0]), np.array([5, 5])) == Estimate(2.0, 2)
    assert mean_interval([2.5]) == {"value": 2.5, "n": 1, "ci_low": None, "ci_high": None}


def test_the_interval_covers_the_truth_about_as_often_as_it_says() -> None:
    draw, covered = np.random.default_rng(3), 0
    for _ in range(60):
        day = np.repeat(np.arange(30), 5)
        found = mean_by_day(draw.normal(size=30)[day] + draw.normal(size=150), day)
        covered += number(found.ci_low) < 0 < number(found.ci_high)

    assert covered >= 50


def test_regret_is_below_zero_where_ours_was_better() -> None:
    draw, day = np.random.default_rng(4), np.repeat(np.arange(20), 20)
    ours = draw.uniform(0.4, 0.6, 400)

    found = regrets(ours, {"worse": ours + 0.1, "equal": ours}, day)

    assert found["worse"].value == pytest.approx(-0.1)
    assert number(found["worse"].ci_high) < 0
    assert regret(ours, ours, day).value == 0


def test_each_head_alone_is_scored_at_its_word_and_silence_is_the_base_rate() -> None:
    evidence = np.array([[1.0, 0.0], [-2.0, 0.0], [1.0, 0.0], [0.5, 0.0]])
    side, bias = np.array([1, -1, 1, -1]), np.array([-0.5, 0.25])

    losses = head_losses(evidence, bias, side, WON)

    margins = np.array([0.5, 2.25, 0.5, -0.25])
    assert losses[0] == pytest.approx(
        -np.log(np.where(WON, 1, 0) / (1 + np.exp(-margins)) + ~WON / (1 + np.exp(margins)))
    )
    assert losses[1, 0] == pytest.approx(np.log1p(np.exp(0.5)))
    assert best_head(losses, ("talker", "silent")) in ("talker", "silent")


def test_the_base_rate_knows_only_earlier_days() -> None:
    day = np.array([0, 0, 1, 1])

    losses = base_rate_losses(np.array([True, True, True, False]), day)

    assert losses == pytest.approx(-np.log([0.5, 0.5, 2.5 / 3, 0.5 / 3]))


def test_a_gate_is_worth_the_difference_of_what_it_took_and_what_it_refused() -> None:
    draw = np.random.default_rng(5)
    accepted, day = np.arange(1000) % 10 == 0, np.arange(1000) // 50
    net_r = np.where(accepted, 0.5, -0.1) + draw.normal(0, 0.3, 1000)

    found = gate_value_r(net_r, accepted, day)

    assert found.value == pytest.approx(net_r[accepted].mean() - net_r[~accepted].mean())
    assert number(found.ci_low) < 0.6 < number(found.ci_high)
    assert gate_value_r(net_r, np.full(1000, False), day) == Estimate(None, 1000)


def test_a_sharpe_ratio_found_once_is_the_probabilistic_one_and_many_trials_deflate_it() -> None:
    returns = np.random.default_rng(6).normal(0.15, 1.0, 250)
    sharpe = returns.mean() / returns.std(ddof=1)

    once, often = deflated_sharpe(returns, 1, 0.01), deflated_sharpe(returns, 100, 0.01)

    centred = returns - returns.mean()
    skew, kurtosis = (centred**3).mean() / centred.std() ** 3, (centred**4).mean() / centred.std() ** 4
    by_hand = norm.cdf(sharpe * np.sqrt(249) / np.sqrt(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2))
    assert once == pytest.approx(by_hand)
    assert number(often) < number(once)
    assert deflated_sharpe(np.ones(9), 1, 0.01) is None
