"""Logging in."""

from typing import Any

from django.contrib.auth.views import LoginView

from analytics.dashboard.views.base import theme


class Entrance(LoginView):
    """The one form without the frame: whoever stands before it may know nothing yet."""

    template_name = "dashboard/entrance.html"
    redirect_authenticated_user = True

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(**kwargs, theme=theme(self.request))
