"""Work that must happen once a period, signs of life, and locks between processes. PostgreSQL is the referee."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from alphapulse_site.clock import market_now
from alphapulse_site.log_context import about
from alphapulse_site.models import Heartbeat, JobRun

logger = logging.getLogger(__name__)
Report = Mapping[str, Any]


def run_once(
    job: str, period: str, effect: Callable[[], Report | None], *, due_at: datetime | None = None
) -> JobRun | None:
    """Run the effect once for this job and period, in one transaction with the mark that it is done.

    Returns the finished run, also if somebody finished it before; None at once if another process is at it now.
    If the effect raises, nothing of it stays, the error is written to the run, and the next call tries again.
    `due_at`: the market time at which the period was over; the run then knows how late it is.
    """
    with about(job=job, period=period):
        return _run_once(job, period, effect, due_at)


def _run_once(job: str, period: str, effect: Callable[[], Report | None], due_at: datetime | None) -> JobRun | None:
    run = _set_out(job, period, market_at=market_now(), due_at=due_at)
    if run is None or run.is_done:
        return run
    with _RecordFailure(run), transaction.atomic(durable=True):
        if not _is_ours(run):
            return JobRun.objects.filter(pk=run.pk, status=JobRun.Status.DONE).first()
        report = effect() or {}
        JobRun.objects.filter(pk=run.pk).update(
            status=JobRun.Status.DONE, finished_at=timezone.now(), report=dict(report), error=""
        )
    run.refresh_from_db()
    logger.info("%s %s is done", job, period)
    return run


def _set_out(job: str, period: str, *, market_at: datetime | None, due_at: datetime | None) -> JobRun | None:
    """Count the attempt before the work, in a transaction of its own: a killed process then leaves a trace."""
    now = timezone.now()
    with transaction.atomic(durable=True):
        JobRun.objects.bulk_create([JobRun(job=job, period=period, started_at=now)], ignore_conflicts=True)
        run = JobRun.objects.select_for_update(skip_locked=True).filter(job=job, period=period).first()
        if run is not None and not run.is_done:
            JobRun.objects.filter(pk=run.pk).update(
                status=JobRun.Status.RUNNING,
                started_at=now,
                market_at=market_at,
                due_at=due_at,
                attempts=F("attempts") + 1,
            )
    return run


def _is_ours(run: JobRun) -> bool:
    """Take the row's lock for the length of the effect. It goes with its owner, so a dead process blocks nobody."""
    not_done = JobRun.objects.filter(pk=run.pk).exclude(status=JobRun.Status.DONE)
    return not_done.select_for_update(skip_locked=True).exists()


class _RecordFailure:
    """Writes the error of the block into the run, after the block's transaction is gone; the error goes on."""

    def __init__(self, run: JobRun) -> None:
        self.run = run

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            return
        logger.warning(
            "%s %s did not come to its end, the next try begins anew: %s", self.run.job, self.run.period, error
        )
        JobRun.objects.filter(pk=self.run.pk).exclude(status=JobRun.Status.DONE).update(
            status=JobRun.Status.FAILED, finished_at=timezone.now(), error=f"{kind.__name__}: {error}"
        )


def beat(name: str, **figures: Any) -> None:
    """Write a sign of life with its figures, over the last one of that name, and count it."""
    # By PostgreSQL's clock: a worker whose own is wrong would else look dead, or alive for hours after its death.
    sign = {"beat_at": Now(), "market_at": market_now(), "figures": figures}
    Heartbeat.objects.bulk_create([Heartbeat(name=name, **sign)], ignore_conflicts=True)
    Heartbeat.objects.filter(name=name).update(beats=F("beats") + 1, **sign)


@contextmanager
def advisory_lock(name: str) -> Iterator[bool]:
    """True inside the block if this database session holds the lock of that name, False if another one does.

    PostgreSQL frees the lock when the session ends, however it ends. It needs a direct connection or a pooler in
    session mode: in transaction mode the session changes under the lock.
    """
    key = lock_key(name)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [key])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s)", [key])


def lock_key(name: str) -> int:
    """The same signed 64-bit number for a name in every process and version of Python."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
