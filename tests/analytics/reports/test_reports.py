"""A report on its page, in the API and in a mail: the same figures, and the same again tomorrow."""

import json
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from alphapulse_site.models import JobRun, MarketClock
from analytics.models import Channel, Notification
from analytics.notifications.collecting import collect
from analytics.notifications.delivering import outgoing
from analytics.notifications.sending import html_of
from analytics.reports.periods import Period, period_named
from analytics.selectors.report import NotBegunError, report
from ingestion.models import CandleGap, Symbol
from ingestion.partitions import ensure_partitions
from signals.models import Position, Signal
from tests.analytics import rows

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)
NINTH = period_named("daily", "2021-07-09")
NOON = NINTH.since + timedelta(hours=12)


@pytest.fixture
def a_day(db: None) -> None:
    """Of the ninth of July, at noon of the tenth: two signals closed, one open, leans refused, a night learned."""
    rows.market_clock()
    ensure_partitions("scan_history", NINTH.since, rows.NOW)
    made = rows.version(created_by="birth", notes="Equal weights at birth.")
    for number in range(8):
        rows.scan_close(NINTH.since + timedelta(hours=3 * (number + 1)), scans=1, signals=0)
        rows.scan(NINTH.since + timedelta(hours=3 * (number + 1)))
    for net_r, hour in ((1.5, 1), (-1.0, 2)):
        signal = rows.signal(net_r, NINTH.since + timedelta(hours=hour))
        Position.objects.create(
            signal=signal,
            quantity=1.0,
            equity_before=10_000.0,
            opened_at=signal.opened_at,
            closed_at=signal.exit_at,
            profit=50 * net_r,
        )
    rows.signal(None, NOON, checked_until=rows.NOW)
    for net_r in (-1.0, -0.5, 1.0):
        rows.shadow(net_r, NOON - DAY)
    Symbol.objects.create(
        name="BTCUSDT",
        base_asset="BTC",
        quote_asset="USDT",
        listed_at=NINTH.since - DAY,
        complete_until=rows.NOW,
    )
    CandleGap.objects.create(
        symbol="BTCUSDT",
        start=NINTH.since - timedelta(minutes=5),
        end=NINTH.since + timedelta(minutes=10),
        status="explained",
        reason="exchange_outage",
        first_seen=NOON,
        last_checked=NOON,
    )
    rows.job_run(
        "daily_learning",
        "2021-07-09",
        status="done",
        market_at=NINTH.until,
        finished_at=timezone.now(),
        report={"outcomes_processed": 3},
    )
    rows.LearningEvent.objects.create(
        sequence=1,
        kind="promotion",
        market_at=NINTH.until,
        detail={"state_type": "head_weights", "version": made.version, "reason": "the gate opened"},
        hash="0" * 64,
    )


def test_a_day_says_what_was_decided_earned_learned_refused_and_missing(a_day: None) -> None:
    found = report(NINTH)

    assert {name: found["decisions"][name] for name in ("closes", "scans", "leans", "signals")} == {
        "closes": 8,
        "scans": 8,
        "leans": 8,
        "signals": 0,
    }
    assert (found["earned"]["closed_signals"], found["earned"]["win_rate"], found["earned"]["n"]) == (2, 0.5, 2)
    assert found["signals"]["still_open"] == 1
    assert (found["equity"]["start"], found["equity"]["end"]) == (10_000.0, 10_025.0)
    assert [point["equity"] for point in found["equity"]["curve"]] == [10_075.0, 10_025.0]
    assert found["nights"][0] | {"seconds": None} == {
        "job": "daily_learning",
        "period": "2021-07-09",
        "status": "done",
        "outcomes": 3,
        "seconds": None,
        "error": "",
    }
    assert (found["versions"][0]["reason"], found["versions"][0]["words"][0][:9]) == ("the gate opened", "Version 1")
    assert next(gate["count"] for gate in found["gates"]["by_reason"] if gate["reason"] == "low_quality") == 3
    assert (found["data"]["minutes_expected"], found["data"]["minutes_missing"]) == (1440, 10)
    assert found["data"]["gaps"] == [{"reason": "exchange_outage", "gaps": 1, "minutes": 10}]
    assert found["is_over"]


def test_what_may_change_is_said_and_nothing_else_is(a_day: None) -> None:
    assert [line[:14] for line in report(NINTH)["later"]] == ["1 of the signa"]

    Signal.objects.filter(outcome="").delete()

    assert report(NINTH)["later"] == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda: MarketClock.objects.update(closed_until=NOON), "The period is not over"),
        (lambda: rows.ScanClose.objects.filter(close_time__gt=NOON).delete(), "Not every close"),
        (lambda: JobRun.objects.update(status="failed"), "A night or week of it is not learned"),
        (lambda: Symbol.objects.update(complete_until=NOON), "Some minutes are neither"),
        (
            lambda: Signal.objects.filter(outcome="").update(checked_until=NOON),
            "1 open decisions are not followed",
        ),
    ],
)
def test_each_reason_to_change_is_named(a_day: None, change: Any, said: str) -> None:
    change()

    assert any(line.startswith(said) for line in report(NINTH)["later"])


