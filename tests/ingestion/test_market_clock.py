"""The market clock goes as far as everything is settled, waits for what is not, and passes what has stalled."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from alphapulse_site.clock import advance_market_clock, market_now, note_exchange_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import store_candles, to_datetime
from ingestion.market_clock import PATIENCE, advance
from ingestion.models import BackfillRun, Candle, CandleGap, CandleSource, Symbol
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.market import MARCH_24, made_candles

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("empty_broker")]

START = MARCH_24


def at(minutes: int) -> datetime:
    return to_datetime(START + minutes * MINUTE_MS)


@pytest.fixture
def market() -> None:
    """Two symbols, listed an hour before the clock's time, of which the clock has seen everything."""
    set_market_clock(mode=MarketClock.Mode.WALL)
    for name in ("BTCUSDT", "ETHUSDT"):
        Symbol.objects.create(name=name, base_asset=name[:3], quote_asset="USDT", listed_at=at(-60))
    store("BTCUSDT", -60, 0)
    store("ETHUSDT", -60, 0)
    advance_market_clock(at(0))


def store(symbol: str, first: int, end: int) -> None:
    candles = made_candles(count=end - first, start_ms=START + first * MINUTE_MS)
    store_candles({symbol: candles}, source=CandleSource.STREAM)


def lack(symbol: str, first: int, end: int, *, since: timedelta) -> CandleGap:
    """A hole that the gap keeper has known of for that long."""
    seen = timezone.now() - since
    return CandleGap.objects.create(
        symbol=symbol, start=at(first), end=at(end), status="filling", first_seen=seen, last_checked=seen
    )


def waiting_tasks() -> list[str]:
    path, _, number = django_settings.CELERY_BROKER_URL.removeprefix("redis+socket://").partition("?virtual_host=")
    broker = redis.Redis(unix_socket_path=path, db=int(number))
    lists = [key for key in broker.scan_iter() if broker.type(key) == b"list"]
    return sorted(json.loads(message)["headers"]["task"] for key in lists for message in broker.lrange(key, 0, -1))


def test_the_clock_stops_at_the_first_minute_that_a_symbol_lacks(market: None) -> None:
    store("BTCUSDT", 0, 10)
    store("ETHUSDT", 0, 4)
    store("ETHUSDT", 5, 10)

    assert advance(at(10)) == at(4)
    assert market_now() == at(4)
    assert MarketClock.objects.get().exchange_until == at(10)


def test_it_never_passes_what_the_exchange_has_closed(market: None) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        store(symbol, 0, 10)

    assert advance(at(7)) == at(7)


def test_an_explained_minute_is_as_good_as_a_candle(market: None) -> None:
    store("BTCUSDT", 0, 10)
    now = timezone.now()
    CandleGap.objects.create(
        symbol="ETHUSDT", start=at(0), end=at(10), status="explained", reason="halted", first_seen=now, last_checked=now
    )

    assert advance(at(10)) == at(10)


def test_a_hole_that_has_stalled_is_passed_and_one_that_was_just_found_is_waited_for(market: None) -> None:
    store("BTCUSDT", 0, 10)
    gap = lack("ETHUSDT", 0, 10, since=PATIENCE / 2)
    assert advance(at(10)) == at(0)

    CandleGap.objects.filter(pk=gap.pk).update(first_seen=timezone.now() - 2 * PATIENCE)
    assert advance(at(10)) == at(10)


def test_a_hole_that_is_being_filled_is_waited_for_however_long_it_takes(market: None) -> None:
    store("BTCUSDT", 0, 10)
    lack("ETHUSDT", 0, 10, since=10 * PATIENCE)
    now = timezone.now()
    BackfillRun.objects.create(
        symbol="ETHUSDT", start=at(0), end=at(10), status="running", started_at=now, progress_at=now - PATIENCE / 2
    )

    assert advance(at(10)) == at(0)


