"""Calls for the gap check, which fills over REST what the stream has missed; it never holds up the stream."""

import logging
from collections.abc import Callable
from threading import Event, Lock, Thread

from django.db import Error, connection

from ingestion.gaps import check_gaps

logger = logging.getLogger(__name__)


class GapChecks:
    """One check at a time, in a thread of its own with a database connection of its own.

    A call that comes while one runs is answered by another one after it, since the first may have looked already.
    """

    def __init__(self, check: Callable[[], object] = check_gaps) -> None:
        self._check = check
        self._called, self._stopped, self._lock = Event(), Event(), Lock()
        self._thread: Thread | None = None

    def call(self) -> None:
        """Have a check soon; returns at once."""
        with self._lock:
            self._called.set()
            if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            # A daemon, so that a check that hangs keeps no process from ending; it may be cut off anywhere.
            self._thread = Thread(target=self._run, name="gap check", daemon=True)
            self._thread.start()

    def stop(self, *, seconds: float) -> None:
        """Begin no other check, and wait that long for the one that runs."""
        self._stopped.set()
        thread = self._thread
        if thread is not None:
            thread.join(seconds)

    def _run(self) -> None:
        while self._is_called():
            try:
                self._check()
            except Error as error:
                logger.warning("the gap check could not finish, the next one goes on: %s", error)
            finally:
                connection.close()

    def _is_called(self) -> bool:
        """Under the lock, so that no call falls between the last look and the end of the thread."""
        with self._lock:
            if self._called.is_set() and not self._stopped.is_set():
                self._called.clear()
                return True
            self._thread = None
            return False
