"""The answers about what runs: totals, rejections, schedule, job runs, health."""

from typing import Any

from rest_framework import serializers

from analytics.api.serializers.learning import Answer, Figure, Interval, Section

JOB_STATUSES = ("queued", "running", "done", "failed")


class Coordinator(serializers.Serializer[Any]):
    """Totals of the ledger and the versions."""

    outcomes_processed = serializers.IntegerField()
    head_weight_updates = serializers.IntegerField(
        help_text="versions of the head weights that took effect after birth"
    )
    threshold_updates = serializers.IntegerField()
    calibration_updates = serializers.IntegerField()
    learning_events_logged = serializers.IntegerField()
    last_update_time = serializers.DateTimeField(allow_null=True)
    current_head_weights = serializers.DictField(child=serializers.FloatField())
    versions_in_force = serializers.DictField(child=serializers.IntegerField())
    learning_config = serializers.JSONField()


class Monitor(serializers.Serializer[Any]):
    """The outcome monitor."""

    checks_performed = serializers.IntegerField()
    tp_hits_detected = serializers.IntegerField()
    sl_hits_detected = serializers.IntegerField()
    time_exits = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    signals_monitored = serializers.IntegerField()
    is_running = serializers.BooleanField()
    last_check_time = serializers.DateTimeField(allow_null=True)
    check_interval_seconds = serializers.IntegerField()


class RejectionLearning(Interval):
    """The shadow monitor; n and the interval belong to missed_opportunity_rate."""

    rejections_tracked = serializers.IntegerField()
    missed_opportunities = serializers.IntegerField()
    good_rejections = serializers.IntegerField()
    neutral_rejections = serializers.IntegerField()
    learning_from_rejections = serializers.IntegerField(help_text="shadows whose outcome is in the ledger")
    checks_performed = serializers.IntegerField()
    is_running = serializers.BooleanField()
    last_check_time = serializers.DateTimeField(allow_null=True)
    check_interval_seconds = serializers.IntegerField()
    errors = serializers.IntegerField()  # type: ignore[assignment]
    monitoring_duration_hours = Figure(help_text="market hours since the first shadow")
    missed_opportunity_rate = Figure()
    coverage = Figure(help_text="rejected leans of the last 7 days that are followed as a shadow")
    coverage_n = serializers.IntegerField()
    coverage_ci_low = Figure()
    coverage_ci_high = Figure()


class Stats(Answer):
    """GET stats."""

    coordinator = Coordinator()
    monitor = Monitor()
    rejection_learning = RejectionLearning()


class RejectionStatistics(Interval):
    """Shadows opened in the period, and what became of those that matured in it."""

    rejections = serializers.IntegerField()
    still_open = serializers.IntegerField()
    matured = serializers.IntegerField()
    good_rejections = serializers.IntegerField()
    missed_opportunities = serializers.IntegerField()
    neutral_rejections = serializers.IntegerField()
    void = serializers.IntegerField()
    missed_opportunity_rate = Figure()
    avg_r = Figure()
    avg_r_n = serializers.IntegerField()
    avg_r_ci_low = Figure()
    avg_r_ci_high = Figure()


class OutcomeBreakdown(Interval):
    """Shadows that met one barrier."""

    count = serializers.IntegerField()
    avg_profit = Figure(help_text="net, in percent of the entry price")
    avg_r = Figure()


class Costs(Section):
    """What refusing cost and what it saved; the first less the second is the net R of all that was refused."""

    opportunity_cost_r = Figure(help_text="net R that the refused winners would have made, summed")
    avoided_loss_r = Figure(help_text="net R that the refused losers would have lost, summed")
    opportunity_cost_r_per_day = Figure(help_text="over the days that have matured leans")
    avoided_loss_r_per_day = Figure()


class ReasonBreakdown(Interval, Costs):
    """Shadows that one gate refused; gate_value_r above zero: the gate earns its keep.

    A shadow stands under the first gate that refused it; others might have refused it too.
    """

    count = serializers.IntegerField()
    good = serializers.IntegerField()
    missed = serializers.IntegerField()
    neutral = serializers.IntegerField()
    gate_value_r = Figure(help_text="minus the mean net R of what the gate refused")
    ci = serializers.ListField(child=Figure(), help_text="the interval again, as a pair")
    against_published_r = Figure(
        help_text="mean net R of the signals, of the same regime or symbol, minus that of what the gate refused"
    )
    against_published_r_n = serializers.IntegerField()
    against_published_r_ci_low = Figure()
    against_published_r_ci_high = Figure()
    rejection_accuracy = Figure(help_text="good over good and missed: read it beside gate_value_r")
    rejection_accuracy_n = serializers.IntegerField()
    rejection_accuracy_ci_low = Figure()
    rejection_accuracy_ci_high = Figure()


