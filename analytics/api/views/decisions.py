"""Signals, shadows and scans: what was decided, and why there was or was no trade."""

from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from alphapulse_site.clock import market_now
from analytics.api import filters, parameters
from analytics.api.serializers import decisions as answers
from analytics.api.serializers.records import ScanRow
from analytics.api.views.base import DetailView, ListView, Read, detailed, existing, listed, problems
from analytics.selectors.scans import explained, last_scan, scan_with_id
from analytics.selectors.scope import BEFORE_TIME
from ingestion.timeframes import TIMEFRAMES
from signals.models import RejectedSignal, ScanHistory, Signal

BY_OPENING = {"-opened_at": ("-opened_at", "-id"), "opened_at": ("opened_at", "id")}


@extend_schema_view(get=listed("Published signals, newest first", answers.PublishedSignal, "signals", "decisions"))
class SignalsView(ListView):
    """Published signals only: a shadow must never reach a reader who could trade on it."""

    queryset = Signal.objects.all()
    serializer_class = answers.PublishedSignal
    filterset_class, orders = filters.DecisionFilter, BY_OPENING


@extend_schema_view(get=detailed("One signal", answers.PublishedSignal, "signal", "decisions"))
class SignalView(DetailView):
    answer_class = answers.PublishedSignal

    def found(self, **address: Any) -> Any:
        row = Signal.objects.filter(pk=address["number"]).first()
        return existing(row, f"there is no signal {address['number']}; /api/signals/ lists them.")


@extend_schema_view(get=listed("Shadows, newest first", answers.Shadow, "shadows", "decisions"))
class ShadowsView(ListView):
    """What the gates refused, and what became of it."""

    queryset = RejectedSignal.objects.all()
    serializer_class = answers.Shadow
    filterset_class, orders = filters.ShadowFilter, BY_OPENING


@extend_schema_view(get=detailed("One shadow", answers.Shadow, "shadow", "decisions"))
class ShadowView(DetailView):
    answer_class = answers.Shadow

    def found(self, **address: Any) -> Any:
        row = RejectedSignal.objects.filter(pk=address["number"]).first()
        return existing(row, f"there is no shadow {address['number']}; /api/shadows/ lists them.")


SCAN_TIMEFRAME = OpenApiParameter(
    "timeframe", str, enum=list(TIMEFRAMES), description="by default the one that is scanned"
)


@extend_schema_view(get=listed("Scans, newest first", ScanRow, "scan_history", "decisions", [SCAN_TIMEFRAME]))
class ScanHistoryView(ListView):
    """Every look at a symbol, whatever came of it. Their votes and gates are under /api/scans/ and the scan_id."""

    queryset = ScanHistory.objects.all()
    serializer_class = ScanRow
    filterset_class = filters.ScanFilter
    orders = {"-close_time": ("-close_time", "symbol"), "close_time": ("close_time", "symbol")}
    own_parameters = ("timeframe",)

    def get_queryset(self) -> QuerySet[ScanHistory]:
        """Of one timeframe, since every index begins with it; without the arrays, which no list shows."""
        timeframe = self.request.query_params.get("timeframe", settings.ALPHAPULSE_SCAN_TIMEFRAME)
        if timeframe not in TIMEFRAMES:
            raise ValidationError({"timeframe": f"{timeframe!r} is none of: {', '.join(TIMEFRAMES)}."})
        shown = (name for name in ScanRow.Meta.fields)
        return ScanHistory.objects.filter(timeframe=timeframe).only(*shown)


class ScanByIdView(DetailView):
    """One decided scan by its id, with the reasons of its heads, the pool head by head, and every gate's margin."""

    answer_class = answers.Scan

    @detailed("Why or why not: one scan explained", answers.Scan, "scan_by_id", "decisions")
    def get(self, request: Request, scan_id: UUID) -> Response:
        return super().get(request, scan_id=scan_id)

    def found(self, **address: Any) -> Any:
        scan = scan_with_id(address["scan_id"])
        otherwise = (
            f"no scan has the id {address['scan_id']}; take one from /api/signals/ or /api/shadows/. Scans older than"
            " the retention are kept as daily figures only."
        )
        return explained(existing(scan, otherwise))


class ScanView(Read):
    """The last scan of a symbol up to a market time, with its votes, gates and bracket."""

    @extend_schema(
        operation_id="scan",
        summary="Why there was, or was no, trade",
        tags=["decisions"],
        parameters=[parameters.ScanQuery],
        responses={200: answers.Scan, **problems(400, 401, 403, 404, 429)},
    )
    def get(self, request: Request) -> Response:
        query = parameters.checked(parameters.ScanQuery, request).validated_data
        at = query.get("at") or market_now() or BEFORE_TIME
        scan = last_scan(query["symbol"], at, query.get("timeframe", ""))
        otherwise = f"{query['symbol']} was not scanned up to {at:%Y-%m-%dT%H:%M:%SZ}; ask for a later time."
        return Response(answers.Scan(explained(existing(scan, otherwise))).data)
