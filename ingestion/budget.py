"""One budget of request weight a host and minute, spent by all processes together. PostgreSQL's clock and lock."""

from dataclasses import dataclass
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from ingestion.models import RequestBudget

# The exchange's limits a minute, until its own exchangeInfo has been read.
SPOT_WEIGHT, FUTURES_WEIGHT = 6000, 2400
# Beyond this a header or an answer is misread; the column ends at two thousand millions.
MOST_WEIGHT = 10_000_000


@dataclass(frozen=True)
class Reservation:
    """Weight that may be spent in the minute `window`; if that is None, none may for `wait` seconds."""

    window: datetime | None
    wait: float


# Whoever waited for the row's lock may read the clock a minute later than the winner did, hence the two minutes that
# count as one; a row from any other time, also from a future that a corrected clock has left, starts afresh. A single
# request is let through at the start of a minute, however small the share.
RESERVE = """
WITH reserved AS (
    INSERT INTO request_budgets AS budget (host, window_start, used, most, told)
    VALUES (%(host)s, date_trunc('minute', clock_timestamp()), %(weight)s, %(most)s, 0)
    ON CONFLICT (host) DO UPDATE SET (window_start, used, told) = (
        SELECT CASE WHEN is_same THEN budget.window_start ELSE excluded.window_start END,
            CASE WHEN is_same THEN budget.used ELSE 0 END + excluded.used,
            CASE WHEN is_same THEN budget.told ELSE 0 END
        FROM (SELECT {is_same} AS is_same) AS window_of)
    WHERE NOT {is_same} OR budget.used + excluded.used <= floor(budget.most * %(share)s)
    RETURNING budget.window_start
)
SELECT (SELECT window_start FROM reserved),
    extract(epoch FROM date_trunc('minute', clock_timestamp()) + interval '1 minute' - clock_timestamp())::float8
""".format(
    is_same="(budget.window_start BETWEEN excluded.window_start AND excluded.window_start + interval '1 minute')"
)


def reserve(host: str, weight: int, *, most: int) -> Reservation:
    """Take weight out of this minute's budget, or learn how long to wait. `most` counts until the host tells its own.

    Not inside a transaction: until its end all other processes would wait to reserve anything.
    """
    parameters: dict[str, str | float] = {
        "host": host,
        "weight": weight,
        "most": most,
        "share": settings.ALPHAPULSE_WEIGHT_SHARE,
    }
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(RESERVE, parameters)
        return Reservation(*cursor.fetchone())


def note_used(host: str, window: datetime, told: int) -> None:
    """What the host says is used of that minute, also by others at our address. It only makes the budget smaller."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE request_budgets SET told = %(told)s, used = greatest(used, %(told)s)"
            " WHERE host = %(host)s AND window_start = %(window)s",
            {"host": host, "window": window, "told": min(told, MOST_WEIGHT)},
        )


def learn_limit(host: str, most: int) -> None:
    """The host's own limit a minute, from its exchangeInfo."""
    if 0 < most <= MOST_WEIGHT:
        RequestBudget.objects.filter(host=host).exclude(most=most).update(most=most)