def test_a_hole_from_before_the_clock_and_a_delisted_symbol_hold_nobody_up(market: None) -> None:
    Symbol.objects.filter(name="ETHUSDT").update(delisted_at=at(0))
    Symbol.objects.create(name="ADAUSDT", base_asset="ADA", quote_asset="USDT", listed_at=at(-1000))
    store("BTCUSDT", 0, 10)
    store("ADAUSDT", 0, 10)

    assert advance(at(10)) == at(10)


def crowd(settings: Any, *, seconds: float) -> None:
    """Eight more symbols, all streamed for ten minutes but one; the exchange closed the tenth so many seconds ago."""
    settings.ALPHAPULSE_SCAN_DEADLINE = 20.0
    for number in range(8):
        name = f"M{number}USDT"
        Symbol.objects.create(name=name, base_asset=name[:2], quote_asset="USDT", listed_at=at(-60))
        store(name, -60, 10)
    store("BTCUSDT", 0, 10)
    note_exchange_clock(at(10))
    MarketClock.objects.update(exchange_noted_at=timezone.now() - timedelta(seconds=seconds))


def test_few_symbols_are_waited_for_until_the_deadline_and_no_longer(market: None, settings: Any) -> None:
    crowd(settings, seconds=10)
    store("ETHUSDT", 0, 9)
    assert advance(at(10)) == at(9)

    MarketClock.objects.update(exchange_noted_at=timezone.now() - timedelta(seconds=25))
    assert advance(at(10)) == at(10)


def test_the_deadline_is_of_the_walls_time_whatever_the_speed(market: None, settings: Any) -> None:
    crowd(settings, seconds=0)
    MarketClock.objects.update(speed=10.0)
    store("ETHUSDT", 0, 5)

    # Minutes last six seconds: the sixth closed 24 seconds ago, the seventh 18.
    assert advance(at(10)) == at(10)
    MarketClock.objects.update(closed_until=at(0))
    store("ETHUSDT", 5, 6)
    assert advance(at(10)) == at(6)


def test_a_symbol_that_was_passed_is_not_waited_for_in_the_next_minutes(market: None, settings: Any) -> None:
    crowd(settings, seconds=25)
    store("ETHUSDT", 0, 9)
    assert advance(at(10)) == at(10)

    for symbol in Symbol.objects.exclude(name="ETHUSDT").values_list("name", flat=True):
        store(symbol, 10, 11)
    assert advance(at(11)) == at(11)

    store("ETHUSDT", 9, 11)
    for symbol in Symbol.objects.exclude(name="ETHUSDT").values_list("name", flat=True):
        store(symbol, 11, 12)
    assert advance(at(12)) == at(11)


def test_many_symbols_without_a_candle_are_an_outage_and_waited_for(market: None, settings: Any) -> None:
    crowd(settings, seconds=60)
    store("ETHUSDT", 0, 9)
    Candle.objects.filter(symbol__in=("M0USDT", "M1USDT"), open_time=at(9)).delete()

    assert advance(at(10)) == at(9)


def test_history_that_is_being_fetched_is_waited_for_to_the_last_symbol(market: None, settings: Any) -> None:
    crowd(settings, seconds=60)
    Candle.objects.filter(open_time__gte=at(0)).update(source=CandleSource.REST)

    assert advance(at(10)) == at(0)


def test_a_market_without_history_has_no_clock_to_move() -> None:
    set_market_clock(mode=MarketClock.Mode.WALL)

    assert advance(at(10)) is None
    assert market_now() is None
    assert MarketClock.objects.get().exchange_until == at(10)


def test_workers_are_woken_after_the_commit_when_a_bar_or_a_day_has_closed(
    market: None, django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    for symbol in ("BTCUSDT", "ETHUSDT"):
        store(symbol, 0, 1440)
    with django_capture_on_commit_callbacks(execute=True):
        advance(at(14))
    assert waiting_tasks() == []

    with django_capture_on_commit_callbacks(execute=True):
        advance(at(15))
    assert waiting_tasks() == ["signals.scan_due"]

    with django_capture_on_commit_callbacks(execute=True):
        advance(at(1440))
    assert waiting_tasks() == ["learning.resume_jobs", "signals.scan_due", "signals.scan_due"]
