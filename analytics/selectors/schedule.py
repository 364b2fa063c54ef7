"""What runs when: beat's table, the last run of each job, and the history of the nightly and weekly ones."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from celery.schedules import crontab
from django.conf import settings

from alphapulse_site.celery import QUEUES, SCHEDULE
from alphapulse_site.clock import is_recording
from alphapulse_site.models import JobRun, ParkedTask
from analytics.selectors.signs import CANARY_INTERVAL, Signs
from learning.calendar import DAILY, WEEK_MS, WEEKLY, jobs_between
from signals.rows import to_ms, to_time

# Name in beat's table -> the job's name in the API, in job_runs and among the heartbeats.
JOB_IDS = {
    "gap check": "gap_backfill",
    "outcome poll": "outcome_monitor",
    "shadow poll": "shadow_monitor",
    "daily learning": DAILY,
    "weekly retraining": WEEKLY,
}
HISTORY = 14
SHOWN = 50


def job_id(name: str) -> str:
    return JOB_IDS.get(name, name.replace(" ", "_"))


def scheduler(signs: Signs, at: datetime | None) -> dict[str, Any]:
    """The schedule as it stands. It counts as running while any canary, which beat sends each minute, arrives."""
    latest = newest_runs()
    jobs = [_job(name, entry, signs, at, latest) for name, entry in SCHEDULE.items()]
    return {
        "scheduler_running": any(signs.queues_moving().values()),
        "total_jobs": len(jobs),
        "jobs": jobs,
        "job_history": {DAILY: history(DAILY), WEEKLY: history(WEEKLY)},
        "configuration": {
            "timezone": "UTC",
            "market_clock": "recording" if is_recording() else "wall",
            "scan_timeframe": settings.ALPHAPULSE_SCAN_TIMEFRAME,
            "queues": list(QUEUES),
            "canary_interval_seconds": int(CANARY_INTERVAL.total_seconds()),
        },
    }


def newest_runs() -> dict[str, JobRun]:
    """The newest run of each job, by its name."""
    return {run.job: run for run in JobRun.objects.order_by("job", "-started_at").distinct("job")}


def _job(
    name: str, entry: tuple[str, Any, timedelta], signs: Signs, at: datetime | None, latest: Mapping[str, JobRun]
) -> dict[str, Any]:
    task, when, period = entry
    identity = job_id(name)
    run = latest.get(identity) or latest.get(task)
    beaten = signs.last(identity)
    by_market = identity in (DAILY, WEEKLY)
    return {
        "id": identity,
        "name": name,
        "task": task,
        "clock": "market" if by_market else "wall",
        "interval_seconds": int(period.total_seconds()),
        "every": period,
        "next_run_time": _next_period(identity, at) if by_market else _next_tick(when, beaten, signs.now),
        "last_run": beaten or (run.started_at if run else None),
        "last_period": run.period if run else None,
        "last_status": run.status if run else None,
    }


def _next_period(identity: str, at: datetime | None) -> datetime | None:
    """Jobs keyed by a period follow the market clock, which in a recording has its own midnights."""
    if at is None:
        return None
    following = jobs_between(to_ms(at) + 1, to_ms(at) + WEEK_MS)
    return to_time(next(due.cut_off_ms for due in following if due.job == identity))


def _next_tick(when: timedelta | crontab, last: datetime | None, now: datetime) -> datetime | None:
    """Beat's next tick; of a plain interval only known once it has run."""
    if isinstance(when, timedelta):
        return last + when if last else None
    due: datetime = now + when.remaining_estimate(now)
    return (due + timedelta(seconds=30)).replace(second=0, microsecond=0)  # to the full minute that crontab means


def history(job: str) -> list[dict[str, Any]]:
    """The job's last runs, newest first."""
    return [_run(run) for run in JobRun.objects.filter(job=job).order_by("-started_at")[:HISTORY]]


def _run(run: JobRun) -> dict[str, Any]:
    row = {
        "period": run.period,
        "started_at": run.started_at,
        "duration_seconds": duration(run),
        "lateness_seconds": lateness(run),
        "status": status(run),
        "attempts": run.attempts,
        "error": run.error,
    }
    if run.job == DAILY:
        return row | {"outcomes_processed": run.report.get("outcomes_processed")}
    figures = ("outcomes_analyzed", "weights_deployed")
    return row | {name: run.report.get(name) for name in figures}


def last_runs() -> list[dict[str, Any]]:
    """The runs of all jobs that began last, newest first."""
    return [run_state(run) | {"late": run.lateness} for run in JobRun.objects.order_by("-started_at")[:SHOWN]]


def parked_tasks() -> list[ParkedTask]:
    """The tasks that gave up, newest first."""
    return list(ParkedTask.objects.order_by("-parked_at")[:SHOWN])


def duration(run: JobRun) -> float | None:
    return (run.finished_at - run.started_at).total_seconds() if run.finished_at else None


def lateness(run: JobRun) -> float | None:
    """Seconds of the market between the end of its period and its last try."""
    return None if run.lateness is None else run.lateness.total_seconds()


def status(run: JobRun) -> str:
    """A run that was asked for and that no worker has begun is queued."""
    return "queued" if run.attempts == 0 and run.status == JobRun.Status.RUNNING else run.status


def run_state(run: JobRun) -> dict[str, Any]:
    """One run as the API says it."""
    stored = ("id", "job", "period", "attempts", "started_at", "finished_at", "market_at", "due_at", "report", "error")
    told = {"status": status(run), "duration_seconds": duration(run), "lateness_seconds": lateness(run)}
    return {name: getattr(run, name) for name in stored} | told
