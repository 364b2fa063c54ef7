"""Signals, shadows and paper positions in the admin: written by the system alone, here to be read.

The page of a scan is with what people see (analytics), for it tells the weights too.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alphapulse_site.acts import Act, ActsAdmin
from alphapulse_site.admin import ReadOnlyAdmin
from alphapulse_site.pages import choice_filter, recent_filter
from ingestion.admin import SymbolFilter
from ingestion.candles import load_candles
from ingestion.timeframes import TIMEFRAMES
from signals.bracket_plot import bracket_plot
from signals.decided_scan import DecidedScan
from signals.first_touch import Outcome
from signals.gates import REASONS
from signals.models import Position, RejectedSignal, Signal, TrackedDecision, VoidedDecision
from signals.rows import to_ms
from signals.services import VoidError, void_decision
from signals.services.void import refusal_of

TimeframeFilter = choice_filter("timeframe", "timeframe", lambda: [(name, name) for name in TIMEFRAMES])
OPEN = "open"
ReasonFilter = choice_filter("rejection", "rejection", lambda: [(reason, reason) for reason in REASONS])
WHERE = (SymbolFilter, TimeframeFilter)
NEW_LINE, NOTHING = SafeString("<br>"), "-"


class OutcomeFilter(admin.SimpleListFilter):
    """By what became of it; of what is open yet it is empty."""

    title = parameter_name = "outcome"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(name, name) for name in (OPEN, *Outcome)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        return queryset.filter(outcome="" if chosen == OPEN else chosen) if chosen else queryset


class LedgerAdmin(ReadOnlyAdmin):
    """A long list: never counted in full, newest week first. A page begins with what explains its row."""

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> list[Any]:
        first = [name for name in self.readonly_fields if name in dir(self)]
        return [*first, *(name for name in super().get_fields(request, obj) if name not in first)]


def page_link(row: Model, text: str) -> SafeString:
    """A link to a row's own page."""
    address = reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])
    return format_html('<a href="{}">{}</a>', address, text)


def decision_links(scan_id: UUID | None, *, but: type[Model] | None = None) -> str:
    """Links to the scan, signal and shadow of one scan_id, without the one we come from."""
    if scan_id is None:
        return NOTHING
    found = [
        (page_link(row, f"{kind._meta.verbose_name} {row}"),)
        for kind in (DecidedScan, Signal, RejectedSignal)
        if kind is not but and (row := kind._default_manager.filter(scan_id=scan_id).first())
    ]
    return format_html_join(NEW_LINE, "{}", found) if found else NOTHING


def list_link(words: str, model: str, **query: Any) -> SafeString:
    """A link to a list; `model` is app_label_modelname."""
    return format_html('<a href="{}?{}">{}</a>', reverse(f"admin:{model}_changelist"), urlencode(query), words)


def surroundings(row: Any, start: datetime, end: datetime) -> str:
    """Links from a decision or scan to its lesson, the version behind it, and what is known of its candles."""
    span = {"symbol": row.symbol, "start__lt": end.isoformat(), "end__gt": start.isoformat()}
    minutes = {"symbol": row.symbol, "open_time__gte": start.isoformat(), "open_time__lt": end.isoformat()}
    links = (
        list_link("learning event", "learning_learningevent", q=row.scan_id, last="all"),
        list_link(
            f"version {row.weight_version} of the head weights",
            "learning_learningstate",
            state_type__exact="head_weights",
            version__exact=row.weight_version,
        ),
        list_link("gaps in its candles", "ingestion_candlegap", **span),
        list_link("candles corrected since", "ingestion_candlerevision", **minutes),
        list_link("scans of the symbol that day", "signals_decidedscan", symbol=row.symbol, last=f"{start:%Y-%m-%d}"),
    )
    return format_html_join(NEW_LINE, "{}", ((link,) for link in links))


