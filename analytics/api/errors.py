"""Every error of the API as problem JSON (RFC 9457)."""

from http import HTTPStatus
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.defaults import page_not_found, server_error
from rest_framework import exceptions
from rest_framework.renderers import JSONRenderer
from rest_framework.response import Response
from rest_framework.views import exception_handler

PROBLEM_JSON = "application/problem+json"


class ConflictingKey(exceptions.APIException):
    """The Idempotency-Key belongs to another request."""

    status_code = HTTPStatus.UNPROCESSABLE_ENTITY
    default_code = "idempotency_key_reused"


class CannotBeDone(exceptions.APIException):
    """What the state of things does not allow; the detail says what to do first."""

    status_code = HTTPStatus.CONFLICT
    default_code = "conflict"


class OutOfReach(exceptions.APIException):
    """Something that the act needs does not answer."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "out_of_reach"


def problem(status: int, detail: str, instance: str, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """The members of a problem; `type` is about:blank, so the title is that of the status."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": instance,
    }
    return body | ({"errors": errors} if errors else {})


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """Django REST framework's answer to an error, its body replaced; None for a bug, which must stay loud."""
    response = exception_handler(error, context)
    if response is None:
        return response
    # Whatever form was asked for (a page, a table, YAML), an error is a problem.
    context["request"].accepted_renderer, context["request"].accepted_media_type = JSONRenderer(), PROBLEM_JSON
    errors = list(_listed(response.data)) if isinstance(error, exceptions.ValidationError) else None
    detail = "; ".join(f"{row['field']}: {row['message']}" if row["field"] else row["message"] for row in errors or [])
    response.data = problem(
        response.status_code, detail or str(response.data["detail"]), context["request"].path, errors
    )
    response.content_type = PROBLEM_JSON
    return response


def _listed(data: Any, field: str = "") -> Any:
    """Each message of a validation error with the parameter it is about."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from _listed(value, "" if name == "non_field_errors" else f"{field}.{name}".lstrip("."))
    elif isinstance(data, list):
        for value in data:
            yield from _listed(value, field)
    else:
        yield {"field": field, "message": str(data)}


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404 outside any view: a problem under /api/, a page elsewhere."""
    if not request.path.startswith("/api/"):
        return page_not_found(request, exception)
    detail = "there is no such address; /api/schema/ lists them all."
    return JsonResponse(problem(404, detail, request.path), status=404, content_type=PROBLEM_JSON)


def failed(request: HttpRequest) -> HttpResponse:
    """500: a bug of ours, told to the log; the reader learns only that."""
    if not request.path.startswith("/api/"):
        return server_error(request)
    detail = "the server failed; the log of the web process has the reason."
    return JsonResponse(problem(500, detail, request.path), status=500, content_type=PROBLEM_JSON)
