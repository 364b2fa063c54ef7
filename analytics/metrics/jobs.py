"""Jobs: nights and weeks that are due, runs that failed, and messages that wait to be sent to people."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client.core import Metric

from alphapulse_site.models import JobRun
from analytics.frame import Frame
from analytics.metrics.counting import counted
from analytics.metrics.families import gauge, gauges
from analytics.notifications.models import Notification
from analytics.selectors.schedule import duration, newest_runs
from learning.calendar import DAILY, WEEKLY
from learning.selectors import due_jobs
from signals.rows import to_time


def jobs(frame: Frame) -> Iterator[Metric]:
    """Lateness by the market's clock in wall seconds, so that a recording's midnights count like any."""
    if frame.at is not None:
        yield from _lateness(frame.at, frame.speed or 1.0)
    failed = JobRun.objects.filter(status=JobRun.Status.FAILED)
    yield from gauge(
        "alphapulse_job_runs_failed", "Job runs whose last try failed and that were not made good.", counted(failed)
    )
    newest = newest_runs()
    yield from gauges(
        "alphapulse_job_last_start_time_seconds",
        "When the newest run of a job began, in unix seconds.",
        "job",
        {job: run.started_at for job, run in newest.items()},
    )
    yield from gauges(
        "alphapulse_job_last_duration_seconds",
        "How long the newest run of a job took; absent while it runs.",
        "job",
        {job: duration(run) for job, run in newest.items()},
    )
    yield from gauges(
        "alphapulse_job_last_start_delay_seconds",
        "Seconds of the market from the end of its period to the last try of a job's newest run.",
        "job",
        {job: run.lateness for job, run in newest.items()},
    )


def _lateness(at: datetime, speed: float) -> Iterator[Metric]:
    due = due_jobs()
    cut_offs = {job: [to_time(each.cut_off_ms) for each in due if each.job == job] for job in (DAILY, WEEKLY)}
    yield from gauges(
        "alphapulse_jobs_due",
        "Nights and weeks that have ended and are not learned.",
        "job",
        {job: len(found) for job, found in cut_offs.items()},
    )
    yield from gauges(
        "alphapulse_job_lateness_seconds",
        "Wall seconds since the oldest night or week ended that is not learned; 0 while none is due.",
        "job",
        {job: (at - min(found)) / speed if found else timedelta(0) for job, found in cut_offs.items()},
    )


def outbox() -> Iterator[Metric]:
    """Messages to people, by an index that holds no others."""
    waits = Notification.objects.filter(state=Notification.State.PENDING, part_of=None)
    found = waits.aggregate(number=Count("pk"), first=Min("next_attempt_at"))
    yield from gauge("alphapulse_outbox_messages", "Messages to people that wait to be sent.", found["number"])
    now = timezone.now()
    overdue = max(now - found["first"], timedelta(0)) if found["first"] else timedelta(0)
    yield from gauge(
        "alphapulse_outbox_overdue_seconds",
        "Wall seconds by which the message that is due first is late; 0 while none is.",
        overdue,
    )
