"""Telling people: the outbox is filled and emptied."""

from celery import shared_task

from alphapulse_site.hints import hint
from alphapulse_site.jobs import beat
from analytics.notifications import services


# Its queue also keeps the partitions, which wait for seconds here and not for a receiver that answers byte by byte.
@shared_task(name="analytics.notify", soft_time_limit=40, time_limit=60)
def notify() -> None:
    """Find what is new, write it into the outbox, and send what is due. Safe to run twice, and twice at once."""
    done = services.notify()
    beat("notifications", **done.figures())
    if done.is_unfinished:
        hint("analytics.notify")
