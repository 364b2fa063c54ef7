"""Tasks that failed for good are parked in PostgreSQL, where people see them and send them again."""

import logging
from threading import Lock
from typing import Any
from uuid import uuid4

import psycopg2
from celery import Task, current_app
from celery.signals import task_failure
from django.db import InterfaceError, close_old_connections, transaction
from django.db import OperationalError as DatabaseAwayError
from django.utils import timezone
from kombu.exceptions import OperationalError

from alphapulse_site.hints import ONE_QUICK_TRY
from alphapulse_site.models import ParkedTask

logger = logging.getLogger(__name__)
# A lost session, a deadlock, a full disk or broker: nothing is wrong with the task, and the schedule finds its work.
# Django passes on as it is what psycopg2 raises outside of a statement.
CURED_BY_WAITING = (
    *(DatabaseAwayError, InterfaceError),
    *(psycopg2.OperationalError, psycopg2.InterfaceError),
    OperationalError,
)
# Characters that are kept; of a traceback the end, where the error is.
LONGEST_ERROR, LONGEST_TRACEBACK = 2_000, 10_000
_importing = Lock()


class NotSentError(Exception):
    """The task could not be sent again and stays parked; the message says why."""


class UnknownTaskError(NotSentError):
    """There is no such task in this release, and waiting will not change that."""


@task_failure.connect(dispatch_uid="park a task that failed for good")
def park(sender: Task, task_id: str, exception: BaseException, args: Any, kwargs: Any, einfo: Any, **_: Any) -> None:
    """Keep name, arguments, error and traceback; a task that fails twice under one id is kept once, as it failed last.

    Not if it lost the database or the broker: that is no fault of the task, whose work the next tick finds.
    Called in the pool's child, or, where that was killed or ran out of time, in the worker's own process, which asks
    the database so seldom that its connection may have died meanwhile.
    """
    if isinstance(exception, CURED_BY_WAITING):
        logger.warning("%s was broken off, the schedule finds its work again: %s", sender.name, exception)
        return
    close_old_connections()
    parked = ParkedTask(
        task_id=task_id,
        name=sender.name,
        args=list(args or ()),
        kwargs=dict(kwargs or {}),
        error=f"{type(exception).__name__}: {exception}"[:LONGEST_ERROR],
        traceback=str(einfo.traceback if einfo else "")[-LONGEST_TRACEBACK:],
        parked_at=timezone.now(),
    )
    ParkedTask.objects.bulk_create(
        [parked], update_conflicts=True, unique_fields=["task_id"], update_fields=["error", "traceback", "parked_at"]
    )


def retry_parked(*, parked_id: int, by: str) -> bool:
    """Send a parked task again, once; False if somebody has before, or there is none. Raises NotSentError.

    The mark and the message go together: without a broker the mark is taken back. Should the mark be lost after the
    message went out, the task may be sent a second time, which every task of ours bears.
    """
    with transaction.atomic():
        # Who updates first holds the row until the message is out; the other then finds it marked.
        mark = {"retried_at": timezone.now(), "retried_by": by[:150], "retried_as": str(uuid4())}
        if not ParkedTask.objects.filter(pk=parked_id, retried_at=None).update(**mark):
            return False
        _send_again(ParkedTask.objects.get(pk=parked_id))
    return True


def _is_known(name: str) -> bool:
    # Only workers import every task by themselves. Who asks while another thread imports is answered at once by Celery,
    # and would know half of them.
    with _importing:
        current_app.loader.import_default_modules()
    return name in current_app.tasks


def _send_again(parked: ParkedTask) -> None:
    if not _is_known(parked.name):
        raise UnknownTaskError(f"there is no task {parked.name} in this release; it stays parked.")
    try:
        current_app.send_task(
            parked.name, args=parked.args, kwargs=parked.kwargs, task_id=parked.retried_as, retry_policy=ONE_QUICK_TRY
        )
    except OperationalError as error:
        raise NotSentError(f"the broker is out of reach ({error}); the task stays parked.") from error
