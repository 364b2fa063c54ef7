from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from alphapulse_site.clock import (
    advance_market_clock,
    is_recording,
    market_now,
    market_speed,
    note_exchange_clock,
    set_market_clock,
)
from alphapulse_site.models import MarketClock

pytestmark = pytest.mark.django_db

NOON = datetime(2021, 7, 1, 12, tzinfo=UTC)
RECORDING, WALL = MarketClock.Mode.RECORDING, MarketClock.Mode.WALL


def test_without_a_market_the_clock_stands_at_the_start_of_the_running_minute() -> None:
    before = datetime.now(UTC)
    now = market_now()

    assert now is not None
    assert (now.second, now.microsecond) == (0, 0)
    assert timedelta(0) <= before - now.replace(second=0) < timedelta(minutes=1, seconds=1)
    assert not is_recording()


def test_a_recording_has_no_time_before_its_history_is_there() -> None:
    set_market_clock(mode=RECORDING)

    assert is_recording()
    assert market_now() is None


def test_the_clock_of_a_recording_never_goes_back() -> None:
    set_market_clock(mode=RECORDING)

    moves = [advance_market_clock(NOON), advance_market_clock(NOON), advance_market_clock(NOON - timedelta(minutes=1))]

    assert moves == [True, False, False]
    assert market_now() == NOON


def test_a_second_start_resumes_where_the_first_stopped() -> None:
    set_market_clock(mode=RECORDING, speed=60)
    advance_market_clock(NOON)

    set_market_clock(mode=RECORDING, speed=600)

    assert market_now() == NOON
    assert MarketClock.objects.get().speed == 600


def test_live_the_clock_goes_on_from_where_history_ends() -> None:
    set_market_clock(mode=WALL)

    assert market_now() is None
    assert advance_market_clock(NOON)
    assert market_now() == NOON


def test_nobody_can_advance_a_clock_that_was_not_set_up() -> None:
    assert not advance_market_clock(NOON)


def test_what_the_exchange_has_closed_is_remembered_beside_what_is_settled() -> None:
    set_market_clock(mode=WALL, speed=2)
    advance_market_clock(NOON)

    moves = [note_exchange_clock(NOON + timedelta(minutes=2)), note_exchange_clock(NOON)]

    assert moves == [True, False]
    assert MarketClock.objects.get().exchange_until == NOON + timedelta(minutes=2)
    assert market_now() == NOON
    assert market_speed() == 2


@pytest.mark.parametrize(
    "row", [{"pk": 2}, {"mode": "sundial"}, {"speed": 0.0}, {"speed": float("nan")}, {"speed": float("inf")}]
)
def test_the_database_refuses_a_second_clock_and_nonsense(row: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        MarketClock.objects.create(**({"pk": 1} | row))
