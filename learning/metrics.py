"""What the gates' refusals were worth, stored day by day once all leans of the day have matured."""

from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from learning.models import RejectionLearningMetrics
from learning.refusals import FIGURES, KEYS, counted, is_complete, of_day, uncounted_days
from signals.models import RejectedSignal, Signal

COLUMNS = (*KEYS, *FIGURES, "matured_at")


def store_rejection_metrics(*, until: datetime) -> int:
    """Add the rows of every day whose leans had all matured by `until` and that has none; returns how many.

    A day is counted once and as a whole, for all timeframes: while a lean of it is unresolved, say for want of candles,
    it waits for the next night. The day of `until` may still grow, however short its brackets.
    """
    return sum(_store_day(day) for day in uncounted_days(until) if is_complete(day, until))


def _store_day(day: date) -> int:
    """Counted and inserted by the database in one go: a busy day is ten thousand rows, and none of them comes here."""
    return sum(_insert(counted(model._default_manager.filter(**of_day(day)))) for model in (Signal, RejectedSignal))


def _insert(found: "QuerySet[Any]") -> int:
    query, parameters = found.query.sql_with_params()
    table, columns = RejectionLearningMetrics._meta.db_table, ", ".join(COLUMNS)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {table} ({columns}) SELECT {columns} FROM ({query}) AS found ON CONFLICT DO NOTHING",
            parameters,
        )
        return int(cursor.rowcount)
