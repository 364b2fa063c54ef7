"""Figures of rejection-analysis, stats and scheduler against counts done by hand."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from alphapulse_site.models import JobRun, ParkedTask
from ingestion.partitions import ensure_partitions
from tests.analytics import rows

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
near = pytest.approx


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    rows.market_clock()
    rows.symbol()


@pytest.fixture
def refused() -> None:
    """Two good rejections, two missed opportunities, one neutral and one void; two signals beside them."""
    for days, net_r in ((2, -1.0), (3, -1.0), (4, 2.0), (5, 0.05)):
        rows.shadow(net_r, rows.NOW - days * DAY)
    rows.shadow(1.0, rows.NOW - 2 * DAY, "no_consensus", outcome="time")
    rows.shadow(None, rows.NOW - 2 * DAY, "risk_limit", outcome="void", exit_at=rows.NOW - 2 * DAY)
    rows.signal(2.0, rows.NOW - 2 * DAY)
    rows.signal(-1.0, rows.NOW - 3 * DAY)


def analysis(client: APIClient, **query: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/api/learning/rejection-analysis", query).json()
    return body


def test_rejections_are_good_missed_or_neutral(anonymous: APIClient, refused: None) -> None:
    body = analysis(anonymous)

    statistics = body["rejection_statistics"]
    assert (statistics["rejections"], statistics["matured"], statistics["void"]) == (6, 6, 1)
    assert (statistics["good_rejections"], statistics["missed_opportunities"]) == (2, 2)
    assert statistics["neutral_rejections"] == 1
    assert (statistics["missed_opportunity_rate"], statistics["n"]) == (0.4, 5)
    assert (body["rejection_accuracy"], body["n"]) == (0.5, 4)
    assert body["ci_low"] <= 0.5 <= body["ci_high"]


def test_each_gate_is_weighed_by_what_it_refused(anonymous: APIClient, refused: None) -> None:
    by_reason = analysis(anonymous)["by_reason"]

    quality = by_reason["low_quality"]
    assert (quality["count"], quality["good"], quality["missed"], quality["neutral"]) == (4, 2, 1, 1)
    assert quality["gate_value_r"] == near(-(-1.0 - 1.0 + 2.0 + 0.05) / 4)
    assert quality["ci"] == [quality["ci_low"], quality["ci_high"]]
    assert quality["ci_low"] <= quality["gate_value_r"] <= quality["ci_high"]
    assert by_reason["risk_limit"]["count"] == 1
    assert by_reason["risk_limit"]["gate_value_r"] is None
    nothing = by_reason["cooldown"]
    assert {nothing.pop(name) for name in ("count", "good", "missed", "neutral", "n")} == {0}
    assert nothing.pop("ci") == [None, None]
    assert {nothing.pop(name) for name in ("against_published_r_n", "rejection_accuracy_n")} == {0}
    assert set(nothing.values()) == {None}


@pytest.mark.parametrize(
    ("net_r", "kind"),
    [(-0.11, "good"), (-0.1, "neutral"), (-0.05, "neutral"), (0.1, "neutral"), (0.11, "missed")],
)
def test_within_a_tenth_of_r_a_rejection_is_neutral(anonymous: APIClient, net_r: float, kind: str) -> None:
    rows.shadow(net_r)

    quality = analysis(anonymous)["by_reason"]["low_quality"]

    assert {name: quality[name] for name in ("good", "missed", "neutral")} == {
        **{"good": 0, "missed": 0, "neutral": 0},
        kind: 1,
    }


def test_one_day_says_a_value_and_no_interval(anonymous: APIClient, refused: None) -> None:
    consensus = analysis(anonymous)["by_reason"]["no_consensus"]

    assert (consensus["gate_value_r"], consensus["ci"]) == (-1.0, [None, None])


def test_what_refusing_cost_stands_beside_what_it_saved(anonymous: APIClient, refused: None) -> None:
    body = analysis(anonymous)

    # All the winners, also the one that made too little to be called missed.
    assert body["opportunity_cost_r"] == 3.05
    assert body["avoided_loss_r"] == 2.0
    assert body["opportunity_cost_r_per_day"] == near(3.05 / 4)
    assert body["gate_value_r"] == near((2.0 - 1.0) / 2 - (-1.0 - 1.0 + 2.0 + 0.05 + 1.0) / 5)
    assert body["learning_data_multiplier"] == 3.5  # seven resolved leans, two of them signals
    assert body["rejection_breakdown"]["time"]["count"] == 1
    assert body["rejection_breakdown"]["time"]["avg_profit"] == 0.5
    assert body["rejection_breakdown"]["stop"]["avg_r"] == -1.0


def test_an_early_resolver_waits_for_its_cohort(anonymous: APIClient) -> None:
    rows.shadow(-1.0, rows.NOW - 5 * HOUR)  # stopped out after an hour, its time limit is tomorrow

    statistics = analysis(anonymous)["rejection_statistics"]

    assert (statistics["rejections"], statistics["matured"], statistics["good_rejections"]) == (1, 0, 0)


def stats(client: APIClient) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/api/learning/stats").json()
    return body


def test_stats_counts_rows(anonymous: APIClient, refused: None) -> None:
    rows.version()
    rows.version(effective_from=rows.NOW - DAY)
    rows.version("rejected", effective_from=None)
    rows.event(1.0, rows.evidence(technical=0.5))
    rows.event(1.0, rows.evidence(), is_signal=True)
    rows.event(0.0, rows.evidence(), kind="promotion", scan_id=None, is_signal=None)
    rows.signal(None, rows.NOW - HOUR)

    body = stats(anonymous)

    coordinator = body["coordinator"]
    assert (coordinator["outcomes_processed"], coordinator["learning_events_logged"]) == (2, 3)
    assert (coordinator["head_weight_updates"], coordinator["threshold_updates"]) == (1, 0)
    assert coordinator["versions_in_force"] == {"head_weights": 2}
    monitor = body["monitor"]
    assert (monitor["tp_hits_detected"], monitor["sl_hits_detected"], monitor["signals_monitored"]) == (1, 1, 1)
    rejection = body["rejection_learning"]
    assert (rejection["rejections_tracked"], rejection["learning_from_rejections"]) == (6, 1)
    assert (rejection["good_rejections"], rejection["missed_opportunities"], rejection["neutral_rejections"]) == (
        2,
        2,
        1,
    )
    assert (rejection["missed_opportunity_rate"], rejection["n"]) == (0.4, 5)
    assert rejection["monitoring_duration_hours"] == 5 * 24


def test_running_means_a_beat_within_two_intervals(anonymous: APIClient) -> None:
    rows.heartbeat("outcome_monitor", timedelta(seconds=100))
    rows.heartbeat("shadow_monitor", timedelta(minutes=11))

    body = stats(anonymous)

    assert body["monitor"]["is_running"] is True
    assert body["monitor"]["last_check_time"] is not None
    assert body["monitor"]["check_interval_seconds"] == 60
    assert body["monitor"]["checks_performed"] == 1
    assert body["rejection_learning"]["is_running"] is False


def test_errors_are_tasks_that_gave_up(anonymous: APIClient) -> None:
    ParkedTask.objects.create(task_id="1", name="signals.track_signals", error="KeyError", parked_at=timezone.now())

    body = stats(anonymous)

    assert (body["monitor"]["errors"], body["rejection_learning"]["errors"]) == (1, 0)


def test_coverage_is_the_share_of_refused_leans_with_a_shadow(anonymous: APIClient) -> None:
    ensure_partitions("scan_history", rows.NOW - 9 * DAY, rows.NOW)
    followed = rows.shadow(None, rows.NOW - HOUR)
    rows.scan(rows.NOW - HOUR, followed.scan_id)
    rows.scan(rows.NOW - 2 * HOUR)
    rows.scan(rows.NOW - 3 * HOUR, lean=0, rejection="no_consensus")
    rows.scan(rows.NOW - 4 * HOUR, rejection="")
    rows.scan(rows.NOW - 8 * DAY)

    rejection = stats(anonymous)["rejection_learning"]

    assert (rejection["coverage"], rejection["coverage_n"]) == (0.5, 2)


def scheduler(client: APIClient) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/api/learning/scheduler").json()["scheduler"]
    return body


def test_the_schedule_names_the_jobs_and_their_next_run(anonymous: APIClient) -> None:
    rows.heartbeat("outcome_monitor", timedelta(seconds=30))

    body = scheduler(anonymous)

    jobs = {job["id"]: job for job in body["jobs"]}
    assert {"daily_learning", "weekly_retraining", "outcome_monitor", "shadow_monitor", "gap_backfill"} <= set(jobs)
    assert body["total_jobs"] == len(body["jobs"])
    # The market clock stands at Saturday noon.
    assert (jobs["daily_learning"]["clock"], jobs["daily_learning"]["next_run_time"]) == (
        "market",
        "2021-07-11T00:00:00.000000Z",
    )
    assert jobs["weekly_retraining"]["next_run_time"] == "2021-07-11T02:00:00.000000Z"
    assert jobs["outcome_monitor"]["next_run_time"] > timezone.now().strftime("%Y-%m-%dT%H:%M:%S")


def test_the_scheduler_runs_while_canaries_arrive(anonymous: APIClient) -> None:
    rows.heartbeat("canary:scan", timedelta(minutes=3))
    assert scheduler(anonymous)["scheduler_running"] is False

    rows.heartbeat("canary:learning", timedelta(seconds=50))
    assert scheduler(anonymous)["scheduler_running"] is True


def test_the_history_of_jobs_is_that_of_their_runs(anonymous: APIClient) -> None:
    began = timezone.now() - timedelta(seconds=90)
    done = {"status": JobRun.Status.DONE, "started_at": began, "finished_at": began + timedelta(seconds=12.5)}
    rows.job_run("daily_learning", "2021-07-09", report={"outcomes_processed": 41}, **done)
    rows.job_run("weekly_retraining", "2021-W26", report={"outcomes_analyzed": 9, "weights_deployed": False}, **done)
    rows.job_run(
        "daily_learning", "2021-07-08", status=JobRun.Status.FAILED, error="ValueError: no", started_at=began - DAY
    )

    history = scheduler(anonymous)["job_history"]

    newest, failed = history["daily_learning"]
    assert (newest["period"], newest["duration_seconds"], newest["status"]) == ("2021-07-09", 12.5, "done")
    assert newest["outcomes_processed"] == 41
    assert (failed["status"], failed["duration_seconds"], failed["error"]) == ("failed", None, "ValueError: no")
    assert history["weekly_retraining"][0]["weights_deployed"] is False
