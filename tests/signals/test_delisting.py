"""Open decisions of a symbol that the exchange delisted: over, without a result, at the delisting."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from ingestion.models import CandleGap, Symbol
from ingestion.timeframes import MINUTE_MS
from signals import services
from signals.gates import Thresholds
from signals.models import Position, RejectedSignal, Signal, TrackedDecision
from signals.rows import to_ms, to_time
from signals.services.decide import store_decisions
from signals.services.positions import ACCOUNT, equity
from signals.version import Version
from tests.signals.decided import EAGER, QUARTER, decided_at, store_market
from tests.signals.market import START_MS, Row, candles

FLAT: Row = (100.0, 100.05, 99.95, 100.0)
UP: Row = (100.0, 101.5, 99.95, 100.0)
OPENED = to_time(START_MS + 60 * MINUTE_MS)
DELISTED = to_time(START_MS + 180 * MINUTE_MS)
NOTICED = to_time(START_MS + 600 * MINUTE_MS)
SHY = Version(EAGER.weights, Thresholds(10.0), 1, 1)
TABLES: list[type[TrackedDecision]] = [Signal, RejectedSignal]

pytestmark = pytest.mark.django_db


def market_of(rows: list[Row]) -> None:
    """Candles up to the delisting, and a clock that has gone on."""
    store_market({"BTCUSDT": candles(rows)}, until=NOTICED)


def hold(model: type[TrackedDecision]) -> None:
    version = EAGER if model is Signal else SHY
    store_decisions(decided_at(to_ms(OPENED), {"BTCUSDT": 100.0}, version=version), QUARTER, 1)


def absence(end: datetime) -> dict[str, Any]:
    evidence = {"delisted_at": DELISTED.isoformat(), "noted_at": NOTICED.isoformat()}
    return {"symbol": "BTCUSDT", "start": DELISTED, "end": end, "evidence": evidence}


def delist() -> None:
    Symbol.objects.update(delisted_at=DELISTED)


@pytest.mark.parametrize("model", TABLES)
def test_what_met_no_barrier_is_void_at_the_delisting(model: type[TrackedDecision]) -> None:
    market_of([FLAT] * 180)
    hold(model)
    services.track(model, until=DELISTED - timedelta(minutes=1))
    assert model._default_manager.get().entry is not None
    delist()

    services.track(model, until=NOTICED)

    row = model._default_manager.get()
    assert (row.outcome, row.exit_at, row.net_r, row.entry) == ("void", DELISTED, None, None)
    assert (row.mirror_outcome, row.mirror_exit_at, row.mirror_net_r) == ("void", DELISTED, None)


def test_its_position_is_closed_without_a_result() -> None:
    market_of([FLAT] * 180)
    hold(Signal)
    delist()

    services.track(Signal, until=NOTICED)

    position = Position.objects.get()
    assert (position.closed_at, position.profit) == (DELISTED, 0.0)
    assert equity() == ACCOUNT.start_equity


def test_a_barrier_met_before_stands_and_the_mirror_alone_is_void() -> None:
    # The lean's target at 1 %; its mirror's stop lies at half a percent on that side, so a wick of 0.7 % ends one side.
    rows = [FLAT] * 180
    rows[100] = (100.0, 100.7, 99.95, 100.0)
    market_of(rows)
    hold(Signal)
    delist()

    services.track(Signal, until=NOTICED)

    row = Signal.objects.get()
    assert (row.outcome, row.exit_at) == ("void", DELISTED)
    assert (row.mirror_outcome, row.mirror_exit_at) == ("stop", to_time(START_MS + 101 * MINUTE_MS))
    assert row.mirror_net_r is not None


def test_a_lean_that_ended_before_the_delisting_keeps_its_result() -> None:
    market_of([*[FLAT] * 100, UP, *[FLAT] * 79])
    hold(Signal)
    delist()

    services.track(Signal, until=NOTICED)

    assert (Signal.objects.get().outcome, Signal.objects.get().mirror_outcome) == ("target", "stop")


def test_it_stays_void_when_the_symbol_has_come_back() -> None:
    market_of([FLAT] * 180)
    hold(RejectedSignal)
    back = DELISTED + timedelta(hours=2)
    CandleGap.objects.create(
        **absence(end=back), status="explained", reason="not_listed", first_seen=NOTICED, last_checked=NOTICED
    )
    Symbol.objects.update(complete_until=NOTICED)

    services.track(RejectedSignal, until=NOTICED)

    row = RejectedSignal.objects.get()
    assert (row.outcome, row.exit_at) == ("void", DELISTED)


def test_a_hole_before_the_delisting_is_settled_first() -> None:
    market_of([FLAT] * 170)
    hold(Signal)
    delist()

    services.track(Signal, until=NOTICED)

    assert Signal.objects.get().is_open
