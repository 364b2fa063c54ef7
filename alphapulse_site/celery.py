"""The Celery app with its three tables, all static: queues, routes, schedule."""

import os
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab

from alphapulse_site import queues
from alphapulse_site.environment import rabbitmq_is_chosen

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "alphapulse_site.settings")

# A closed list: a misspelt queue is an error at publishing, not a queue nobody reads.
QUEUES = ("ingestion", "scan", "tracking", "learning", "maintenance")

# Task name or pattern -> queue. A full name wins over a pattern.
ROUTES = {
    "ingestion.upkeep_partitions": "maintenance",
    "ingestion.*": "ingestion",
    "signals.track_signals": "tracking",
    "signals.track_shadows": "tracking",
    "signals.*": "scan",
    "learning.*": "learning",
    "analytics.*": "maintenance",
    "alphapulse_site.*": "maintenance",
}

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)

# Name -> (task, when in UTC, period). The ticks only wake the work: what is due is read from PostgreSQL.
SCHEDULE = {
    "gap check": ("ingestion.check_gaps", crontab(), MINUTE),
    # Once a day of the market, which in a recording is shorter than the wall's; halts in between.
    "universe refresh": ("ingestion.refresh_universe", crontab(minute="3-59/5"), 5 * MINUTE),
    "yesterday again": ("ingestion.reread_day", crontab(minute="4-59/10"), 10 * MINUTE),
    # A minute after the moments of the five-minute grid, when their readings are out.
    "feed fetch": ("ingestion.fetch_feeds", crontab(minute="1-59/5"), 5 * MINUTE),
    "outcome poll": ("signals.track_signals", MINUTE, MINUTE),
    "shadow poll": ("signals.track_shadows", crontab(minute="*/5"), 5 * MINUTE),
    "scan reconciler": ("signals.resume_scans", crontab(), MINUTE),
    "daily learning": ("learning.run_daily", crontab(hour="0", minute="0"), DAY),
    "weekly retraining": ("learning.run_weekly", crontab(day_of_week="sun", hour="2", minute="0"), 7 * DAY),
    "learning reconciler": ("learning.resume_jobs", crontab(), MINUTE),
    "notifications": ("analytics.notify", crontab(), MINUTE),
    "partition upkeep": ("ingestion.upkeep_partitions", crontab(hour="0", minute="30"), DAY),
    "tick reconciler": ("alphapulse_site.reconcile", crontab(), MINUTE),
}
# Of what is looked for less often than each minute: the heartbeat by which the reconciler sees that a tick was lost.
# Nights and weeks are not here: the learning reconciler finds them, by their periods.
WATCHED = {
    "universe refresh": "universe",
    "yesterday again": "rereading",
    "feed fetch": "feed_fetch",
    "shadow poll": "shadow_monitor",
    "partition upkeep": "partition_upkeep",
}
CANARY = "alphapulse_site.canary"


def schedule_entries() -> dict[str, dict[str, Any]]:
    """Beat's schedule: the table above and a canary a queue each minute. Ticks older than 0.9 periods are dropped."""
    entries = {
        name: {"task": task, "schedule": when, "options": {"expires": 0.9 * period.total_seconds()}}
        for name, (task, when, period) in SCHEDULE.items()
    }
    canaries = {
        f"canary {queue}": {
            "task": CANARY,
            "args": (queue,),
            "schedule": crontab(),
            "options": {"expires": 0.9 * MINUTE.total_seconds(), "queue": queue},
        }
        for queue in QUEUES
    }
    return entries | canaries


app = Celery("alphapulse", task_cls="alphapulse_site.retries:BoundedTask")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.conf.task_queues = queues.declared(QUEUES, rabbitmq=rabbitmq_is_chosen())
app.conf.task_routes = {name: {"queue": queue} for name, queue in ROUTES.items()}
app.conf.beat_schedule = schedule_entries()
app.autodiscover_tasks()


def _connect() -> None:
    # Imported for its signal receivers, which must be there before a worker sets up its logging.
    from alphapulse_site import celery_logs  # noqa: F401


_connect()
