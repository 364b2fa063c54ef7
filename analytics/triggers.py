"""Runs that a person asks for: one row a job and period, and a hint to the workers. Safe to ask twice."""

import hashlib

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from alphapulse_site.clock import market_now
from alphapulse_site.hints import hint
from alphapulse_site.models import JobRun
from analytics.models import AcknowledgedRequest
from learning.calendar import DAILY, WEEKLY, jobs_between
from signals.rows import to_ms
from signals.selectors import first_close

TASKS = {DAILY: "learning.run_daily", WEEKLY: "learning.run_weekly"}
PERIOD_FORMS = {DAILY: "a day such as 2021-07-02", WEEKLY: "an ISO week such as 2021-W26"}


class PeriodError(ValueError):
    """A period that is none, or that has not ended yet; the message says what to send instead."""


class KeyReusedError(ValueError):
    """An Idempotency-Key that came before with another path or body."""


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


def request_run(*, job: str, period: str, user: User, key: str, fingerprint: str) -> JobRun:
    """The run of this job and period, made if there is none; with a known key, the run it was first given."""
    if key and (known := _acknowledged(user, key, fingerprint)):
        return known
    with transaction.atomic():
        run, _ = JobRun.objects.get_or_create(
            job=job, period=resolve_period(job, period), defaults={"started_at": timezone.now()}
        )
        if key:
            run = _remember(user, key, fingerprint, run)
    if not run.is_done:
        hint(TASKS[job], run.period)
    return run


def _acknowledged(user: User, key: str, fingerprint: str) -> JobRun | None:
    before = AcknowledgedRequest.objects.filter(user=user, key=key).select_related("job_run").first()
    if before is None:
        return None
    if before.fingerprint != fingerprint:
        raise KeyReusedError("this Idempotency-Key was used for another request; send a new one.")
    return before.job_run


def _remember(user: User, key: str, fingerprint: str, run: JobRun) -> JobRun:
    row = AcknowledgedRequest(user=user, key=key, fingerprint=fingerprint, job_run=run)
    AcknowledgedRequest.objects.bulk_create([row], ignore_conflicts=True)
    # A request with the same key at the same moment may have been first: its run is the answer to both.
    return _acknowledged(user, key, fingerprint) or run


def fingerprint_of(job: str, period: str) -> str:
    return hashlib.sha256(f"{job}\n{period}".encode()).hexdigest()
