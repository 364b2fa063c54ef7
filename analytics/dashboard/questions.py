"""What a reader may ask of a page: forms of GET, checked, with the choices we know."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms

from analytics.dashboard.choices import Choices
from analytics.selectors.decisions import OPEN, Wanted
from ingestion.models import Symbol
from ingestion.timeframes import TIMEFRAMES
from signals.first_touch import Outcome
from signals.gates import REASONS
from signals.models import Direction
from signals.regime import Regime

ANY = ("", "any")
SPANS = ("1d", "7d", "30d")
PARTS = ("reason", "regime", "symbol")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def symbol_choices() -> list[tuple[str, str]]:
    return [ANY, *((name, name) for name in Symbol.objects.values_list("name", flat=True))]


def plain(words: Iterable[str]) -> list[tuple[str, str]]:
    return [ANY, *((word, word.replace("_", " ")) for word in words)]


class MarketTime(forms.DateTimeField):
    """A moment in UTC, to the minute."""

    widget = forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M")

    def clean(self, value: Any) -> datetime | None:
        moment: datetime | None = super().clean(value)
        if moment is not None and not FIRST <= moment <= LAST:
            raise forms.ValidationError(f"Send a time between {FIRST:%Y} and {LAST:%Y}, such as 2021-07-10 12:00.")
        return moment


class SignalsQuestion(forms.Form):
    """Which signals to list, in the words of the API."""

    symbol = forms.ChoiceField(choices=symbol_choices, required=False, widget=Choices)
    direction = forms.TypedChoiceField(
        choices=plain(("long", "short")),
        coerce=lambda word: Direction[word.upper()].value,
        empty_value=None,
        required=False,
        label="side",
    )
    outcome = forms.ChoiceField(choices=plain([OPEN, *(outcome.value for outcome in Outcome)]), required=False)
    regime = forms.TypedChoiceField(
        choices=plain(regime.name.lower() for regime in Regime),
        coerce=lambda word: Regime[word.upper()].value,
        empty_value=None,
        required=False,
    )
    timeframe = forms.ChoiceField(choices=plain(TIMEFRAMES), required=False)
    since = MarketTime(required=False, label="from")
    until = MarketTime(required=False, label="before")

    def clean(self) -> dict[str, Any]:
        found = self.cleaned_data
        if found.get("since") and found.get("until") and found["since"] > found["until"]:
            raise forms.ValidationError("The stretch ends before it begins; turn its ends around.")
        return found

    @property
    def wanted(self) -> Wanted:
        return Wanted(**self.cleaned_data)


class ShadowsQuestion(SignalsQuestion):
    """Which shadows to list."""

    rejection = forms.ChoiceField(choices=plain(REASONS), required=False, label="refused by")


class RejectionsQuestion(forms.Form):
    """Which stretch of market time, and how the gates' figures are split."""

    span = forms.ChoiceField(choices=[(span, span) for span in SPANS], required=False)
    by = forms.ChoiceField(choices=[(part, part) for part in PARTS], required=False)

    @property
    def span_text(self) -> str:
        return self.cleaned_data.get("span") or SPANS[1]

    @property
    def length(self) -> timedelta:
        return timedelta(days=int(self.span_text[:-1]))

    @property
    def part(self) -> str:
        return self.cleaned_data.get("by") or PARTS[0]


class WhyQuestion(forms.Form):
    """Why was there no trade for a symbol at a time?"""

    symbol = forms.ChoiceField(choices=symbol_choices, widget=Choices)
    at = MarketTime(required=False, label="market time")
    timeframe = forms.ChoiceField(choices=plain(TIMEFRAMES), required=False)
