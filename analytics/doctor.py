"""The examination: every invariant, whether data is fresh, whether queues move, and what failed for good."""

from datetime import timedelta

from alphapulse_site.models import JobRun, ParkedTask
from alphapulse_site.snapshots import snapshot
from analytics import health
from analytics.invariants import INVARIANTS, Finding, Moment, found

PARKED_WINDOW = timedelta(days=1)


def examine() -> list[Finding]:
    """All findings, of one snapshot of the database: nothing that moves meanwhile looks like a fault."""
    with snapshot():
        moment = Moment.read()
        return [*(check(moment) for check in INVARIANTS), *_alive(), *_failures(moment)]


def _alive() -> list[Finding]:
    """Freshness and queues, as /healthz sees them."""
    return [
        Finding(
            "health", check.name, check.passed, int(not check.passed), check.seen, "" if check.passed else check.advice
        )
        for check in health.checks()
    ]


def _failures(moment: Moment) -> list[Finding]:
    """Job runs that failed and were not made good, and tasks that gave up within a day."""
    runs = [f"{run}: {run.error}" for run in JobRun.objects.filter(status=JobRun.Status.FAILED).order_by("-started_at")]
    waiting = ParkedTask.objects.filter(parked_at__gte=moment.wall - PARKED_WINDOW, retried_at=None)
    tasks = [f"{task}: {task.error}" for task in waiting.order_by("-parked_at")]
    return [
        found("jobs", "no job run has failed", runs, "cure the cause; the reconciler runs it again, or trigger it"),
        found("tasks", "no task was parked within a day", tasks, "cure the cause, then send the task again"),
    ]
