"""What the reading endpoints share."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from analytics.api.parameters import checked
from analytics.api.serializers.operations import Problem

Declared = type[serializers.Serializer[Any]]
PROBLEM_JSON = "application/problem+json"


def problems(*statuses: int) -> dict[tuple[int, str], OpenApiResponse]:
    """The errors an endpoint may answer with, for its schema."""
    return {(status, PROBLEM_JSON): OpenApiResponse(Problem, "what is wrong and what to do") for status in statuses}


class ReportView(APIView, ABC):
    """GET one report: the query is checked by `query_class`, the answer shaped by `answer_class`."""

    query_class: ClassVar[Declared]
    answer_class: ClassVar[Declared]

    @abstractmethod
    def report(self, query: Any) -> dict[str, Any]:
        """The answer to a checked query."""

    def get(self, request: Request) -> Response:
        query = checked(self.query_class, request)
        return Response(self.answer_class(self.report(query)).data)


def described(summary: str, query: Declared, answer: Declared, operation: str) -> Any:
    """The schema of a report, for `extend_schema_view(get=...)`."""
    return extend_schema(
        operation_id=operation,
        summary=summary,
        parameters=[query] if query().fields else [],
        responses={200: answer, **problems(400, 401, 403)},
    )
