"""How often a task is tried again, and how soon: what every task has that does not say otherwise."""

from typing import Any

from celery.contrib.django.task import DjangoTask


class BoundedTask(DjangoTask):
    """A task whose worker dies is run at most three times, a few seconds apart; then it is parked.

    Celery's own default would wait three minutes in a worker's memory, and a message waits there no longer than a
    minute: what is due later is a column in PostgreSQL. That counts only where the worker outlives its pool; a message
    that takes the whole of it along comes back, and is counted when it does.
    """

    abstract = True
    Request = "alphapulse_site.acknowledging:Request"
    max_retries = 2
    default_retry_delay = 2
    retry_backoff_max = 30

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """What is raised here is a failure of the task, which does not run."""
        if (self.request.delivery_info or {}).get("redelivered"):
            # Tasks are made before there are models.
            from alphapulse_site.redelivery import note_redelivery

            note_redelivery(task_id)
