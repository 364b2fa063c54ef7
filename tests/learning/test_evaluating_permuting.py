"""The permutation test: shuffles show nothing, skill is more than they teach, outcomes known too early are caught."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings

from learning.evaluating.course import Course
from learning.evaluating.permuting import losses, nights_of, permuted, rerun, shuffled
from learning.events import Events, collect
from tests.learning.ledgers import SMALL, ledger, ledgers, number

NAMES = tuple(f"head {place}" for place in range(9))


def made(skill: float, *, known_after: int = 1, seed: int = 0) -> Events:
    """200 decisions over 8 days; each is known `known_after` midnights after its day began, 0 being too early."""
    events = ledger(200, seed=seed, days=8, heads=9, skill=skill)
    return collect(replace(events, matured_day=events.decided_day + known_after)).events


def tried(*ledgers_: Events, shuffles: int = 12):
    return permuted([(each, np.full(len(each), True)) for each in ledgers_], NAMES, shuffles=shuffles, config=SMALL)


@settings(max_examples=50)
@given(events=ledgers)
def test_a_shuffle_exchanges_sides_of_whole_days_and_nothing_else(events) -> None:
    found = shuffled(events, (1, 2))

    same = (found.won_long == events.won_long) & (found.won_short == events.won_short)
    swapped = (found.won_long == events.won_short) & (found.won_short == events.won_long)
    for day in np.unique(events.decided_day):
        rows = events.decided_day == day
        assert same[rows].all() or swapped[rows].all()
    assert (found.won_long.astype(int) + found.won_short == events.won_long.astype(int) + events.won_short).all()
    assert found.evidence is events.evidence
    assert found.matured_day is events.matured_day
    assert (shuffled(events, (1, 2)).won_long == found.won_long).all()


def test_about_half_of_the_days_change_and_not_always_the_same() -> None:
    events = made(0.5)

    turns = [(shuffled(events, (1, run)).won_long != events.won_long).mean() for run in range(40)]

    assert len(set(turns)) > 10
    assert np.mean([(shuffled(events, (1, run)).won_long == events.won_long).mean() for run in range(200)]) > 0.4


def test_gain_and_fit_are_the_plain_sums_over_the_counted_events_by_what_was_in_force() -> None:
    events = made(0.5)
    counted = np.arange(len(events)) % 3 > 0
    own, base = nights_of(events, NAMES, SMALL)

    def loss(course: Course, row: int, long_won: bool, short_won: bool) -> float:
        night = max(place for place, day in enumerate(course.day) if day <= events.decided_day[row])
        theta = course.theta[night]
        pooled = float(theta[2:] @ events.evidence[row])
        chances = 1 / (1 + np.exp(-np.array([theta[0] + pooled, theta[1] - pooled])))
        return float(-0.5 * np.log(np.where([long_won, short_won], chances, 1 - chances)).sum())

    gain = fit = 0.0
    for row in np.flatnonzero(counted).tolist():
        met = bool(events.won_long[row]), bool(events.won_short[row])
        gain += loss(base, row, *met) - loss(own, row, *met)
        fit += loss(own, row, met[1], met[0]) - loss(own, row, *met)

    found = rerun(events, counted, NAMES, SMALL)

    assert found.gain == pytest.approx(gain)
    assert found.fit == pytest.approx(fit)
    assert found.events == counted.sum()
    assert losses(own, events)[5] == pytest.approx(loss(own, 5, bool(events.won_long[5]), bool(events.won_short[5])))


def test_where_heads_know_something_the_learner_gains_more_than_from_any_shuffle() -> None:
    found = tried(made(0.5))

    assert found.p_value == 1 / 13
    assert number(found.gain) > 0.05 > 0 > number(found.mean_shuffled)
    assert found.leaks is False


def test_where_nobody_knows_anything_shuffles_are_as_good_and_nothing_leaks() -> None:
    found = tried(made(0.0, seed=2))

    assert number(found.p_value) > 0.2
    assert number(found.mean_shuffled) < 0.0
    assert found.leaks is False


def test_outcomes_leaked_one_night_early_are_caught() -> None:
    """The test is alive: the honest ledger passes, and the same ledger known a night too early does not."""
    honest, leaked = tried(made(0.0, seed=1)), tried(made(0.0, seed=1, known_after=0))

    assert honest.leaks is False
    assert leaked.leaks is True
    assert number(leaked.fit) > 0.03 > abs(number(honest.fit))


def test_several_ledgers_have_a_learner_each_and_what_is_not_counted_is_only_learned_from() -> None:
    one, two = made(0.5), made(0.5, seed=1)
    runs = [rerun(each, np.full(len(each), True), NAMES, SMALL) for each in (one, two)]

    found = tried(one, two, shuffles=0)

    assert found.gain == pytest.approx(sum(run.gain for run in runs) / sum(run.events for run in runs))
    assert (found.p_value, found.leaks, found.events) == (None, None, 400)
    assert tried(one, shuffles=2).leaks is None
    nobody = permuted([(one, np.full(len(one), False))], NAMES, shuffles=2, config=SMALL)
    assert (nobody.gain, nobody.p_value, nobody.events) == (None, None, 0)
