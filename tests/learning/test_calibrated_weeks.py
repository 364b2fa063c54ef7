"""A pool that is too sure of itself is calibrated once that is proven, from the next night on, the same in replay."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker
from scipy.optimize import minimize

from learning import ledger, selectors, services
from learning.calendar import WEEKLY, DueJob, jobs_between
from learning.chains import verify_chain
from learning.models import LearningState
from learning.school import School
from learning.state import theta_of
from learning.versions import ensure_birth, following
from signals.configuration import scan_timeframe
from signals.consensus import pool
from signals.models import ScanClose
from signals.rows import to_ms, to_time
from signals.version import Version
from tests.learning.told import DAYS, MONDAY, told_labels, told_walk

pytestmark = [pytest.mark.django_db, pytest.mark.slow]

BEGAN = MONDAY + timedelta(minutes=15)
# The fourth Sunday; the version it drafts decides from the Monday on.
SUNDAY = MONDAY + timedelta(days=DAYS - 1, hours=2)
IN_FORCE = MONDAY + timedelta(days=DAYS, minutes=15)
LAST = IN_FORCE + timedelta(minutes=15)
QUARTER = timedelta(minutes=15)


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[DueJob]]:
    """Every night and week of four weeks, each with the outcomes that had ended by then."""
    with django_db_blocker.unblock():
        ensure_birth()
        for close in (BEGAN, LAST):
            ScanClose.objects.create(timeframe="15m", close_time=close, decided_at=timezone.now())
        walk, jobs = told_walk(told_labels()), jobs_between(to_ms(BEGAN), to_ms(LAST))
        for job in jobs:
            rows = [
                ledger.outcome_row(label, scan_timeframe(), to_time(job.cut_off_ms))
                for label in walk.labels_until(job.cut_off_ms)
            ]
            ledger.append(rows)
            run = services.run_job(job)
            assert run is not None
            assert run.is_done
        yield jobs
        call_command("flush", interactive=False, verbosity=0)


@pytest.fixture(scope="module")
def school() -> School:
    """The same lessons taken along a walk."""
    learned, walk = School(), told_walk(told_labels())
    for close_ms in range(to_ms(BEGAN), to_ms(LAST) + 1, 900_000):
        learned.version_at(close_ms, walk)
    return learned


def calibrations() -> list[LearningState]:
    return list(LearningState.objects.filter(state_type="calibration").order_by("version"))


def live(close: Any) -> Version:
    version = selectors.version_for(close, tried_since=timezone.now())
    assert version is not None
    return version


def test_it_is_proven_on_the_fourth_sunday_and_not_before(lived: list[DueJob]) -> None:
    assert [row.status for row in calibrations()] == ["archived", "challenger", "challenger", "challenger", "active"]
    assert [row.effective_from for row in calibrations()][1:] == [None, None, None, IN_FORCE]
    accepted = calibrations()[-1]
    assert accepted.metrics_after["days"] >= 14
    assert accepted.metrics_after["e_value"] >= 20
    assert accepted.event_count > 5000
    assert "out of sample" in accepted.notes


def test_the_fit_is_the_maximum_of_the_likelihood(lived: list[DueJob]) -> None:
    """Against scipy, over the rows that had matured by that Sunday."""
    used = [one for one in told_labels() if one.expires_ms <= to_ms(SUNDAY) and not one.is_void]
    votes = np.array([one.evidence for one in used])
    margin = -np.log(2) + np.abs(votes @ np.full(votes.shape[1], 0.2))
    won = np.array([(one.net_r or 0.0) > 0 for one in used])
    weight = np.array([one.uniqueness for one in used])

    def cost(point: Any) -> float:
        stated = point[0] + point[1] * margin
        return float((weight * np.logaddexp(0, np.where(won, -stated, stated))).sum())

    best = minimize(cost, [0.0, 1.0], method="BFGS", options={"gtol": 1e-6}).x

    found = calibrations()[-1]
    assert found.event_count == len(used)
    assert found.content["intercept"] == pytest.approx(best[0], abs=1e-6)
    assert found.content["slope"] == pytest.approx(best[1], abs=1e-6)
    assert found.content["slope"] == pytest.approx(0.3, abs=0.1)


def test_probabilities_change_on_monday_a_quarter_past_midnight(lived: list[DueJob]) -> None:
    before, after = live(IN_FORCE - QUARTER), live(IN_FORCE)
    votes = np.full((1, 9), 1.5)

    assert (before.calibration.slope, before.calibration_version) == (1.0, 1)
    assert (after.calibration_version, after.calibration.slope) == (5, calibrations()[-1].content["slope"])
    stated = after.weights.bias[0] + 1.5 * after.weights.beta.sum()
    by_hand = 1 / (1 + np.exp(-(after.calibration.intercept + after.calibration.slope * stated)))
    assert pool(after.deciding, votes).probability[0] == pytest.approx(by_hand, rel=1e-12)
    raw = 1 / (1 + np.exp(-(before.weights.bias[0] + 1.5 * before.weights.beta.sum())))
    assert pool(before.deciding, votes).probability[0] == pytest.approx(raw, rel=1e-12)
    assert raw - by_hand > 0.05


def test_a_replay_has_the_same_version_at_every_close(lived: list[DueJob]) -> None:
    learned, walk = School(), told_walk(told_labels())
    learned.version_at(to_ms(BEGAN), walk)
    for close in (SUNDAY + QUARTER, IN_FORCE - QUARTER, IN_FORCE, LAST):
        replayed, lived_then = learned.version_at(to_ms(close), walk), live(close)

        assert replayed.calibration == lived_then.calibration
        assert replayed.calibration_version == lived_then.calibration_version
        assert replayed.weight_version == lived_then.weight_version
        assert replayed.deciding.beta.tobytes() == lived_then.deciding.beta.tobytes()
        assert replayed.deciding.bias.tobytes() == lived_then.deciding.bias.tobytes()


def test_every_version_is_the_one_a_replay_learns(lived: list[DueJob], school: School) -> None:
    numbers = dict.fromkeys(("head_weights", "thresholds", "calibration"), 1)
    for lesson in school.lessons:
        for draft in lesson.drafts:
            numbers[draft.state_type] += 1
            versions = LearningState.objects.filter(state_type=draft.state_type)
            row = versions.get(version=numbers[draft.state_type])
            learned = following(
                versions.filter(version__lt=row.version), draft.state_type, services.columns_of(lesson, draft)
            )
            # The hash is over all that a version says, its evidence and the learner's memory among it.
            assert (row.content, row.effective_from, row.hash) == (
                learned.content,
                learned.effective_from,
                learned.hash,
            )
    assert numbers == {name: LearningState.objects.filter(state_type=name).count() for name in numbers}


def test_the_night_after_scores_with_the_calibration_that_will_decide(lived: list[DueJob], school: School) -> None:
    last = school.memory.procedure.live[-1]

    assert last.calibration == live(IN_FORCE).calibration
    assert all(night.calibration.is_identity for night in school.memory.procedure.live[:-1])
    assert last.deciding.tobytes() == theta_of(live(IN_FORCE).deciding).tobytes()


def test_the_chains_hold_and_the_weeks_tell_what_they_found(lived: list[DueJob]) -> None:
    sunday = next(job for job in lived if job.job == WEEKLY and job.cut_off_ms == to_ms(SUNDAY))
    run = services.run_job(sunday)

    assert verify_chain() == []
    assert run is not None
    assert run.report["calibration"]["status"] == "active"
