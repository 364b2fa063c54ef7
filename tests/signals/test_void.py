"""An open decision declared void by hand: once, from now on in market time, and never what has ended."""

from datetime import timedelta
from uuid import uuid4

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from ingestion.timeframes import MINUTE_MS
from signals import services
from signals.gates import Thresholds
from signals.models import Position, RejectedSignal, ScanClose, Signal, TrackedDecision, VoidedDecision
from signals.rows import to_ms, to_time
from signals.services import VoidError
from signals.services.decide import store_decisions
from signals.services.positions import ACCOUNT, equity
from signals.services.track import track_together
from signals.version import Version
from tests.at_once import run_at_once
from tests.signals.decided import EAGER, QUARTER, decided_at, store_market
from tests.signals.market import START_MS, Row, candles

FLAT: Row = (100.0, 100.05, 99.95, 100.0)
UP: Row = (100.0, 101.5, 99.95, 100.0)
OPENED = to_time(START_MS + 60 * MINUTE_MS)
NOW = to_time(START_MS + 180 * MINUTE_MS)
SHY = Version(EAGER.weights, Thresholds(10.0), 1, 1)
TABLES: list[type[TrackedDecision]] = [Signal, RejectedSignal]


def held(model: type[TrackedDecision], rows: list[Row]) -> TrackedDecision:
    """A decision an hour into a market of these minutes, which nobody has followed yet."""
    store_market({"BTCUSDT": candles(rows)}, until=NOW)
    version = EAGER if model is Signal else SHY
    store_decisions(decided_at(to_ms(OPENED), {"BTCUSDT": 100.0}, version=version), QUARTER, 1)
    return model._default_manager.get()


def void(decision: TrackedDecision, reason: str = "a wrong price") -> VoidedDecision:
    return services.void_decision(scan_id=decision.scan_id, by="root", reason=reason)


@pytest.mark.django_db
@pytest.mark.parametrize("model", TABLES)
def test_what_is_open_ends_without_a_result_now(model: type[TrackedDecision]) -> None:
    row = held(model, [FLAT] * 180)

    said = void(row)

    row.refresh_from_db()
    assert (row.outcome, row.exit_at, row.entry, row.net_r) == ("void", NOW, None, None)
    assert (row.mirror_outcome, row.mirror_exit_at, row.mirror_net_r) == ("void", NOW, None)
    assert (said.market_at, said.both, said.by, said.reason) == (NOW, True, "root", "a wrong price")
    services.track(model, until=NOW)
    assert model._default_manager.get().entry is None


@pytest.mark.django_db
def test_its_paper_position_is_closed_and_paid_nothing() -> None:
    void(held(Signal, [FLAT] * 180))

    position = Position.objects.get()
    assert (position.closed_at, position.profit, equity()) == (NOW, 0.0, ACCOUNT.start_equity)


@pytest.mark.django_db
def test_it_is_voided_once() -> None:
    row = held(Signal, [FLAT] * 180)
    void(row)

    with pytest.raises(VoidError, match="was voided by root before"):
        void(row)

    assert VoidedDecision.objects.count() == 1


@pytest.mark.django_db
def test_a_barrier_that_was_met_before_stands_though_no_poll_had_seen_it() -> None:
    row = held(Signal, [*[FLAT] * 90, UP, *[FLAT] * 89])

    with pytest.raises(VoidError, match=r"has ended \(target\); an outcome is written once"):
        void(row)

    assert Signal.objects.get().outcome == "target"
    assert not VoidedDecision.objects.exists()


@pytest.mark.django_db
def test_a_mirror_that_had_ended_stands() -> None:
    # The mirror of a long is stopped half a percent above the reference price, before the lean's target.
    row = held(Signal, [*[FLAT] * 90, (100.0, 100.6, 99.95, 100.0), *[FLAT] * 89])

    said = void(row)

    row.refresh_from_db()
    assert (row.outcome, row.mirror_outcome, said.both) == ("void", "stop", False)


@pytest.mark.django_db
def test_no_close_that_was_decided_with_it_open_lies_at_or_after_its_end() -> None:
    row = held(Signal, [FLAT] * 180)
    ScanClose.objects.create(timeframe="15m", close_time=NOW, decided_at=timezone.now())

    assert void(row).market_at == NOW + timedelta(minutes=1)


@pytest.mark.django_db
def test_a_poll_that_had_read_it_while_it_was_open_writes_nothing_into_it() -> None:
    row = held(Signal, [FLAT] * 180)
    stale = Signal.objects.get()
    void(row)

    track_together(Signal, [stale], {"BTCUSDT": to_ms(NOW)}, {})

    row.refresh_from_db()
    assert (row.outcome, row.entry, row.exit_at) == ("void", None, NOW)


@pytest.mark.django_db
def test_what_is_not_there_or_past_its_limit_is_refused() -> None:
    row = held(Signal, [FLAT] * 70)
    Signal.objects.update(expires_at=OPENED + timedelta(minutes=30))
    # The minutes after these are neither candles nor explained, so that nobody knows how it ended.

    with pytest.raises(VoidError, match="there is no decision"):
        services.void_decision(scan_id=uuid4(), by="root", reason="x")
    with pytest.raises(VoidError, match="ends by its time limit"):
        void(row)


@pytest.mark.django_db
def test_what_was_written_down_stays() -> None:
    said = void(held(Signal, [FLAT] * 180))

    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        VoidedDecision.objects.update(reason="another")
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        said.delete()


@pytest.mark.django_db(transaction=True)
def test_of_people_and_polls_at_once_one_wins(process_environment: dict[str, str]) -> None:
    row = held(Signal, [FLAT] * 180)
    contend = f"""
from datetime import datetime
from signals import services
from signals.models import Signal
answer = ""
if number % 2:
    services.track(Signal, until=datetime.fromisoformat("{NOW.isoformat()}"))
else:
    try:
        services.void_decision(scan_id="{row.scan_id}", by=f"person {{number}}", reason="x")
        answer = "voided"
    except services.VoidError as error:
        answer = str(error)
"""

    answers = run_at_once(contend, process_environment, count=6)

    row.refresh_from_db()
    assert answers.count("voided") == 1
    assert sum("was voided by person" in answer for answer in answers) == 2
    assert (row.outcome, row.mirror_outcome, row.entry, row.exit_at) == ("void", "void", None, NOW)
    assert VoidedDecision.objects.count() == 1
