"""The guards: each refuses what it should, with figures and a reason, and does not cry wolf."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import t as student

from learning.betting import STAKES, Bets
from learning.config import Config
from learning.events import Events
from learning.promotion import (
    T_995,
    Twins,
    accept_rate,
    calibration_of,
    compare_twins,
    expected_r,
    judge_accept_rate,
    judge_calibration,
    judge_evidence,
    judge_guard,
    judge_night,
    judge_opening,
    judge_replay,
    judge_twins,
    labelled_days,
)
from signals.consensus import Weights
from tests.learning.ledgers import HEADS, changed, ledger, number

CONFIG = Config()
SURE = Bets((9.0,) * len(STAKES), days=9)


def weights(*beta: float, bias: float = 0.0) -> Weights:
    return Weights(HEADS, np.array(beta), np.full(2, bias))


def strong(count: int = 6000, days: int = 14) -> Events:
    return ledger(count, days=days, skill=0.5, asleep=0.0)


GOOD = weights(1.0, 0.0, -1.0)  # the truth of `strong`: twice the skill over a variance of one


@settings(max_examples=200, deadline=None)
@given(differences=st.lists(st.floats(-0.2, 0.2), max_size=30))
def test_the_e_value_is_the_mean_capital_of_the_seven_gamblers(differences) -> None:
    bets = Bets()
    for difference in differences:
        bets = bets.after(difference, CONFIG)

    clipped = np.clip(differences, -0.03, 0.03) / 0.03
    by_hand = np.mean([np.prod(1 + stake * clipped) for stake in STAKES])
    assert bets.value == pytest.approx(by_hand, rel=1e-9, abs=1e-12)
    assert bets.days == len(differences)


def test_betting_on_nothing_rarely_wins_twenty_fold_however_often_one_looks() -> None:
    draw, crossed = np.random.default_rng(0), 0
    for _ in range(400):
        capital = np.zeros(len(STAKES))
        for won in np.clip(draw.normal(0, 0.02, 60), -0.03, 0.03) / 0.03:
            capital += np.log1p(np.array(STAKES) * won)
            if np.exp(capital).mean() >= 20:
                crossed += 1
                break

    # Ville's bound is 5 %; 400 runs of a 5 % event stay below 35 with a chance of 99.9 %.
    assert crossed <= 35


def test_a_difference_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="must be finite"):
        Bets().after(float("nan"), CONFIG)


def test_the_gate_opens_only_after_five_days_and_enough_evidence() -> None:
    bets = Bets()
    opened = []
    for _ in range(8):
        bets = bets.after(0.03, CONFIG)
        opened.append(judge_opening(bets, SURE, CONFIG).passed)

    assert opened == [False] * 6 + [True, True]  # 1.9 ** 7 and company: seven perfect days are worth twenty
    rich_too_early = Bets((9.0,) * len(STAKES), days=4)
    assert not judge_opening(rich_too_early, SURE, CONFIG).passed
    assert "4 of at least 5 days" in judge_opening(rich_too_early, SURE, CONFIG).reason
    assert not judge_opening(Bets(days=60), SURE, CONFIG).passed


def test_the_live_guard_falls_when_the_live_path_keeps_losing() -> None:
    bets = Bets()
    for _ in range(7):
        bets = bets.after(0.03, CONFIG)

    assert judge_guard(Bets(days=50), CONFIG).passed
    assert not judge_guard(bets, CONFIG).passed
    assert "worse than equal weights" in judge_guard(bets, CONFIG).reason


def test_the_table_of_student_is_scipys() -> None:
    assert pytest.approx(student.ppf(0.995, np.arange(1, len(T_995) + 1)), abs=6e-4) == list(T_995)


def test_a_version_with_its_strongest_head_inverted_is_vetoed_by_the_replay() -> None:
    verdict = judge_replay(weights(-1.0, 0.0, -1.0), GOOD, strong(), CONFIG)

    assert not verdict.passed
    assert number(verdict.figures["t"]) > number(verdict.figures["t_limit"])
    assert "14 days" in verdict.reason


def test_a_small_improvement_and_an_equal_version_pass_the_replay() -> None:
    assert judge_replay(GOOD, weights(0.9, 0.1, -0.9), strong(), CONFIG).passed
    assert judge_replay(GOOD, GOOD, strong(), CONFIG).passed


def test_fewer_than_seven_labelled_days_are_not_judged_and_it_says_so() -> None:
    verdict = judge_replay(weights(-1.0, 0.0, -1.0), GOOD, strong(600, days=6), CONFIG)

    assert verdict.passed
    assert verdict.reason == "not judged: 6 of 7 labelled days"
    assert verdict.figures["mean_difference"] is None


def test_the_replay_looks_at_the_last_fourteen_days_that_have_outcomes() -> None:
    events = ledger(4000, days=30)

    recent = labelled_days(events.rows(np.argsort(events.decided_day)), CONFIG)

    assert sorted(set(recent.decided_day.tolist())) == list(range(16, 30))


def test_too_little_evidence_is_refused() -> None:
    assert not judge_evidence(149.9, CONFIG).passed
    assert judge_evidence(150.0, CONFIG).passed


def test_a_wildly_overconfident_version_is_vetoed_for_its_calibration() -> None:
    bold = weights(3.0, 0.0, -3.0)

    verdict = judge_calibration(bold, GOOD, strong(), CONFIG)

    assert not verdict.passed
    assert verdict.figures["slope"] == pytest.approx(1 / 3, abs=0.1)
    assert judge_calibration(GOOD, bold, strong(), CONFIG).passed


def test_an_overconfident_version_may_replace_one_that_is_further_off() -> None:
    verdict = judge_calibration(weights(2.0, 0.0, -2.0), weights(3.0, 0.0, -3.0), strong(), CONFIG)

    assert verdict.passed
    assert "no further off than the version in force" in verdict.reason


def test_a_sharper_version_that_is_still_too_timid_may_replace_one_that_knows_less() -> None:
    verdict = judge_calibration(weights(0.3, 0.0, -0.3), weights(0.3, 0.3, 0.0), strong(), CONFIG)

    assert verdict.passed
    assert "log-loss is below" in verdict.reason


def test_a_pool_that_knows_next_to_nothing_is_not_vetoed_for_a_slope_that_is_noise() -> None:
    nothing = ledger(800, days=14, skill=0.0)

    verdict = judge_calibration(weights(0.01, -0.01, 0.01), weights(0.02, 0.0, 0.0), nothing, CONFIG)

    assert verdict.passed


def test_the_calibration_of_the_truth_is_one() -> None:
    found = calibration_of(GOOD, strong(20_000))

    assert found is not None
    assert found.slope == pytest.approx(1.0, abs=3 * found.slope_error)
    assert found.slope_error < 0.1


def test_a_version_without_any_lean_has_no_calibration() -> None:
    assert calibration_of(weights(0.0, 0.0, 0.0), strong(200)) is None


def test_expected_r_is_what_the_bracket_pays() -> None:
    events = changed(strong(3), cost_r=[0.1, 0.0, 0.2], evidence=[[1.0, 0, 0], [-2.0, 0, 0], [0.0, 0, 0]])

    found = expected_r(weights(1.0, 0.0, 0.0, bias=-0.5), events)

    chance = 1 / (1 + np.exp(-np.array([0.5, 1.5])))
    assert found[:2] == pytest.approx(2 * chance - (1 - chance) - [0.1, 0.0])
    assert np.isnan(found[2])


def test_an_accept_rate_outside_the_band_is_vetoed_unless_it_comes_nearer() -> None:
    events, bold, bolder = strong(), weights(1.0, 0.0, -1.0), weights(2.0, 0.0, -2.0)
    threshold = float(np.quantile(expected_r(bold, events), 0.985))

    assert judge_accept_rate(bold, bolder, events, threshold, CONFIG).passed
    assert not judge_accept_rate(bolder, bold, events, threshold, CONFIG).passed
    assert not judge_accept_rate(weights(0.1, 0.0, 0.0), bold, events, threshold, CONFIG).passed
    nearer = judge_accept_rate(bolder, weights(3.0, 0.0, -3.0), events, threshold, CONFIG)
    assert nearer.passed
    assert "no further off" in nearer.reason


def test_scans_that_other_gates_refused_do_not_count_as_accepted() -> None:
    events = strong(1000)
    half = changed(events, eligible=np.arange(1000) % 2 == 0)

    assert accept_rate(GOOD, events, 0.0) == pytest.approx(2 * accept_rate(GOOD, half, 0.0), rel=0.1)
    assert accept_rate(GOOD, events.rows(slice(0, 0)), 0.0) == 0.0


def test_twins_that_disagree_stop_the_learning() -> None:
    signal, shadow = np.array([2.0, -1.0, 2.0]), np.array([2.0, -1.0, -1.0])

    assert judge_twins(compare_twins(signal, signal), CONFIG).passed
    assert not judge_twins(compare_twins(signal, shadow), CONFIG).passed
    assert not judge_twins(Twins(100, 0.051, 1.0), CONFIG).passed
    assert not judge_twins(Twins(100, 0.0, 0.94), CONFIG).passed
    assert compare_twins(signal[:0], shadow[:0]) is None
    with pytest.raises(ValueError, match="needs its twin"):
        compare_twins(signal, shadow[:2])


def test_every_guard_is_asked_also_after_the_first_refusal() -> None:
    verdicts = judge_night(
        GOOD, GOOD, strong(), effective_events=1.0, threshold_r=None, twins=Twins(9, 1.0, 0.0), config=CONFIG
    )

    assert [verdict.name for verdict in verdicts] == ["evidence", "replay", "calibration", "accept_rate", "twins"]
    assert [verdict.passed for verdict in verdicts] == [False, True, True, True, False]
    assert all(verdict.reason for verdict in verdicts)
