"""What the gates held back and whether that paid; and why there was no trade for a symbol at a time."""

from typing import Any, ClassVar

from analytics.dashboard.bracket_chart import bracket_chart, path_chart
from analytics.dashboard.questions import PARTS, SPANS, RejectionsQuestion, WhyQuestion
from analytics.dashboard.scales import scale_of
from analytics.dashboard.views.asking import AskingPage
from analytics.selectors.absence import Looked, looked
from analytics.selectors.price_path import path_around, path_of
from analytics.selectors.refused import Refused, lately_refused, worth_by
from analytics.selectors.scans import decision_of, explained
from analytics.selectors.stamps import read_stamp


class RejectionsPage(AskingPage):
    template_name = "dashboard/rejections.html"
    active: ClassVar[str] = "rejections"
    refresh: ClassVar[int] = 30

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = RejectionsQuestion(self.request.GET)
        found = lately_refused(form.length) if form.is_valid() else None
        asked = {"form": form, "why": WhyQuestion(), "spans": SPANS, "parts": PARTS}
        chosen = {"chosen": form.span_text, "part": form.part}
        return super().get_context_data(**kwargs) | asked | chosen | (worths_in(found, form.part) if found else {})


def worths_in(found: Refused, part: str) -> dict[str, Any]:
    """The refused leans of a stretch, and the lines of the chosen table with how far their plots reach."""
    worths = worth_by(found.analysis, part)
    values = [line.figures[name] for line in worths.lines for name in ("gate_value_r", "against_published_r")]
    return {"refused": found, "worths": worths, "scale": scale_of(values)}


class WhyPage(AskingPage):
    """The last scan of a symbol up to a time, or what is known of why there is none."""

    template_name = "dashboard/why.html"
    active: ClassVar[str] = "rejections"
    refresh: ClassVar[int] = 0

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        asked = bool(self.request.GET)
        form = WhyQuestion(self.request.GET if asked else None)
        context = super().get_context_data(**kwargs) | {"form": form}
        if not form.is_valid():
            return context
        at = form.cleaned_data["at"] or read_stamp().until
        if at is None:
            return context
        return context | told(looked(form.cleaned_data["symbol"], at, form.cleaned_data["timeframe"]))


def told(looked: Looked) -> dict[str, Any]:
    """The explanation of the last scan, with the bracket of its lean if it has one."""
    if looked.last is None:
        return {"looked": looked}
    found = decision_of(looked.last)
    path = path_around(looked.last)
    chart = bracket_chart(path_of(found.decision), found.decision) if found else path_chart(path)
    return {"looked": looked, "scan": explained(looked.last), "found": found, "chart": chart}