def table(headings: Iterable[str], lines: Iterable[Iterable[Any]]) -> SafeString:
    """A small table; what is not known is a dash."""
    head = format_html_join("", "<th>{}</th>", ((heading,) for heading in headings))
    rows = ((format_html_join("", "<td>{}</td>", ((_cell(cell),) for cell in line)),) for line in lines)
    return format_html("<table><tr>{}</tr>{}</table>", head, format_html_join("", "<tr>{}</tr>", rows))


def _cell(value: Any) -> Any:
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4f}" if isinstance(value, float) else value


def void(decision: TrackedDecision, by: str, reason: str) -> str:
    made = void_decision(scan_id=decision.scan_id, by=by, reason=reason)
    return f"{made}: {made.reason}"


VOID = Act(
    question=lambda decision: (
        f"End {decision} without a result, from now on in market time? It teaches nothing then, and cannot be reopened."
    ),
    refusal=refusal_of,
    do=void,
    errors=(VoidError,),
    needs_reason=True,
)


def bracket_chart(row: TrackedDecision) -> str:
    """A quarter of the time limit before the opening, and the life of the bracket as far as it is known."""
    opened, limit = to_ms(row.opened_at), to_ms(row.expires_at)
    ended = to_ms(row.exit_at) if row.exit_at else None
    around = (limit - opened) // 4
    minutes = load_candles(row.symbol, opened - around, min(limit, (ended or limit) + around))
    return SafeString(bracket_plot(row, minutes, opened, ended or limit, ended)) or NOTHING


class TrackedAdmin(ActsAdmin, LedgerAdmin):
    """What signals and shadows have in common."""

    list_display = ("opened_at", "symbol", "direction", "expected_r", "outcome", "net_r", "exit_at", "weight_version")
    search_fields = ("scan_id__exact", "symbol__exact")
    search_help_text = "a symbol, or the id of a scan"
    ordering = ("-opened_at", "symbol")
    sortable_by = ("opened_at",)  # what an index gives in order
    readonly_fields = ("chart", "related", "around")
    actions = ("void",)

    @admin.action(description="Declare it void: it ends without a result", permissions=["operate"])
    def void(self, request: HttpRequest, chosen: QuerySet[TrackedDecision]) -> HttpResponse | None:
        return self.ask_first(VOID, request, chosen)

    @admin.display(description="price, with entry, stop, target and exit")
    def chart(self, row: Any) -> str:
        return bracket_chart(row)

    @admin.display(description="around it")
    def around(self, row: Any) -> str:
        return surroundings(row, row.opened_at, row.exit_at or row.expires_at)

    @admin.display(description="the same decision elsewhere")
    def related(self, row: Any) -> str:
        return decision_links(row.scan_id, but=type(row))


@admin.register(Signal)
class SignalAdmin(TrackedAdmin):
    list_filter = (recent_filter("opened_at", "opened"), OutcomeFilter, *WHERE)


@admin.register(RejectedSignal)
class RejectedSignalAdmin(TrackedAdmin):
    list_display = ("opened_at", "symbol", "direction", "rejection", "expected_r", "outcome", "net_r", "exit_at")
    list_filter = (recent_filter("opened_at", "opened"), ReasonFilter, OutcomeFilter, *WHERE)


@admin.register(VoidedDecision)
class VoidedDecisionAdmin(LedgerAdmin):
    list_display = ("recorded_at", "symbol", "opened_at", "market_at", "by", "reason")
    list_filter = (recent_filter("market_at", "void since"), *WHERE)
    search_fields = ("scan_id__exact",)
    ordering = ("-recorded_at",)
    readonly_fields = ("related",)

    @admin.display(description="the decision")
    def related(self, row: VoidedDecision) -> str:
        return decision_links(row.scan_id)


@admin.register(Position)
class PositionAdmin(LedgerAdmin):
    list_display = ("signal", "quantity", "equity_before", "opened_at", "closed_at", "profit")
    list_filter = (recent_filter("opened_at", "opened"),)
    list_select_related = ("signal",)
    ordering = ("-opened_at", "-pk")
    raw_id_fields = ("signal",)
