"""Signals, shadows and paper positions in the admin: written by the system alone, here to be read.

The page of a scan is with what people see (analytics), for it tells the weights too.
"""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from alphapulse_site.admin import ReadOnlyAdmin
from alphapulse_site.pages import BoundedPaginator, choice_filter, recent_filter
from ingestion.models import Symbol
from ingestion.timeframes import TIMEFRAMES
from signals.decided_scan import DecidedScan
from signals.first_touch import Outcome
from signals.gates import REASONS
from signals.models import Position, RejectedSignal, Signal

SymbolFilter = choice_filter(
    "symbol", "symbol", lambda: [(name, name) for name in Symbol.objects.values_list("name", flat=True)]
)
TimeframeFilter = choice_filter("timeframe", "timeframe", lambda: [(name, name) for name in TIMEFRAMES])
OutcomeFilter = choice_filter("outcome", "outcome", lambda: [(outcome.value, outcome.value) for outcome in Outcome])
ReasonFilter = choice_filter("rejection", "rejection", lambda: [(reason, reason) for reason in REASONS])
WHERE = (SymbolFilter, TimeframeFilter)
NEW_LINE, NOTHING = SafeString("<br>"), "-"


class LedgerAdmin(ReadOnlyAdmin):
    """A long list: never counted in full, newest week first."""

    paginator = BoundedPaginator
    list_per_page = 50


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


class TrackedAdmin(LedgerAdmin):
    """What signals and shadows have in common."""

    list_display = ("opened_at", "symbol", "direction", "expected_r", "outcome", "net_r", "exit_at", "weight_version")
    search_fields = ("symbol__exact", "scan_id__exact")
    ordering = ("-opened_at", "symbol")
    readonly_fields = ("related",)

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


@admin.register(Position)
class PositionAdmin(LedgerAdmin):
    list_display = ("signal", "quantity", "equity_before", "opened_at", "closed_at", "profit")
    list_filter = (recent_filter("opened_at", "opened"),)
    list_select_related = ("signal",)
    ordering = ("-opened_at", "-pk")
    raw_id_fields = ("signal",)
