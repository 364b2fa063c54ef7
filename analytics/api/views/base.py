"""What the reading endpoints share."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from analytics.api.parameters import checked
from analytics.api.serializers.operations import Problem
from analytics.selectors.kept import every, keep
from analytics.selectors.stamps import read_stamp

Declared = type[serializers.Serializer[Any]]
PROBLEM_JSON = "application/problem+json"
# What shows signs of life is at most so old.
SIGNS_SECONDS = 2.0
signs_of_life = every(SIGNS_SECONDS)
# A report of the stamp before is given once more while the next is computed, if it was made this lately.
GRACE_SECONDS = 60.0


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The errors an endpoint may answer with, for its schema."""
    return {(status, PROBLEM_JSON): OpenApiResponse(Problem, "what is wrong and what to do") for status in statuses}


class ReportView(APIView, ABC):
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


def described(summary: str, query: Declared, answer: Declared, operation: str) -> Any:
    """The schema of a report, for `extend_schema_view(get=...)`."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        parameters=[query] if query().fields else [],
        responses={200: answer, **problems(400, 401, 403)},
    )
