"""Pages that cost the same however deep: a cursor on time, no counting."""

from datetime import datetime
from typing import Any

from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """Newest decision first."""

    ordering = ("-opened_at", "-id")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500

    def get_page_size(self, request: Request) -> int:
        asked = request.query_params.get("page_size", str(self.page_size))
        if not asked.isdecimal() or not 1 <= int(asked) <= self.max_page_size:
            raise ValidationError({"page_size": f"{asked!r} is no page size; send 1 to {self.max_page_size}."})
        return int(asked)

    def decode_cursor(self, request: Request) -> Any:
        """The cursor of the request; a forged one, whose position is no time, is not found."""
        cursor = super().decode_cursor(request)
        try:
            if cursor and cursor.position is not None:
                datetime.fromisoformat(str(cursor.position))
        except ValueError as error:
            raise NotFound(self.invalid_cursor_message) from error
        return cursor
