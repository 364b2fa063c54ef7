"""What the outcomes taught us, stored: immutable versions, the version in force, and the append-only ledger."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from signals.regime import Regime

STATE_TYPES = [("head_weights", "head weights"), ("thresholds", "thresholds"), ("calibration", "calibration")]


class LearningState(models.Model):
    """One immutable version. Only its status may change; its content, evidence and hash never do."""

    STATUSES = [(name, name) for name in ("challenger", "active", "archived", "rejected", "rolled_back")]

    state_type = models.TextField(choices=STATE_TYPES)
    version = models.IntegerField()
    parent = models.IntegerField(null=True)
    status = models.TextField(choices=STATUSES)
    period = models.TextField()
    effective_from = models.DateTimeField(null=True)
    content = models.JSONField()
    procedure = models.BinaryField(null=True)
    # By scan and not by place in the ledger: the same outcomes may be appended in another order.
    first_event = models.UUIDField(null=True)
    last_event = models.UUIDField(null=True)
    event_count = models.IntegerField()
    events_digest = models.TextField(blank=True)
    metrics_before = models.JSONField(default=dict)
    metrics_after = models.JSONField(default=dict)
    certificate = models.JSONField(default=dict)
    notes = models.TextField(blank=True)
    created_by = models.TextField()
    created_at = models.DateTimeField()
    hash = models.TextField()

    class Meta:
        db_table = "learning_state"
        verbose_name = "version"
        verbose_name_plural = "versions"
        constraints = [models.UniqueConstraint(fields=["state_type", "version"], name="one_row_a_version")]

    def __str__(self) -> str:
        return f"{self.state_type} version {self.version} ({self.status})"


class ActiveLearningState(models.Model):
    """Which version of a state type is in force, since when in market time."""

    state_type = models.TextField(primary_key=True, choices=STATE_TYPES)
    state = models.ForeignKey(LearningState, on_delete=models.PROTECT)
    effective_from = models.DateTimeField()

    class Meta:
        db_table = "active_learning_state"
        verbose_name = "version in force"
        verbose_name_plural = "versions in force"

    def __str__(self) -> str:
        return f"{self.state_type}: version {self.state.version}"


class LearningEvent(models.Model):
    """One line of the ledger: an outcome with the votes behind it, or what became of a version, by whom and why."""

    KINDS = [
        (name, name)
        for name in ("outcome", "promotion", "rejection", "rollback", "job", "pin", "freeze", "release", "drift")
    ]

    sequence = models.BigIntegerField(primary_key=True)
    kind = models.TextField(choices=KINDS)
    scan_id = models.UUIDField(null=True, unique=True)
    symbol = models.TextField(blank=True)
    timeframe = models.TextField(blank=True)
    decided_at = models.DateTimeField(null=True)
    matured_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    side = models.SmallIntegerField(null=True)
    is_signal = models.BooleanField(null=True)
    is_eligible = models.BooleanField(null=True)
    is_void = models.BooleanField(null=True)
    evidence = ArrayField(models.FloatField(), null=True)
    win_probability = models.FloatField(null=True)
    expected_r = models.FloatField(null=True)
    net_r = models.FloatField(null=True)
    mirror_net_r = models.FloatField(null=True)
    uniqueness = models.FloatField(null=True)
    cost_r = models.FloatField(null=True)
    weight_version = models.IntegerField(null=True)
    detail = models.JSONField(default=dict)
    market_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    hash = models.TextField()

    class Meta:
        db_table = "learning_events"
        indexes = [
            models.Index(fields=["kind", "decided_at"]),
            models.Index(fields=["timeframe", "ended_at"], condition=models.Q(kind="outcome"), name="events_by_end"),
            # With what tells how many events a span holds, so that the rows need not be read for it.
            models.Index(
                fields=["matured_at"],
                include=["sequence", "is_void"],
                condition=models.Q(kind="outcome"),
                name="events_matured",
            ),
            models.Index(fields=["market_at"], name="events_by_market_time"),
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.kind}"


class RejectionLearningMetrics(models.Model):
    """What refusing one reason's leans in one regime and symbol was worth over one UTC day, in net R.

    The reason is empty for the leans that were published: they are counted by the same columns, as if they had been
    refused, so that each gate can be weighed against what passed. Counted once all leans of the day have matured. Rows
    of before there were regimes and symbols here hold them all together: no regime, an empty symbol, and no figure in
    the columns that may be empty.
    """

    day = models.DateField()
    timeframe = models.TextField()
    reason = models.TextField(blank=True)
    regime = models.SmallIntegerField(null=True, choices=[(regime.value, regime.name.lower()) for regime in Regime])
    symbol = models.TextField(blank=True, default="")
    shadows = models.IntegerField()
    good = models.IntegerField()
    missed = models.IntegerField()
    neutral = models.IntegerField()
    void = models.IntegerField()
    sum_net_r = models.FloatField()
    sum_squared_net_r = models.FloatField()
    # What the winners among them would have made, and what the losers would have lost: sums of the positive net R and
    # of the negative ones, the sign of these turned. The first less the second is sum_net_r.
    opportunity_cost_r = models.FloatField(null=True)
    avoided_loss_r = models.FloatField(null=True)
    # By the barrier that was met first.
    targets = models.IntegerField(null=True)
    stops = models.IntegerField(null=True)
    timeouts = models.IntegerField(null=True)
    target_net_r = models.FloatField(null=True)
    stop_net_r = models.FloatField(null=True)
    timeout_net_r = models.FloatField(null=True)
    target_net_pct = models.FloatField(null=True)
    stop_net_pct = models.FloatField(null=True)
    timeout_net_pct = models.FloatField(null=True)
    # When the last of their time limits ended.
    matured_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "rejection_learning_metrics"
        verbose_name = "worth of a day of rejections"
        verbose_name_plural = "worth of rejections by day"
        constraints = [
            models.UniqueConstraint(
                fields=["day", "timeframe", "reason", "regime", "symbol"],
                name="one_row_a_day_gate_and_market",
                nulls_distinct=False,
            )
        ]

    def __str__(self) -> str:
        where = f"{self.get_regime_display()} {self.symbol}" if self.symbol else "all together"
        return f"{self.day} {self.timeframe} {self.reason or 'published'}, {where}"
