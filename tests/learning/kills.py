"""A job struck down before one of its statements, whichever it is: a query, a savepoint, a COPY or a COMMIT."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest.mock import patch

from django.db import OperationalError, connections
from django.db.backends.utils import CursorWrapper

from alphapulse_site.models import JobRun
from learning import selectors, services
from learning.calendar import DueJob
from learning.chains import verify_chain
from learning.models import ActiveLearningState, LearningEvent, LearningState, RejectionLearningMetrics

BUSY = 75


@contextmanager
def struck(at: int, strike: Callable[[], None]) -> Iterator[None]:
    """Strike once, before the `at`-th statement of the block; what comes after it is let through."""
    numbers = count(1)
    database: Any = connections["default"]  # `_commit` is private to Django, and unknown to its stubs
    commit = database._commit

    def next_one() -> None:
        if next(numbers) == at:
            strike()

    def execute(run: Callable[..., Any], *statement: Any) -> Any:
        next_one()
        return run(*statement)

    def copy_expert(self: CursorWrapper, *statement: Any) -> Any:
        next_one()
        return self.cursor.copy_expert(*statement)

    def committing() -> None:
        next_one()
        commit()

    with ExitStack() as held:
        held.enter_context(database.execute_wrapper(execute))
        held.enter_context(patch.object(CursorWrapper, "copy_expert", copy_expert, create=True))
        held.enter_context(patch.object(database, "_commit", committing))
        yield


def break_off() -> None:
    raise OperationalError("struck down")


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def left() -> list[Any]:
    """What the jobs left behind, without wall-clock times: hashes speak for all that versions and ledger rows say."""
    return [
        list(LearningState.objects.order_by("state_type", "version").values_list("hash", "status")),
        list(ActiveLearningState.objects.order_by("state_type").values_list("state_type", "state__version")),
        list(LearningEvent.objects.order_by("sequence").values_list("sequence", "hash")),
        list(RejectionLearningMetrics.objects.order_by("day", "reason").values_list("day", "reason", "sum_net_r")),
    ]


def is_done(job: DueJob) -> bool:
    return JobRun.objects.filter(job=job.job, period=job.period, status=JobRun.Status.DONE).exists()


def break_off_everywhere(job: DueJob) -> int:
    """Run the job, broken off at its first statement, its second and so on, until it is done; how often it was."""
    for at in count(1):
        before = left()
        try:
            with struck(at, break_off):
                services.run_job(job)
            return at - 1
        except OperationalError:
            assert is_done(job) or left() == before, f"broken off at statement {at}, the job left something behind"
    raise AssertionError


def kill_everywhere(periods: list[str]) -> dict[str, Any]:
    """The same in child processes that are killed there; for a process of its own, without connections to share."""
    found: dict[str, Any] = {"kills": {}}
    for job in selectors.due_jobs():
        if job.period in periods:
            found["kills"][job.period] = _killed_everywhere(job)
        else:
            services.run_job(job)
    return {**found, "chain": verify_chain()}


def _killed_everywhere(job: DueJob) -> int:
    for at in count(1):
        before = left()
        connections.close_all()
        code = _in_a_child(job, at)
        while code == BUSY:  # the server has not noticed yet that the last child is dead
            time.sleep(0.002)
            code = _in_a_child(job, at)
        if code == 0:
            return at - 1
        assert code == -signal.SIGKILL, f"the child ended with {code}"
        assert is_done(job) or left() == before, f"killed at statement {at}, the job left something behind"
    raise AssertionError


def _in_a_child(job: DueJob, at: int) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        with struck(at, kill):
            run = services.run_job(job)
        os._exit(0 if run is not None and run.is_done else BUSY)
    finally:  # an error was printed by no one else
        import traceback

        traceback.print_exc()
        os._exit(1)
