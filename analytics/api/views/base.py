"""What the reading endpoints share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.cache import patch_cache_control
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import generics, serializers
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.errors import PROBLEM_JSON
from analytics.api.pagination import ByCursor
from analytics.api.parameters import NoQuery, checked, refuse_unknown_parameters
from analytics.api.serializers.operations import Problem
from analytics.api.tables import CHUNK, MOST_TABLE_ROWS, TableRenderer, table
from analytics.selectors.kept import GRACE_SECONDS, every, keep
from analytics.selectors.stamps import read_stamp

Declared = type[serializers.Serializer[Any]]
# What shows signs of life is at most so old.
SIGNS_SECONDS = 2.0
signs_of_life = every(SIGNS_SECONDS)


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The errors an endpoint may answer with, for its schema."""
    return {(status, PROBLEM_JSON): OpenApiResponse(Problem, "what is wrong and what to do") for status in statuses}


class Read(APIView):
    """What is read may be kept by whoever asked, who asks again whether it still holds.

    The ETag is that of the bytes (Django's ConditionalGetMiddleware), so that it is never wrong: rows of a list change
    as brackets are followed, without a mark that a cheaper tag could read.
    """

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        patch_cache_control(answer, private=True, no_cache=True)
        return answer


class ReportView(Read, ABC):
    """GET one report: the query is checked by `query_class`, the answer shaped by `answer_class`.

    The bytes of an answer are kept while `stamp` says the same.
    """

    query_class: ClassVar[Declared]
    answer_class: ClassVar[Declared]
    stamp: ClassVar[Callable[[], Hashable]] = read_stamp

    @abstractmethod
    def report(self, query: Any) -> dict[str, Any]:
        """The answer to a checked query."""

    def get(self, request: Request) -> HttpResponse:
        query = checked(self.query_class, request)
        kind = type(self)
        asked = (kind, tuple(sorted(query.validated_data.items())))
        grace = GRACE_SECONDS if kind.stamp is read_stamp else 0.0
        body = keep(asked, kind.stamp, lambda: self._rendered(query), grace)
        return HttpResponse(body, content_type="application/json")

    def _rendered(self, query: Any) -> bytes:
        rendered: bytes = JSONRenderer().render(self.answer_class(self.report(query)).data)
        return rendered


class DetailView(Read, ABC):
    """GET one thing by its address."""

    answer_class: ClassVar[Declared]

    @abstractmethod
    def found(self, **address: Any) -> Any:
        """The thing, or NotFound."""

    def get(self, request: Request, **address: Any) -> Response:
        checked(NoQuery, request)
        return Response(self.answer_class(self.found(**address)).data)


def existing(row: Any, otherwise: str) -> Any:
    """The row, or a 404 that says where to look."""
    if row is None:
        raise NotFound(otherwise)
    return row


class StrictFilters(DjangoFilterBackend):
    """The view's filters, and a 400 for a parameter that none of them knows."""

    def filter_queryset(self, request: Request, queryset: QuerySet[Any], view: Any) -> QuerySet[Any]:
        known = [*view.filterset_class.base_filters, *view.own_parameters, "ordering"]
        refuse_unknown_parameters(request, known, also=("format", "cursor", "page_size"))
        found: QuerySet[Any] = super().filter_queryset(request, queryset, view)
        return found


class ListView(Read, generics.ListAPIView[Any]):
    """Pages of rows, or one table of them as CSV. `orders`: what `ordering` may be, the first is the default."""

    renderer_classes = [JSONRenderer, TableRenderer]
    pagination_class = ByCursor
    filter_backends = [StrictFilters]
    filterset_class: ClassVar[Any]
    orders: ClassVar[Mapping[str, tuple[str, ...]]]
    # Parameters that the view reads itself.
    own_parameters: ClassVar[tuple[str, ...]] = ()

    def chosen_order(self) -> tuple[str, ...]:
        asked = self.request.query_params.get("ordering", next(iter(self.orders)))
        if asked not in self.orders:
            raise ValidationError({"ordering": f"{asked!r} is none of: {', '.join(self.orders)}."})
        return self.orders[asked]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Any:
        if request.accepted_renderer.format != TableRenderer.format:
            return super().list(request, *args, **kwargs)
        if paged := [name for name in ("cursor", "page_size") if name in request.query_params]:
            raise ValidationError(dict.fromkeys(paged, "a table has no pages; choose its rows by since and until."))
        rows = self.filter_queryset(self.get_queryset()).order_by(*self.chosen_order())[:MOST_TABLE_ROWS]
        name = request.path.strip("/").replace("api/", "").replace("/", "-")
        return table(self.table_rows(rows), self.get_serializer(), name)

    def table_rows(self, rows: QuerySet[Any]) -> Any:
        return rows.iterator(chunk_size=CHUNK)


def described(summary: str, query: Declared, answer: Declared, operation: str, tag: str = "learning") -> Any:
    """The schema of a report, for `extend_schema_view(get=...)`."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        tags=[tag],
        parameters=[query] if query().fields else [],
        responses={200: answer, **problems(400, 401, 403, 429)},
    )


def listed(summary: str, row: Declared, operation: str, tag: str, also: list[OpenApiParameter] | None = None) -> Any:
    """The schema of a list; its filters, order and pages are read from the view."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        tags=[tag],
        parameters=also,
        responses={200: row(many=True), **problems(400, 401, 403, 404, 429)},
    )


def detailed(summary: str, answer: Declared, operation: str, tag: str) -> Any:
    """The schema of one thing."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        tags=[tag],
        responses={200: answer, **problems(400, 401, 403, 404, 429)},
    )
