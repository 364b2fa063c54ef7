"""The endpoints beyond learning: lists with filters, order and pages; details; candles, symbols, versions, runs."""

import csv
import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from alphapulse_site.models import ParkedTask
from ingestion.models import CandleGap
from ingestion.partitions import ensure_partitions
from learning.models import LearningEvent
from learning.versions import ensure_birth
from signals.models import Position
from tests.analytics import rows
from tests.analytics.test_invariants import candles

pytestmark = pytest.mark.django_db

DAY, HOUR, QUARTER = timedelta(days=1), timedelta(hours=1), timedelta(minutes=15)


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    rows.market_clock()
    rows.symbol()
    ensure_partitions("scan_history", rows.NOW - 2 * DAY, rows.NOW)


def listed(client: APIClient, path: str, **query: Any) -> list[dict[str, Any]]:
    answer = client.get(path, query)
    assert answer.status_code == 200, answer.content
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


def test_decisions_are_chosen_by_what_they_are_and_when(anonymous: APIClient) -> None:
    rows.version()
    long, short = rows.signal(1.0, rows.NOW - DAY), rows.signal(-1.0, rows.NOW - 2 * DAY, direction=-1, regime=2)

    def ids(**query: Any) -> list[int]:
        return [row["id"] for row in listed(anonymous, "/api/signals/", **query)]

    assert ids(direction="short") == ids(regime="volatile") == ids(outcome="stop") == [short.pk]
    assert ids(since=(rows.NOW - DAY).isoformat()) == [long.pk]
    assert ids(until=(rows.NOW - DAY).isoformat()) == [short.pk]
    assert ids(ordering="opened_at") == [short.pk, long.pk]
    assert ids(weight_version=2) == ids(source="bootstrap") == []


def test_one_decision_is_found_by_its_number(anonymous: APIClient) -> None:
    signal, shadow = rows.signal(1.0), rows.shadow(-1.0)

    assert anonymous.get(f"/api/signals/{signal.pk}/").json()["net_r"] == 1.0
    assert anonymous.get(f"/api/shadows/{shadow.pk}/").json()["rejection"] == "low_quality"
    assert anonymous.get(f"/api/signals/{signal.pk + 1}/").status_code == 404
    assert anonymous.get("/api/signals/99999999999999999999/").status_code == 404


def test_scans_are_listed_without_their_arrays_page_by_page(anonymous: APIClient) -> None:
    for step in range(3):
        for symbol in ("BTCUSDT", "ETHUSDT"):
            rows.scan(rows.NOW - step * QUARTER, symbol=symbol, regime=step)

    first = anonymous.get("/api/scans/history/", {"page_size": 4}).json()
    second = anonymous.get(first["next"]).json()

    found = [(row["close_time"], row["symbol"]) for row in first["results"] + second["results"]]
    assert len(set(found)) == 6
    assert [row["regime"] for row in first["results"]] == ["trending", "trending", "ranging", "ranging"]
    assert "directions" not in first["results"][0]
    assert (second["next"], len(second["results"])) == (None, 2)
    assert anonymous.get(second["previous"]).json()["results"] == first["results"]


def test_scans_are_chosen_by_what_came_of_them(anonymous: APIClient) -> None:
    refused = rows.scan(rows.NOW - QUARTER)
    passed = rows.scan(rows.NOW, rejection="", lean=-1)
    rows.scan(rows.NOW, symbol="ETHUSDT", rejection=None, scan_id=None)

    def ids(**query: Any) -> list[str]:
        return [row["scan_id"] for row in listed(anonymous, "/api/scans/history/", **query)]

    assert ids(rejection="none") == ids(lean="short") == [str(passed.scan_id)]
    assert ids(rejection="low_quality") == ids(until=rows.NOW.isoformat()) == [str(refused.scan_id)]
    assert ids(symbol="BTCUSDT") == [str(passed.scan_id), str(refused.scan_id)]
    assert ids(timeframe="1h") == []


