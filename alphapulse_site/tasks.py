"""The frame's tasks: proof that a queue moves, and ticks made up."""

from celery import shared_task

from alphapulse_site import reconciler, redelivery
from alphapulse_site.jobs import beat


@shared_task(name="alphapulse_site.canary")
def canary(queue: str) -> None:
    """Write down that a worker took a message from this queue. Safe to run twice."""
    beat(f"canary:{queue}")


@shared_task(name="alphapulse_site.reconcile")
def reconcile() -> None:
    """Send for the work whose tick was lost, and forget what is long over. Safe to run twice."""
    beat("reconciler", sent=reconciler.make_up())
    redelivery.forget_old()
