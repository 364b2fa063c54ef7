"""/metrics against what is stored and what waits in a real broker, read back by Prometheus' own parsers."""

import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families
from pytest_django import Settings
from redis import Redis
from rest_framework.test import APIClient

from alphapulse_site.celery import QUEUES
from alphapulse_site.environment import cache_url
from alphapulse_site.hints import hint
from alphapulse_site.models import ClockStep, ParkedTask
from analytics.metrics import exposition
from analytics.tokens import create_token
from ingestion.models import CandleGap, QuarantinedMessage
from tests.analytics import rows
from tests.analytics.test_decisions_and_health import well

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
QUARTER = 15 * MINUTE
# However many symbols, scans and outcomes there are.
MOST_QUERIES = 40
Samples = dict[tuple[str, str], float]


@pytest.fixture(autouse=True)
def market(db: None, empty_broker: None) -> None:
    rows.market_clock()
    rows.symbol()
    rows.version()


def scraped(client: APIClient) -> Samples:
    """(name, value of its label) -> value; the name alone where there is no label."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.content
    return samples(answer.content.decode())


def samples(text: str) -> Samples:
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name != "alphapulse_build_info"
    }


def names(found: Samples) -> set[str]:
    return {name for name, _ in found}


def test_prometheus_reads_it_and_its_linter_finds_nothing(anonymous: APIClient) -> None:
    everything()

    answer = anonymous.get("/metrics", headers={"accept": "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"})

    assert answer["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    text = answer.content.decode()
    assert "alphapulse_build_info{" in text
    assert len(names(samples(text))) > 40
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    checked = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")


def everything() -> None:
    """Something of each kind, so that every metric has a sample."""
    well()
    rows.ScanClose.objects.update(complete_at=timezone.now(), scans=8, signals=1)
    rows.MarketClock.objects.update(exchange_until=rows.NOW)
    ClockStep.objects.create(closed_until=rows.NOW, stepped_at=timezone.now())
    rows.heartbeat("scan")
    rows.signal(None)
    rows.shadow(None)
    times = {"due_at": rows.NOW, "market_at": rows.NOW + HOUR, "finished_at": timezone.now()}
    rows.job_run("daily_learning", "2021-07-08", **times)
    certificate = {
        "holds": True,
        "nights": 3,
        "gap": 0.1,
        "drift": 0.1,
        "excess": {"equal": 0.5, "zero": -1.0},
        "bound": {"equal": 2.0, "zero": 3.0},
    }
    effect = {"value": 0.01, "ci_low": -0.01, "ci_high": 0.03, "scans": 9}
    rows.version(created_by="nightly", certificate=certificate, metrics_after={"effect": effect}, period="2021-07-09")
    hint("ingestion.check_gaps")
    hint("learning.resume_jobs")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE signals")


def test_the_broker_tells_what_waits_and_how_long(anonymous: APIClient) -> None:
    before = time.time()
    hint("ingestion.check_gaps")
    hint("ingestion.fetch_feeds")
    time.sleep(0.2)

    found = scraped(anonymous)

    assert found["alphapulse_broker_up", ""] == 1
    depths = {queue: found["alphapulse_queue_messages", queue] for queue in QUEUES}
    assert depths == dict.fromkeys(QUEUES, 0) | {"ingestion": 2}
    ages = {label: value for (name, label), value in found.items() if name.endswith("oldest_message_age_seconds")}
    # That of an empty queue is left out: no message is not a message of this second.
    assert set(ages) == {"ingestion"}
    assert 0.2 <= ages["ingestion"] <= time.time() - before


@pytest.mark.parametrize(
    "message", [b"\xff\x00", b"[1]", b"{}", b'{"headers": {"sent_at": "soon"}}', b'{"headers": 7}']
)
def test_a_message_that_is_none_of_ours_counts_and_has_no_age(
    anonymous: APIClient, settings: Settings, message: bytes
) -> None:
    prefix = settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"]
    with Redis.from_url(cache_url(settings.CELERY_BROKER_URL)) as client:
        client.lpush(f"{prefix}scan", message)

    found = scraped(anonymous)

    assert found["alphapulse_queue_messages", "scan"] == 1
    assert ("alphapulse_queue_oldest_message_age_seconds", "scan") not in found


@pytest.fixture
def silent() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("broker", ["redis+socket:///nowhere/valkey.sock", "redis://127.0.0.1:{silent}/0"])
def test_a_broker_that_is_down_or_deaf_does_not_fail_the_scrape(
    anonymous: APIClient, settings: Settings, silent: int, broker: str
) -> None:
    settings.CELERY_BROKER_URL = broker.format(silent=silent)

    found = scraped(anonymous)

    assert found["alphapulse_broker_up", ""] == 0
    assert not [name for name in names(found) if "queue" in name]
    assert found["alphapulse_database_up", ""] == 1


def test_a_database_that_does_not_answer_in_time_does_not_fail_the_scrape(
    anonymous: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exposition, "STATEMENT_SECONDS", 0.2)
    name = connection.settings_dict["NAME"]
    url = re.sub(r"///\w+\?", f"///{name}?", os.environ["DATABASE_URL"])
    with closing(psycopg2.connect(url)) as other, other.cursor() as cursor:
        cursor.execute("LOCK TABLE parked_tasks IN ACCESS EXCLUSIVE MODE")
        found = scraped(anonymous)

    assert (found["alphapulse_database_up", ""], found["alphapulse_broker_up", ""]) == (0, 1)
    assert names(found) >= {"alphapulse_queue_messages"}
    assert "alphapulse_open_decisions" not in names(found)


def test_checks_and_canaries_are_those_of_healthz(anonymous: APIClient) -> None:
    well()
    rows.Heartbeat.objects.filter(name="canary:scan").update(beat_at=timezone.now() - HOUR)

    found = scraped(anonymous)

    said = {check["name"]: float(check["passed"]) for check in anonymous.get("/healthz").json()["checks"]}
    assert {label: value for (name, label), value in found.items() if name == "alphapulse_check_passed"} == said
    assert (said["queue scan"], said["queue learning"], found["alphapulse_healthy", ""]) == (0, 1, 0)
    assert 3600 <= found["alphapulse_canary_age_seconds", "scan"] < 3700
    assert found["alphapulse_heartbeats_total", "stream"] == 1
    assert ("alphapulse_heartbeat_age_seconds", "canary:scan") not in found


def test_the_lag_of_a_candle_is_beside_the_time_of_the_exchange(anonymous: APIClient) -> None:
    well()
    rows.symbol("NEWUSDT")
    rows.symbol("OLDUSDT")
    rows.Symbol.objects.filter(name="OLDUSDT").update(is_active=False)
    newest = anonymous.get("/api/symbols/").json()["results"][0]["last_candle"]
    assert newest.startswith("2021-07-10T11:59")

    assert scraped(anonymous)["alphapulse_candle_lag_seconds", "BTCUSDT"] == 0
    rows.MarketClock.objects.update(exchange_until=rows.NOW + 7 * MINUTE)
    found = scraped(anonymous)

    assert found["alphapulse_candle_lag_seconds", "BTCUSDT"] == 420
    assert found["alphapulse_market_lag_seconds", ""] == 420
    assert found["alphapulse_market_time_seconds", ""] == rows.NOW.timestamp()
    # One has no candle yet, the other is not followed.
    assert [label for name, label in found if name == "alphapulse_candle_lag_seconds"] == ["BTCUSDT"]


def test_a_close_that_waits_shows_for_how_long(anonymous: APIClient) -> None:
    assert "alphapulse_last_close_scans" not in names(scraped(anonymous))
    now = timezone.now()
    rows.scan_close(rows.NOW, scans=8, signals=1, complete_at=now - timedelta(seconds=4), decided_at=now)
    found = scraped(anonymous)
    assert (found["alphapulse_closes_waiting", ""], found["alphapulse_scan_waiting_seconds", ""]) == (0, 0)
    assert [found["alphapulse_scan_lag_seconds", each] for each in ("last", "median", "p99")] == [4, 4, 4]
    assert (found["alphapulse_last_close_scans", ""], found["alphapulse_last_close_signals", ""]) == (8, 1)

    rows.MarketClock.objects.update(closed_until=rows.NOW + 3 * QUARTER)
    found = scraped(anonymous)
    # Nobody has noted when the clock came there.
    assert found["alphapulse_closes_waiting", ""] == 3
    assert "alphapulse_scan_waiting_seconds" not in names(found)

    ClockStep.objects.create(closed_until=rows.NOW + QUARTER, stepped_at=now - MINUTE)
    assert 60 <= scraped(anonymous)["alphapulse_scan_waiting_seconds", ""] < 100


def test_open_decisions_are_counted_and_the_least_followed_is_told(anonymous: APIClient) -> None:
    rows.signal(1.0)
    rows.signal(None, checked_until=rows.NOW)
    rows.shadow(None, checked_until=rows.NOW - HOUR)
    rows.shadow(1.0, mirror_outcome="", checked_until=rows.NOW)

    found = scraped(anonymous)

    assert (found["alphapulse_open_decisions", "signal"], found["alphapulse_open_decisions", "shadow"]) == (1, 2)
    assert found["alphapulse_tracking_lag_seconds", "signal"] == 0
    assert found["alphapulse_tracking_lag_seconds", "shadow"] == 3600


def test_a_night_that_is_not_learned_is_late_by_the_wall(anonymous: APIClient) -> None:
    rows.scan_close(rows.NOW - 24 * HOUR)
    rows.scan_close(rows.NOW)

    found = scraped(anonymous)

    # Due at midnight, twelve hours of the market before, which at 60x are twelve minutes.
    assert found["alphapulse_job_lateness_seconds", "daily_learning"] == 720
    assert (found["alphapulse_jobs_due", "daily_learning"], found["alphapulse_jobs_due", "weekly_retraining"]) == (1, 0)
    assert found["alphapulse_job_lateness_seconds", "weekly_retraining"] == 0

    rows.job_run("daily_learning", "2021-07-09", status="done")
    assert scraped(anonymous)["alphapulse_job_lateness_seconds", "daily_learning"] == 0


def test_what_failed_and_what_waits_is_counted(anonymous: APIClient) -> None:
    rows.job_run("daily_learning", "2021-07-08", status="failed")
    at = timezone.now()
    ParkedTask.objects.create(task_id="a", name="signals.scan", error="drawn", parked_at=at)
    ParkedTask.objects.create(task_id="b", name="signals.scan", error="drawn", parked_at=at, retried_at=at)
    QuarantinedMessage.objects.create(source="rest", payload="{}", payload_digest="0", reason="drawn", received_at=at)
    gap = {"symbol": "BTCUSDT", "first_seen": at, "last_checked": at}
    CandleGap.objects.create(start=rows.NOW, end=rows.NOW + MINUTE, status="filling", **gap)
    CandleGap.objects.create(start=rows.NOW + HOUR, end=rows.NOW + 2 * HOUR, status="explained", reason="halted", **gap)

    found = scraped(anonymous)

    assert found["alphapulse_job_runs_failed", ""] == 1
    assert found["alphapulse_parked_tasks", ""] == 1
    assert found["alphapulse_quarantined_messages", ""] == 1
    assert found["alphapulse_candle_gaps_filling", ""] == 1
    assert (found["alphapulse_outbox_messages", ""], found["alphapulse_outbox_overdue_seconds", ""]) == (0, 0)


def test_the_learner_tells_what_it_has_proven(anonymous: APIClient) -> None:
    everything()

    found = scraped(anonymous)

    assert found["alphapulse_version_in_force", "head_weights"] == 2
    assert found["alphapulse_learner_live", ""] == 0
    claim = "the learner beats equal weights"
    assert found["alphapulse_learner_e_value", claim] == 1
    assert found["alphapulse_learner_e_value_needed", claim] == 20
    assert found["alphapulse_learner_regret_nats", "equal"] == 0.5
    assert found["alphapulse_learner_regret_bound_nats", "equal"] == 2.0
    assert found["alphapulse_learner_effect_nats", "ci_high"] == 0.03
    assert found["alphapulse_learner_certificate_holds", ""] == 1


def test_connections_are_counted_against_their_limit(anonymous: APIClient) -> None:
    found = scraped(anonymous)

    assert found["alphapulse_database_connections", "active"] >= 1
    assert found["alphapulse_database_max_connections", ""] >= 20
    assert found["alphapulse_database_size_bytes", ""] > 1e6


def test_the_rows_of_a_table_are_told_once_the_planner_knows_them(anonymous: APIClient) -> None:
    rows.signal(1.0)
    with connection.cursor() as cursor:
        # As a table is that was just made.
        cursor.execute("UPDATE pg_class SET reltuples = -1 WHERE oid = to_regclass('signals')")
        assert ("alphapulse_table_rows", "signals") not in scraped(anonymous)
        cursor.execute("ANALYZE signals")

    assert scraped(anonymous)["alphapulse_table_rows", "signals"] == 1


def test_strangers_need_a_token_that_reads_where_reading_is_not_for_all(
    anonymous: APIClient, settings: Settings, reader: User
) -> None:
    settings.ALPHAPULSE_ANONYMOUS_READS = False
    _, secret = create_token(name="prometheus", scope="read", user=reader)

    assert anonymous.get("/metrics").status_code == 401
    assert anonymous.get("/metrics", headers={"authorization": "Bearer alphapulse_no"}).status_code == 401
    assert anonymous.get("/metrics", headers={"authorization": f"Bearer {secret}"}).status_code == 200
    assert anonymous.post("/metrics", headers={"authorization": f"Bearer {secret}"}).status_code in (403, 405)


def test_a_scrape_costs_the_same_queries_however_much_there_is(anonymous: APIClient) -> None:
    everything()
    few = queries(anonymous)
    for step in range(12):
        at = rows.NOW - (step + 2) * HOUR
        rows.symbol(f"S{step:03d}USDT")
        rows.signal(1.0, at)
        rows.shadow(None, at)
        rows.scan_close(at)
        rows.heartbeat(f"process {step}")
        rows.job_run("daily_learning", f"2021-06-{step + 10}", status="done")

    many = queries(anonymous)

    assert many == few
    assert many <= MOST_QUERIES


def queries(client: Any) -> int:
    with CaptureQueriesContext(connection) as captured:
        client.get("/metrics")
    return len(captured)


def test_an_instance_that_has_just_been_made_says_what_it_knows_and_no_more(anonymous: APIClient) -> None:
    rows.MarketClock.objects.all().delete()
    rows.Symbol.objects.all().delete()

    found = scraped(anonymous)

    assert not {
        "alphapulse_scan_lag_seconds",
        "alphapulse_candle_lag_seconds",
        "alphapulse_canary_age_seconds",
    } & names(found)
    assert found["alphapulse_healthy", ""] == 0
