"""PostgreSQL: its connections against their limit, and how big the tables are by the planner's estimate."""

from collections.abc import Iterator

from django.db import connection
from prometheus_client.core import Metric

from analytics.metrics.counting import estimated_rows
from analytics.metrics.families import gauge, gauges

TABLES = ("candles", "scan_history", "signals", "rejected_signals", "learning_events", "job_runs", "candle_gaps")
# What others do is told to a role with pg_read_all_stats only; that they are connected is told to all.
CONNECTIONS = """
SELECT coalesce(state, 'hidden'), count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' GROUP BY 1"""
LIMITS = "SELECT current_setting('max_connections')::int, pg_database_size(current_database())"


def database() -> Iterator[Metric]:
    with connection.cursor() as cursor:
        cursor.execute(CONNECTIONS)
        by_state = dict(cursor.fetchall())
        cursor.execute(LIMITS)
        most, size = cursor.fetchone()
    yield from gauges(
        "alphapulse_database_connections",
        "Client connections to the PostgreSQL server, of all databases, by state.",
        "state",
        by_state,
    )
    yield from gauge(
        "alphapulse_database_max_connections", "Connections that the PostgreSQL server allows at most.", most
    )
    yield from gauge("alphapulse_database_size_bytes", "Size of the database on disk.", size)
    yield from gauges(
        "alphapulse_table_rows",
        "About how many rows a table holds, by the planner's statistics.",
        "table",
        estimated_rows(TABLES),
    )
