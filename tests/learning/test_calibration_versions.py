"""Versions of the calibration: born changing nothing, in force by market time, and rolled back."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from analytics.selectors import versions as analytics_versions
from learning import selectors, services
from learning.by_hand import rollback
from learning.calendar import DAILY, DueJob
from learning.chains import verify_chain
from learning.config import Config
from learning.models import ActiveLearningState, LearningState
from learning.procedure import Procedure
from learning.versions import (
    BEGINNING,
    calibration_content,
    create_version,
    ensure_birth,
    weights_content,
)
from signals.consensus import Calibration, Weights
from signals.models import ScanClose
from signals.rows import to_ms
from tests.signals.decided import HEAD_NAMES

MORNING = datetime(2021, 6, 12, 0, 15, tzinfo=UTC)
DAY = timedelta(days=1)
SUNDAY_NOON, NEXT_NIGHT = datetime(2021, 6, 13, 12, tzinfo=UTC), datetime(2021, 6, 14, 0, 15, tzinfo=UTC)


def calibrate(slope: float, effective_from: datetime) -> LearningState:
    return create_version(
        "calibration",
        content=calibration_content(Calibration(slope, -0.1)),
        status="active",
        created_by="weekly",
        effective_from=effective_from,
    )


def slope_at(moment: datetime) -> float:
    version = selectors.version_for(moment, tried_since=timezone.now())
    assert version is not None
    return version.calibration.slope


@pytest.mark.django_db
def test_data_that_was_born_without_a_calibration_gets_one_that_changes_nothing() -> None:
    create_version(
        "head_weights",
        content=weights_content(Weights.at_birth(HEAD_NAMES)),
        status="active",
        created_by="birth",
        effective_from=BEGINNING,
    )

    ensure_birth()

    born = LearningState.objects.get(state_type="calibration")
    assert (born.version, born.content, born.effective_from) == (1, {"slope": 1.0, "intercept": 0.0}, BEGINNING)
    assert ActiveLearningState.objects.get(state_type="calibration").state == born
    assert LearningState.objects.get(state_type="head_weights").version == 1


@pytest.mark.django_db
def test_a_close_opened_before_there_were_calibrations_is_decided_without() -> None:
    ensure_birth()
    calibrate(0.5, BEGINNING)
    opened = {"weight_version": 1, "threshold_version": 1, "waited_too_long": False}

    before = selectors.version_of(ScanClose(timeframe="15m", close_time=MORNING, **opened))
    after = selectors.version_of(ScanClose(timeframe="15m", close_time=MORNING, **opened, calibration_version=2))

    assert (before.calibration, before.calibration_version) == (Calibration(), None)
    assert before.deciding is before.weights
    assert (after.calibration.slope, after.calibration_version) == (0.5, 2)


@pytest.mark.django_db
def test_a_calibration_is_rolled_back_from_the_next_minute_on() -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(MORNING + DAY)
    ensure_birth()
    calibrate(0.5, MORNING)

    back = rollback(state_type="calibration", version=1, by="ada")

    assert (back.version, back.content, back.procedure) == (3, {"slope": 1.0, "intercept": 0.0}, None)
    assert [slope_at(MORNING + DAY), slope_at(MORNING + DAY + timedelta(minutes=1))] == [0.5, 1.0]
    assert verify_chain() == []


@pytest.mark.django_db
def test_a_calibration_that_still_waits_never_decides_once_it_is_rolled_back() -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(SUNDAY_NOON)
    ensure_birth()
    calibrate(0.5, NEXT_NIGHT)

    back = rollback(state_type="calibration", version=1, by="ada")

    assert back.effective_from == NEXT_NIGHT
    assert {slope_at(SUNDAY_NOON + number * timedelta(hours=3)) for number in range(8)} == {1.0}
    assert analytics_versions.versions_in_force(SUNDAY_NOON)["calibration"] == 1
    assert analytics_versions.versions_in_force(NEXT_NIGHT)["calibration"] == 3


@pytest.mark.django_db
def test_other_heads_are_pooled_without_the_calibration_of_those_before() -> None:
    other = Weights.at_birth(("technical", "gone"))
    create_version(
        "head_weights", content=weights_content(other), status="active", created_by="birth", effective_from=BEGINNING
    )
    calibrate(0.5, MORNING)
    ScanClose.objects.create(timeframe="15m", close_time=MORNING + DAY, decided_at=MORNING, calibration_version=1)

    ensure_birth()

    found = selectors.in_force("calibration", MORNING + DAY + timedelta(minutes=1))
    assert found is not None
    assert (found.version, found.content["slope"]) == (2, 1.0)


@pytest.mark.django_db
def test_a_night_scores_the_day_of_a_rollback_with_what_was_put_in_force_by_hand() -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(MORNING + timedelta(hours=3))
    ensure_birth()
    calibrate(0.5, BEGINNING)
    learned = Procedure.at_birth(HEAD_NAMES, Config()).recalibrated(Calibration(0.5, -0.1))
    create_version(
        "head_weights", content=weights_content(learned.weights), status="active", created_by="nightly",
        effective_from=MORNING, procedure=learned.to_bytes(),
    )  # fmt: skip
    rollback(state_type="calibration", version=1, by="ada")

    midnight = DueJob(to_ms(MORNING + DAY - timedelta(minutes=15)), DAILY)
    memory = services.memory_at(midnight)

    assert memory.procedure.live[-1].calibration == Calibration() == memory.calibration
    assert memory.calibrated_day == (MORNING + DAY - datetime(1970, 1, 1, tzinfo=UTC)).days
