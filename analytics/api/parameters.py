"""What may be asked: every query and body, checked. A refusal says what to send instead."""

from datetime import timedelta
from typing import Any, ClassVar, TypeVar

from rest_framework import serializers
from rest_framework.request import Request

from analytics.selectors.scope import BEFORE_TIME, Scope
from analytics.selectors.stamps import read_stamp
from ingestion.models import Symbol
from ingestion.timeframes import TIMEFRAMES
from signals.first_touch import Outcome
from signals.gates import REASONS

Q = TypeVar("Q", bound=serializers.Serializer[Any])

LONGEST_DAYS = 365
PERIOD = r"^([1-9]\d?|[12]\d\d|3[0-5]\d|36[0-5])d$"


class PeriodField(serializers.RegexField):
    """A stretch of whole days such as 7d."""

    default_error_messages: ClassVar = {"invalid": f"no period; send 1d to {LONGEST_DAYS}d, such as period=7d."}

    def __init__(self, **options: Any) -> None:
        super().__init__(PERIOD, **options)


class SymbolField(serializers.CharField):
    """A symbol we know, such as BTCUSDT."""

    def to_internal_value(self, data: Any) -> str:
        name = super().to_internal_value(data)
        if "\x00" in name or not Symbol.objects.filter(pk=name).exists():
            raise serializers.ValidationError(f"{name!r} is not a symbol we follow; symbols look like BTCUSDT.")
        return name


class AboutDecisions(serializers.Serializer[Any]):
    """Which decisions: by symbol and timeframe."""

    symbol = SymbolField(required=False, help_text="only this symbol, such as BTCUSDT")
    timeframe = serializers.ChoiceField(choices=list(TIMEFRAMES), required=False)


class PerformanceQuery(AboutDecisions):
    """A stretch of market time that ends with the last decided close."""

    period = PeriodField(default="7d", help_text="1d to 365d, ending with the last decided close")

    def scope(self) -> Scope:
        return scope_of(timedelta(days=int(self.period_text[:-1])), self.validated_data)

    @property
    def period_text(self) -> str:
        return str(self.validated_data["period"])


class LongPerformanceQuery(PerformanceQuery):
    """The same, a month by default."""

    period = PeriodField(default="30d", help_text="1d to 365d, ending with the last decided close")


class WeeksQuery(AboutDecisions):
    """How many weeks back."""

    weeks = serializers.IntegerField(default=8, min_value=1, max_value=52)

    def scope(self) -> Scope:
        return scope_of(timedelta(weeks=self.validated_data["weeks"]), self.validated_data)


class NoQuery(serializers.Serializer[Any]):
    """Nothing to choose."""


class DaysQuery(serializers.Serializer[Any]):
    """How many days of weight versions."""

    days = serializers.IntegerField(default=30, min_value=1, max_value=LONGEST_DAYS)


class DecisionsQuery(AboutDecisions):
    """Which signals to list."""

    outcome = serializers.ChoiceField(choices=["open", *(outcome.value for outcome in Outcome)], required=False)

    def filters(self) -> dict[str, Any]:
        chosen = dict(self.validated_data)
        if chosen.get("outcome") == "open":
            chosen["outcome"] = ""
        return chosen


class ShadowsQuery(DecisionsQuery):
    """Which shadows to list."""

    rejection = serializers.ChoiceField(choices=REASONS, required=False)


class ScanQuery(serializers.Serializer[Any]):
    """Which scan to explain."""

    symbol = SymbolField(help_text="such as BTCUSDT")
    at = serializers.DateTimeField(
        required=False, help_text="market time; the last scan up to it is explained. Default now"
    )
    timeframe = serializers.ChoiceField(choices=list(TIMEFRAMES), required=False)


class TriggerBody(serializers.Serializer[Any]):
    """Which period to run; left out, the last one that ended."""

    period = serializers.CharField(required=False, allow_blank=True, default="", max_length=20)


def scope_of(length: timedelta, chosen: dict[str, Any]) -> Scope:
    return Scope.last(
        length,
        until=read_stamp().until or BEFORE_TIME,
        symbol=chosen.get("symbol", ""),
        timeframe=chosen.get("timeframe", ""),
    )


def checked(kind: type[Q], request: Request, also: tuple[str, ...] = ()) -> Q:
    """The query of a request, or a 400 that says what is wrong; an unknown parameter is wrong too.

    `also`: parameters that somebody else checks.
    """
    query = kind(data=request.query_params.dict())
    known = {*query.fields, *also, "format"}
    refused = {
        name: "given twice; send it once."
        if name in known
        else f"unknown; known are: {', '.join(query.fields) or 'none'}."
        for name, values in request.query_params.lists()
        if name not in known or len(values) > 1
    }
    if refused:
        raise serializers.ValidationError(refused)
    query.is_valid(raise_exception=True)
    return query