@pytest.mark.parametrize(
    ("path", "query", "said"),
    [
        ("signals", {"direction": "up"}, "none of: short, long"),
        ("signals", {"ordering": "net_r"}, "none of: -opened_at, opened_at"),
        ("signals", {"since": "soon"}, "2021-07-10T12:00:00Z"),
        ("signals", {"since": "0001-01-01T00:00:00+14:00"}, "no time"),
        ("signals", {"symbol": "NOPE"}, "symbols look like BTCUSDT"),
        ("signals", {"symbol": "100%s"}, "100%s"),
        ("signals", {"since": "%(x)s"}, "%(x)s"),
        ("signals", {"direction": "%"}, "none of"),
        ("signals", {"format": "xml"}, "none of: json, csv"),
        ("signals", {"rejection": "cooldown"}, "unknown; known are: symbol, timeframe"),
        ("signals", {"weight_version": "1.5"}, "whole number"),
        ("scans/history", {"timeframe": "7m"}, "none of: 1m"),
        ("jobs", {"status": "lost"}, "none of: queued"),
        ("candles", {}, "required"),
        ("candles", {"symbol": "BTCUSDT", "timeframe": "1d", "limit": "70"}, "of 1d at most 69"),
        ("versions/head_weights/1/diff", {"against": "x"}, "integer"),
    ],
)
def test_nonsense_is_refused_with_what_to_send(
    anonymous: APIClient, path: str, query: dict[str, str], said: str
) -> None:
    rows.version()

    answer = anonymous.get(f"/api/{path}/", query)

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    ("path", "position"), [("signals", "2021-07-10T00:00:00"), ("symbols", "A\x00"), ("jobs", "+010000-01-01")]
)
def test_a_forged_cursor_is_not_found(anonymous: APIClient, path: str, position: str) -> None:
    cursor = b64encode(urlencode({"p": position}).encode()).decode()

    assert anonymous.get(f"/api/{path}/", {"cursor": cursor}).status_code == 404


def test_candles_are_the_last_closed_ones_of_any_timeframe(anonymous: APIClient) -> None:
    candles(120)  # up to noon

    minutes = anonymous.get("/api/candles/", {"symbol": "BTCUSDT", "limit": "2"}).json()
    hours = anonymous.get("/api/candles/", {"symbol": "BTCUSDT", "timeframe": "1h", "limit": "1"}).json()
    earlier = anonymous.get(hours["earlier"]).json()

    assert [row["open_time"][11:16] for row in minutes["candles"]] == ["11:58", "11:59"]
    assert (hours["candles"][0]["open_time"][11:16], hours["candles"][0]["minutes"]) == ("11:00", 60)
    assert not hours["candles"][0]["is_partial"]
    assert earlier["candles"][0]["open_time"][11:16] == "10:00"
    assert anonymous.get(earlier["earlier"]).json()["earlier"] is None


def test_a_running_candle_is_not_shown(anonymous: APIClient) -> None:
    candles(120)
    rows.MarketClock.objects.update(closed_until=rows.NOW - timedelta(minutes=10))

    hours = anonymous.get("/api/candles/", {"symbol": "BTCUSDT", "timeframe": "1h"}).json()["candles"]

    assert [row["close_time"][11:16] for row in hours] == ["11:00"]


def test_symbols_say_how_far_they_are_covered(anonymous: APIClient) -> None:
    candles(10)
    rows.symbol("ETHUSDT")

    btc, eth = listed(anonymous, "/api/symbols/")

    assert (btc["name"], btc["last_candle"][11:16]) == ("BTCUSDT", "11:59")
    assert (eth["first_candle"], eth["last_candle"]) == (None, None)
    assert [row["name"] for row in listed(anonymous, "/api/symbols/", ordering="-name")] == ["ETHUSDT", "BTCUSDT"]


def test_gaps_are_listed_with_their_evidence(anonymous: APIClient) -> None:
    seen = {"first_seen": timezone.now(), "last_checked": timezone.now()}
    CandleGap.objects.create(symbol="BTCUSDT", start=rows.NOW - HOUR, end=rows.NOW, status="filling", **seen)
    explained = {"status": "explained", "reason": "halted", "evidence": {"word": "BREAK"}}
    CandleGap.objects.create(symbol="BTCUSDT", start=rows.NOW - DAY, end=rows.NOW - 23 * HOUR, **explained, **seen)

    assert [row["minutes"] for row in listed(anonymous, "/api/gaps/")] == [60, 60]
    assert listed(anonymous, "/api/gaps/", reason="halted")[0]["evidence"] == {"word": "BREAK"}
    assert [row["reason"] for row in listed(anonymous, "/api/gaps/", status="filling")] == [""]


def test_positions_name_their_signal(anonymous: APIClient) -> None:
    signal = rows.signal(1.0)
    Position.objects.create(
        signal=signal, quantity=2, equity_before=10_000, opened_at=signal.opened_at, closed_at=rows.NOW, profit=2.0
    )

    (position,) = listed(anonymous, "/api/positions/", is_open="false", symbol="BTCUSDT")

    assert (position["signal"], position["direction"], position["profit"]) == (signal.pk, "long", 2.0)
    assert listed(anonymous, "/api/positions/", is_open="true") == []


