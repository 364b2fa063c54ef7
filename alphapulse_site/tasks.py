"""The frame's one task: proof that a queue moves."""

from celery import shared_task

from alphapulse_site.jobs import beat


@shared_task(name="alphapulse_site.canary")
def canary(queue: str) -> None:
    """Write down that a worker took a message from this queue. Safe to run twice."""
    beat(f"canary:{queue}")
