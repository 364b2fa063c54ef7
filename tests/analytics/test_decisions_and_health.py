"""Lists of decisions, the explanation of a scan, health, schema, and how many queries each answer costs."""

from base64 import b64encode
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries
from rest_framework.test import APIClient

from alphapulse_site.celery import QUEUES
from ingestion.partitions import ensure_partitions
from tests.analytics import rows
from tests.analytics.test_invariants import candles

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    rows.market_clock()
    rows.symbol()
    rows.version()
    ensure_partitions("scan_history", rows.NOW - DAY, rows.NOW)


def test_signals_are_listed_newest_first_and_no_shadow_among_them(anonymous: APIClient) -> None:
    old, new = rows.signal(1.0, rows.NOW - 2 * DAY), rows.signal(None, rows.NOW - DAY)
    rows.shadow(1.0)

    listed = anonymous.get("/api/signals/").json()["results"]

    assert [row["id"] for row in listed] == [new.pk, old.pk]
    assert (listed[0]["direction"], listed[0]["regime"], listed[0]["outcome"]) == ("long", "trending", "")
    assert "rejection" not in listed[0]


def test_a_page_leads_to_the_next(anonymous: APIClient) -> None:
    made = [rows.signal(1.0, rows.NOW - step * HOUR).pk for step in range(5)]

    first = anonymous.get("/api/signals/", {"page_size": 3}).json()
    second = anonymous.get(first["next"]).json()

    assert [row["id"] for row in first["results"] + second["results"]] == made
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"page_size": "0"}, 400),
        ({"page_size": "501"}, 400),
        ({"page_size": "many"}, 400),
        ({"symbol": ["BTCUSDT", "BTCUSDT"]}, 400),
        ({"outcome": "lost"}, 400),
        ({"source": ""}, 400),
        ({"cursor": "garbage"}, 404),
        ({"cursor": b64encode(b"p=9999").decode()}, 404),
        ({"cursor": b64encode(b"p=2021-07-10\x00").decode()}, 404),
    ],
)
def test_a_list_asked_for_nonsense_says_so(anonymous: APIClient, query: dict[str, Any], status: int) -> None:
    answer = anonymous.get("/api/signals/", query)

    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"


def test_lists_choose_by_outcome_and_reason(anonymous: APIClient) -> None:
    rows.signal(1.0)
    still_open = rows.signal(None)
    rows.shadow(1.0, rejection="low_quality")
    cooled = rows.shadow(1.0, rejection="cooldown")

    signals = anonymous.get("/api/signals/", {"outcome": "open"}).json()["results"]
    shadows = anonymous.get("/api/shadows/", {"rejection": "cooldown"}).json()["results"]

    assert [row["id"] for row in signals] == [still_open.pk]
    assert [(row["id"], row["rejection"]) for row in shadows] == [(cooled.pk, "cooldown")]


def explained(client: APIClient, **query: str) -> dict[str, Any]:
    answer = client.get("/api/scans/", {"symbol": "BTCUSDT", **query})
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def test_a_scan_says_why_there_was_no_trade(anonymous: APIClient) -> None:
    shadow = rows.shadow(None, rows.NOW - HOUR)
    heads = len(rows.HEAD_NAMES)
    rows.scan(
        rows.NOW - HOUR,
        shadow.scan_id,
        directions=[1, -1] + [0] * (heads - 2),
        probabilities=[0.6, 0.6] + [float("nan")] * (heads - 2),
        confidences=[0.5, 0.5] + [float("nan")] * (heads - 2),
    )

    body = explained(anonymous)

    assert body["answer"].startswith("No trade: the quality gate refused a long lean, low_quality (margin -0.04")
    assert [vote["agrees"] for vote in body["votes"][:3]] == [True, False, None]
    assert (body["votes"][2]["direction"], body["votes"][2]["probability"]) == ("none", None)
    assert body["votes"][0]["evidence"] == pytest.approx(0.5 * 0.4054651081)  # half of ln(0.6 / 0.4)
    quality, cooldown = body["gates"][2], body["gates"][4]
    assert (quality["gate"], quality["passed"], quality["margin"]) == ("quality", False, -0.04)
    assert (cooldown["passed"], cooldown["margin"]) == (True, None)
    assert (body["bracket"]["kind"], body["bracket"]["id"]) == ("shadow", shadow.pk)


def test_a_scan_is_that_of_the_last_close_up_to_the_time(anonymous: APIClient) -> None:
    rows.scan(rows.NOW - 2 * HOUR)
    rows.scan(rows.NOW - HOUR, rejection="", passed=[True] * 6)

    early = explained(anonymous, at=(rows.NOW - timedelta(minutes=61)).isoformat())

    assert early["close_time"].startswith("2021-07-10T10:00")
    assert explained(anonymous)["answer"] == "A long signal: every gate passed, +0.010 R expected."


def test_an_undecided_scan_says_so(anonymous: APIClient) -> None:
    rows.scan(rejection=None, scan_id=None, passed=[], margins=[0.0, 0.1, 0.1] + [float("nan")] * 3)

    body = explained(anonymous)

    assert body["answer"].startswith("Not decided yet")
    assert [gate["passed"] for gate in body["gates"]] == [None] * 6


