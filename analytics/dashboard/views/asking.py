"""A page that answers what its form asks."""

from typing import Any

from django.http import HttpResponse

from analytics.dashboard.views.base import Page


class AskingPage(Page):
    """With a `form` in its context; where that has errors the page says them, and is a bad request."""

    def render_to_response(self, context: dict[str, Any], **kwargs: Any) -> HttpResponse:
        status = 400 if context["form"].errors else 200
        return super().render_to_response(context, status=status, **kwargs)
