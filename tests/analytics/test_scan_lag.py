"""How late the scans are, told from the closes and the market clock."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import ClockStep, MarketClock
from analytics.selectors.scan_lag import scan_lag
from signals import services
from signals.models import ScanClose
from signals.rows import to_time
from tests.signals.market import START_MS

pytestmark = pytest.mark.django_db

QUARTER = timedelta(minutes=15)


@pytest.fixture
def noon() -> datetime:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    return to_time(START_MS + 12 * 3_600_000)


def decided(close: datetime, **times: Any) -> None:
    row = ScanClose.objects.create(timeframe="15m", close_time=close)
    ScanClose.objects.filter(pk=row.pk).update(**times)


def test_before_the_first_close_there_is_no_lag_to_tell() -> None:
    assert (scan_lag().last, scan_lag().p99, scan_lag().behind, scan_lag().waiting) == (None, None, 0, 0.0)


def test_a_close_remembers_when_its_candles_were_complete_however_late_somebody_comes(noon: datetime) -> None:
    advance_market_clock(noon)
    long_ago = timezone.now() - timedelta(minutes=20)
    ClockStep.objects.filter(closed_until=noon).update(stepped_at=long_ago)
    advance_market_clock(noon + QUARTER)

    services.first_try(close=noon)
    services.first_try(close=noon)

    assert services.opened(close=noon).complete_at == long_ago


def test_a_jump_of_the_clock_completes_all_closes_on_its_way(noon: datetime) -> None:
    advance_market_clock(noon)
    advance_market_clock(noon + 3 * QUARTER)

    for late in (1, 2, 3):
        services.first_try(close=noon + late * QUARTER)

    step = ClockStep.objects.get(closed_until=noon + 3 * QUARTER)
    assert set(ScanClose.objects.values_list("complete_at", flat=True)) == {step.stepped_at}


def test_the_lag_is_from_complete_to_decided_and_history_has_none(noon: datetime) -> None:
    now = timezone.now()
    for number, seconds in enumerate((2.0, 4.0, 12.0)):
        complete = now - timedelta(minutes=10 - number)
        decided(noon + number * QUARTER, complete_at=complete, decided_at=complete + timedelta(seconds=seconds))
    decided(noon - QUARTER, decided_at=now)

    found = scan_lag()

    assert (found.last, found.median) == (12.0, 4.0)
    assert found.p99 == pytest.approx(11.84)


def test_closes_that_wait_are_counted_with_the_time_the_oldest_has_waited(noon: datetime) -> None:
    decided(noon, decided_at=timezone.now())
    advance_market_clock(noon + QUARTER)
    ClockStep.objects.update(stepped_at=timezone.now() - timedelta(seconds=90))
    advance_market_clock(noon + 3 * QUARTER + timedelta(minutes=3))

    found = scan_lag()

    assert found.behind == 3
    assert found.waiting == pytest.approx(90, abs=30)