@pytest.mark.parametrize(
    ("query", "status"),
    [({"symbol": "BTCUSDT"}, 404), ({}, 400), ({"symbol": "BTCUSDT", "at": "soon"}, 400), ({"symbol": "X"}, 400)],
)
def test_a_scan_that_is_not_there_is_a_problem(anonymous: APIClient, query: dict[str, str], status: int) -> None:
    assert anonymous.get("/api/scans/", query).status_code == status


def well() -> None:
    candles(10)
    rows.scan_close(rows.NOW - timedelta(minutes=15))
    for name in ("stream", "outcome_monitor", "shadow_monitor", *(f"canary:{queue}" for queue in QUEUES)):
        rows.heartbeat(name)


def test_a_well_system_is_healthy(anonymous: APIClient) -> None:
    well()

    answer = anonymous.get("/healthz")

    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


@pytest.mark.parametrize(
    ("name", "age", "check"),
    [
        ("stream", timedelta(minutes=3), "stream"),
        ("outcome_monitor", timedelta(minutes=3), "outcome monitor"),
        ("shadow_monitor", timedelta(minutes=11), "shadow monitor"),
        ("canary:scan", timedelta(minutes=3), "queue scan"),
        ("canary:learning", timedelta(minutes=15), "queue learning"),
    ],
)
def test_silence_is_unhealthy_and_says_of_what(anonymous: APIClient, name: str, age: timedelta, check: str) -> None:
    well()
    rows.Heartbeat.objects.filter(name=name).update(beat_at=timezone.now() - age)

    answer = anonymous.get("/healthz")

    failed = [row for row in answer.json()["checks"] if not row["passed"]]
    assert answer.status_code == 503
    assert [row["name"] for row in failed] == [check]
    assert "last sign of life" in failed[0]["reason"]


def test_a_night_of_learning_is_not_a_silent_queue(anonymous: APIClient) -> None:
    well()
    rows.Heartbeat.objects.filter(name="canary:learning").update(beat_at=timezone.now() - timedelta(minutes=9))

    assert anonymous.get("/healthz").status_code == 200


def test_stale_candles_and_late_decisions_are_unhealthy(anonymous: APIClient) -> None:
    well()
    rows.MarketClock.objects.update(closed_until=rows.NOW + DAY)  # at 60x, 24 minutes of the wall clock

    failed = [row["name"] for row in anonymous.get("/healthz").json()["checks"] if not row["passed"]]

    assert failed == ["candles", "decisions"]


def test_a_market_clock_that_stays_behind_the_exchange_is_unhealthy(anonymous: APIClient) -> None:
    well()
    rows.MarketClock.objects.update(exchange_until=rows.NOW + timedelta(hours=2))  # at 60x, two minutes
    assert anonymous.get("/healthz").status_code == 200

    rows.MarketClock.objects.update(exchange_until=rows.NOW + timedelta(hours=4))
    failed = [row["name"] for row in anonymous.get("/healthz").json()["checks"] if not row["passed"]]
    assert failed == ["market clock"]


def test_health_needs_no_account(anonymous: APIClient, settings: Any) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False

    assert anonymous.get("/healthz").status_code == 503


def test_the_schema_is_valid_and_complete(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn")

    schema = capsys.readouterr().out
    assert "  /api/learning/trigger-weekly:" in schema
    assert "  /api/learning/performance:" in schema
    assert "  /api/learning/performance/:" not in schema


@pytest.mark.parametrize("path", ["/api/docs/", "/api/docs/?script="])
def test_the_documentation_needs_no_other_host(anonymous: APIClient, path: str) -> None:
    answer = anonymous.get(path, follow=True)

    assert answer.status_code == 200
    assert b"://" not in answer.content


def test_the_icon_that_browsers_ask_for_is_there(anonymous: APIClient) -> None:
    icon = anonymous.get("/favicon.ico", follow=True)

    assert (icon.status_code, icon["Content-Type"]) == (200, "image/svg+xml")
    icon.close()
    assert icon.redirect_chain[0][0] in anonymous.get("/api/docs/").content.decode()


QUERIES = {
    "/api/learning/performance": 14,
    "/api/learning/head-weights": 6,
    "/api/learning/improvements": 9,
    "/api/learning/recommendations": 12,
    "/api/learning/stats": 17,
    "/api/learning/rejection-analysis": 8,
    "/api/learning/scheduler": 8,
    "/api/signals/": 2,
    "/api/shadows/": 2,
    "/api/scans/history/": 1,
    "/api/positions/": 1,
    "/api/gaps/": 1,
    "/api/symbols/": 2,
    "/api/versions/": 1,
    "/api/versions/head_weights/3/": 8,
    "/api/versions/head_weights/3/diff/": 2,
    "/api/jobs/": 1,
    "/api/parked-tasks/": 1,
    "/api/heads/": 8,
    "/api/health/": 8,
    "/api/candles/?symbol=BTCUSDT": 3,
    "/healthz": 8,
}


@pytest.mark.parametrize("path", QUERIES)
def test_an_answer_costs_the_same_queries_however_much_there_is(
    anonymous: APIClient, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for step in range(12):
        at = rows.NOW - 2 * DAY - step * HOUR
        rows.version(effective_from=rows.NOW - (30 - step) * DAY)
        rows.signal(1.0, at)
        rows.shadow(-1.0, at)
        rows.event(1.0, rows.evidence(technical=0.5), at)
        rows.job_run("daily_learning", f"2021-06-{step + 10}")
    rows.symbol("ETHUSDT")

    with django_assert_max_num_queries(QUERIES[path]):
        anonymous.get(path)
