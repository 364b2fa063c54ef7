"""The frame's tables in the admin, to look at: they are written by the system alone."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from alphapulse_site.acts import Act, ActsAdmin
from alphapulse_site.models import Heartbeat, JobRun, MarketClock, ParkedTask, Redelivery
from alphapulse_site.pages import BoundedPaginator, LedgerList, choice_filter, indexed_values
from alphapulse_site.parking import NotSentError, retry_parked


class ReadOnlyAdmin(admin.ModelAdmin):
    """A list and a page for each row, and no way to change one. What only grows is not counted in full."""

    paginator = BoundedPaginator
    list_per_page = 50
    show_full_result_count = False

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[LedgerList]:
        return LedgerList

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        """By the first of the search fields that such a term can be a value of, so that its index answers.

        Django would compare the text of every id instead, and read the whole table for it.
        """
        term = search_term.strip()
        for lookup in self.get_search_fields(request) if term else ():
            name = lookup.removesuffix("__exact")
            if name == lookup:
                return super().get_search_results(request, queryset, search_term)
            field: Any = self.opts.get_field(name)
            try:
                value = field.to_python(term)
            except ValidationError:
                continue
            # What only one row can be is found whatever the filters say.
            found = self.get_queryset(request) if field.unique else queryset
            return found.filter(**{name: value}), False
        return queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False


JobFilter = choice_filter("job", "job", lambda: [(name, name) for name in indexed_values(JobRun, "job")])


@admin.register(JobRun)
class JobRunAdmin(ReadOnlyAdmin):
    list_display = ["job", "period", "status", "attempts", "started_at", "finished_at", "due_at", "market_at"]
    list_filter = [JobFilter, "status"]
    search_fields = ["period__exact"]
    ordering = ["-pk"]


@admin.register(Heartbeat)
class HeartbeatAdmin(ReadOnlyAdmin):
    list_display = ["name", "beat_at", "market_at"]


def send_again(parked: ParkedTask, by: str, reason: str) -> str:
    if not retry_parked(parked_id=parked.pk, by=by):
        raise NotSentError(f"{parked} was sent again before.")
    return f"{parked} was sent again."


RETRY = Act(
    question=lambda parked: f"Send {parked.name} again, with the arguments {parked.args} {parked.kwargs}?",
    story=lambda parked: [f"It gave up on {parked.parked_at:%Y-%m-%d %H:%M:%S} UTC: {parked.error}"],
    refusal=lambda parked: f"{parked} was sent again by {parked.retried_by} before." if parked.retried_at else "",
    do=send_again,
    errors=(NotSentError,),
    most=20,
)


class RetriedFilter(admin.SimpleListFilter):
    title, parameter_name = "sent again", "retried"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [("no", "not yet"), ("yes", "sent again")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = {"no": True, "yes": False}.get(self.value() or "")
        return queryset if chosen is None else queryset.filter(retried_at__isnull=chosen)


@admin.register(ParkedTask)
class ParkedTaskAdmin(ActsAdmin, ReadOnlyAdmin):
    list_display = ["name", "task_id", "error", "parked_at", "retried_at", "retried_by"]
    list_filter = [RetriedFilter]
    search_fields = ["task_id__exact"]
    ordering = ["-parked_at"]
    actions = ["send_again"]

    @admin.action(description="Send it again", permissions=["operate"])
    def send_again(self, request: HttpRequest, chosen: QuerySet[ParkedTask]) -> HttpResponse | None:
        return self.ask_first(RETRY, request, chosen)


@admin.register(Redelivery)
class RedeliveryAdmin(ReadOnlyAdmin):
    list_display = ["task_id", "times", "last_at"]
    search_fields = ["task_id__exact"]
    ordering = ["-last_at"]


@admin.register(MarketClock)
class MarketClockAdmin(ReadOnlyAdmin):
    list_display = ["mode", "closed_until", "exchange_until", "speed", "detail"]
