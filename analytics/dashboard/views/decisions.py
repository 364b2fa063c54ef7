"""Signals and shadows: the lists with what they came to, and one decision from its votes to its outcome."""

from typing import Any, ClassVar

from django.http import Http404

from alphapulse_site.clock import market_now
from analytics.dashboard.bracket_chart import bracket_chart
from analytics.dashboard.paging import Cut, NoSuchPageError, cut
from analytics.dashboard.questions import ShadowsQuestion, SignalsQuestion
from analytics.dashboard.views.asking import AskingPage
from analytics.dashboard.views.base import SECONDS, Page
from analytics.selectors.decisions import KINDS, decisions, neighbours
from analytics.selectors.listed import summary
from analytics.selectors.price_path import path_of
from analytics.selectors.scans import explanation_of


class DecisionsPage(AskingPage):
    """A list of one kind. A question that cannot be answered says what to ask instead, and lists nothing."""

    template_name = "dashboard/decisions.html"
    active: ClassVar[str] = "signals"
    kind: ClassVar[str]
    question: ClassVar[type[SignalsQuestion]]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        form = self.question(self.request.GET)
        found = Cut((), "", "")
        if form.is_valid():
            try:
                found = cut(decisions(self.kind, form.wanted), self.request)
            except NoSuchPageError as error:
                form.add_error(None, f"This page of the list is not there: {error} Go back to the newest.")
        return super().get_context_data(**kwargs) | {
            "kind": self.kind,
            "form": form,
            "page_of": found,
            "summary": summary(self.kind, form.wanted) if form.is_valid() else None,
            # Older pages do not change; the newest one does.
            "refresh": 0 if found.newer or form.errors else SECONDS,
        }


class SignalsPage(DecisionsPage):
    kind, question = "signal", SignalsQuestion


class ShadowsPage(DecisionsPage):
    kind, question = "shadow", ShadowsQuestion


class DecisionPage(Page):
    """One signal or shadow: what was expected, why, and what happened."""

    template_name = "dashboard/decision.html"
    kind: ClassVar[str]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        number = kwargs["number"]
        decision = KINDS[self.kind]._default_manager.filter(pk=number).first()
        if decision is None:
            raise Http404(f"there is no {self.kind} {number}; the newest are on the page of signals.")
        return super().get_context_data(**kwargs) | {
            "kind": self.kind,
            "decision": decision,
            "scan": explanation_of(decision.scan_id),
            "chart": bracket_chart(path_of(decision), decision),
            "neighbours": neighbours(decision),
            "at": market_now(),
            "refresh": SECONDS if decision.is_open else 0,
        }


class SignalPage(DecisionPage):
    active: ClassVar[str] = "signals"
    kind = "signal"


class ShadowPage(DecisionPage):
    active: ClassVar[str] = "signals"
    kind = "shadow"
