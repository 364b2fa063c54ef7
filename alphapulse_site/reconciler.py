"""Ticks that were lost are made up: what has given no sign of life for longer than its period is sent for again.

Work of each minute needs no such care, since the next tick finds it; nights and weeks are found by the learner's own
reconciler from `job_runs`. What is left has longer periods, and a lost tick would cost a second one.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta

from django.db.models import DurationField, ExpressionWrapper, F
from django.db.models.functions import Now

from alphapulse_site.celery import SCHEDULE, WATCHED
from alphapulse_site.hints import hint
from alphapulse_site.jobs import beat
from alphapulse_site.models import Heartbeat

logger = logging.getLogger(__name__)
# Between the tick and the sign of life lies the queue.
GRACE = timedelta(seconds=30)


def made_up(sign: str) -> str:
    """The heartbeat that counts how often work was sent for again."""
    return f"made_up:{sign}"


def make_up() -> list[str]:
    """Send for what is overdue, once a period; gives back its names in beat's table. Safe to run twice."""
    ages = _ages()
    late = [name for name, sign in WATCHED.items() if _is_late(name, sign, ages)]
    sent = [name for name in late if hint(SCHEDULE[name][0])]
    for name in sent:
        beat(made_up(WATCHED[name]))
        logger.warning("%s has given no sign of life for %s and was sent for again", name, ages.get(WATCHED[name]))
    return sent


def _is_late(name: str, sign: str, ages: Mapping[str, timedelta]) -> bool:
    period = SCHEDULE[name][2]
    # What fails gives no sign of life; it is not sent for more often than beat would.
    seen = [ages[each] for each in (sign, made_up(sign)) if each in ages]
    return not seen or min(seen) > period + GRACE


def _ages() -> dict[str, timedelta]:
    """How old each sign of life is, by PostgreSQL's clock, which wrote them."""
    age = ExpressionWrapper(Now() - F("beat_at"), output_field=DurationField())
    return dict(Heartbeat.objects.annotate(age=age).values_list("name", "age"))
