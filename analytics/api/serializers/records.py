"""Rows as people read them: scans, candles, gaps, positions, symbols, versions, runs and parked tasks."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from alphapulse_site.models import ParkedTask
from analytics.api.serializers.learning import Figure, HeadPerformance
from ingestion.models import CandleGap
from learning.models import STATE_TYPES, LearningState
from signals.models import ScanHistory


@extend_schema_field({"type": "array", "items": {}})
class AnyList(serializers.JSONField):
    """A list of whatever JSON has."""


@extend_schema_field({"type": "object", "additionalProperties": {}})
class AnyObject(serializers.JSONField):
    """An object of whatever JSON has."""


class ScanRow(serializers.ModelSerializer[Any]):
    """One scan of a list; its votes and gates are under its scan_id."""

    lean = serializers.CharField(source="get_lean_display", read_only=True)
    regime = serializers.CharField(source="get_regime_display", read_only=True)
    rejection = serializers.CharField(
        allow_null=True, read_only=True, help_text="empty where every gate passed, null while undecided"
    )

    class Meta:
        model = ScanHistory
        fields = (
            *("close_time", "symbol", "timeframe", "scan_id", "lean", "win_probability", "expected_r", "log_odds"),
            *("rejection", "regime", "reference_price", "missing_minutes", "weight_version", "source"),
        )
        read_only_fields = fields


class CandleRow(serializers.Serializer[Any]):
    """One closed candle; a figure that the source did not have is null."""

    open_time = serializers.DateTimeField()
    close_time = serializers.DateTimeField(help_text="open_time + timeframe: from then on it may be used")
    open = serializers.FloatField()
    high = serializers.FloatField()
    low = serializers.FloatField()
    close = serializers.FloatField()
    volume = serializers.FloatField(help_text="in the base asset")
    quote_volume = Figure()
    trades = Figure()
    taker_base = Figure()
    taker_quote = Figure()
    minutes = serializers.IntegerField(help_text="1m candles inside it")
    is_partial = serializers.BooleanField(help_text="it lacks a minute")


class CandlePage(serializers.Serializer[Any]):
    """GET candles, in order of time."""

    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    since = serializers.DateTimeField(help_text="what was looked at begins here")
    until = serializers.DateTimeField(help_text="and ends before this")
    candles = CandleRow(many=True)
    earlier = serializers.CharField(allow_null=True, help_text="address of the candles before these")


class Gap(serializers.ModelSerializer[Any]):
    """Minutes that are no candles: being filled, or explained with evidence."""

    evidence = AnyObject(read_only=True)
    reason = serializers.CharField(read_only=True, help_text="empty while it is being filled")
    minutes = serializers.SerializerMethodField()

    class Meta:
        model = CandleGap
        fields = (
            *("id", "symbol", "start", "end", "minutes", "status", "reason", "evidence", "checks"),
            *("first_seen", "last_checked"),
        )
        read_only_fields = fields

    def get_minutes(self, gap: CandleGap) -> int:
        return int((gap.end - gap.start).total_seconds() // 60)


class PaperPosition(serializers.Serializer[Any]):
    """How much of a signal the paper account held, and what that paid."""

    id = serializers.IntegerField()
    signal = serializers.IntegerField(source="signal_id")
    symbol = serializers.CharField(source="signal.symbol")
    direction = serializers.CharField(source="signal.get_direction_display")
    quantity = serializers.FloatField(help_text="in the base asset")
    equity_before = serializers.FloatField()
    opened_at = serializers.DateTimeField()
    closed_at = serializers.DateTimeField(allow_null=True)
    entry = Figure(source="signal.entry")
    exit_price = Figure(source="signal.exit_price")
    outcome = serializers.CharField(source="signal.outcome", help_text="empty while it is open")
    net_r = Figure(source="signal.net_r")
    profit = Figure(help_text="in the quote asset, after costs")


class MarketSymbol(serializers.Serializer[Any]):
    """A market of the exchange and how far it is covered."""

    name = serializers.CharField()
    base_asset = serializers.CharField()
    quote_asset = serializers.CharField()
    is_active = serializers.BooleanField(help_text="scanned")
    trading_status = serializers.CharField(help_text="the exchange's own word")
    listed_at = serializers.DateTimeField(allow_null=True)
    delisted_at = serializers.DateTimeField(allow_null=True)
    complete_until = serializers.DateTimeField(
        allow_null=True, help_text="every minute before it is a candle or an explained gap"
    )
    first_candle = serializers.DateTimeField(allow_null=True)
    last_candle = serializers.DateTimeField(allow_null=True)
    tick_size = Figure()
    step_size = Figure()
    min_notional = Figure()


class VersionRow(serializers.ModelSerializer[Any]):
    """One immutable version, with the outcomes that it was learned from."""

    content = serializers.JSONField(read_only=True)
    metrics_before = serializers.JSONField(read_only=True, help_text="on unseen outcomes, of what it replaces")
    metrics_after = serializers.JSONField(read_only=True, help_text="on the same outcomes, of this one")

    class Meta:
        model = LearningState
        fields = (
            *("id", "state_type", "version", "parent", "status", "period", "effective_from", "content"),
            *("first_event", "last_event", "event_count", "events_digest", "metrics_before", "metrics_after"),
            *("notes", "created_by", "created_at", "hash"),
        )
        read_only_fields = fields


class VersionDetail(VersionRow):
    """The same with its certificate, and its story in sentences."""

    certificate = serializers.JSONField(read_only=True)
    story = serializers.ListField(child=serializers.CharField(), read_only=True)

    class Meta:
        model = LearningState
        fields = (*VersionRow.Meta.fields, "certificate", "story")
        read_only_fields = fields


class DiffIdentity(serializers.Serializer[Any]):
    """Which of the two versions this is."""

    version = serializers.IntegerField()
    status = serializers.CharField()
    period = serializers.CharField()
    effective_from = serializers.DateTimeField(allow_null=True)
    created_by = serializers.CharField()
    created_at = serializers.DateTimeField()
    notes = serializers.CharField()
    event_count = serializers.IntegerField()


class DiffHead(serializers.Serializer[Any]):
    """One head before and after; null in the version that does not know it."""

    head = serializers.CharField()
    before = Figure(help_text="beta")
    after = Figure()
    change = Figure()
    share_before = Figure(help_text="of the weight")
    share_after = Figure()
    share_change = Figure()


class DiffValue(serializers.Serializer[Any]):
    """One number before and after."""

    name = serializers.CharField()
    before = Figure()
    after = Figure()
    change = Figure()


class VersionDiff(serializers.Serializer[Any]):
    """Two versions of one state type, side by side."""

    state_type = serializers.ChoiceField(STATE_TYPES)
    before = DiffIdentity()
    after = DiffIdentity()
    same = serializers.BooleanField(help_text="they say the same")
    heads = DiffHead(many=True)
    values = DiffValue(many=True)


class ByHand(serializers.Serializer[Any]):
    """The version that an act by hand made."""

    act = serializers.ChoiceField(["rollback", "pin", "freeze", "release"])
    state_type = serializers.ChoiceField(STATE_TYPES)
    version = serializers.IntegerField(help_text="of the version that was made")
    content_of = serializers.IntegerField(allow_null=True, help_text="the version whose content it has")
    effective_from = serializers.DateTimeField(help_text="market time")
    notes = serializers.CharField()


class Parked(serializers.ModelSerializer[Any]):
    """A task that failed for good, and whether it was sent again."""

    args = AnyList(read_only=True)
    kwargs = AnyObject(read_only=True)

    class Meta:
        model = ParkedTask
        fields = (
            *("id", "task_id", "name", "args", "kwargs", "error", "traceback", "parked_at"),
            *("retried_at", "retried_by", "retried_as"),
        )
        read_only_fields = fields


class Retried(serializers.Serializer[Any]):
    """What became of a retry: sent now, or sent before by whoever is named."""

    sent = serializers.BooleanField(help_text="false: somebody had sent it before")
    task = Parked()


class ReportedHead(HeadPerformance):
    """What one head is worth: its own record on every resolved lean it voted on, beside the weight it has."""

    head = serializers.CharField()
    rank = serializers.IntegerField(allow_null=True, help_text="by skill; null where it has not voted")


class HeadReport(serializers.Serializer[Any]):
    """GET heads, the most skilful first."""

    period = serializers.CharField()
    leans = serializers.IntegerField(help_text="resolved leans that the figures rest on")
    heads = ReportedHead(many=True)
    timestamp = serializers.DateTimeField(allow_null=True, help_text="market time of the answer")
