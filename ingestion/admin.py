"""The market in the admin, to look at: symbols with their latest candles, gaps, quarantine, backfills, feeds.

Candles have a composite key, which the admin does not take, and are too many to count: they are shown a few at a
time with their symbol.
"""

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from alphapulse_site.admin import ReadOnlyAdmin
from ingestion.models import (
    BackfillRun,
    Candle,
    CandleGap,
    FeedGap,
    FeedSeries,
    MarketFeed,
    QuarantinedMessage,
    RequestPause,
    Symbol,
)

LATEST_CANDLES = 30


@admin.register(Symbol)
class SymbolAdmin(admin.ModelAdmin):
    list_display = ("name", "base_asset", "quote_asset", "is_active", "listed_at", "delisted_at", "complete_until")
    list_filter = ("is_active", "quote_asset")
    search_fields = ("name",)
    readonly_fields = ("complete_until", "latest_candles")

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


@admin.register(CandleGap)
class CandleGapAdmin(ReadOnlyAdmin):
    list_display = ("symbol", "start", "end", "status", "reason", "checks", "last_checked")
    list_filter = ("status", "reason", "symbol")
    search_fields = ("symbol",)


@admin.register(QuarantinedMessage)
class QuarantinedMessageAdmin(ReadOnlyAdmin):
    list_display = ("received_at", "source", "file", "line", "reason")
    list_filter = ("source", "reason")
    search_fields = ("file", "payload")


@admin.register(BackfillRun)
class BackfillRunAdmin(ReadOnlyAdmin):
    list_display = ("symbol", "start", "end", "status", "candles", "requests", "started_at", "finished_at")
    list_filter = ("status", "symbol")


@admin.register(MarketFeed)
class MarketFeedAdmin(ReadOnlyAdmin):
    list_display = ("name", "symbol", "as_of", "available_at", "values")
    list_filter = ("name", "symbol")


@admin.register(FeedSeries)
class FeedSeriesAdmin(ReadOnlyAdmin):
    list_display = ("name", "symbol", "wanted_since", "complete_until", "asked_at", "not_listed_until", "error")
    list_filter = ("name", "symbol")


@admin.register(FeedGap)
class FeedGapAdmin(ReadOnlyAdmin):
    list_display = ("name", "symbol", "start", "end", "status", "reason", "checks", "last_checked")
    list_filter = ("name", "status", "reason", "symbol")
    search_fields = ("symbol",)


@admin.register(RequestPause)
class RequestPauseAdmin(ReadOnlyAdmin):
    list_display = ("host", "until", "reason", "noted_at")
