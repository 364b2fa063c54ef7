"""Each invariant holds in a clean database and fails when exactly its violation is planted."""

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.db import InternalError, connection
from django.utils import timezone

from alphapulse_site.celery import QUEUES
from alphapulse_site.models import JobRun, ParkedTask
from alphapulse_site.snapshots import snapshot
from analytics.doctor import examine
from analytics.inputs import input_digest
from analytics.invariants import INVARIANTS, Finding, Moment
from ingestion.candles import load_candles, store_candles
from ingestion.models import CandleGap, CandleRevision, CandleSource, FeedGap
from ingestion.partitions import ensure_partitions
from ingestion.timeframes import MINUTE_MS, Candles
from learning import ledger
from learning.models import LearningEvent, LearningState
from learning.versions import version_hash
from signals.models import Position, ScanHistory
from signals.rows import to_ms
from tests.analytics import rows

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


def examined() -> dict[str, Finding]:
    moment = Moment.read()
    return {finding.name: finding for finding in (check(moment) for check in INVARIANTS)}


def broken() -> set[str]:
    return {name for name, finding in examined().items() if not finding.passed}


def execute(sql: str, *parameters: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)


def candles(minutes: int, last_open: Any = rows.NOW - MINUTE) -> None:
    """An unbroken row of candles up to the market clock."""
    end_ms = to_ms(last_open)
    open_ms = np.arange(end_ms - (minutes - 1) * MINUTE_MS, end_ms + 1, MINUTE_MS, dtype=np.int64)
    price, count = np.full(minutes, 100.0), np.ones(minutes, np.int64)
    ensure_partitions("candles", last_open - 2 * DAY, last_open + 2 * DAY)
    found = Candles(open_ms, price, price + 1, price - 1, price, price, price, price, price, price, count)
    store_candles({"BTCUSDT": found}, source=CandleSource.IMPORT)


@pytest.fixture
def well() -> None:
    """A small market in which everything holds: candles, a lean that ended, its event, versions."""
    rows.market_clock()
    rows.symbol()
    candles(30)
    rows.version()
    ended = rows.shadow(-1.0)
    append(ended)
    rows.scan_close(rows.NOW - timedelta(minutes=15))


def append(decision: Any, **columns: Any) -> None:
    """The learning event of an ended decision, chained as the ledger does."""
    row = LearningEvent(
        **{
            "kind": "outcome",
            "scan_id": decision.scan_id,
            "symbol": decision.symbol,
            "timeframe": "15m",
            "decided_at": decision.opened_at,
            "matured_at": decision.expires_at,
            "ended_at": decision.exit_at,
            "side": 1,
            "is_signal": False,
            "is_eligible": True,
            "is_void": False,
            "evidence": rows.evidence(technical=0.5),
            "win_probability": 0.4,
            "expected_r": 0.1,
            "net_r": decision.net_r,
            "mirror_net_r": decision.mirror_net_r,
            "uniqueness": 1.0,
            "cost_r": 0.1,
            "weight_version": 1,
            "market_at": rows.NOW,
            **columns,
        }
    )
    ledger.append([row])


def test_an_empty_database_breaks_nothing() -> None:
    assert not broken()


def test_a_well_market_breaks_nothing(well: None) -> None:
    assert not broken()


def lose_a_minute() -> None:
    execute("DELETE FROM candles WHERE open_time = %s", rows.NOW - 10 * MINUTE)


def store_an_open_candle() -> None:
    candles(1, rows.NOW)


def store_a_bad_candle() -> None:
    execute("ALTER TABLE candles DROP CONSTRAINT candle_high_is_highest")
    execute("UPDATE candles SET high = 99.5 WHERE open_time = %s", rows.NOW - 10 * MINUTE)


def store_not_a_number() -> None:
    execute("ALTER TABLE candles DROP CONSTRAINT candle_volume_finite")
    execute("UPDATE candles SET volume = 'NaN' WHERE open_time = %s", rows.NOW - 10 * MINUTE)


def leave_a_lean_open() -> None:
    rows.shadow(None, rows.NOW - 3 * DAY)


def resolve_before_the_opening() -> None:
    late = rows.NOW - timedelta(hours=30)
    append(rows.shadow(-1.0, late, exit_at=late - MINUTE))


def time_out_early() -> None:
    append(rows.shadow(-1.0, outcome="time"))


def be_signal_and_shadow() -> None:
    shadow = rows.shadow(-1.0)
    append(shadow)
    rows.signal(-1.0, scan_id=shadow.scan_id)


def forget_an_event() -> None:
    rows.signal(-1.0)


def append_an_event_of_nothing() -> None:
    shadow = rows.shadow(-1.0)
    append(shadow)
    shadow.delete()


