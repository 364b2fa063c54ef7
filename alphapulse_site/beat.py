"""Beat as one of several processes: whoever holds the lease sends the ticks, the others stand by.

Two that send at once would do no harm, since each tick only wakes work that is found in PostgreSQL; they would cost
twice the work of looking.
"""

import logging
from typing import Any

from celery.beat import Scheduler
from django.db import InterfaceError, OperationalError, connection

from alphapulse_site.lease import STANDBY_SECONDS, Lease, take_lease

logger = logging.getLogger(__name__)
LOCK = "beat"


class LeasedScheduler(Scheduler):
    """Celery's scheduler, silent while another process holds the lease or PostgreSQL is out of reach.

    Who takes over begins with one tick of whatever came due while it stood by.
    """

    _lease: Lease | None = None
    _told = ""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send at most one tick; seconds until the next look, few enough to keep the lease."""
        if not self._leads():
            return STANDBY_SECONDS
        return min(super().tick(*args, **kwargs), STANDBY_SECONDS)

    def _leads(self) -> bool:
        if self._lease is not None and self._lease.is_held():
            return True
        try:
            self._lease = self._ask()
        except (OperationalError, InterfaceError) as error:
            self._lease = None
            connection.close()
            self._tell(f"no ticks while PostgreSQL is out of reach: {str(error).strip()}")
            return False
        self._tell("another beat sends the ticks, standing by" if self._lease is None else "the ticks are ours")
        return self._lease is not None

    def _ask(self) -> Lease | None:
        if self._lease is not None:
            # It died under us, or its session did; whatever Django has opened since holds no lock.
            connection.close()
        return take_lease(LOCK)

    def _tell(self, news: str) -> None:
        """Each change once, not each look."""
        if news != self._told:
            logger.warning("beat: %s", news)
        self._told = news
