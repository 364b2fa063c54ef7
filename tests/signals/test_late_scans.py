"""A symbol whose candles do not come holds nobody up: it is left out of its close and scanned when they have come."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import pytest
from django.db import models

from ingestion.candles import store_candles
from ingestion.models import CandleSource, MarketFeed, Symbol
from ingestion.timeframes import MINUTE_MS, Candles
from learning.versions import ensure_birth
from signals import services, tasks
from signals.consensus import Weights
from signals.gates import Thresholds
from signals.models import LateScan, Position, RejectedSignal, ScanClose, ScanHistory, Signal
from signals.rows import to_ms
from signals.version import Version
from tests.at_once import run_at_once
from tests.signals.decided import EAGER, HEAD_NAMES, end_of, store_market
from tests.signals.market import random_walk

SYMBOLS = ("BTCUSDT", "ETHUSDT", "SOLUSDT", "XRPUSDT")
LATE = "SOLUSDT"
SIX_DAYS = 6 * 1440
WEIGHTS = Version(Weights.at_birth(HEAD_NAMES), Thresholds(), 1, 1)


def market(symbols: tuple[str, ...] = SYMBOLS) -> dict[str, Candles]:
    return {symbol: random_walk(SIX_DAYS, seed) for seed, symbol in enumerate(symbols)}


def without(minutes: Mapping[str, Candles], lacking: int) -> dict[str, Candles]:
    """The market of which one symbol's last minutes have not come."""
    end = to_ms(end_of(minutes))
    return {**minutes, LATE: minutes[LATE].between(0, end - lacking * MINUTE_MS)}


def decided_without(lacking: int = 3, version: Version = WEIGHTS) -> datetime:
    """The close of such a market, looked at and decided."""
    close = store_market(without(market(), lacking), until=end_of(market()))
    services.first_try(close=close)
    for chunk in services.open_close(close=close, version=version):
        services.look_chunk(close=close, chunk=chunk, version=version)
    assert services.decide_close(close=close, version=version) is not None
    return close


def come() -> None:
    store_candles({LATE: market()[LATE]}, source=CandleSource.STREAM)


def rows(model: type[models.Model]) -> list[str]:
    return sorted(
        repr({name: value for name, value in row.items() if name not in ("id", "candle_digest", "reasons")})
        for row in model._default_manager.values()
    )


@pytest.mark.django_db
def test_the_others_are_scanned_and_decided_and_the_late_one_is_on_record() -> None:
    close = decided_without(3)

    assert list(ScanHistory.objects.order_by("symbol").values_list("symbol", flat=True)) == [
        symbol for symbol in SYMBOLS if symbol != LATE
    ]
    assert LATE not in str(services.opened(close=close).chunks)
    late = LateScan.objects.get()
    assert (late.symbol, late.close_time, late.missing_minutes, late.scanned_at) == (LATE, close, 3, None)
    assert services.late_closes() == []


@pytest.mark.django_db
def test_the_mood_of_the_close_is_that_of_the_symbols_that_had_come() -> None:
    decided_without(3)
    mood = rows(MarketFeed)
    for table in (MarketFeed, LateScan, ScanHistory, RejectedSignal, Position, Signal, ScanClose):
        table._default_manager.all().delete()
    Symbol.objects.filter(name=LATE).update(is_active=False)
    close = end_of(market())
    services.first_try(close=close)
    services.open_close(close=close, version=WEIGHTS)

    assert rows(MarketFeed) == mood


@pytest.mark.django_db
def test_it_is_scanned_when_its_candles_have_come_and_can_only_be_a_shadow() -> None:
    close = decided_without(3, EAGER)
    signals, positions = rows(Signal), rows(Position)
    come()
    assert services.late_closes() == [close]

    assert services.scan_late(close=close, version=EAGER) == 1

    scan = ScanHistory.objects.get(symbol=LATE)
    assert (scan.close_time, scan.missing_minutes, scan.rejection) == (close, 3, "stale_data")
    assert scan.margins[0] == -3.0
    assert not np.isnan(scan.margins[3:]).all()
    assert (rows(Signal), rows(Position)) == (signals, positions)
    shadows = RejectedSignal.objects.filter(symbol=LATE).values_list("scan_id", flat=True)
    assert list(shadows) == [scan.scan_id] * abs(scan.lean)
    assert services.opened(close=close).scans == len(SYMBOLS)
    assert services.late_closes() == []


@pytest.mark.django_db
def test_it_sees_the_candles_that_a_scan_in_time_would_have_seen() -> None:
    close = decided_without(3)
    come()
    services.scan_late(close=close, version=WEIGHTS)
    late = ScanHistory.objects.get(symbol=LATE)
    LateScan.objects.all().delete()
    for table in (ScanHistory, RejectedSignal, Position, Signal, ScanClose):
        table._default_manager.all().delete()

    services.first_try(close=close)
    for chunk in services.open_close(close=close, version=WEIGHTS):
        services.look_chunk(close=close, chunk=chunk, version=WEIGHTS)

    in_time = ScanHistory.objects.get(symbol=LATE)
    assert (late.directions, late.log_odds, late.lean) == (in_time.directions, in_time.log_odds, in_time.lean)
    assert (late.reference_price, late.risk, late.regime) == (in_time.reference_price, in_time.risk, in_time.regime)
    assert (late.missing_minutes, in_time.missing_minutes) == (3, 0)


@pytest.mark.django_db
def test_a_late_scan_may_be_asked_for_twice_and_too_early() -> None:
    close = decided_without(3)
    assert services.scan_late(close=close, version=WEIGHTS) == 0
    come()

    assert services.scan_late(close=close, version=WEIGHTS) == 1
    once = [rows(model) for model in (ScanHistory, RejectedSignal, LateScan, ScanClose)]
    assert services.scan_late(close=close, version=WEIGHTS) == 0

    assert [rows(model) for model in (ScanHistory, RejectedSignal, LateScan, ScanClose)] == once


@pytest.mark.django_db
def test_the_tick_finds_what_has_come_and_waits_for_the_decision_of_its_close() -> None:
    ensure_birth()
    close = store_market(without(market(), 3), until=end_of(market()))
    services.first_try(close=close)
    chunks = services.open_close(close=close, version=WEIGHTS)
    come()
    tasks.scan_late()
    assert not ScanHistory.objects.exists()

    for chunk in chunks:
        services.look_chunk(close=close, chunk=chunk, version=WEIGHTS)
    services.decide_close(close=close, version=WEIGHTS)
    tasks.scan_late()

    assert ScanHistory.objects.filter(rejection__isnull=False).count() == len(SYMBOLS)


@pytest.mark.django_db(transaction=True)
def test_four_processes_at_once_scan_a_late_symbol_once(process_environment: dict[str, str]) -> None:
    ensure_birth()
    close = decided_without(3)
    come()

    answers = run_at_once(
        f"""
from datetime import datetime
from learning import selectors
from signals import services
close = datetime.fromisoformat({close.isoformat()!r})
answer = services.scan_late(close=close, version=selectors.version_of(services.opened(close=close)))
""",
        process_environment,
    )

    assert sorted(answers) == [0, 0, 0, 1]
    assert ScanHistory.objects.filter(symbol=LATE).count() == 1
    assert services.opened(close=close).scans == len(SYMBOLS)
