"""Signals, shadows and scans as people read them."""

from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from operator import attrgetter, methodcaller
from typing import Any

from rest_framework import serializers
from rest_framework.settings import api_settings

from analytics.api.serializers.learning import Figure
from signals.first_touch import Outcome
from signals.models import RejectedSignal, Signal

OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]
# Fields that say what a row of ours holds as it is.
PLAIN = (
    *(serializers.IntegerField, serializers.FloatField, serializers.BooleanField),
    *(serializers.CharField, serializers.ChoiceField),
)
TRACKED = (
    *("id", "scan_id", "symbol", "timeframe", "direction", "regime", "win_probability", "expected_r"),
    *("reference_price", "entry", "stop_loss", "take_profit", "opened_at", "expires_at", "checked_until"),
    *("outcome", "exit_price", "exit_at", "net_r", "net_pct", "best_r", "worst_r", "ambiguous", "missing_minutes"),
    *("mirror_outcome", "mirror_net_r", "weight_version", "source"),
)


class Words(serializers.ModelSerializer[Any]):
    """Numbers that stand for words, as the words. A page is up to 500 rows of 28 fields, so each is said directly."""

    direction = serializers.CharField(source="get_direction_display", read_only=True)
    regime = serializers.CharField(source="get_regime_display", read_only=True)
    outcome = serializers.CharField(read_only=True, help_text="the barrier that was met; empty while it is open")
    mirror_outcome = serializers.CharField(read_only=True, help_text="the same of the other side's bracket")

    def to_representation(self, row: Any) -> dict[str, Any]:
        """What REST framework says, faster: it looks for a signature behind each word of each row."""
        return {name: say(row) for name, say in self._said}

    @cached_property
    def _said(self) -> list[tuple[str, Callable[[Any], Any]]]:
        return [(name, _sayer(name, field)) for name, field in self.fields.items()]


def _sayer(name: str, field: Any) -> Callable[[Any], Any]:
    """How a row says one of its fields."""
    if type(field) in PLAIN and field.source == name:
        return attrgetter(name)
    if field.source == f"get_{name}_display":
        return methodcaller(field.source)
    if isinstance(field, serializers.DateTimeField):
        return lambda row: _in_utc(getattr(row, name))
    return lambda row: field.to_representation(field.get_attribute(row))


def _in_utc(moment: datetime | None) -> str | None:
    return None if moment is None else moment.strftime(api_settings.DATETIME_FORMAT)


class PublishedSignal(Words):
    """A lean that passed every gate."""

    class Meta:
        model = Signal
        fields = TRACKED
        read_only_fields = fields


class Shadow(Words):
    """A lean that a gate held back, followed to its outcome; never published as a signal."""

    class Meta:
        model = RejectedSignal
        fields = (*TRACKED, "rejection")
        read_only_fields = fields


class Reason(serializers.Serializer[Any]):
    """One input that moved a vote."""

    name = serializers.CharField()
    value = serializers.FloatField(help_text="in the input's own unit")
    pull = serializers.FloatField(help_text="-1 as far down as it can pull, +1 as far up")


class HeadVote(serializers.Serializer[Any]):
    """What one head said and what it did to the pool; an abstention has neither probability nor confidence."""

    head = serializers.CharField()
    direction = serializers.CharField()
    probability = Figure()
    confidence = Figure()
    evidence = serializers.FloatField(help_text="log-odds toward up")
    weight = serializers.FloatField(help_text="the head's beta in the weight version of the scan, calibrated")
    contribution = serializers.FloatField(help_text="weight x evidence; they add up to the log_odds of the pool")
    agrees = serializers.BooleanField(allow_null=True)
    reasons = Reason(many=True, allow_null=True, help_text="hardest first; null where they are not known any more")


class Pool(serializers.Serializer[Any]):
    """From the pooled log-odds to the chance that the lean's bracket wins; null without a lean."""

    log_odds = serializers.FloatField(help_text="toward up: the sum of the contributions")
    intercept = Figure(help_text="of the lean's side")
    win_log_odds = Figure(help_text="intercept + log_odds as seen from the lean's side")
    win_probability = Figure(help_text="the logistic function of win_log_odds")


class Gate(serializers.Serializer[Any]):
    """One gate's verdict; null where it has not been asked."""

    gate = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    margin = Figure(help_text="how far it passed, or by how much it refused")
    unit = serializers.CharField(help_text="what the margin counts")
    reason = serializers.CharField(help_text="the rejection it would give")


class Bracket(serializers.Serializer[Any]):
    """What became of the lean: as a signal or as a shadow."""

    kind = serializers.ChoiceField(["signal", "shadow"])
    id = serializers.IntegerField()
    entry = Figure()
    stop_loss = serializers.FloatField()
    take_profit = serializers.FloatField()
    expires_at = serializers.DateTimeField()
    outcome = serializers.CharField()
    exit_at = serializers.DateTimeField(allow_null=True)
    net_r = Figure()


class Scan(serializers.Serializer[Any]):
    """One look at one symbol and close, and why it became a trade or not."""

    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    close_time = serializers.DateTimeField()
    scan_id = serializers.UUIDField(allow_null=True)
    answer = serializers.CharField(help_text="why there was or was no trade, in one sentence")
    lean = serializers.CharField()
    win_probability = Figure()
    expected_r = Figure()
    log_odds = serializers.FloatField()
    rejection = serializers.CharField(allow_null=True, help_text="empty for a signal, null while undecided")
    regime = serializers.CharField()
    reference_price = serializers.FloatField()
    risk = Figure()
    missing_minutes = serializers.IntegerField()
    weight_version = serializers.IntegerField()
    waited_too_long = serializers.BooleanField()
    source = serializers.CharField()  # type: ignore[assignment]
    votes = HeadVote(many=True)
    pool = Pool()
    gates = Gate(many=True)
    recomputed = serializers.BooleanField(
        help_text="the reasons were not stored with the scan but made again from its candles"
    )
    bracket = Bracket(allow_null=True)
