"""Lists of big tables in the admin: no counting beyond a limit, no SELECT DISTINCT for a filter."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db import connection
from django.db.models import Field, Max, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNT_AT_MOST = 10_000
# What the last ANALYZE found, of a table with the partitions it may have.
ESTIMATE = """
SELECT sum(greatest(reltuples, 0))::bigint FROM pg_class WHERE relkind <> 'p' AND (
    oid = %(table)s::regclass OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %(table)s::regclass)
)"""

VALUES = """
WITH RECURSIVE found AS (
    (SELECT {column} AS value FROM {table} ORDER BY {column} LIMIT 1)
    UNION ALL
    SELECT (SELECT {column} FROM {table} WHERE {column} > found.value ORDER BY {column} LIMIT 1)
    FROM found WHERE found.value IS NOT NULL
) SELECT value FROM found WHERE value IS NOT NULL"""


class BoundedPaginator(Paginator):
    """Counts at most 10,000 rows, so that no page reads a whole ledger; what lies further back is found by a filter."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        return rows.order_by()[:COUNT_AT_MOST].count()  # in order, the database would sort the whole table first


class LedgerList(ChangeList):
    """A list that says how long its table is without counting it."""

    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        self.request = request
        super().__init__(request, *args, **kwargs)

    def get_ordering_field(self, field_name: Any) -> Any:
        """Only what may be sorted by, also where an address asks for more."""
        allowed = self.model_admin.get_sortable_by(self.request)
        return super().get_ordering_field(field_name) if field_name in allowed else None

    @property
    def is_cut(self) -> bool:
        """Whether there may be more rows than the pages reach."""
        return bool(self.result_count >= COUNT_AT_MOST)

    @cached_property
    def rows_in_all(self) -> int:
        return estimated_count(self.model)


def estimated_count(model: type[Model]) -> int:
    """About how many rows a table has, as PostgreSQL's planner believes; 0 where it was never analyzed."""
    with connection.cursor() as cursor:
        cursor.execute(ESTIMATE, {"table": model._meta.db_table})
        (rows,) = cursor.fetchone()
    return int(rows or 0)


def choice_filter(
    field: str, heading: str, choices: Callable[[], list[tuple[str, str]]]
) -> type[admin.SimpleListFilter]:
    """A filter on a column whose values are known without reading the table."""

    class Filter(admin.SimpleListFilter):
        title, parameter_name = heading, field

        def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
            return choices()

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            return queryset.filter(**{field: self.value()}) if self.value() else queryset

    return Filter


def indexed_values(model: type[Model], field: str) -> list[str]:
    """The values of a column that an index begins with, by a few looks into that index and not by reading the table."""
    table, column = model._meta.db_table, cast("Field[Any, Any]", model._meta.get_field(field)).column
    with connection.cursor() as cursor:
        cursor.execute(VALUES.format(table=table, column=column))
        return [value for (value,) in cursor.fetchall()]


def recent_filter(field: str, heading: str, *, offers_all: bool = True) -> type[admin.SimpleListFilter]:
    """The newest week, counted back from the newest row since market time may be years ago; other spans on request.

    A date instead of a span chooses that day, with links to the days beside it: no list of all days is asked for.
    """

    class Filter(admin.SimpleListFilter):
        title, parameter_name = heading, "last"
        spans: ClassVar = {"": ("7 days", 7), "1": ("1 day", 1), "30": ("30 days", 30)} | (
            {"all": ("all", 0)} if offers_all else {}
        )

        def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
            return [(value, text) for value, (text, _) in self.spans.items()]

        def choices(self, changelist: Any) -> Any:
            for value, text in (*self.lookup_choices, *self._days(changelist.model)):
                yield {
                    "selected": (self.value() or "") == value,
                    "query_string": changelist.get_query_string(
                        {self.parameter_name: value} if value else {}, [self.parameter_name]
                    ),
                    "display": text,
                }

        def _days(self, model: type[Model]) -> list[tuple[str, str]]:
            """The chosen day between its neighbours, or the newest one."""
            chosen = day_of(self.value())
            if chosen is None:
                newest = newest_of(model, field)
                return [(f"{newest:%Y-%m-%d}", f"day by day, from {newest:%Y-%m-%d}")] if newest else []
            days = [chosen + timedelta(days=step) for step in (-1, 0, 1)]
            return [(f"{day:%Y-%m-%d}", f"{day:%Y-%m-%d}") for day in days]

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            day = day_of(self.value())
            if day:
                return queryset.filter(**{f"{field}__gte": day, f"{field}__lt": day + timedelta(days=1)})
            _, days = self.spans.get(self.value() or "", self.spans[""])
            newest = newest_of(queryset.model, field) if days else None
            return queryset.filter(**{f"{field}__gt": newest - timedelta(days=days)}) if newest else queryset

    return Filter


def day_of(text: str | None) -> datetime | None:
    """The beginning of a day such as 2021-07-02, in UTC; None of anything else, and near the ends of the calendar."""
    try:
        day = datetime.strptime(text or "", "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
    return day if 1900 < day.year < 9000 else None


def newest_of(model: type[Model], field: str) -> Any:
    return model._default_manager.aggregate(newest=Max(field))["newest"]