def say_another_result() -> None:
    append(rows.shadow(-1.0), net_r=2.0)


def skip_a_number() -> None:
    rows.event(-1.0, rows.evidence(), sequence=7, kind="job", scan_id=None)


def take_effect_backwards() -> None:
    first, late = rows.version(effective_from=rows.NOW), rows.version(effective_from=rows.NOW)
    execute("ALTER TABLE learning_state DISABLE TRIGGER immutable")
    late.effective_from = rows.NOW - DAY
    late.hash = version_hash(late, first.hash)
    late.save(update_fields=["effective_from", "hash"])


def mark_what_is_in_force_as_archived() -> None:
    rows.version(effective_from=rows.NOW)
    LearningState.objects.update(status="archived")


def mark_a_challenger_as_active() -> None:
    rows.version(effective_from=rows.NOW)
    rows.version(status="challenger")
    LearningState.objects.update(status="active")


def rewrite_a_version() -> None:
    execute("ALTER TABLE learning_state DISABLE TRIGGER immutable")
    LearningState.objects.update(notes="never said this")


def rewrite_an_event() -> None:
    execute("ALTER TABLE learning_events DISABLE TRIGGER append_only")
    LearningEvent.objects.update(win_probability=0.9)


def decide_by_an_unknown_version() -> None:
    append(rows.shadow(-1.0, weight_version=99))


def scan_the_future() -> None:
    ensure_partitions("scan_history", rows.NOW, rows.NOW + DAY)
    rows.scan(rows.NOW + MINUTE, rejection=None)


def open_before_the_close() -> None:
    ensure_partitions("scan_history", rows.NOW, rows.NOW + DAY)
    shadow = rows.shadow(None, rows.NOW - timedelta(hours=2))
    rows.scan(rows.NOW - timedelta(hours=1), shadow.scan_id, rejection=None)


def decide_by_tomorrows_weights() -> None:
    ensure_partitions("scan_history", rows.NOW, rows.NOW + DAY)
    rows.version(effective_from=rows.NOW + DAY)
    rows.scan(rows.NOW, weight_version=2, rejection=None)


def keep_a_close_waiting() -> None:
    close = rows.scan_close(rows.NOW, decided=False)
    execute("UPDATE scan_closes SET first_tried_at = %s WHERE close_time = %s", timezone.now() - DAY, close.close_time)


def keep_filling() -> None:
    CandleGap.objects.create(
        symbol="BTCUSDT",
        start=rows.NOW - 400 * DAY,
        end=rows.NOW - 399 * DAY,
        status="filling",
        first_seen=timezone.now() - DAY,
        last_checked=timezone.now(),
    )


def keep_a_job_running() -> None:
    rows.job_run("daily_learning", "2021-07-09", started_at=timezone.now() - DAY)


def keep_a_position() -> None:
    signal = rows.signal(-1.0)
    append(signal, is_signal=True)
    Position.objects.create(signal=signal, quantity=1, equity_before=1, opened_at=signal.opened_at)


PLANTED: list[tuple[str, Callable[[], None]]] = [
    ("I1", lose_a_minute),
    ("I2", store_an_open_candle),
    ("I3", store_a_bad_candle),
    ("I3", store_not_a_number),
    ("I4", leave_a_lean_open),
    ("I4", resolve_before_the_opening),
    ("I4", time_out_early),
    ("I4", be_signal_and_shadow),
    ("I5", forget_an_event),
    ("I5", append_an_event_of_nothing),
    ("I5", say_another_result),
    ("I6", skip_a_number),
    ("I6", take_effect_backwards),
    ("I6", mark_what_is_in_force_as_archived),
    ("I6", mark_a_challenger_as_active),
    ("I7", rewrite_a_version),
    ("I7", rewrite_an_event),
    ("I7", decide_by_an_unknown_version),
    ("I8", scan_the_future),
    ("I8", open_before_the_close),
    ("I8", decide_by_tomorrows_weights),
    ("I9", keep_a_close_waiting),
    ("I9", keep_filling),
    ("I9", keep_a_job_running),
    ("I9", keep_a_position),
]
# A ledger with a hole cannot have a whole chain of hashes either.
ALSO = {skip_a_number: {"I7"}}


@pytest.mark.parametrize(("switch", "expected"), [("on", {"I9"}), ("off", set())])
def test_a_gap_in_a_feed_waits_too_long_only_while_feeds_are_fetched(
    well: None, settings: Any, switch: str, expected: set[str]
) -> None:
    settings.ALPHAPULSE_FEEDS = switch
    FeedGap.objects.create(
        name="crypto.funding",
        symbol="BTCUSDT",
        start=rows.NOW - DAY,
        end=rows.NOW,
        status="filling",
        first_seen=timezone.now() - DAY,
        last_checked=timezone.now(),
    )

    assert broken() == expected


