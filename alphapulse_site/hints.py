"""Messages that only wake a worker. One that is lost costs a minute, since the schedule finds the work again."""

import logging
from typing import Any

from celery import current_app
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

ONE_QUICK_TRY = {"max_retries": 1, "interval_start": 0.1, "interval_step": 0.0, "interval_max": 0.1}


def hint(task_name: str, *args: Any) -> bool:
    """Ask a worker to run the task soon; False, with a warning, if the broker is out of reach."""
    try:
        current_app.send_task(task_name, args=args, retry_policy=ONE_QUICK_TRY)
    except OperationalError as error:
        logger.warning("broker out of reach, %s waits for the schedule: %s", task_name, error)
        return False
    return True
