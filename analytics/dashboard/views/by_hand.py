"""Acts of people on the versions: a page that says what will follow, and a form that does it once."""

from collections.abc import Callable
from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect

from alphapulse_site.clock import market_now
from analytics.dashboard.views.base import OperatorPage
from analytics.dashboard.views.versions import LARGEST, with_bars
from analytics.selectors.acts import HEAD_WEIGHTS, Act, proposed_act
from analytics.selectors.version_page import is_state_type
from learning.by_hand import freeze, pin, release, rollback
from learning.models import LearningState
from learning.story import NAMES
from learning.versions import VersionError


class Confirmation(forms.Form):
    """`expected`: the version in force when the page was shown; sent again, or late, it is another one by then."""

    expected = forms.IntegerField(min_value=1, max_value=LARGEST, widget=forms.HiddenInput)


class ByHandPage(OperatorPage):
    """GET tells what `kind` would do; POST does it and leads to the version that it made."""

    template_name = "dashboard/by_hand.html"
    active: ClassVar[str] = "learning"
    kind = ""

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        act = self.act()
        return super().get_context_data(
            **kwargs,
            act=act,
            diff=with_bars(act.diff),
            form=Confirmation(initial={"expected": act.ruling.version}),
        )

    def act(self) -> Act:
        state_type, version = self.asked()
        found = proposed_act(self.kind, state_type, version, at=market_now(), by=self.request.user.get_username())
        if found is None:
            raise Http404("there is no such version")
        return found

    def asked(self) -> tuple[str, int | None]:
        """Which version the address names; None for the one in force."""
        state_type, version = self.kwargs.get("state_type", HEAD_WEIGHTS), self.kwargs.get("version")
        if not is_state_type(state_type) or (version or 0) > LARGEST:
            raise Http404("there is no such version")
        return state_type, version

    def post(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        state_type, version = self.asked()
        form = Confirmation(request.POST)
        if not form.is_valid():
            messages.error(request, "Nothing was done: the form did not say what was in force. Look again.")
            return redirect(request.path)
        try:
            made = self.done(state_type, version, request.user.get_username(), form.cleaned_data["expected"])
        except VersionError as error:
            messages.error(request, f"Nothing was done: {error}. Look again before you confirm.")
            return redirect(request.path)
        messages.success(request, told(made))
        return redirect("dashboard:version", state_type=made.state_type, version=made.version)

    def done(self, state_type: str, version: int | None, by: str, expected: int) -> LearningState:
        acts: dict[str, Callable[[], LearningState]] = {
            "rollback": lambda: rollback(state_type=state_type, version=version or 0, by=by, expected=expected),
            "pin": lambda: pin(version=version or 0, by=by, expected=expected),
            "freeze": lambda: freeze(by=by, expected=expected),
            "release": lambda: release(by=by, expected=expected),
        }
        return acts[self.kind]()


def told(made: LearningState) -> str:
    since = f"{made.effective_from:%Y-%m-%d %H:%M}" if made.effective_from else "now"
    return f"Done: version {made.version} of {NAMES[made.state_type]} decides from {since} market time on. {made.notes}"
