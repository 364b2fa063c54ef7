"""The answers of the report endpoints: one structure for a day and for a week."""

from typing import Any

from rest_framework import serializers

from analytics.api.serializers.learning import Figure, Interval, Overall, Section
from analytics.reports.periods import KINDS


class ReportDecisions(Interval):
    """What the closes of the period came to; n and the interval belong to acceptance_rate."""

    closes = serializers.IntegerField()
    scans = serializers.IntegerField()
    leans = serializers.IntegerField()
    signals = serializers.IntegerField()
    rejected = serializers.DictField(child=serializers.IntegerField(), help_text="reason -> leans it refused first")
    acceptance_rate = Figure(help_text="share of the leans that became a signal")


class ReportEarned(Overall):
    """Signals that closed inside the period."""

    period = None  # type: ignore[assignment]


class ReportedSignal(serializers.Serializer[Any]):
    """A signal decided in the period."""

    id = serializers.IntegerField()
    symbol = serializers.CharField()
    timeframe = serializers.CharField()
    direction = serializers.ChoiceField([-1, 1])
    opened_at = serializers.DateTimeField()
    expected_r = serializers.FloatField()
    outcome = serializers.CharField(help_text="empty while it is open")
    exit_at = serializers.DateTimeField(allow_null=True)
    net_r = Figure()


class ReportSignals(serializers.Serializer[Any]):
    """Decided in the period, with the outcomes known now."""

    count = serializers.IntegerField()
    still_open = serializers.IntegerField()
    listed = ReportedSignal(many=True, help_text="the first 50")


class EquityPoint(serializers.Serializer[Any]):
    """The paper account after positions closed."""

    at = serializers.DateTimeField()
    equity = serializers.FloatField()


class ReportEquity(serializers.Serializer[Any]):
    """The paper account in the quote asset."""

    start = serializers.FloatField()
    end = serializers.FloatField()
    change = Figure(help_text="as a fraction of the start")
    curve = EquityPoint(many=True)


class ReportNight(serializers.Serializer[Any]):
    """A night or week whose cut-off lies in the period."""

    job = serializers.CharField()
    period = serializers.CharField()
    status = serializers.ChoiceField(["not run", "running", "done", "failed"])
    outcomes = serializers.IntegerField(allow_null=True, help_text="that it learned from")
    seconds = Figure()
    error = serializers.CharField(allow_blank=True)


class ReportVersion(serializers.Serializer[Any]):
    """What became of a version, as the ledger has it; words where it took effect, of what was known then."""

    kind = serializers.CharField()
    at = serializers.DateTimeField()
    state_type = serializers.CharField(allow_blank=True)
    version = serializers.IntegerField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)
    words = serializers.ListField(child=serializers.CharField())


class ReportLearning(Interval):
    """How good the stated probabilities were; n and the interval belong to log_loss, in nats a lean."""

    log_loss = Figure()
    base_rate_log_loss = Figure()
    best_head = serializers.CharField(allow_null=True)
    regret_vs_equal_per_lean = Figure(help_text="below zero: better than equal weights")
    regret_vs_equal_per_lean_n = serializers.IntegerField()
    regret_vs_equal_per_lean_ci_low = Figure()
    regret_vs_equal_per_lean_ci_high = Figure()
    regret_vs_best_head_per_lean = Figure()
    regret_vs_best_head_per_lean_n = serializers.IntegerField()
    regret_vs_best_head_per_lean_ci_low = Figure()
    regret_vs_best_head_per_lean_ci_high = Figure()


class ReportGate(Interval):
    """What one gate's refusals were worth; n and the interval belong to gate_value_r."""

    reason = serializers.CharField()
    count = serializers.IntegerField()
    good = serializers.IntegerField()
    missed = serializers.IntegerField()
    neutral = serializers.IntegerField()
    gate_value_r = Figure()


class ReportGates(Interval):
    """Leans whose time limit ended in the period; n and the interval belong to rejection_accuracy."""

    rejection_accuracy = Figure()
    opportunity_cost_r = Figure()
    avoided_loss_r = Figure()
    by_reason = ReportGate(many=True)


class ReportGap(serializers.Serializer[Any]):
    """Missing minutes of one reason."""

    reason = serializers.CharField()
    gaps = serializers.IntegerField()
    minutes = serializers.IntegerField()


class ReportData(Interval):
    """How whole the candles are; n (settled minutes) and the interval belong to complete."""

    symbols = serializers.IntegerField()
    minutes_expected = serializers.IntegerField()
    minutes_missing = serializers.IntegerField(help_text="explained: there is no candle")
    minutes_not_settled = serializers.IntegerField(help_text="neither a candle nor explained yet")
    complete = Figure(help_text="candles among the minutes that are settled")
    gaps = ReportGap(many=True)
    decision_seconds_median = Figure(help_text="wall seconds from the first try at a close to its decision")
    decision_seconds_p95 = Figure()
    decisions_timed = serializers.IntegerField()


class ReportJobs(serializers.Serializer[Any]):
    """Runs by market time."""

    runs = serializers.IntegerField()
    failed = serializers.ListField(child=serializers.CharField())
    parked_now = serializers.IntegerField()


class PeriodReport(Section):
    """GET reports/daily/<day> and reports/weekly/<week>."""

    report = serializers.ChoiceField(KINDS)
    period = serializers.CharField()
    since = serializers.DateTimeField(help_text="exclusive, market time")
    until = serializers.DateTimeField()
    title = serializers.CharField()
    timeframe = serializers.CharField()
    quote_asset = serializers.CharField()
    as_of = serializers.DateTimeField()
    is_over = serializers.BooleanField()
    later = serializers.ListField(child=serializers.CharField(), help_text="what may read otherwise another day")
    decisions = ReportDecisions()
    earned = ReportEarned()
    signals = ReportSignals()
    equity = ReportEquity()
    nights = ReportNight(many=True)
    versions = ReportVersion(many=True)
    learning = ReportLearning()
    gates = ReportGates()
    data = ReportData()  # type: ignore[assignment]
    jobs = ReportJobs()
    not_followed = serializers.IntegerField(help_text="open decisions that wait for candles of the period")
