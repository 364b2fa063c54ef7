"""Scans in the admin: why there was a trade, or none."""

from datetime import timedelta
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

import analytics.api.admin
import analytics.notifications.admin  # noqa: F401  (likewise)
from alphapulse_site.pages import recent_filter
from analytics.selectors.scans import why
from signals.admin import NEW_LINE, NOTHING, WHERE, LedgerAdmin, ReasonFilter, decision_links, surroundings, table
from signals.decided_scan import DecidedScan
from signals.explained import ExplainedScan
from signals.explanation import Pool, Reasons

# A bar of the pool: half its width is the largest contribution of the scan, in log-odds.
BAR_WIDTH, BAR_HEIGHT = 120, 12
TOWARD_UP, TOWARD_DOWN = "#2e7d32", "#c62828"


@admin.register(DecidedScan)
class DecidedScanAdmin(LedgerAdmin):
    """Scans by their scan_id; those whose close is not decided yet have none and are not listed."""

    list_display = ("close_time", "symbol", "timeframe", "lean", "win_probability", "expected_r", "rejection", "regime")
    # Not all at once: the reasons of a year of scans are in no index.
    list_filter = (recent_filter("close_time", "closed", offers_all=False), ReasonFilter, *WHERE)
    search_fields = ("scan_id__exact", "symbol__exact")
    search_help_text = "a symbol, or the id of a scan"
    ordering = ("-close_time", "symbol")
    sortable_by = ("close_time",)
    readonly_fields = ("answer", "votes", "reasons", "gates", "related", "around")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DecidedScan]:
        return super().get_queryset(request).filter(scan_id__isnull=False)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> DecidedScan | None:
        """The scan with its explanation, made once for all parts of the page."""
        row: Any = super().get_object(request, object_id, from_field)
        if row is not None:
            row.why = why(row.scan)
        return row

    @admin.display(description="why")
    def answer(self, row: Any) -> str:
        return str(_why(row).explanation.answer)

    @admin.display(description="votes, and the pool in log-odds toward up")
    def votes(self, row: Any) -> SafeString:
        explanation = _why(row).explanation
        largest = max((abs(vote.contribution) for vote in explanation.votes), default=0.0)
        said = ("head", "direction", "probability", "confidence", "agrees")
        pooled = ("evidence", "x weight", "= contribution")
        lines = (
            (*(getattr(v, name) for name in said), v.evidence, v.weight, v.contribution, bar(v.contribution, largest))
            for v in explanation.votes
        )
        return format_html("{}<p>{}</p>", table((*said, *pooled, ""), lines), pool_line(explanation.pool))

    @admin.display(description="what moved each head most")
    def reasons(self, row: Any) -> SafeString:
        found = _why(row)
        if all(vote.reasons is None for vote in found.explanation.votes):
            return SafeString("They were not stored, and its candles do not give them any more.")
        note = "Made again from the stored candles." if found.recomputed else "As they were stored with the scan."
        lines = ((vote.head, vote.direction, reason_lines(vote.reasons)) for vote in found.explanation.votes)
        return format_html("<p>{}</p>{}", note, table(("head", "direction", "input, its value (its pull)"), lines))

    @admin.display(description="gates")
    def gates(self, row: Any) -> SafeString:
        lines = ((g.gate, g.passed, g.margin, g.unit, g.reason) for g in _why(row).explanation.gates)
        return table(("gate", "passed", "margin", "of", "rejection it gives"), lines)

    @admin.display(description="around it")
    def around(self, row: DecidedScan) -> str:
        return surroundings(row, row.close_time - timedelta(days=1), row.close_time)

    @admin.display(description="what became of the lean")
    def related(self, row: DecidedScan) -> str:
        return decision_links(row.scan_id, but=DecidedScan)


def _why(row: Any) -> ExplainedScan:
    found: ExplainedScan = row.why
    return found


def reason_lines(reasons: Reasons | None) -> str:
    """Reasons one a line; a dash where they are not known any more."""
    if reasons is None:
        return NOTHING
    if not reasons:
        return "it saw nothing"
    lines = ((reason.name, f"{reason.value:.6g}", f"{reason.pull:+.2f}") for reason in reasons)
    return format_html_join(NEW_LINE, "{} {} ({})", lines)


def bar(contribution: float, largest: float) -> SafeString:
    """A bar from the middle, to the right toward up, as long as the contribution beside the largest of the scan."""
    middle = BAR_WIDTH / 2
    length = middle * abs(contribution) / largest if largest else 0.0
    start, colour = (middle, TOWARD_UP) if contribution > 0 else (middle - length, TOWARD_DOWN)
    return format_html(
        '<svg width="{0}" height="{1}" role="img" aria-label="{2}">'
        '<rect x="{3}" y="1" width="{4}" height="{5}" fill="{6}"/>'
        '<line x1="{7}" y1="0" x2="{7}" y2="{1}" stroke="currentColor" stroke-opacity="0.4"/></svg>',
        BAR_WIDTH,
        BAR_HEIGHT,
        f"{contribution:+.4f}",
        f"{start:.1f}",
        f"{length:.1f}",
        BAR_HEIGHT - 2,
        colour,
        f"{middle:.1f}",
    )


def pool_line(pool: Pool) -> str:
    """The sum, and how it becomes a probability."""
    if pool.intercept is None or pool.win_log_odds is None or pool.win_probability is None:
        return f"They add up to {pool.log_odds:+.4f}: no lean."
    return (
        f"They add up to {pool.log_odds:+.4f}. With {pool.intercept:+.4f}, the intercept of the lean's side, the"
        f" bracket wins at log-odds {pool.win_log_odds:+.4f}: a probability of {pool.win_probability:.4f}."
    )
