"""What may be asked: every query and body, checked. A refusal says what to send instead."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from django.core.exceptions import ValidationError as FieldError
from rest_framework import serializers
from rest_framework.request import Request

from analytics.selectors.market import MOST_CANDLES
from analytics.selectors.scope import BEFORE_TIME, Scope
from analytics.selectors.stamps import read_stamp
from ingestion.models import Symbol
from ingestion.timeframes import TIMEFRAMES

Q = TypeVar("Q", bound=serializers.Serializer[Any])

LONGEST_DAYS = 365
PERIOD = r"^([1-9]\d?|[12]\d\d|3[0-5]\d|36[0-5])d$"


def symbol_we_follow(name: str) -> str:
    """The name, if it is that of a symbol we know."""
    if "\x00" in name or not Symbol.objects.filter(pk=name).exists():
        # With a place for the name and not the name itself, in which a % would be taken for a place.
        raise FieldError("%(name)r is not a symbol we follow; symbols look like BTCUSDT.", params={"name": name})
    return name


def moment(text: str) -> datetime:
    """A time in ISO 8601; UTC where it names no zone. A time zone may push the first and last days over the edge."""
    try:
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        said = "%(text)r is no time; send one such as 2021-07-10T12:00:00Z."
        raise FieldError(said, params={"text": text}) from error


class PeriodField(serializers.RegexField):
    """A stretch of whole days such as 7d."""

    default_error_messages: ClassVar = {"invalid": f"no period; send 1d to {LONGEST_DAYS}d, such as period=7d."}

    def __init__(self, **options: Any) -> None:
        super().__init__(PERIOD, **options)


class SymbolField(serializers.CharField):
    """A symbol we know, such as BTCUSDT."""

    def to_internal_value(self, data: Any) -> str:
        try:
            return symbol_we_follow(super().to_internal_value(data))
        except FieldError as error:
            raise serializers.ValidationError(error.messages) from error


class MomentField(serializers.DateTimeField):
    """A market time in ISO 8601; UTC where it names no zone."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return moment(str(data))
        except FieldError as error:
            raise serializers.ValidationError(error.messages) from error


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


class ScanQuery(serializers.Serializer[Any]):
    """Which scan to explain."""

    symbol = SymbolField(help_text="such as BTCUSDT")
    at = MomentField(required=False, help_text="market time; the last scan up to it is explained. Default now")
    timeframe = serializers.ChoiceField(choices=list(TIMEFRAMES), required=False)


class CandlesQuery(serializers.Serializer[Any]):
    """Which candles: the last `limit` of a span of market time."""

    symbol = SymbolField(help_text="such as BTCUSDT")
    timeframe = serializers.ChoiceField(choices=list(TIMEFRAMES), default="1m")
    since = MomentField(required=False, help_text="none that opened before")
    until = MomentField(required=False, help_text="none that closes after; by default the market clock")
    limit = serializers.IntegerField(
        default=500, min_value=1, max_value=MOST_CANDLES, help_text="fewer of long timeframes: 416 of 4h, 69 of 1d"
    )


class DiffQuery(serializers.Serializer[Any]):
    """Against which version."""

    against = serializers.IntegerField(
        required=False, min_value=1, max_value=2**31 - 1, help_text="by default what it replaced"
    )


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
    refuse_unknown_parameters(request, query.fields, also=("format", *also))
    query.is_valid(raise_exception=True)
    return query


def refuse_unknown_parameters(request: Request, known: Iterable[str], also: Iterable[str] = ()) -> None:
    """400 for a parameter that is unknown, came twice or is empty; those of `also` are known, and not told of."""
    names = tuple(known)
    refused = {}
    for name, values in request.query_params.lists():
        if name not in (*names, *also):
            refused[name] = f"unknown; known are: {', '.join(names) or 'none'}."
        elif len(values) > 1:
            refused[name] = "given twice; send it once."
        elif name in names and not values[0]:
            refused[name] = "empty; send a value, or leave it out."
    renderers = request.parser_context["view"].get_renderers() if request.parser_context else ()
    formats = [renderer.format for renderer in renderers]
    if (asked := request.query_params.get("format")) is not None and asked not in formats:
        refused["format"] = f"{asked!r} is none of: {', '.join(formats)}."
    if refused:
        raise serializers.ValidationError(refused)
