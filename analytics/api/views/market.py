"""The market as it is stored, and what the paper account held of it."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from alphapulse_site.clock import market_now
from analytics.api import filters, parameters
from analytics.api.serializers import records as answers
from analytics.api.tables import TableRenderer, table
from analytics.api.views.base import ListView, Read, described, listed
from analytics.selectors.market import CandlePage, candle_page, most_candles, with_coverage
from analytics.selectors.scope import BEFORE_TIME
from ingestion.models import CandleGap, Symbol
from signals.models import Position


@extend_schema_view(
    get=described("Closed candles of any timeframe", parameters.CandlesQuery, answers.CandlePage, "candles", "market")
)
class CandlesView(Read):
    """The last candles of a span of time, oldest first; longer frames are derived from the stored minutes."""

    renderer_classes = [JSONRenderer, TableRenderer]

    def get(self, request: Request) -> Any:
        query = parameters.checked(parameters.CandlesQuery, request).validated_data
        symbol, timeframe, limit = query["symbol"], query["timeframe"], query["limit"]
        if limit > most_candles(timeframe):
            raise ValidationError({"limit": f"of {timeframe} at most {most_candles(timeframe)} at once."})
        clock = market_now() or BEFORE_TIME
        until = min(query.get("until") or clock, clock)
        page = candle_page(symbol, timeframe, since=query.get("since"), until=until, limit=limit)
        if request.accepted_renderer.format == TableRenderer.format:
            return table(page.candles, answers.CandleRow(), f"candles-{symbol}-{timeframe}")
        found = {**vars(page), "earlier": self._earlier(request, page, query)}
        return Response(answers.CandlePage(found).data)

    def _earlier(self, request: Request, page: CandlePage, query: dict[str, Any]) -> str | None:
        """Where the candles before these are; None where the span is read, or there is none of them."""
        since = query.get("since")
        if not page.candles or (since is not None and page.since <= since):
            return None
        asked = {**request.query_params.dict(), "until": f"{page.since:%Y-%m-%dT%H:%M:%SZ}"}
        return f"{reverse('candles', request=request)}?{urlencode(asked)}"


@extend_schema_view(get=listed("Minutes without a candle, newest first", answers.Gap, "gaps", "market"))
class GapsView(ListView):
    """Being filled, or explained with evidence."""

    queryset = CandleGap.objects.all()
    serializer_class = answers.Gap
    filterset_class = filters.GapFilter
    orders = {"-start": ("-start", "-id"), "start": ("start", "id")}


@extend_schema_view(get=listed("Paper positions, newest first", answers.PaperPosition, "positions", "decisions"))
class PositionsView(ListView):
    """How much of each signal the paper account held."""

    queryset = Position.objects.select_related("signal")
    serializer_class = answers.PaperPosition
    filterset_class = filters.PositionFilter
    orders = {"-opened_at": ("-opened_at", "-id"), "opened_at": ("opened_at", "id")}


@extend_schema_view(get=listed("Symbols and how far they are covered", answers.MarketSymbol, "symbols", "market"))
class SymbolsView(ListView):
    """Every market we know, by name."""

    queryset = Symbol.objects.all()
    serializer_class = answers.MarketSymbol
    filterset_class = filters.SymbolsFilter
    orders = {"name": ("name",), "-name": ("-name",)}

    def paginate_queryset(self, queryset: Any) -> Any:
        return with_coverage(super().paginate_queryset(queryset) or [])

    def table_rows(self, rows: QuerySet[Symbol]) -> Any:
        return with_coverage(rows)
