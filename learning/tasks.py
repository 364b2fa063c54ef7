"""The jobs of the learner. Ticks only wake them: which night or week is due is read from the tables, in order."""

from celery import shared_task

from alphapulse_site.hints import hint
from learning import services


@shared_task(name="learning.resume_jobs")
def resume_jobs() -> None:
    """Append outcomes to the ledger, run what is due, and wake the scan that waited for it."""
    if services.run_due_jobs():
        hint("signals.scan_due")


@shared_task(name="learning.run_daily")
def run_daily(period: str | None = None) -> None:
    """The nightly tick. A period says what was asked for; all that is due is run, since each job builds on the last."""
    resume_jobs()


@shared_task(name="learning.run_weekly")
def run_weekly(period: str | None = None) -> None:
    """The weekly tick, under the same rule: nights and weeks are learned in order of time."""
    resume_jobs()
