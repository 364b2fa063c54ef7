"""The first page, the map of candles and the page of jobs: what each says is what the records say."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from alphapulse_site.models import JobRun, ParkedTask
from analytics.selectors import coverage, overview
from analytics.selectors.kept import SHELF
from ingestion.models import BackfillRun, CandleGap, Symbol
from ingestion.partitions import ensure_partitions
from signals.models import Position
from tests.analytics import rows
from tests.analytics.dashboard.pages import said
from tests.analytics.test_invariants import candles

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
NOW, TODAY = rows.NOW, rows.NOW.replace(hour=0)


@pytest.fixture(autouse=True)
def market(db: None) -> Iterator[None]:
    rows.market_clock()
    ensure_partitions("scan_history", NOW - 40 * DAY, NOW)
    SHELF.forget()
    yield
    SHELF.forget()


def position(profit: float | None, closed_at: datetime | None) -> Position:
    opened = rows.signal(1.0 if profit is not None else None, NOW - 5 * DAY)
    return Position.objects.create(
        signal=opened, quantity=1.0, equity_before=10_000.0, opened_at=NOW - 5 * DAY, closed_at=closed_at, profit=profit
    )


def gap(start: datetime, minutes: int, status: str = "explained", symbol: str = "BTCUSDT") -> CandleGap:
    return CandleGap.objects.create(
        symbol=symbol,
        start=start,
        end=start + minutes * MINUTE,
        status=status,
        reason="source_has_no_candle" if status == "explained" else "",
        evidence={"asked": "three times"},
        first_seen=NOW,
        last_checked=NOW,
    )


def kept_symbol(name: str = "BTCUSDT", **columns: datetime | None) -> Symbol:
    known: dict[str, Any] = {"listed_at": NOW - 90 * DAY, "complete_until": NOW} | columns
    return Symbol.objects.create(name=name, base_asset=name[:-4], quote_asset="USDT", **known)


def test_the_first_page_counts_what_became_of_the_leans_of_the_last_hour(client: Client) -> None:
    rows.scan_close(NOW - 15 * MINUTE, scans=3, signals=1)
    rows.scan_close(NOW - 2 * HOUR, scans=5, signals=0)
    rows.scan(NOW - 15 * MINUTE, symbol="BTCUSDT", rejection="")
    rows.scan(NOW - 15 * MINUTE, symbol="ETHUSDT", rejection="cooldown")
    rows.scan(NOW - 15 * MINUTE, symbol="ADAUSDT", rejection="no_consensus", lean=0)
    rows.scan(NOW - 2 * HOUR, symbol="BTCUSDT", rejection="low_quality")

    hour = overview.decided(NOW - HOUR, NOW)

    assert (hour.closes, hour.scans, hour.signals, hour.leans) == (1, 3, 1, 2)
    assert hour.rejected == {"cooldown": 1}
    page = said(client, "/")
    assert "3 scans, of which 2 leaned to a side" in page
    assert "refused: cooldown 1" in page


def test_the_last_close_is_shown_signals_first_and_each_lean_leads_to_its_why(client: Client) -> None:
    close = NOW - 15 * MINUTE
    rows.scan_close(close)
    rows.scan(close, symbol="ADAUSDT", rejection="low_quality", expected_r=0.5)
    rows.scan(close, symbol="BTCUSDT", rejection="", expected_r=0.1)
    rows.scan(close, symbol="ETHUSDT", rejection="low_quality", expected_r=0.7)

    assert [scan.symbol for scan in overview.newest_decisions(NOW)] == ["BTCUSDT", "ETHUSDT", "ADAUSDT"]
    assert "/why/?symbol=ETHUSDT&amp;at=2021-07-10T11:45" in client.get("/").content.decode()


def test_an_open_signal_is_shown_with_the_r_it_would_close_with_now(client: Client) -> None:
    rows.symbol()
    candles(2)
    rows.signal(None, NOW - HOUR, entry=90.0, risk=5.0)
    price = overview.last_closes(["BTCUSDT"])["BTCUSDT"]

    [row] = overview.open_signals()

    assert row.open_r == pytest.approx((price - 90.0) / 5.0)


def test_equity_is_what_the_account_began_with_and_every_closed_profit_in_order() -> None:
    position(100.0, NOW - 3 * DAY)
    position(-30.0, NOW - 2 * DAY)
    position(50.0, NOW - HOUR)
    position(None, None)

    equity = overview.equity(NOW)

    assert [value for _, value in equity.curve] == [10_100.0, 10_070.0, 10_120.0]
    assert (equity.now, equity.a_day_ago) == (10_120.0, 10_070.0)


def test_without_a_market_the_first_page_says_how_to_start_one(client: Client) -> None:
    from alphapulse_site.models import MarketClock

    MarketClock.objects.update(closed_until=None)

    assert "No market is followed yet" in said(client, "/")


def test_a_gap_is_spread_over_its_days_and_a_day_without_one_is_complete() -> None:
    kept_symbol()
    gap(TODAY - 2 * DAY + 23 * HOUR, 90)

    [row] = coverage.coverage(NOW, 7)

    assert [(day.place, dict(day.minutes)) for day in row.exceptions] == [
        (4, {"source_has_no_candle": 60}),
        (5, {"source_has_no_candle": 30}),
    ]
    assert (row.complete, row.explained, row.filling) == (5, 90, 0)


def test_days_before_the_listing_and_after_the_last_check_are_told_apart() -> None:
    kept_symbol(listed_at=TODAY - 5 * DAY, complete_until=TODAY - DAY)

    [row] = coverage.coverage(NOW, 7)

    assert [(day.place, day.kind) for day in row.exceptions] == [(0, "not_listed"), (5, "ahead"), (6, "ahead")]


@given(start=st.integers(0, 7 * 1440), minutes=st.integers(1, 3000))
def test_spreading_a_gap_loses_no_minute(start: int, minutes: int) -> None:
    since = TODAY - 6 * DAY
    gathered = coverage._Days(since)
    first, last = since + start * MINUTE, since + (start + minutes) * MINUTE

    gathered.add("filling", first, last)

    assert sum(day["filling"] for day in gathered.found.values()) == minutes
    assert all(day["filling"] <= 1440 for day in gathered.found.values())


def test_the_page_of_data_names_gaps_with_their_evidence_and_what_is_fetched(client: Client) -> None:
    kept_symbol()
    gap(NOW - DAY, 3)
    gap(NOW - 2 * HOUR, 5, status="filling")
    BackfillRun.objects.create(
        symbol="BTCUSDT", start=NOW - DAY, end=NOW, status="running", candles=77, requests=2, started_at=timezone.now()
    )

    page = said(client, "/data/")

    assert "the source has no candle" in page
    assert "three times" in page
    assert "77" in page
    assert "filling" not in said(client, "/data/", status="explained").partition("Gaps")[2].partition("Backfill")[0]


@pytest.mark.parametrize("query", ["symbol=NOPE", "days=x", "status=%00", "days=7&symbol="])
def test_nonsense_asked_of_the_map_is_told_and_never_an_error(client: Client, query: str) -> None:
    kept_symbol()

    assert client.get(f"/data/?{query}").status_code == 200


def test_the_page_of_jobs_shows_runs_parked_tasks_and_failing_checks(client: Client) -> None:
    rows.job_run("daily_learning", "2021-07-09", status=JobRun.Status.FAILED, error="ValueError: seen")
    ParkedTask.objects.create(task_id="1", name="signals.track_signals", error="boom", parked_at=timezone.now())

    page = said(client, "/jobs/")

    assert "ValueError: seen" in page
    assert "signals.track_signals" in page
    assert "has never given a sign of life" in page


def test_in_production_a_stranger_is_led_to_the_entrance(client: Client, settings: Settings) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False

    for path in ("/", "/data/", "/jobs/"):
        assert client.get(path).headers["Location"] == f"/login/?next={path}"


def test_a_reader_cannot_ask_for_a_run_and_an_operator_gets_one(
    client: Client, reader: User, operator: User, empty_broker: None
) -> None:
    rows.scan_close(TODAY - 2 * DAY)
    client.force_login(reader)
    assert client.post("/jobs/daily_learning/run/").status_code == 403
    assert not JobRun.objects.exists()

    client.force_login(operator)
    for _ in range(2):
        assert "is queued" in said_after(client, "/jobs/daily_learning/run/")

    assert [run.period for run in JobRun.objects.all()] == ["2021-07-09"]
    assert client.get("/jobs/gap_backfill/run/").status_code == 404


def said_after(client: Client, path: str) -> str:
    answer = client.post(path, follow=True)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_a_stranger_is_told_nothing_about_whether_a_parked_task_exists(client: Client) -> None:
    assert client.get("/jobs/parked/1/retry/").status_code == 302
