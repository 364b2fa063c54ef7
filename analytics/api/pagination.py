"""Pages that cost the same however deep: a cursor on the column of the order, no counting."""

from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError as FieldError
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

MOST_ROWS = 500


class ByCursor(CursorPagination):
    """The order is the view's; its first column decides the position, the others settle ties."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = MOST_ROWS

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        self.model = queryset.model
        self.ordering = view.chosen_order()
        return super().paginate_queryset(queryset, request, view)

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return tuple(view.chosen_order())

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size", str(self.page_size))
        if not (asked.isascii() and asked.isdecimal() and len(asked) < 5 and 1 <= int(asked) <= self.max_page_size):
            raise ValidationError({"page_size": f"{asked!r} is no page size; send 1 to {self.max_page_size}."})
        return int(asked)

    def decode_cursor(self, request: Request) -> Any:
        """The cursor of the request; a forged one, whose position is no value of the column, is not found."""
        cursor = super().decode_cursor(request)
        if cursor and cursor.position is not None and not self._is_position(str(cursor.position)):
            raise NotFound(self.invalid_cursor_message)
        return cursor

    def _is_position(self, position: str) -> bool:
        try:
            value = self.model._meta.get_field(self.ordering[0].lstrip("-")).to_python(position)
        except (FieldError, ValueError, OverflowError):
            return False
        return "\x00" not in position and not (isinstance(value, datetime) and value.tzinfo is None)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        cursor = {"type": "string", "description": "the one in `next` or `previous` of another page"}
        size = {"type": "integer", "minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        order = {"type": "string", "enum": list(view.orders), "default": next(iter(view.orders))}
        said = {"cursor": cursor, "page_size": size, "ordering": order}
        return [{"name": name, "in": "query", "required": False, "schema": schema} for name, schema in said.items()]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        properties = {"next": link, "previous": link, "results": schema}
        return {"type": "object", "required": list(properties), "properties": properties}
