"""Everything people see: the pages and the API."""

from typing import Any

from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from analytics.api.urls import urlpatterns as api


class Icon(RedirectView):
    """Browsers ask for this address by themselves where a page names no icon, or is none."""

    def get_redirect_url(self, *args: Any, **kwargs: Any) -> str:
        return static("dashboard/favicon.svg")


urlpatterns = [*api, path("favicon.ico", Icon.as_view()), path("", include("analytics.dashboard.urls"))]
