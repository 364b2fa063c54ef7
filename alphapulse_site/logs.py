"""Log lines: for people, or one JSON object each for whoever collects them."""

import logging
import sys
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from alphapulse_site.log_context import facts

LINE, JSON = "line", "json"
FOR_PEOPLE = "%(asctime)s %(levelname)s %(name)s: %(message)s"
# Libraries hang these objects on their lines for handlers in the same process.
OBJECTS = ("request", "websocket")

logger = logging.getLogger(__name__)


def configuration(style: str, level: str) -> dict[str, Any]:
    """For `logging.config.dictConfig`: everything to standard error."""
    handler = ["stderr"]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {LINE: {"format": FOR_PEOPLE}, JSON: {"()": "alphapulse_site.logs.JsonLine"}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": style}},
        "root": {"handlers": handler, "level": level},
        "loggers": {
            # At DEBUG it writes down the path of each request, and Telegram's holds the token.
            "urllib3": {"level": "INFO"},
            # Celery's pool cuts it off from the others.
            "multiprocessing": {"handlers": handler, "level": "ERROR", "propagate": False},
        },
    }


class JsonLine(JsonFormatter):
    """When, how bad, who, what, in which process, and the decision, job or task that it is about."""

    def __init__(self) -> None:
        names = {"levelname": "level", "name": "logger", "exc_info": "exception", "stack_info": "stack"}
        hidden = (*RESERVED_ATTRS, *OBJECTS)
        super().__init__(("levelname", "name", "message"), rename_fields=names, reserved_attrs=hidden)
        self._process = process_name(sys.argv)

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        log_data["time"] = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        super().add_fields(log_data, record, message_dict)
        log_data["process"] = self._process
        log_data.update(facts())
        told = log_data.pop("data", None)
        if isinstance(told, dict) and "id" in told and "name" in told:
            # Celery's own lines about a task, of which some come from outside of it.
            log_data.update(task=told["name"], task_id=told["id"])


def process_name(argv: Sequence[str]) -> str:
    """What the Procfile calls the process that was started by this command line."""
    words, program = list(argv), Path(argv[0]).name if argv else ""
    if "--hostname" in words[:-1]:
        return words[words.index("--hostname") + 1].partition("@")[0]
    if program == "gunicorn":
        return "web"
    if program == "manage.py" and len(words) > 1:
        return words[1]
    return next((name for name in ("beat", "flower", "worker") if name in words), program or "python")


def take_the_rest() -> None:
    """Warnings and errors that nobody caught become lines like any other, instead of text over several lines."""
    logging.captureWarnings(True)

    def told(kind: Any, error: Any, trace: Any) -> None:
        if issubclass(kind, KeyboardInterrupt):
            sys.__excepthook__(kind, error, trace)
        else:
            logger.critical("an error that nobody caught", exc_info=(kind, error, trace))

    sys.excepthook = told
    threading.excepthook = lambda args: told(args.exc_type, args.exc_value, args.exc_traceback)
