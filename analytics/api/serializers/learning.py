"""The answers of the learning endpoints about signals, heads and weights.

Rates 0..1; `n`, `ci_low`, `ci_high` beside a rate are its sample size and 95 % interval, null where nothing is known. A
second rate in one object has them under its own prefix.
"""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers


class Figure(serializers.FloatField):
    """A number that may be unknown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, **options)


@extend_schema_field({"type": ["object", "null"], "additionalProperties": {}})
class AnyObjectOrNull(serializers.JSONField):
    """An object of whatever JSON has, that may be unknown."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_null=True, **options)


class Section(serializers.Serializer[Any]):
    """Part of an answer; its keys come in the order of the figures, so that each interval stands beside its rate."""

    def to_representation(self, instance: Any) -> dict[str, Any]:
        said = super().to_representation(instance)
        return {key: said[key] for key in instance if key in said}


class Answer(Section):
    """An answer and the market time it was given at; null before the first candle."""

    timestamp = serializers.DateTimeField(allow_null=True, help_text="market time of the answer")


class Interval(Section):
    """Sample size and 95 % interval of the rate beside it."""

    n = serializers.IntegerField()
    ci_low = Figure()
    ci_high = Figure()


class Overall(Interval):
    """Published signals. Counts and rates are of those that closed inside the period."""

    total_signals = serializers.IntegerField(help_text="published inside the period")
    closed_signals = serializers.IntegerField()
    win_count = serializers.IntegerField()
    loss_count = serializers.IntegerField()
    win_rate = Figure(help_text="closed with a net result above zero, after costs")
    avg_profit_per_trade = Figure(help_text="net, in percent of the entry price")
    total_profit = Figure(help_text="sum of the net percentages")
    profit_factor = Figure(help_text="R won over R lost; null while nothing was lost")
    sharpe_ratio = Figure(help_text="annual, from sums of R over 24 hours; null under two days")
    max_drawdown = Figure(help_text="in percent points of the running sum")
    best_streak = serializers.IntegerField(allow_null=True)
    worst_streak = serializers.IntegerField(allow_null=True)
    expectancy_r = Figure(help_text="mean net R")
    expectancy_r_n = serializers.IntegerField()
    expectancy_r_ci_low = Figure()
    expectancy_r_ci_high = Figure()
    period = serializers.CharField()


class HeadPerformance(Interval):
    """One head on every lean that matured, signal or shadow, on which it voted."""

    win_rate_when_agreed = Figure(help_text="of the leans whose side the head had voted for")
    signals_contributed = serializers.IntegerField(help_text="published signals among them")
    wins = serializers.IntegerField()
    losses = serializers.IntegerField()
    log_loss = Figure(help_text="of the head alone, on the trade of its own side, in nats")
    log_loss_n = serializers.IntegerField()
    log_loss_ci_low = Figure()
    log_loss_ci_high = Figure()
    skill = Figure(help_text="log-loss it saves against the base rate, in nats a vote")
    skill_n = serializers.IntegerField()
    skill_ci_low = Figure()
    skill_ci_high = Figure()
    current_weight = Figure(help_text="its share in the version in force")
    suggested_weight = Figure(help_text="its share in the challenger; null when none waits")
    weight_adjustment_needed = serializers.BooleanField(allow_null=True)
    performance_trend = serializers.CharField(allow_null=True, help_text="improving, declining or no change shown")


class HeadsPerformance(serializers.Serializer[Any]):
    """All heads."""

    heads = serializers.DictField(child=HeadPerformance())
    analysis_timestamp = serializers.DateTimeField(allow_null=True)
    signals_analyzed = serializers.IntegerField(help_text="matured leans that were read")
    thinned_by = serializers.IntegerField(help_text="k: every k-th matured lean was read")


class CalibrationBin(Interval):
    """Leans whose stated chance fell in one bin: what was said, and what came."""

    low = serializers.FloatField()
    high = serializers.FloatField()
    stated = Figure()
    won = Figure()


class Calibration(serializers.Serializer[Any]):
    """Slope and intercept of the outcomes on the stated log-odds (1 and 0 are perfect), and the bins."""

    slope = Figure()
    slope_ci_low = Figure()
    slope_ci_high = Figure()
    intercept = Figure()
    n = serializers.IntegerField()
    bins = CalibrationBin(many=True)


