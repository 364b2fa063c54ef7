"""Pages that cost the same however deep: a cursor on time, no counting."""

from rest_framework.pagination import CursorPagination


class NewestFirst(CursorPagination):
    """Newest decision first."""

    ordering = ("-opened_at", "-id")
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500
