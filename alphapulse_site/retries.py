"""How often a task is tried again, and how soon: what every task has that does not say otherwise."""

from celery.contrib.django.task import DjangoTask


class BoundedTask(DjangoTask):
    """A task whose worker dies is run at most three times, a few seconds apart; then it is parked.

    Celery's own default would wait three minutes in a worker's memory, and a message waits there no longer than a
    minute: what is due later is a column in PostgreSQL.
    """

    abstract = True
    Request = "alphapulse_site.acknowledging:Request"
    max_retries = 2
    default_retry_delay = 2
    retry_backoff_max = 30
