"""Tasks that failed for good are parked in PostgreSQL, where doctor and the admin see them."""

from typing import Any

from celery import Task
from celery.signals import task_failure
from django.utils import timezone

from alphapulse_site.models import ParkedTask


@task_failure.connect(dispatch_uid="park a task that failed for good")
def park(sender: Task, task_id: str, exception: BaseException, args: Any, kwargs: Any, **_: Any) -> None:
    """Keep name, arguments and error; a task that fails twice under one id is kept once, with its last error."""
    parked = ParkedTask(
        task_id=task_id,
        name=sender.name,
        args=list(args or ()),
        kwargs=dict(kwargs or {}),
        error=f"{type(exception).__name__}: {exception}",
        parked_at=timezone.now(),
    )
    ParkedTask.objects.bulk_create(
        [parked], update_conflicts=True, unique_fields=["task_id"], update_fields=["error", "parked_at"]
    )