def frozen(period: Period) -> str:
    found = report(period)
    del found["as_of"]
    return json.dumps(found, default=str, sort_keys=True)


def test_a_closed_day_says_the_same_a_month_later(a_day: None) -> None:
    """After other days were decided and learned, other versions promoted and gaps found elsewhere."""
    Signal.objects.filter(outcome="").delete()
    before = frozen(NINTH)
    later = rows.NOW + 20 * DAY

    MarketClock.objects.update(closed_until=later)
    Symbol.objects.update(complete_until=later)
    rows.version(effective_from=rows.NOW, created_by="nightly", period="2021-07-10")
    rows.signal(2.0, rows.NOW + DAY)
    rows.shadow(-1.0, rows.NOW + DAY)
    rows.event(1.0, rows.evidence(technical=0.4), rows.NOW)
    rows.scan_close(rows.NOW + DAY, scans=1, signals=1)
    rows.job_run("daily_learning", "2021-07-10", status="done", market_at=rows.NOW)

    assert frozen(NINTH) == before


def test_a_week_holds_its_days(a_day: None) -> None:
    found = report(period_named("weekly", "2021-W27"))

    assert (found["earned"]["closed_signals"], found["is_over"]) == (2, False)
    assert len(found["nights"]) == 5  # the nights from Monday to Saturday noon


def test_a_day_without_anything_has_nulls_and_no_zeros(db: None) -> None:
    rows.market_clock()

    found = report(NINTH)

    assert (found["earned"]["win_rate"], found["earned"]["n"]) == (None, 0)
    assert found["data"]["decision_seconds_median"] is None
    assert (found["data"]["complete"], found["learning"]["log_loss"]) == (None, None)


def test_a_day_in_which_no_close_is_decided_yet_is_empty(a_day: None) -> None:
    MarketClock.objects.update(closed_until=rows.NOW + 2 * DAY)

    found = report(period_named("daily", "2021-07-12"))

    assert (found["decisions"]["scans"], found["is_over"]) == (0, False)


def test_the_future_has_no_report(db: None) -> None:
    MarketClock.objects.create(mode="recording")

    with pytest.raises(NotBegunError, match="no market is followed yet"):
        report(NINTH)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/reports/daily/2021-07-09/", 200),
        ("/api/reports/weekly/2021-W27/", 200),
        ("/api/reports/daily/2021-W27/", 404),
        ("/api/reports/daily/2031-07-09/", 404),
        ("/reports/", 200),
        ("/reports/daily/2021-07-09/", 200),
        ("/reports/weekly/2021-W27/", 200),
        ("/reports/daily/yesterday/", 404),
        ("/reports/monthly/2021-07/", 404),
    ],
)
def test_addresses(a_day: None, client: Client, path: str, status: int) -> None:
    assert client.get(path).status_code == status


def test_page_api_and_selector_say_the_same(a_day: None, client: Client, anonymous: APIClient) -> None:
    found = report(NINTH)
    body = anonymous.get("/api/reports/daily/2021-07-09/").json()
    page = client.get("/reports/daily/2021-07-09/").content.decode()

    assert body["equity"]["end"] == found["equity"]["end"]
    assert body["later"] == found["later"]
    assert "10,025" in page
    assert all(line.split(":")[0] in page for line in found["later"])
    assert "style=" not in page
    assert page.count("<svg viewBox") >= 2


@pytest.fixture
def desk(a_day: None) -> Channel:
    """A mailbox that wants reports."""
    return Channel.objects.create(
        name="desk",
        medium="email",
        address="me@example.org",
        kinds=["daily_report", "weekly_report"],
        listens_since=timezone.now(),
        market_since=NINTH.since,
        seen_until=NINTH.since,
    )


def test_a_report_is_told_once_when_its_night_is_learned(desk: Channel) -> None:
    JobRun.objects.update(status="running")
    assert collect(now=timezone.now()) == 0
    JobRun.objects.update(status="done")

    assert (collect(now=timezone.now()), collect(now=timezone.now())) == (1, 0)
    row = Notification.objects.get()
    assert row.key == "daily_report:2021-07-09"
    assert any(line.startswith("Closed: 2 signals, won 50.0 %") for line in row.payload["lines"])
    assert row.payload["tables"][0]["rows"][0][:2] == ["BTCUSDT", "long"]


def test_the_mail_holds_tables_and_the_link(desk: Channel) -> None:
    collect(now=timezone.now())

    html = html_of(outgoing(Notification.objects.select_related("channel").get()))

    assert "<h3>Signals</h3>" in html
    assert "/reports/daily/2021-07-09/" in html
    assert "style=" not in html
