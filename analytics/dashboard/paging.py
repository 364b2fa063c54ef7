"""Pages of a list, cut as the API cuts them: by a cursor on time, without counting."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework.exceptions import APIException
from rest_framework.request import Request

from analytics.api.pagination import ByCursor


class Cut(NamedTuple):
    """The rows of one page, and the queries that lead to the newer and older ones; '' where there are none."""

    rows: Sequence[Any]
    newer: str
    older: str


class Newest(NamedTuple):
    """The order of a list, as the API's paginator asks a view for it."""

    order: tuple[str, ...] = ("-opened_at", "-id")

    def chosen_order(self) -> tuple[str, ...]:
        return self.order


class NoSuchPageError(Exception):
    """A cursor or page size that is none."""


def cut(rows: "QuerySet[Any]", request: HttpRequest) -> Cut:
    """The page that the request's cursor points at; NoSuchPageError where it points nowhere."""
    paginator = ByCursor()
    try:
        found = paginator.paginate_queryset(rows, Request(request), Newest()) or []
    except APIException as error:
        raise NoSuchPageError(str(error.detail)) from error
    return Cut(found, _query(paginator.get_previous_link()), _query(paginator.get_next_link()))


def _query(link: str | None) -> str:
    return f"?{urlsplit(link).query}" if link else ""
