"""An acknowledgement that fails ends the connection, and the worker makes a new one."""

from celery.utils.log import get_logger
from celery.worker import request

logger = get_logger(__name__)


class Request(request.Request):
    """Celery writes a failed acknowledgement down and goes on with the connection as it is.

    On Redis the message then counts as held for ever, and where one at a time is fetched nothing is fetched any more:
    the worker lives, answers pings and is deaf. What is raised here is met like any other loss of the connection; the
    message comes again after the visibility timeout.
    """

    acknowledged: bool

    def acknowledge(self) -> None:
        if not self.acknowledged:
            # No error is one to be written down only.
            self._on_ack(logger, ())
            self.acknowledged = True

    def reject(self, requeue: bool = False) -> None:
        if not self.acknowledged:
            self._on_reject(logger, (), requeue)
            self.acknowledged = True
            self.send_event("task-rejected", requeue=requeue)
