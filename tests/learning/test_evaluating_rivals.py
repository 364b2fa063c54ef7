"""Rivals against brute force: what they may know of each day, and what they make of it."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize

from learning.calendar import DAY_MS
from learning.evaluating.course import Course
from learning.evaluating.rivals import alone, average_course, static_course
from learning.evaluation import head_losses, log_losses
from tests.learning.scored_scans import FIRST_DAY, LIMIT_MS, made_scans

NIGHTS = np.concatenate([[-(2**31)], np.arange(FIRST_DAY, FIRST_DAY + 16)])
BASE = Course(NIGHTS, np.tile([-0.6, -0.8, 0.0, 0.0, 0.0], (len(NIGHTS), 1)))


def test_a_course_rules_from_its_night_to_the_next_one_and_the_first_all_days_before() -> None:
    course = Course(np.array([10, 12]), np.array([[0.0, 0.1, 1.0], [0.2, 0.3, -1.0]]))

    found = course.in_force(np.array([3, 10, 11, 12, 99]))

    assert found[:, 2].tolist() == [1.0, 1.0, 1.0, -1.0, -1.0]
    chances = course.chances(np.array([10, 12]), np.array([[2.0], [2.0]]), np.array([1, -1], np.int8))
    assert chances == pytest.approx(1 / (1 + np.exp([-2.0, -2.3])))


def test_each_head_alone_is_taken_at_its_word_as_the_evaluation_does() -> None:
    scans = made_scans().take(slice(0, 200))
    scans = scans.take(scans.scored)
    won = scans.net_r > 0

    theirs = head_losses(scans.evidence, np.array([-0.6, -0.8]), scans.side.astype(np.int64), won)

    for head, course in enumerate(alone(BASE, ("a", "b", "c")).values()):
        ours = log_losses(course.chances(scans.decided_day, scans.evidence, scans.side), won)
        assert ours == pytest.approx(theirs[head])


def test_the_static_fit_is_the_penalised_maximum_of_all_decisions_a_day_of_embargo_after_their_limit() -> None:
    scans = made_scans(skill=0.6)
    night = FIRST_DAY + 9
    known = scans.take(scans.scored & (scans.close_ms + LIMIT_MS + DAY_MS <= night * DAY_MS))
    long_won = np.where(known.side > 0, known.net_r, known.mirror_r) > 0
    short_won = np.where(known.side > 0, known.mirror_r, known.net_r) > 0

    def objective(theta: np.ndarray) -> float:
        pooled = known.evidence @ theta[2:]
        long, short = theta[0] + pooled, theta[1] - pooled
        loss = np.logaddexp(0, long) - long_won * long + np.logaddexp(0, short) - short_won * short
        return float(0.5 * loss.sum() + 0.5 * (theta[2:] ** 2).sum())

    found = static_course(scans, NIGHTS, LIMIT_MS).in_force(np.array([night]))[0]

    assert found == pytest.approx(minimize(objective, np.zeros(5), tol=1e-12).x, abs=1e-4)
    assert found[2] > 0.3


@pytest.mark.parametrize("kind", ["static", "average"])
def test_no_rival_knows_an_outcome_before_its_time(kind) -> None:
    scans = made_scans()
    cut = FIRST_DAY + 8
    embargo = DAY_MS if kind == "static" else 0
    free = scans.close_ms + LIMIT_MS + embargo <= cut * DAY_MS
    poisoned = replace(
        scans, net_r=np.where(free, scans.net_r, -scans.net_r), mirror_r=np.where(free, scans.mirror_r, -scans.mirror_r)
    )

    def course(rows):
        return (
            static_course(rows, NIGHTS, LIMIT_MS) if kind == "static" else average_course(rows, BASE, NIGHTS, LIMIT_MS)
        )

    honest, other, days = course(scans), course(poisoned), np.arange(FIRST_DAY, cut + 1)
    assert (honest.in_force(days) == other.in_force(days)).all()
    assert (honest.in_force(days + 2)[-1] != other.in_force(days + 2)[-1]).any()


def test_the_naive_average_is_a_tenth_of_each_nights_hit_rate_and_as_loud_as_equal_weights() -> None:
    scans = made_scans()
    rates = [1 / 2] * 3
    for night in range(FIRST_DAY, FIRST_DAY + 6):
        for head in range(3):
            hits = [
                (scans.net_r[row] if scans.side[row] == np.sign(vote) else scans.mirror_r[row]) > 0
                for row, vote in enumerate(scans.evidence[:, head])
                if vote
                and scans.scored[row]
                and (night - 1) * DAY_MS < scans.close_ms[row] + LIMIT_MS <= night * DAY_MS
            ]
            if hits:
                rates[head] += 0.1 * (sum(hits) / len(hits) - rates[head])

    found = average_course(scans, BASE, NIGHTS, LIMIT_MS).in_force(np.array([FIRST_DAY + 5]))[0]

    assert found[2:] == pytest.approx(0.6 * np.array(rates) / sum(rates))
    assert found[:2].tolist() == [-0.6, -0.8]
