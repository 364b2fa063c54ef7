"""What lists may be narrowed by: declared once a list, by django-filter. What nobody knows is refused, not ignored."""

from collections.abc import Mapping
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field

from analytics.api.parameters import moment, symbol_we_follow
from ingestion.models import CandleGap
from ingestion.timeframes import TIMEFRAMES
from learning.models import STATE_TYPES, LearningState
from signals.first_touch import Outcome
from signals.gates import REASONS
from signals.models import SOURCES, Direction
from signals.regime import Regime

DIRECTIONS = {direction.label: direction.value for direction in Direction}
SIDES = {word: value for word, value in DIRECTIONS.items() if value}
REGIMES = {regime.name.lower(): regime.value for regime in Regime}
OUTCOMES = {"open": "", **{outcome.value: outcome.value for outcome in Outcome}}


class WordFilter(filters.ChoiceFilter):
    """A column by the word the API has for its value."""

    def __init__(self, words: Mapping[str, Any], **options: Any) -> None:
        self.words = words
        super().__init__(choices=[(word, word) for word in words], null_label=None, empty_label=None, **options)
        self.extra["error_messages"] = {"invalid_choice": f"%(value)s is none of: {', '.join(words)}."}
        told = {"description": options["label"]} if "label" in options else {}
        extend_schema_field({"type": "string", "enum": list(words), **told})(self)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        return qs.filter(**{self.field_name: self.words[value]}) if value in self.words else qs


def same(words: Any) -> dict[str, str]:
    """Words that are stored as they are said."""
    return {word: word for word in words}


class SymbolField(forms.CharField):
    """A symbol we know."""

    def clean(self, value: Any) -> str:
        name = super().clean(value)
        return symbol_we_follow(name) if name else name


class SymbolFilter(filters.CharFilter):
    field_class = SymbolField


class MomentField(forms.CharField):
    """A time in ISO 8601; UTC where it names no zone."""

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        return moment(text) if text else None


class MomentFilter(filters.IsoDateTimeFilter):
    field_class = MomentField


@extend_schema_field({"type": "integer", "minimum": 1, "maximum": 2**31 - 1})
class WholeNumberFilter(filters.NumberFilter):
    """A number such as a version has."""

    field_class = forms.IntegerField

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=1, max_value=2**31 - 1, **options)


def since(column: str) -> MomentFilter:
    return MomentFilter(field_name=column, lookup_expr="gte", label="from this time on (ISO 8601, UTC)")


def until(column: str) -> MomentFilter:
    return MomentFilter(field_name=column, lookup_expr="lt", label="before this time (ISO 8601, UTC)")


class AboutSymbol(filters.FilterSet):
    symbol = SymbolFilter(label="only this symbol, such as BTCUSDT")


class AboutMarket(AboutSymbol):
    timeframe = WordFilter(same(TIMEFRAMES))


class DecisionFilter(AboutMarket):
    """Signals; shadows have a rejection beside it."""

    direction = WordFilter(SIDES)
    regime = WordFilter(REGIMES)
    outcome = WordFilter(OUTCOMES)
    source = WordFilter(same(name for name, _ in SOURCES))
    weight_version = WholeNumberFilter(label="decided with this version")
    since, until = since("opened_at"), until("opened_at")


class ShadowFilter(DecisionFilter):
    rejection = WordFilter(same(REASONS))


class ScanFilter(AboutSymbol):
    """The timeframe is not here: the view always chooses one, since the index begins with it."""

    lean = WordFilter(DIRECTIONS)
    rejection = WordFilter({"none": "", **same(REASONS)}, label="none: every gate passed")
    regime = WordFilter(REGIMES)
    since, until = since("close_time"), until("close_time")


class GapFilter(AboutSymbol):
    status = WordFilter(same(CandleGap.Status.values))
    reason = WordFilter(same(CandleGap.Reason.values))
    since, until = since("start"), until("start")


class PositionFilter(filters.FilterSet):
    symbol = SymbolFilter(field_name="signal__symbol", label="only this symbol, such as BTCUSDT")
    is_open = WordFilter({"true": True, "false": False}, field_name="closed_at__isnull")
    since, until = since("opened_at"), until("opened_at")


class SymbolsFilter(filters.FilterSet):
    is_active = WordFilter({"true": True, "false": False}, label="whether it is scanned")
    quote_asset = filters.CharFilter(max_length=20, label="such as USDT")


class VersionFilter(filters.FilterSet):
    state_type = WordFilter(same(name for name, _ in STATE_TYPES))
    status = WordFilter(same(name for name, _ in LearningState.STATUSES))
    since, until = since("created_at"), until("created_at")


class JobFilter(filters.FilterSet):
    job = filters.CharFilter(max_length=60, label="such as daily_learning")
    status = WordFilter(same(("queued", "running", "done", "failed")), method="of_status")
    since, until = since("started_at"), until("started_at")

    def of_status(self, jobs: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """A run that was asked for and that no worker has begun is stored as running, with no attempt."""
        if value == "queued":
            return jobs.filter(status="running", attempts=0)
        return jobs.filter(status=value) if value != "running" else jobs.filter(status=value, attempts__gt=0)


class ParkedFilter(filters.FilterSet):
    name = filters.CharFilter(max_length=200, label="such as signals.track_signals")
    is_retried = WordFilter({"true": False, "false": True}, field_name="retried_at__isnull")
    since, until = since("parked_at"), until("parked_at")
