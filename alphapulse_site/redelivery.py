"""Messages that come back because nobody acknowledged them: counted, and given up when they come too often."""

from datetime import timedelta

from django.db import connection
from django.utils import timezone

from alphapulse_site.models import Redelivery

# Each has cost a worker its life or its connection. RabbitMQ would drop the message without a word after 20.
MOST = 3
KEPT = timedelta(days=2)

COUNT = """
INSERT INTO redeliveries AS known (task_id, times, last_at) VALUES (%s, 1, now())
ON CONFLICT (task_id) DO UPDATE SET times = known.times + 1, last_at = now() RETURNING times"""


class RedeliveredTooOftenError(Exception):
    """Whoever takes this message does not live to acknowledge it; the task is parked."""


def note_redelivery(task_id: str) -> None:
    """Count it before the task begins, outside of any transaction: what comes after may not live long enough.

    Raises RedeliveredTooOftenError after MOST times.
    """
    with connection.cursor() as cursor:
        cursor.execute(COUNT, [task_id])
        times = int(cursor.fetchone()[0])
    if times > MOST:
        raise RedeliveredTooOftenError(
            f"it came back {times} times, since no worker that took it acknowledged it; each may have died of it."
            " See what becomes of workers that run it (memory?) before it is sent again."
        )


def forget_old() -> None:
    """Drop the counts of messages that have not come for days."""
    Redelivery.objects.filter(last_at__lt=timezone.now() - KEPT).delete()
