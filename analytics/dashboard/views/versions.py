"""The versions: a list of each state type, and a page for one of them with its evidence."""

from typing import Any, ClassVar

from django.http import Http404, HttpRequest

from analytics.dashboard.plots import bars
from analytics.dashboard.views.base import Page
from analytics.selectors.version_page import VersionPage, is_state_type, version_page, versions_before
from learning.models import STATE_TYPES, LearningState

STATUSES = [status for status, _ in LearningState.STATUSES]
LARGEST = 2**31 - 1


class VersionsPage(Page):
    template_name = "dashboard/versions.html"
    active: ClassVar[str] = "learning"
    refresh: ClassVar[int] = 30

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = self.request.GET
        state_type, status = asked.get("type", ""), asked.get("status", "")
        state_type = state_type if is_state_type(state_type) else STATE_TYPES[0][0]
        status = status if status in STATUSES else ""
        return super().get_context_data(
            **kwargs,
            state_types=STATE_TYPES,
            state_type=state_type,
            statuses=STATUSES,
            status=status,
            before=asked_version(self.request, "before"),
            versions=versions_before(state_type, asked_version(self.request, "before"), status),
        )


class OneVersionPage(Page):
    """`?against=N` compares with another version than the one in force."""

    template_name = "dashboard/version.html"
    active: ClassVar[str] = "learning"
    refresh: ClassVar[int] = 0

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        page = shown_version(kwargs["state_type"], kwargs["version"], asked_version(self.request, "against"))
        moves = page.account.moves
        marks = bars([move["change"] for move in moves])
        return super().get_context_data(
            **kwargs,
            page=page,
            row=page.row,
            moves=[{**move, "bar": bar} for move, bar in zip(moves, marks, strict=True)],
            diff=with_bars(page.diff),
            asked_against=self.request.GET.get("against", ""),
        )


def shown_version(state_type: str, version: int, against: int | None = None) -> VersionPage:
    page = version_page(state_type, version, against) if is_state_type(state_type) and version <= LARGEST else None
    if page is None:
        raise Http404("there is no such version")
    return page


def with_bars(diff: dict[str, Any] | None) -> dict[str, Any] | None:
    """A diff whose rows of heads carry a bar of their change."""
    if diff is None:
        return None
    marks = bars([row["change"] for row in diff["heads"]])
    return diff | {"heads": [row | {"bar": bar} for row, bar in zip(diff["heads"], marks, strict=True)]}


def asked_version(request: HttpRequest, name: str) -> int | None:
    """A number of a version in the query; None where there is none."""
    asked = request.GET.get(name, "")
    return int(asked) if asked.isascii() and asked.isdigit() and int(asked) <= LARGEST else None
