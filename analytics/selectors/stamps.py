"""What an answer was made of: while the stamp of the records stays, so does every figure made of them."""

from dataclasses import astuple, dataclass
from datetime import datetime
from hashlib import sha256

from django.conf import settings
from django.db import connection

from alphapulse_site.clock import market_now
from analytics.selectors.signs import OUTCOME_MONITOR, SHADOW_MONITOR

# Each line is one step at the end of an index, however long the table is.
READ = """
SELECT (SELECT max(close_time) FROM scan_closes WHERE timeframe = %s AND decided_at IS NOT NULL),
    (SELECT max(sequence) FROM learning_events),
    (SELECT max(id) FROM learning_state)
"""

# Outcomes come with closes and, between them, with the polls, each of which beats when it has written them.
# What a person declares void ends in neither.
READ_POLLS = """
SELECT coalesce(sum(beats), 0)::bigint + (SELECT count(*) FROM voided_decisions) FROM heartbeats WHERE name = ANY(%s)
"""


@dataclass(frozen=True)
class Stamp:
    """How far the records reach. `until`: the last decided close, by which everything that ended is resolved.

    Before the first decision it is the market clock. Decisions and outcomes are written by closes, what was learned by
    the ledger, weights by versions: nothing else changes a figure of the stretch that ends there.
    """

    until: datetime | None
    is_decided: bool
    last_event: int
    last_version: int

    @property
    def tag(self) -> str:
        """The same in a few characters, for an ETag."""
        return sha256(repr(astuple(self)).encode()).hexdigest()[:16]


def read_stamp() -> Stamp:
    """The stamp of now, by one cheap query (two before the first decision)."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [settings.ALPHAPULSE_SCAN_TIMEFRAME])
        decided, event, version = cursor.fetchone()
    return Stamp(decided or market_now(), decided is not None, event or 0, version or 0)


def read_outcome_stamp() -> tuple[Stamp, int]:
    """The stamp of what also changes when a bracket ends between two closes."""
    with connection.cursor() as cursor:
        cursor.execute(READ_POLLS, [[OUTCOME_MONITOR, SHADOW_MONITOR]])
        polls = int(cursor.fetchone()[0])
    return read_stamp(), polls
