"""The weekly drafts: a threshold at a quantile, a calibration that must prove itself out of sample."""

import numpy as np
import pytest

from learning.calibration import calibrate
from learning.config import Config
from learning.structure import Scores, draft_calibration, draft_threshold
from signals.consensus import Calibration
from tests.learning.ledgers import number

CONFIG = Config()


def test_the_threshold_lets_one_and_a_half_per_cent_of_the_scans_pass() -> None:
    expected = np.random.default_rng(0).normal(0.0, 0.3, 5000)

    draft = draft_threshold(expected, np.full(5000, True), in_force=0.05)

    assert draft.accepted
    assert (expected >= draft.quality_r).mean() == 0.015
    assert draft.figures["accept_rate"] == 0.015
    assert draft.figures["accept_rate_before"] == pytest.approx((expected >= 0.05).mean())


def test_the_rate_counts_all_scans_and_only_those_that_other_gates_let_through() -> None:
    expected = np.random.default_rng(1).normal(0.2, 0.3, 4000)
    expected[::4] = np.nan
    passed = np.arange(4000) % 4 != 1

    draft = draft_threshold(expected, passed, in_force=0.05)

    assert (passed & (expected >= draft.quality_r)).sum() == 60


def test_nothing_below_zero_expected_r_is_ever_accepted() -> None:
    draft = draft_threshold(np.full(2000, -0.2), np.full(2000, True), in_force=0.05)

    assert draft.accepted
    assert draft.quality_r == 0.0
    assert draft.figures["accept_rate"] == 0.0
    assert "nothing below zero" in draft.reason


def test_a_week_with_few_scans_changes_nothing() -> None:
    draft = draft_threshold(np.ones(999), np.full(999, True), in_force=0.07)

    assert not draft.accepted
    assert draft.quality_r == 0.07
    assert "1000 needed" in draft.reason


def scores(slope: float, days: int = 60, per_day: int = 200, seed: int = 0) -> Scores:
    draw = np.random.default_rng(seed)
    count = days * per_day
    margin = draw.normal(-0.5, 1.0, count)
    won = draw.uniform(size=count) < 1 / (1 + np.exp(-slope * margin))
    return Scores(margin, won, np.ones(count), np.repeat(np.arange(days), per_day))


def test_an_overconfident_pool_is_calibrated_once_proven_out_of_sample() -> None:
    draft = draft_calibration(scores(0.4), limit_days=1.0, config=CONFIG)

    assert draft.accepted
    assert draft.slope == pytest.approx(0.4, abs=0.05)
    assert number(draft.figures["e_value"]) >= 20
    assert number(draft.figures["mean_gain"]) > 0


def test_a_pool_that_is_right_already_is_left_alone() -> None:
    draft = draft_calibration(scores(1.0), limit_days=1.0, config=CONFIG)

    assert not draft.accepted
    assert draft.slope == pytest.approx(1.0, abs=0.06)


def test_too_few_effective_events_give_no_calibration() -> None:
    few = scores(0.4, days=4)
    draft = draft_calibration(few, limit_days=1.0, config=CONFIG)

    assert not draft.accepted
    assert (draft.slope, draft.intercept) == (1.0, 0.0)
    assert "1000 needed" in draft.reason


def test_the_one_in_force_stays_where_another_is_not_shown_to_be_better() -> None:
    given, proven = scores(0.4), Calibration(0.4, 0.0)

    draft = draft_calibration(given, limit_days=1.0, config=CONFIG, in_force=proven, since_day=0)

    assert draft.status == "challenger"
    assert number(draft.figures["e_value"]) < 20
    assert draft.slope == pytest.approx(0.4, abs=0.05)
    assert draft_calibration(given, limit_days=1.0, config=CONFIG, in_force=Calibration(3.0, 1.0)).accepted


def test_a_calibration_is_asked_about_the_days_it_has_been_in_force_only() -> None:
    given = scores(0.4, days=60)

    found = [
        draft_calibration(given, limit_days=1.0, config=CONFIG, since_day=since).figures["days"]
        for since in (50, 45, 0)
    ]

    assert found == [10, 15, 60 - 7]
    assert not draft_calibration(given, limit_days=1.0, config=CONFIG, since_day=50).accepted
    assert not draft_calibration(given, limit_days=1.0, config=CONFIG, since_day=70).accepted


def test_each_days_gain_is_that_over_the_calibration_in_force() -> None:
    """The last day's, against the same fit made here from what had ended a day before it."""
    given, bold = scores(0.4, days=20), Calibration(1.5, 0.2)
    known, last = given.decided_day + 3 <= 19, given.decided_day == 19
    fit = calibrate(given.margin[known], given.won[known], given.weight[known])
    assert fit is not None
    stated, won = given.margin[last], given.won[last]
    sign = np.where(won, -1, 1)
    by_hand = np.logaddexp(0, sign * (0.2 + 1.5 * stated)) - np.logaddexp(0, sign * fit.applied(stated))

    draft = draft_calibration(given, limit_days=1.0, config=CONFIG, in_force=bold, since_day=19)

    assert draft.figures["days"] == 1
    assert draft.figures["mean_gain"] == pytest.approx(by_hand.mean(), rel=1e-9)


def test_a_pool_that_is_wrong_throughout_is_not_turned_around() -> None:
    draft = draft_calibration(scores(-0.4), limit_days=1.0, config=CONFIG, in_force=Calibration(0.9, 0.1))

    assert (draft.status, draft.slope, draft.intercept) == ("rejected", 0.9, 0.1)
    assert "turn the pool around" in draft.reason
    assert number(draft.figures["slope"]) == pytest.approx(-0.4, abs=0.05)


@pytest.mark.parametrize("limit_days", [1.0, 3.0])
def test_a_test_day_is_judged_by_decisions_whose_brackets_ended_a_day_before_it(limit_days) -> None:
    plain, reach = scores(0.4, days=20), int(limit_days) + 1
    known_to_last = plain.decided_day + reach + 1 <= 19
    lied = Scores(plain.margin, np.where(known_to_last, plain.won, ~plain.won), plain.weight, plain.decided_day)
    last = plain.decided_day == 19

    before, after = (draft_calibration(each, limit_days=limit_days, config=CONFIG).figures for each in (plain, lied))

    # 1,000 effective events are there after five days; the bracket, its own day and one of embargo come on top.
    assert before["days"] == 20 - (5 + reach)
    assert after["days"] == before["days"]
    fit = calibrate(plain.margin[known_to_last], plain.won[known_to_last], plain.weight[known_to_last])
    assert fit is not None
    assert last_gain(lied, last, reach) == pytest.approx(gain_of(fit.applied(lied.margin[last]), lied, last))


def gain_of(calibrated: np.ndarray, given: Scores, rows: np.ndarray) -> float:
    """Mean log-loss saved on these rows by the calibrated log-odds."""
    won = given.won[rows]
    return float(
        np.mean(
            np.logaddexp(0, np.where(won, -1, 1) * given.margin[rows])
            - np.logaddexp(0, np.where(won, -1, 1) * calibrated)
        )
    )


def last_gain(given: Scores, last: np.ndarray, reach: int) -> float:
    """What the last day adds to the sum of daily gains."""
    rest = Scores(given.margin[~last], given.won[~last], given.weight[~last], given.decided_day[~last])
    whole, short = (draft_calibration(each, limit_days=reach - 1.0, config=CONFIG).figures for each in (given, rest))
    total, before = (number(each["mean_gain"]) * number(each["days"]) for each in (whole, short))
    return total - before
