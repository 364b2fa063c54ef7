"""The figures over seeds, and what a line of the specification makes of them."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from learning.planted.acceptance import Line, lines
from learning.planted.course import Course
from learning.planted.figures import Figure, Results, days_to, in_week, mean, median, over_days, won
from learning.planted.summary import precision, written
from learning.planted.trials import Found, Job
from learning.planted.watched import Watch


@given(st.lists(st.floats(-5, 5), min_size=2, max_size=30))
def test_a_mean_has_student_s_interval(values: list[float]) -> None:
    found = mean(values)

    error = np.std(values, ddof=1) / math.sqrt(len(values))
    reach = stats.t.ppf(0.975, len(values) - 1) * error
    assert found.value == pytest.approx(np.mean(values), abs=1e-9)
    assert (found.ci_low, found.ci_high) == pytest.approx((np.mean(values) - reach, np.mean(values) + reach), abs=1e-6)


def test_the_interval_of_a_median_are_order_statistics() -> None:
    found = median([float(number) for number in range(1, 25)])  # 24 seeds: the 7th from both ends, 97.7 %

    assert (found.value, found.ci_low, found.ci_high, found.never) == (12.5, 7.0, 18.0, 0)
    assert stats.binom.cdf(6, 24, 0.5) * 2 <= 0.05 < stats.binom.cdf(7, 24, 0.5) * 2
    assert median([1.0, 2.0, 3.0]).ci_low is None


def test_what_never_happened_counts_as_later_than_everything() -> None:
    some, most = median([3.0, 5.0, math.inf]), median([3.0, math.inf, math.inf])

    assert (some.value, some.never, written(some)) == (5.0, 1, "5.000")
    assert (most.value, most.never, written(most)) == (None, 2, "never")
    assert median([math.nan]) == mean([math.nan]) == Figure(None, 0)
    assert written(Figure(None, 0)) == "-"


def test_days_are_counted_from_the_first_until_the_share_is_there() -> None:
    course = Course(share=[0.0, 0.5, 0.81, 0.7, 0.95])

    assert (days_to(course, 0.80), days_to(course, 0.90), days_to(course, 0.99)) == (2.0, 4.0, math.inf)
    assert days_to(course, 0.80, start=3) == 1.0
    assert math.isnan(days_to(course, 0.80, start=5))
    assert math.isnan(days_to(Course(share=[math.nan, math.nan]), 0.8))


def test_a_week_that_is_not_whole_is_not_measured() -> None:
    values = [float(day) for day in range(10)]

    assert in_week(values, 1) == 3.0
    assert math.isnan(in_week(values, 2))
    assert over_days(values, 8) == 8.5
    assert math.isnan(over_days(values, 10))
    assert won(Course(accepted=[3, 1], wins=[1, 1])) == 0.5
    assert math.isnan(won(Course(accepted=[0], wins=[0])))


@pytest.mark.parametrize(
    ("relation", "bound", "figure", "met"),
    [
        ("<=", 7.0, Figure(7.0, 3), True),
        ("<=", 7.0, Figure(7.5, 3), False),
        ("<=", 7.0, Figure(None, 3, never=3), False),
        (">=", 0.9, Figure(0.89, 3), False),
        ("interval holds", 0.5, Figure(0.6, 3, 0.49, 0.7), True),
        ("interval holds", 0.5, Figure(0.6, 3, 0.51, 0.7), False),
        ("interval holds", 0.5, Figure(0.6, 1), None),
        ("<=", 7.0, Figure(None, 0), None),
        ("told", None, Figure(3.0, 3), None),
    ],
)
def test_a_line_is_met_missed_or_not_measured(relation, bound, figure, met) -> None:
    assert Line("claim", relation, bound, figure).met is met


def test_nothing_is_claimed_without_a_run() -> None:
    assert {line.met for line in lines(Results(()))} == {None}


def watched(regret: float, bound: float) -> Found:
    return Found(Job("cold", "A", 0, 3, 1000), watch=Watch(nights=3, mass=1.0, regret=regret, bound=bound))


def test_the_greatest_regret_stands_beside_the_bound_of_its_own_run() -> None:
    worst, allowed, average = Results((watched(0.004, 0.005), watched(0.001, 0.002))).regret()

    assert (worst.value, worst.seeds, allowed) == (0.004, 2, 0.005)
    assert average.value == pytest.approx(0.0025)
    assert Results(()).regret() == (Figure(None, 0), None, Figure(None, 0))


def test_a_share_just_below_its_bound_is_seen_to_be_below() -> None:
    line = Line("claim", ">=", 1.0, Figure(0.96, 5))

    assert (line.met, written(line.figure, precision(line))) == (False, "0.960")
