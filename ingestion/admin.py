"""The market in the admin, to look at: symbols with their latest candles, gaps, corrections, backfills, feeds.

Candles have a composite key, which the admin does not take, and are too many to count: they are shown a few at a
time with their symbol.
"""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from alphapulse_site.acts import Act, ActsAdmin
from alphapulse_site.admin import ReadOnlyAdmin
from alphapulse_site.pages import choice_filter, indexed_values
from ingestion.gap_records import ask_again
from ingestion.models import (
    BackfillRun,
    Candle,
    CandleGap,
    CandleRevision,
    FeedGap,
    FeedSeries,
    MarketFeed,
    QuarantinedMessage,
    RequestBudget,
    RequestPause,
    Symbol,
)
from ingestion.timeframes import FIGURES

LATEST_CANDLES = 30
SymbolFilter = choice_filter(
    "symbol", "symbol", lambda: [(name, name) for name in Symbol.objects.values_list("name", flat=True)]
)
FeedFilter = choice_filter("name", "feed", lambda: [(name, name) for name in indexed_values(MarketFeed, "name")])


@admin.register(Symbol)
class SymbolAdmin(admin.ModelAdmin):
    list_display = (
        *("name", "is_active", "trading_status", "listed_at", "delisted_at", "complete_until"),
        *("tick_size", "step_size", "min_notional"),
    )
    list_filter = ("is_active", "trading_status", "quote_asset")
    list_per_page = 50
    search_fields = ("name",)
    # What the exchange says of it, and what follows from its candles.
    readonly_fields = ("trading_status", "tick_size", "step_size", "min_notional", "complete_until", "latest_candles")

    def get_readonly_fields(self, request: HttpRequest, obj: Symbol | None = None) -> tuple[str, ...]:
        return (*self.readonly_fields, "name") if obj else self.readonly_fields

    @admin.display(description="latest candles")
    def latest_candles(self, symbol: Symbol) -> SafeString:
        rows = Candle.objects.filter(symbol=symbol.name).order_by("-open_time")[:LATEST_CANDLES]
        return format_html_join(
            "",
            "<div>{}: open {}, high {}, low {}, close {}, volume {} ({})</div>",
            (
                (f"{row.open_time:%Y-%m-%d %H:%M}", row.open, row.high, row.low, row.close, row.volume, row.source)
                for row in rows
            ),
        )


class NotAskedError(Exception):
    """The gap is not asked for again; the message says why."""


def want(gap: CandleGap, by: str, reason: str) -> str:
    if not ask_again(gap_id=gap.pk):
        raise NotAskedError(f"{gap} is not explained yet, or wanted already: the gap check asks for it anyway.")
    return f"{gap}: the next gap check asks the exchange for it again."


ASK = Act(
    question=lambda gap: f"Ask the exchange again for {gap.symbol} from {gap.start} to {gap.end}?",
    story=lambda gap: [
        f"Explained by: {gap.get_reason_display()}. Asked {gap.checks} times, last on {gap.last_checked}."
    ],
    do=want,
    errors=(NotAskedError,),
    most=20,
)


@admin.register(CandleGap)
class CandleGapAdmin(ActsAdmin, ReadOnlyAdmin):
    list_display = ("symbol", "start", "end", "status", "reason", "checks", "last_checked", "wanted_at")
    list_filter = ("status", "reason", SymbolFilter)
    search_fields = ("symbol__exact",)
    actions = ("ask_again",)

    @admin.action(description="Ask the exchange for it again", permissions=["operate"])
    def ask_again(self, request: HttpRequest, chosen: QuerySet[CandleGap]) -> HttpResponse | None:
        return self.ask_first(ASK, request, chosen)


@admin.register(CandleRevision)
class CandleRevisionAdmin(ReadOnlyAdmin):
    list_display = ("symbol", "open_time", "noted_at", "old_source", "new_source", "what_changed")
    list_filter = ("old_source", "new_source", SymbolFilter)
    search_fields = ("symbol__exact",)
    ordering = ("-pk",)

    @admin.display(description="what changed")
    def what_changed(self, revision: CandleRevision) -> str:
        figures = zip(FIGURES, revision.old_figures, revision.new_figures, strict=True)
        return ", ".join(f"{name} {_told(old)} -> {_told(new)}" for name, old, new in figures if old != new)


def _told(figure: float | None) -> str:
    return "unknown" if figure is None else f"{figure:.12g}"


@admin.register(QuarantinedMessage)
class QuarantinedMessageAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "source", "file", "line", "reason")
    list_filter = ("source",)
    search_fields = ("file__exact", "payload_digest__exact")
    ordering = ("-pk",)


@admin.register(BackfillRun)
class BackfillRunAdmin(ReadOnlyAdmin):
    list_display = (
        *("symbol", "start", "end", "source", "status", "candles", "requests", "weight"),
        *("started_at", "progress_at", "finished_at", "error"),
    )
    list_filter = ("status", "source", SymbolFilter)
    ordering = ("-pk",)


@admin.register(MarketFeed)
class MarketFeedAdmin(ReadOnlyAdmin):
    list_display = ("name", "symbol", "as_of", "available_at", "values")
    list_filter = (FeedFilter, SymbolFilter)
    ordering = ("-pk",)


@admin.register(FeedSeries)
class FeedSeriesAdmin(ReadOnlyAdmin):
    list_display = ("name", "symbol", "wanted_since", "complete_until", "asked_at", "not_listed_until", "error")
    list_filter = (FeedFilter, SymbolFilter)


@admin.register(FeedGap)
class FeedGapAdmin(ReadOnlyAdmin):
    list_display = ("name", "symbol", "start", "end", "status", "reason", "checks", "last_checked")
    list_filter = (FeedFilter, "status", "reason", SymbolFilter)
    search_fields = ("symbol__exact",)


@admin.register(RequestPause)
class RequestPauseAdmin(ReadOnlyAdmin):
    list_display = ("host", "until", "reason", "noted_at")


@admin.register(RequestBudget)
class RequestBudgetAdmin(ReadOnlyAdmin):
    list_display = ("host", "window_start", "used", "most", "told")
