"""Signals, shadows, and why there was or was no trade."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import generics
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from alphapulse_site.clock import market_now
from analytics.api import parameters
from analytics.api.pagination import NewestFirst
from analytics.api.serializers import decisions as answers
from analytics.api.views.base import problems
from analytics.selectors.scans import explained, last_scan, scan_with_id
from analytics.selectors.scope import BEFORE_TIME
from signals.models import RejectedSignal, Signal


@extend_schema_view(
    get=extend_schema(
        operation_id="signals", summary="Published signals, newest first", parameters=[parameters.DecisionsQuery]
    )
)
class SignalsView(generics.ListAPIView[Signal]):
    """Published signals only: a shadow must never reach a reader who could trade on it."""

    serializer_class = answers.PublishedSignal
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[Signal]:
        return Signal.objects.filter(**checked_filters(parameters.DecisionsQuery, self.request))


@extend_schema_view(
    get=extend_schema(operation_id="shadows", summary="Shadows, newest first", parameters=[parameters.ShadowsQuery])
)
class ShadowsView(generics.ListAPIView[RejectedSignal]):
    """What the gates refused, and what became of it."""

    serializer_class = answers.Shadow
    pagination_class = NewestFirst

    def get_queryset(self) -> QuerySet[RejectedSignal]:
        return RejectedSignal.objects.filter(**checked_filters(parameters.ShadowsQuery, self.request))


def checked_filters(query_class: type[parameters.DecisionsQuery], request: Request) -> dict[str, Any]:
    return parameters.checked(query_class, request, also=("cursor", "page_size")).filters()


class ScanByIdView(APIView):
    """One decided scan by its id, with the reasons of its heads, the pool head by head, and every gate's margin."""

    @extend_schema(
        operation_id="scan-by-id",
        summary="Why or why not: one scan explained",
        responses={200: answers.Scan, **problems(401, 403, 404)},
    )
    def get(self, request: Request, scan_id: UUID) -> Response:
        scan = scan_with_id(scan_id)
        if scan is None:
            raise NotFound(
                f"no scan has the id {scan_id}; take one from /api/signals/ or /api/shadows/. Scans older than the"
                " retention are kept as daily figures only."
            )
        return Response(answers.Scan(explained(scan)).data)


class ScanView(APIView):
    """The last scan of a symbol up to a market time, with its votes, gates and bracket."""

    @extend_schema(
        operation_id="scan",
        summary="Why there was, or was no, trade",
        parameters=[parameters.ScanQuery],
        responses={200: answers.Scan, **problems(400, 401, 403, 404)},
    )
    def get(self, request: Request) -> Response:
        query = parameters.checked(parameters.ScanQuery, request).validated_data
        at = query.get("at") or market_now() or BEFORE_TIME
        scan = last_scan(query["symbol"], at, query.get("timeframe", ""))
        if scan is None:
            raise NotFound(f"{query['symbol']} was not scanned up to {at:%Y-%m-%dT%H:%M:%SZ}; ask for a later time.")
        return Response(answers.Scan(explained(scan)).data)