class RejectionAnalysis(Answer, Interval, Costs):
    """GET rejection-analysis; n and the interval at the top belong to rejection_accuracy."""

    rejection_statistics = RejectionStatistics()
    rejection_breakdown = serializers.DictField(child=OutcomeBreakdown())
    by_reason = serializers.DictField(child=ReasonBreakdown())
    by_regime = serializers.DictField(
        child=serializers.DictField(child=ReasonBreakdown()), help_text="regime, then reason, where any was refused"
    )
    by_symbol = serializers.DictField(
        child=serializers.DictField(child=ReasonBreakdown()), help_text="symbol, then reason, where any was refused"
    )
    rejection_accuracy = Figure(
        help_text="good over good and missed: a base-rate statement, read it beside gate_value_r"
    )
    gate_value_r = Figure(help_text="mean net R of the signals minus that of the shadows")
    gate_value_r_n = serializers.IntegerField()
    gate_value_r_ci_low = Figure()
    gate_value_r_ci_high = Figure()
    learning_data_multiplier = Figure(help_text="resolved leans over resolved signals")
    resolved_leans = serializers.IntegerField()
    accepted_resolved = serializers.IntegerField()


class ScheduledJob(serializers.Serializer[Any]):
    """One line of the schedule; `clock` says which clock next_run_time is on."""

    id = serializers.CharField()
    name = serializers.CharField()
    task = serializers.CharField()
    clock = serializers.ChoiceField(["market", "wall"])
    interval_seconds = serializers.IntegerField()
    next_run_time = serializers.DateTimeField(allow_null=True)
    last_run = serializers.DateTimeField(allow_null=True)
    last_period = serializers.CharField(allow_null=True)
    last_status = serializers.CharField(allow_null=True)


class PastRun(serializers.Serializer[Any]):
    """One run of a job."""

    period = serializers.CharField()
    started_at = serializers.DateTimeField()
    duration_seconds = Figure()
    lateness_seconds = Figure(help_text="of the market, between the end of the period and the last try")
    status = serializers.CharField()
    attempts = serializers.IntegerField()
    error = serializers.CharField()


class DailyRun(PastRun):
    """One night."""

    outcomes_processed = serializers.IntegerField(allow_null=True)


class WeeklyRun(PastRun):
    """One week."""

    outcomes_analyzed = serializers.IntegerField(allow_null=True)
    weights_deployed = serializers.BooleanField(allow_null=True)


class JobHistory(serializers.Serializer[Any]):
    """The last runs, newest first."""

    daily_learning = DailyRun(many=True)
    weekly_retraining = WeeklyRun(many=True)


class SchedulerState(serializers.Serializer[Any]):
    """What runs when."""

    scheduler_running = serializers.BooleanField()
    total_jobs = serializers.IntegerField()
    jobs = ScheduledJob(many=True)
    job_history = JobHistory()
    configuration = serializers.JSONField()


class Scheduler(Answer):
    """GET scheduler."""

    scheduler = SchedulerState()


class Triggered(Answer):
    """202 of a trigger: poll the address in Location."""

    status = serializers.ChoiceField(JOB_STATUSES)
    job_run = serializers.IntegerField()
    period = serializers.CharField()


class JobRunState(serializers.Serializer[Any]):
    """One run of a job, from being asked for to its report."""

    id = serializers.IntegerField()
    job = serializers.CharField()
    period = serializers.CharField()
    status = serializers.ChoiceField(JOB_STATUSES)
    attempts = serializers.IntegerField()
    started_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)
    duration_seconds = Figure()
    market_at = serializers.DateTimeField(allow_null=True)
    due_at = serializers.DateTimeField(allow_null=True, help_text="market time at which the period was over")
    lateness_seconds = Figure(help_text="of the market, between due_at and market_at")
    report = serializers.JSONField()
    error = serializers.CharField()


class HealthCheck(serializers.Serializer[Any]):
    """One condition of being healthy."""

    name = serializers.CharField()
    passed = serializers.BooleanField()
    reason = serializers.CharField(help_text="what was seen, and what to do if it failed")


class Health(serializers.Serializer[Any]):
    """GET /healthz."""

    status = serializers.ChoiceField(["ok", "unhealthy"])
    checks = HealthCheck(many=True)


class Problem(serializers.Serializer[Any]):
    """An error (RFC 9457)."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField()
    instance = serializers.CharField()
    errors = serializers.ListField(child=serializers.DictField(child=serializers.CharField()), required=False)  # type: ignore[assignment]
