"""Runs that a person asks for: one row a job and period, and a hint to the workers. Safe to ask twice."""

from django.conf import settings
from django.utils import timezone

from alphapulse_site.clock import market_now
from alphapulse_site.hints import hint
from alphapulse_site.models import JobRun
from learning.calendar import DAILY, WEEKLY, jobs_between
from signals.rows import to_ms
from signals.selectors import first_close

TASKS = {DAILY: "learning.run_daily", WEEKLY: "learning.run_weekly"}
PERIOD_FORMS = {DAILY: "a day such as 2021-07-02", WEEKLY: "an ISO week such as 2021-W26"}


class PeriodError(ValueError):
    """A period that is none, or that has not ended yet; the message says what to send instead."""


def periods(job: str) -> list[str]:
    """Every period of the job that has ended on the market clock, oldest first."""
    began, at = first_close(settings.ALPHAPULSE_SCAN_TIMEFRAME), market_now()
    if began is None or at is None:
        return []
    return [due.period for due in jobs_between(to_ms(began), to_ms(at)) if due.job == job]


def resolve_period(job: str, period: str) -> str:
    """The period that is meant, one that has ended; empty means the last one that did."""
    ended = periods(job)
    if not ended:
        raise PeriodError("no period has ended yet: nothing was scanned before the last midnight. Try again later.")
    if period and period not in ended:
        raise PeriodError(
            f"{period!r} is no period that has ended; send {PERIOD_FORMS[job]}, {ended[0]} to {ended[-1]}, or none."
        )
    return period or ended[-1]


def request_run(*, job: str, period: str) -> JobRun:
    """The run of this job and period, made if there is none."""
    wanted = resolve_period(job, period)
    return JobRun.objects.get_or_create(job=job, period=wanted, defaults={"started_at": timezone.now()})[0]


def wake(*, job: str, period: str) -> bool:
    """Tell a worker of the run; False where the broker is out of reach, and then the schedule finds it."""
    return hint(TASKS[job], period)