class LearningProgress(Interval):
    """The consensus on every matured lean, with the probability given when it was decided; losses in nats."""

    log_loss = Figure()
    base_rate_log_loss = Figure()
    brier = Figure()
    brier_n = serializers.IntegerField()
    brier_ci_low = Figure()
    brier_ci_high = Figure()
    best_head = serializers.CharField(allow_null=True)
    regret_vs_best_head = Figure(help_text="log-loss of the consensus minus that of the best single head, summed")
    regret_vs_best_head_per_lean = Figure()
    regret_vs_best_head_per_lean_n = serializers.IntegerField()
    regret_vs_best_head_per_lean_ci_low = Figure()
    regret_vs_best_head_per_lean_ci_high = Figure()
    regret_vs_equal = Figure(help_text="the same against equal weights")
    regret_vs_equal_per_lean = Figure()
    regret_vs_equal_per_lean_n = serializers.IntegerField()
    regret_vs_equal_per_lean_ci_low = Figure()
    regret_vs_equal_per_lean_ci_high = Figure()
    regret_bound = Figure(help_text="what the latest certificate allows against equal weights, in nats")
    certificate = AnyObjectOrNull(help_text="excess loss over each candidate beside its bound")
    calibration = Calibration()


class Performance(Answer):
    """GET performance."""

    overall = Overall()
    head_performance = HeadsPerformance()
    learning_progress = LearningProgress()


class WeightVersion(serializers.Serializer[Any]):
    """One immutable version of the head weights."""

    version = serializers.IntegerField()
    weights = serializers.DictField(child=serializers.FloatField())
    polarity = serializers.DictField(child=serializers.IntegerField())
    sharpness = serializers.FloatField()
    performance = serializers.JSONField(help_text="metrics on unseen outcomes, before and after")
    status = serializers.CharField()
    evidence = serializers.JSONField(help_text="first and last event, their count and digest")
    parent = serializers.IntegerField(allow_null=True)  # type: ignore[assignment]
    period = serializers.CharField()
    effective_from = serializers.DateTimeField(allow_null=True, help_text="market time")
    notes = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = serializers.CharField()


class HeadWeights(Answer):
    """GET head-weights."""

    current_weights = serializers.DictField(child=serializers.FloatField())
    weight_history = WeightVersion(many=True)
    days_analyzed = serializers.IntegerField()


class Week(Interval):
    """Signals that closed in one ISO week (UTC), and the shadows decided in it that have matured."""

    week = serializers.CharField()
    start_date = serializers.DateField()
    end_date = serializers.DateField()
    signals = serializers.IntegerField()
    win_rate = Figure()
    avg_profit = Figure(help_text="net, in percent of the entry price")
    rejection_accuracy = Figure()
    rejection_accuracy_n = serializers.IntegerField()
    rejection_accuracy_ci_low = Figure()
    rejection_accuracy_ci_high = Figure()


class WeeklyTrends(Interval):
    """The weeks, and the change of the mean net R from the earlier to the later half of the days."""

    weekly_data = Week(many=True)
    overall_improvement = Figure(help_text="mean net R of the later half of the days minus that of the earlier half")
    trend = serializers.CharField(allow_null=True)


class RankedHead(Interval):
    """A head by its skill."""

    head = serializers.CharField()
    skill = Figure(help_text="log-loss it saves against the base rate, in nats a vote")
    log_loss = Figure()


class Improvements(Answer):
    """GET improvements."""

    weekly_trends = WeeklyTrends()
    best_performing_heads = RankedHead(many=True)
    worst_performing_heads = RankedHead(many=True)


class Evidence(Interval):
    """The figure behind a recommendation; its interval excludes 0."""

    figure = serializers.CharField()
    level = serializers.FloatField()
    value = serializers.FloatField()


class Recommendation(serializers.Serializer[Any]):
    """One thing to look at."""

    type = serializers.ChoiceField(["increase_weight", "decrease_weight", "monitor_closely", "system_adjustment"])
    head = serializers.CharField(allow_null=True)
    current_weight = Figure()
    suggested_weight = Figure()
    reason = serializers.CharField()
    evidence = Evidence()
    priority = serializers.ChoiceField(["high", "medium", "low"])


class Recommendations(Answer):
    """GET recommendations."""

    recommendations = Recommendation(many=True)
    total_recommendations = serializers.IntegerField()
    high_priority_count = serializers.IntegerField()
