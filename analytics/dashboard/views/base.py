"""What all pages share: who may look, the frame around the content, and how often it renews itself."""

from typing import Any, ClassVar, NamedTuple

from django.contrib.auth.mixins import AccessMixin
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.views.generic import TemplateView

from analytics.access import may_operate, may_read
from analytics.frame import frame

SECONDS = 5


class Entry(NamedTuple):
    """A page in the navigation; `key` opens it after a g."""

    name: str
    title: str
    key: str

    @property
    def url(self) -> str:
        return f"dashboard:{self.name}"


PAGES = (
    Entry("overview", "Overview", "o"),
    Entry("signals", "Signals", "s"),
    Entry("rejections", "Rejections", "r"),
    Entry("learning", "Learning", "l"),
    Entry("data", "Data", "d"),
    Entry("reports", "Reports", "e"),
    Entry("jobs", "Jobs", "j"),
)


class Page(AccessMixin, TemplateView):
    """One page of the dashboard. `refresh`: seconds after which an open page asks for itself again; 0 is never."""

    active: ClassVar[str] = ""
    refresh: ClassVar[int] = SECONDS

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_read(request):
            return self.handle_no_permission()
        return super().dispatch(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        return super().get_context_data(
            **kwargs,
            frame=frame(),
            pages=PAGES,
            active=self.active,
            refresh=self.refresh,
            may_operate=may_operate(self.request),
            theme=theme(self.request),
        )


class OperatorPage(Page):
    """A page on which something can be done: for operators only."""

    refresh = 0

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not may_operate(request):
            return self.handle_no_permission()
        return super().dispatch(request, *args, **kwargs)


def theme(request: HttpRequest) -> str:
    """What the reader chose; anything else follows the browser."""
    chosen = request.COOKIES.get("theme", "")
    return chosen if chosen in ("dark", "light") else "auto"
