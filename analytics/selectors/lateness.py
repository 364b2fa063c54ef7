"""Nights and weeks that ended and were not learned in time, and runs that failed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from alphapulse_site.clock import market_now, market_speed
from alphapulse_site.models import JobRun
from learning.selectors import due_jobs
from signals.rows import to_time

# Wall time that a night or week may take after its cut-off.
LATE_AFTER = timedelta(minutes=30)


def late_jobs() -> dict[str, str]:
    """What is late: job and period -> what was seen. A failed run is late at once, whatever its age."""
    return dict([*_not_learned(market_now()), *_failed()])


def _not_learned(at: datetime | None) -> Iterator[tuple[str, str]]:
    patience = LATE_AFTER * max(market_speed(), 1.0)
    for job in due_jobs() if at else ():
        if at and at - to_time(job.cut_off_ms) > patience:
            yield f"{job.job} {job.period}", f"it was due {to_time(job.cut_off_ms):%Y-%m-%d %H:%M} and is not done"


def _failed() -> Iterator[tuple[str, str]]:
    for run in JobRun.objects.filter(status=JobRun.Status.FAILED):
        yield f"{run.job} {run.period}", f"its last run failed: {run.error[:300]}"
