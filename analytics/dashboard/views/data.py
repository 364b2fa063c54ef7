"""Which candles are there, what is missing and why, and what is being fetched."""

from typing import Any, ClassVar

from django import forms

from analytics.dashboard.choices import Choices
from analytics.dashboard.views.base import Page
from analytics.frame import Frame
from analytics.selectors import coverage
from ingestion.models import CandleGap, Symbol

DAYS = (7, 30, 90)


class GapFilter(forms.Form):
    """Which gaps, and how many days of the map."""

    symbol = forms.ModelChoiceField(Symbol.objects.all(), required=False, empty_label="all", widget=Choices)
    status = forms.ChoiceField(choices=[("", "all"), *CandleGap.Status.choices], required=False)
    days = forms.TypedChoiceField(
        choices=[(days, f"{days} days") for days in DAYS], coerce=int, required=False, initial=30
    )


class DataPage(Page):
    template_name = "dashboard/data.html"
    active: ClassVar[str] = "data"
    refresh: ClassVar[int] = 10

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        form = GapFilter(self.request.GET if self.request.GET else {"days": 30})
        chosen = form.cleaned_data if form.is_valid() else {}
        symbol, frame = chosen.get("symbol"), context["frame"]
        assert isinstance(frame, Frame)
        return context | {
            "form": form,
            "days": chosen.get("days") or 30,
            "map": coverage.coverage(frame.at, chosen.get("days") or 30) if frame.at else [],
            "gaps": coverage.newest_gaps(symbol.name if symbol else "", chosen.get("status", "")),
            "totals": coverage.totals(),
            "runs": coverage.backfill_runs(),
        }
