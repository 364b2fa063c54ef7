"""Signals, shadows and scans as people read them."""

from typing import Any

from rest_framework import serializers

from analytics.api.serializers.learning import Figure
from signals.first_touch import Outcome
from signals.models import RejectedSignal, Signal

OUTCOMES = [(outcome.value, outcome.value) for outcome in Outcome]
TRACKED = (
    *("id", "scan_id", "symbol", "timeframe", "direction", "regime", "win_probability", "expected_r"),
    *("reference_price", "entry", "stop_loss", "take_profit", "opened_at", "expires_at", "checked_until"),
    *("outcome", "exit_price", "exit_at", "net_r", "net_pct", "best_r", "worst_r", "ambiguous", "missing_minutes"),
    *("mirror_outcome", "mirror_net_r", "weight_version", "source"),
)


class Words(serializers.ModelSerializer[Any]):
    """Numbers that stand for words, as the words."""

    direction = serializers.CharField(source="get_direction_display", read_only=True)
    regime = serializers.CharField(source="get_regime_display", read_only=True)


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


class HeadVote(serializers.Serializer[Any]):
    """What one head said; an abstention has neither probability nor confidence."""

    head = serializers.CharField()
    direction = serializers.CharField()
    probability = Figure()
    confidence = Figure()
    evidence = Figure(help_text="log-odds toward up")
    agrees = serializers.BooleanField(allow_null=True)


class Gate(serializers.Serializer[Any]):
    """One gate's verdict; null where it has not been asked."""

    gate = serializers.CharField()
    passed = serializers.BooleanField(allow_null=True)
    margin = Figure()
    unit = serializers.CharField()
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
    gates = Gate(many=True)
    bracket = Bracket(allow_null=True)
