"""Celery's lines go where all others go, and say which task they are about."""

import logging
import logging.config
import os
from inspect import signature
from typing import Any

from celery import Task, current_app
from celery.signals import setup_logging, task_postrun, task_prerun
from django.conf import settings

from alphapulse_site.log_context import begin_anew
from alphapulse_site.logs import JSON, JsonLine

TELLING = ("close", "chunk", "period", "queue")


@setup_logging.connect(dispatch_uid="log as everybody does")
def log_as_everybody_does(**_: Any) -> None:
    """With a receiver of this signal Celery leaves logging alone: LOG_LEVEL decides, and not `--loglevel`."""
    logging.config.dictConfig(settings.LOGGING)
    current_app.log.redirect_stdouts("WARNING")
    if settings.ALPHAPULSE_LOG == JSON:
        # Every process of ours imports this file, and only workers have a use for that one.
        from celery.apps import worker

        worker.safe_say = say


def say(message: str, *_: Any) -> None:
    """Celery says a few words out of signal handlers, where no lock of logging may be waited for."""
    record = logging.makeLogRecord({"name": "celery.worker", "levelname": "INFO", "msg": message.strip()})
    os.write(2, f"{JsonLine().format(record)}\n".encode())


@task_prerun.connect(dispatch_uid="lines are about this task")
def begin(task_id: str, task: Task, args: Any, kwargs: Any, **_: Any) -> None:
    begin_anew(task=task.name, task_id=task_id, **_told_by(task, args, kwargs))


def _told_by(task: Task, args: Any, kwargs: Any) -> dict[str, Any]:
    """Which close or period a task is about, by the names of its arguments."""
    names = list(signature(task.run).parameters)
    given = dict(zip(names, args or (), strict=False)) | dict(kwargs or {})
    return {name: given[name] for name in TELLING if given.get(name) is not None}


@task_postrun.connect(dispatch_uid="lines are about no task any more")
def end(**_: Any) -> None:
    begin_anew()