def test_versions_tell_their_evidence_and_their_difference(anonymous: APIClient) -> None:
    rows.version(notes="equal weights")
    betas = [0.2] * (len(rows.HEAD_NAMES) - 1) + [0.6]
    rows.version(weights=rows.weights(betas), effective_from=rows.NOW, event_count=7)

    newest, oldest = listed(anonymous, "/api/versions/", state_type="head_weights")
    detail = anonymous.get("/api/versions/head_weights/2/").json()
    diff = anonymous.get("/api/versions/head_weights/2/diff/").json()
    back = anonymous.get("/api/versions/head_weights/1/diff/", {"against": 2}).json()

    assert (newest["version"], newest["event_count"], oldest["notes"]) == (2, 7, "equal weights")
    assert detail["story"][0].startswith("Version 2 of the head weights")
    assert (diff["before"]["version"], diff["heads"][-1]["change"]) == (1, pytest.approx(0.4))
    assert back["heads"][-1]["change"] == pytest.approx(-0.4)
    assert anonymous.get("/api/versions/head_weights/1/diff/").status_code == 404
    assert anonymous.get("/api/versions/head_weights/9/").status_code == 404
    assert anonymous.get("/api/versions/nothing/1/").status_code == 404
    assert anonymous.get("/api/versions/head_weights/2/diff?against=1", follow=True).status_code == 200


def test_a_version_is_rolled_back_pinned_and_released_by_hand(operators_client: APIClient) -> None:
    ensure_birth()
    key = {"Idempotency-Key": "once"}

    back = [operators_client.post("/api/versions/head_weights/1/rollback/", headers=key) for _ in range(2)]
    pinned = operators_client.post("/api/versions/head_weights/1/pin/")
    held = operators_client.post("/api/versions/head_weights/freeze/")
    released = operators_client.post("/api/versions/head_weights/release/")

    assert [answer.status_code for answer in back] == [201, 201]
    assert back[0].json() == back[1].json()
    assert (back[1]["Idempotent-Replayed"], back[0].json()["version"]) == ("true", 2)
    assert operators_client.get(back[0]["Location"]).json()["created_by"] == "rollback by operator"
    assert (pinned.status_code, pinned.json()["version"], pinned.json()["content_of"]) == (201, 3, 1)
    assert (held.status_code, released.status_code) == (409, 201)
    assert "held already" in held.json()["detail"]
    told = LearningEvent.objects.order_by("sequence").values_list("kind", flat=True)
    assert list(told) == ["rollback", "pin", "release"]


def test_an_act_on_a_version_that_is_not_there_leaves_its_key_free(operators_client: APIClient) -> None:
    ensure_birth()
    key = {"Idempotency-Key": "once"}

    assert operators_client.post("/api/versions/head_weights/9/pin/", headers=key).status_code == 404
    assert operators_client.post("/api/versions/head_weights/1/pin/", headers=key).status_code == 201


def test_a_member_that_nobody_knows_is_refused(operators_client: APIClient) -> None:
    answer = operators_client.post("/api/versions/head_weights/freeze/", {"reason": "x"}, format="json")

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "reason")


def test_runs_are_listed_by_job_and_state(anonymous: APIClient) -> None:
    rows.job_run("daily_learning", "2021-07-08", status="done", finished_at=timezone.now())
    rows.job_run("daily_learning", "2021-07-09", attempts=0)
    rows.job_run("weekly_retraining", "2021-W26")

    assert [row["period"] for row in listed(anonymous, "/api/jobs/", job="daily_learning")] == [
        "2021-07-09",
        "2021-07-08",
    ]
    assert [row["status"] for row in listed(anonymous, "/api/jobs/", status="queued")] == ["queued"]
    assert [row["period"] for row in listed(anonymous, "/api/jobs/", status="running")] == ["2021-W26"]


def parked(name: str = "alphapulse_site.canary") -> ParkedTask:
    return ParkedTask.objects.create(
        task_id=str(uuid4()), name=name, args=["scan"], error="=x", parked_at=timezone.now()
    )


def test_a_parked_task_is_sent_again_once(empty_broker: None, operators_client: APIClient) -> None:
    row = parked()
    assert [task["id"] for task in listed(operators_client, "/api/parked-tasks/", is_retried="false")] == [row.pk]

    first, second = (operators_client.post(f"/api/parked-tasks/{row.pk}/retry/") for _ in range(2))

    assert (first.json()["sent"], second.json()["sent"]) == (True, False)
    assert first.json()["task"]["retried_by"] == "operator"
    assert listed(operators_client, "/api/parked-tasks/", is_retried="false") == []
    assert operators_client.post("/api/parked-tasks/999999/retry/").status_code == 404


