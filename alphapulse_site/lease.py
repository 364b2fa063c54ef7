"""A lock that one process of several holds: by a session that PostgreSQL ends as soon as its owner is silent."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

from alphapulse_site.jobs import advisory_lock, lock_key

# With the seconds between two tries of the one that stands by: another process works within 15 seconds.
LEASE_SECONDS = 12
# Of whoever stands by, between two tries.
STANDBY_SECONDS = 3

# A process that hangs or a host that froze never closes its session. Idle, it is ended by the first two; waiting for
# an answer to be taken or for data to come over a dead network, by TCP. On a local socket the last four do nothing.
KEEP_SHORT = f"""
SET idle_session_timeout = '{LEASE_SECONDS}s'; SET idle_in_transaction_session_timeout = '{LEASE_SECONDS}s';
SET tcp_keepalives_idle = 4; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 4;
SET tcp_user_timeout = {LEASE_SECONDS * 1000}"""


class Lease:
    """The lock, and the session that holds it; it lasts while that session asks something every few seconds."""

    def __init__(self) -> None:
        self._session = connection.connection

    def is_held(self) -> bool:
        """Asks the session. Where a transaction broke, Django opens another session, which has no lock."""
        return connection.connection is self._session and connection.is_usable()


@contextmanager
def lease(name: str) -> Iterator[Lease | None]:
    """The lock of that name for the length of the block; None if another process has it."""
    with advisory_lock(name) as is_ours:
        if is_ours:
            with connection.cursor() as cursor:
                cursor.execute(KEEP_SHORT)
        yield Lease() if is_ours else None


def take_lease(name: str) -> Lease | None:
    """The lock of that name until this database session ends, for whoever has no block; None if another has it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock_key(name)])
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(KEEP_SHORT)
    return Lease()