@pytest.mark.parametrize(("name", "plant"), PLANTED, ids=lambda value: getattr(value, "__name__", value))
def test_a_planted_violation_is_found(well: None, name: str, plant: Callable[[], None]) -> None:
    plant()

    assert broken() == {name} | ALSO.get(plant, set())
    assert examined()[name].figure >= 1
    assert examined()[name].seen
    assert examined()[name].advice


def test_an_explained_gap_is_no_missing_minute(well: None) -> None:
    lose_a_minute()
    CandleGap.objects.create(
        symbol="BTCUSDT",
        start=rows.NOW - 12 * MINUTE,  # overlaps candles that are there
        end=rows.NOW - 8 * MINUTE,
        status="explained",
        reason="exchange_outage",
        first_seen=timezone.now(),
        last_checked=timezone.now(),
    )

    assert not broken()


def scan_of_real_inputs() -> ScanHistory:
    """A decided scan whose stored digest is that of its candles, eleven days of them."""
    candles(11 * 1440)
    ensure_partitions("scan_history", rows.NOW, rows.NOW + DAY)
    scan = rows.scan(rows.NOW)
    digest = input_digest(scan)
    assert digest
    ScanHistory.objects.filter(pk=scan.pk).update(candle_digest=digest)
    return scan


def test_the_inputs_of_the_last_scans_are_read_again(well: None) -> None:
    scan_of_real_inputs()

    assert not broken()


def test_a_candle_that_was_changed_after_the_scan_is_noticed(well: None) -> None:
    scan_of_real_inputs()
    execute("UPDATE candles SET volume = 101 WHERE open_time = %s", rows.NOW - 10 * MINUTE)

    assert broken() == {"I8"}


def test_a_candle_that_the_exchange_corrected_after_the_scan_is_no_hindsight(well: None) -> None:
    scan_of_real_inputs()
    minute = to_ms(rows.NOW - 10 * MINUTE)
    for source, volume in ((CandleSource.REST, 101.0), (CandleSource.ARCHIVE, 102.0)):
        corrected = load_candles("BTCUSDT", minute, minute + MINUTE_MS)
        corrected.volume[:] = volume
        store_candles({"BTCUSDT": corrected}, source=source)

    assert not broken()
    CandleRevision.objects.update(noted_at=rows.NOW - DAY)
    assert broken() == {"I8"}


def test_candles_after_the_close_are_not_read(well: None) -> None:
    scan = scan_of_real_inputs()
    before = input_digest(scan)
    candles(5, rows.NOW + 5 * MINUTE)

    assert input_digest(scan) == before


def test_a_failed_run_and_a_parked_task_are_found(well: None) -> None:
    rows.job_run("daily_learning", "2021-07-09", status=JobRun.Status.FAILED, error="ValueError: no")
    ParkedTask.objects.create(task_id="1", name="signals.track_signals", error="KeyError", parked_at=timezone.now())

    findings = {finding.name: finding for finding in examine()}

    assert not findings["jobs"].passed
    assert "ValueError: no" in findings["jobs"].seen
    assert not findings["tasks"].passed


def alive() -> None:
    for name in ("stream", "outcome_monitor", "shadow_monitor", *(f"canary:{queue}" for queue in QUEUES)):
        rows.heartbeat(name)


def test_the_doctor_is_content_with_a_well_system(well: None) -> None:
    alive()
    out = StringIO()

    call_command("doctor", "--json", stdout=out)

    findings = json.loads(out.getvalue())
    assert [finding["name"] for finding in findings][:9] == [f"I{number}" for number in range(1, 10)]
    assert all(finding["passed"] for finding in findings)


def test_the_doctor_ends_with_one_and_says_what_to_do(well: None) -> None:
    alive()
    lose_a_minute()
    out = StringIO()

    with pytest.raises(SystemExit) as ended:
        call_command("doctor", stdout=out)

    assert ended.value.code == 1
    assert "FAILS" in out.getvalue()
    assert "backfill" in out.getvalue()


def test_a_silent_queue_fails_the_doctor(well: None) -> None:
    alive()
    rows.Heartbeat.objects.filter(name="canary:scan").update(beat_at=timezone.now() - timedelta(minutes=5))

    failed = [finding for finding in examine() if not finding.passed]

    assert [finding.title for finding in failed] == ["queue scan"]
    assert "start one" in failed[0].advice


@pytest.mark.django_db(transaction=True)
def test_the_doctor_looks_at_one_snapshot_and_cannot_write() -> None:
    with snapshot(), pytest.raises(InternalError):
        rows.symbol()