def test_a_parked_task_of_another_release_is_refused_for_good(empty_broker: None, operators_client: APIClient) -> None:
    row = parked("ingestion.no_longer_there")
    answer = operators_client.post(f"/api/parked-tasks/{row.pk}/retry/")

    assert answer.status_code == 409
    assert "in this release" in answer.json()["detail"]


def test_heads_are_ranked_by_what_they_save(anonymous: APIClient) -> None:
    rows.version()
    for step in range(6):
        rows.event(1.0, rows.evidence(technical=0.5, volume=-0.5), rows.NOW - 3 * DAY - step * DAY)
    rows.scan_close(rows.NOW)

    report = anonymous.get("/api/heads/").json()

    voted = [row for row in report["heads"] if row["rank"]]
    assert voted[0]["head"] == "technical"
    assert len(report["heads"]) == len(rows.HEAD_NAMES)
    assert {row["skill"] for row in report["heads"] if row["rank"] is None} == {None}
    assert report["leans"] == 6


def test_health_says_every_check_to_readers_only(anonymous: APIClient, settings: Any) -> None:
    answer = anonymous.get("/api/health/")

    assert (answer.status_code, answer.json()["status"]) == (200, "unhealthy")
    settings.ALPHAPULSE_ANONYMOUS_READS = False
    assert anonymous.get("/api/health/").status_code == 401


def test_what_has_not_changed_is_not_sent_again(anonymous: APIClient) -> None:
    rows.signal(None)
    for path in ("/api/signals/", "/api/learning/performance", "/api/versions/"):
        first = anonymous.get(path)
        again = anonymous.get(path, headers={"If-None-Match": first["ETag"]})

        assert (again.status_code, again.content) == (304, b"")
        assert "private" in first["Cache-Control"]
    tag = anonymous.get("/api/signals/")["ETag"]
    rows.Signal.objects.update(entry=99.0)
    assert anonymous.get("/api/signals/", headers={"If-None-Match": tag}).status_code == 200


def as_cell(value: Any) -> str:
    """A value of the JSON as the table writes it."""
    text = json.dumps(value) if isinstance(value, list | dict) else str(value)
    return f"'{text}" if text.startswith("=") else text


def table(client: APIClient, path: str, **query: str) -> list[list[str]]:
    answer = client.get(path, {"format": "csv", **query})
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv; charset=utf-8")
    return list(csv.reader(answer.getvalue().decode().splitlines()))


@pytest.mark.parametrize(
    "path",
    ["signals", "shadows", "scans/history", "positions", "gaps", "symbols", "versions", "jobs", "parked-tasks"],
)
def test_every_list_is_a_table_too_with_the_same_columns(anonymous: APIClient, path: str) -> None:
    rows.version()
    signal = rows.signal(1.0)
    rows.shadow(1.0)
    rows.scan()
    rows.job_run("daily_learning", "2021-07-08")
    parked()
    Position.objects.create(signal=signal, quantity=2, equity_before=10_000, opened_at=signal.opened_at)
    seen = {"first_seen": timezone.now(), "last_checked": timezone.now()}
    CandleGap.objects.create(symbol="BTCUSDT", start=rows.NOW - HOUR, end=rows.NOW, status="filling", **seen)

    heading, first, *_ = table(anonymous, f"/api/{path}/")

    said = listed(anonymous, f"/api/{path}/")[0]
    assert heading == list(said)
    assert first == ["" if value is None else as_cell(value) for value in said.values()]


def test_a_table_of_candles_is_asked_for_by_its_media_type(anonymous: APIClient) -> None:
    candles(3)

    answer = anonymous.get("/api/candles/", {"symbol": "BTCUSDT"}, headers={"Accept": "text/csv"})

    assert answer.getvalue().decode().splitlines()[0].startswith("open_time,close_time,open,")
    assert "Accept" in answer["Vary"]


def test_a_table_holds_no_formula(anonymous: APIClient) -> None:
    parked()

    heading, row, *_ = table(anonymous, "/api/parked-tasks/")

    assert row[heading.index("error")] == "'=x"


def test_a_table_has_no_pages(anonymous: APIClient) -> None:
    answer = anonymous.get("/api/signals/", {"format": "csv", "page_size": "5"})

    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")
    assert "a table has no pages" in answer.json()["detail"]


def test_a_reader_acts_on_nothing(reader: User) -> None:
    client = APIClient()
    client.force_authenticate(reader)

    acts = ("versions/head_weights/1/rollback", "versions/head_weights/freeze", "parked-tasks/1/retry")
    assert [client.post(f"/api/{act}/").status_code for act in acts] == [403] * 3
