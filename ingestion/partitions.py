"""Monthly range partitions of any table, made as needed; shared by candles and scan_history."""

from datetime import UTC, datetime

from django.db import connection, transaction

# One lock for all partition work: it is rare and short, and two makers of one partition must queue.
PARTITION_LOCK = 7_246_301


def month_start(moment: datetime) -> datetime:
    """The first instant of the UTC month that holds `moment`."""
    return moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)


def next_month(month: datetime) -> datetime:
    return month.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)


def months_between(start: datetime, end: datetime) -> list[datetime]:
    """The first instants of the UTC months that [start, end) touches."""
    months, month = [], month_start(start)
    while month < end:
        months.append(month)
        month = next_month(month)
    return months


def partition_name(table: str, month: datetime) -> str:
    return f"{table}_y{month:%Y}m{month:%m}"


def missing_months(table: str, months: list[datetime]) -> list[datetime]:
    """Those months whose partition is not there; none if the table is not partitioned (a TimescaleDB hypertable)."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS name WHERE to_regclass(quote_ident(name)) IS NULL"
            " AND EXISTS (SELECT FROM pg_class WHERE oid = to_regclass(quote_ident(%s)) AND relkind = 'p')",
            [[partition_name(table, month) for month in months], table],
        )
        missing = {name for (name,) in cursor.fetchall()}
    return [month for month in months if partition_name(table, month) in missing]


def ensure_partitions(table: str, start: datetime, end: datetime) -> int:
    """Make the monthly partitions that [start, end) needs; how many were made. Safe in many processes at once."""
    months = months_between(start, end)
    if not months or not missing_months(table, months):
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [PARTITION_LOCK])
        missing = missing_months(table, months)
        for month in missing:
            create_partition(table, month)
    return len(missing)


def create_partition(table: str, month: datetime) -> None:
    """Make one month. ATTACH instead of PARTITION OF: readers and writers of the other months are not held up."""
    quote, name = connection.ops.quote_name, partition_name(table, month)
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE TABLE {quote(name)} (LIKE {quote(table)} INCLUDING ALL)")
        cursor.execute(
            f"ALTER TABLE {quote(table)} ATTACH PARTITION {quote(name)} FOR VALUES FROM (%s) TO (%s)",
            [month, next_month(month)],
        )


def partitions_of(table: str) -> list[str]:
    """Names of the table's partitions, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid"
            " WHERE i.inhparent = to_regclass(quote_ident(%s)) ORDER BY c.relname",
            [table],
        )
        return [name for (name,) in cursor.fetchall()]


def tables() -> list[str]:
    """Names of all tables partitioned by range, whatever app they belong to."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_partitioned_table p JOIN pg_class c ON c.oid = p.partrelid"
            " WHERE p.partstrat = 'r' AND c.relnamespace = current_schema()::regnamespace ORDER BY c.relname"
        )
        return [name for (name,) in cursor.fetchall()]
