"""Lists of big tables in the admin: no counting beyond a limit, no SELECT DISTINCT for a filter."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, cast

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Max, Model, QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property

COUNT_AT_MOST = 10_000


class BoundedPaginator(Paginator):
    """Counts at most 10,000 rows, so that no page reads a whole ledger; what lies further back is found by a filter."""

    @cached_property
    def count(self) -> int:
        rows = cast(QuerySet[Any], self.object_list)
        return rows[:COUNT_AT_MOST].count()


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


def recent_filter(field: str, heading: str) -> type[admin.SimpleListFilter]:
    """The newest week, counted back from the newest row since market time may be years ago; other spans on request."""

    class Filter(admin.SimpleListFilter):
        title, parameter_name = heading, "last"
        spans: ClassVar = {"": ("7 days", 7), "1": ("1 day", 1), "30": ("30 days", 30), "all": ("all", 0)}

        def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
            return [(value, text) for value, (text, _) in self.spans.items()]

        def choices(self, changelist: Any) -> Any:
            for value, text in self.lookup_choices:
                chosen = (self.value() or "") == value
                query = changelist.get_query_string(
                    {self.parameter_name: value} if value else {}, [self.parameter_name]
                )
                yield {"selected": chosen, "query_string": query, "display": text}

        def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
            _, days = self.spans.get(self.value() or "", self.spans[""])
            newest = newest_of(queryset.model, field) if days else None
            return queryset.filter(**{f"{field}__gt": newest - timedelta(days=days)}) if newest else queryset

    return Filter


def newest_of(model: type[Model], field: str) -> Any:
    return model._default_manager.aggregate(newest=Max(field))["newest"]
