"""What we decide and what became of it, stored."""

from django.contrib.postgres.fields import ArrayField
from django.db import models

from signals.first_touch import Outcome
from signals.gates import REASONS
from signals.regime import Regime

SOURCES = [("live", "live"), ("bootstrap", "bootstrap")]


class Direction(models.IntegerChoices):
    SHORT = -1, "short"
    NONE = 0, "none"
    LONG = 1, "long"


class ScanHistory(models.Model):
    """One look at one symbol, timeframe and close. Written by the look; the serial gates complete it, once.

    Partitioned by month on close_time, so no row elsewhere refers to it by a foreign key.
    """

    pk = models.CompositePrimaryKey("symbol", "timeframe", "close_time")
    symbol = models.TextField()
    timeframe = models.TextField()
    close_time = models.DateTimeField()
    scan_id = models.UUIDField(null=True)
    directions = ArrayField(models.SmallIntegerField())
    probabilities = ArrayField(models.FloatField())
    confidences = ArrayField(models.FloatField())
    log_odds = models.FloatField()
    lean = models.SmallIntegerField(choices=Direction)
    win_probability = models.FloatField(null=True)
    expected_r = models.FloatField(null=True)
    margins = ArrayField(models.FloatField())
    passed = ArrayField(models.BooleanField())
    rejection = models.TextField(null=True, choices=[(reason, reason) for reason in ("", *REASONS)])
    regime = models.SmallIntegerField(choices=[(regime.value, regime.name.lower()) for regime in Regime])
    reference_price = models.FloatField()
    risk = models.FloatField()
    missing_minutes = models.IntegerField()
    candle_digest = models.BinaryField()
    weight_version = models.IntegerField()
    waited_too_long = models.BooleanField(default=False)
    source = models.TextField(choices=SOURCES)
    # What moved each head, packed; NULL where nobody wrote it down: it can be made again from the candles.
    reasons = models.BinaryField(null=True)

    class Meta:
        db_table = "scan_history"
        managed = True
        verbose_name = "scan"
        verbose_name_plural = "scans"

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.close_time:%Y-%m-%d %H:%M}"


class ScanClose(models.Model):
    """One close of the scan timeframe: the versions it decides under, which chunks have looked, and that it decided.

    Closes are worked in order, and the next one is found from here: a message only wakes a worker. From `complete_at`,
    when the market clock came to it, to `decided_at` is the scan's lag; nobody waited for imported history.
    """

    pk = models.CompositePrimaryKey("timeframe", "close_time")
    timeframe = models.TextField()
    close_time = models.DateTimeField()
    chunks = models.JSONField(null=True)
    looked = ArrayField(models.IntegerField(), default=list)
    weight_version = models.IntegerField(null=True)
    threshold_version = models.IntegerField(null=True)
    # NULL where the close was opened before there were calibrations: none was applied.
    calibration_version = models.IntegerField(null=True)
    waited_too_long = models.BooleanField(default=False)
    scans = models.IntegerField(null=True)
    signals = models.IntegerField(null=True)
    complete_at = models.DateTimeField(null=True)
    first_tried_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "scan_closes"
        indexes = [
            models.Index(fields=["timeframe", "close_time"], condition=models.Q(decided_at=None), name="undecided")
        ]

    def __str__(self) -> str:
        return f"{self.timeframe} {self.close_time:%Y-%m-%d %H:%M}"


class LateScan(models.Model):
    """A symbol whose candles had not come when its close was opened: it is scanned when they have, once.

    `missing_minutes`: those of its bar that were neither candle nor explained then. It was looked at after all between
    `began_at` and `scanned_at`, by the wall clock.
    """

    pk = models.CompositePrimaryKey("timeframe", "close_time", "symbol")
    timeframe = models.TextField()
    close_time = models.DateTimeField()
    symbol = models.TextField()
    missing_minutes = models.IntegerField()
    began_at = models.DateTimeField(null=True)
    scanned_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "late_scans"
        indexes = [
            models.Index(
                fields=["timeframe", "close_time"], condition=models.Q(scanned_at=None), name="late_and_waited"
            )
        ]

    def __str__(self) -> str:
        return f"{self.symbol} {self.timeframe} {self.close_time:%Y-%m-%d %H:%M}"


class TrackedDecision(models.Model):
    """One lean with its bracket, followed to its outcome: a signal, or the shadow of a rejection.

    Prices of the bracket are fixed at the decision; `entry` is known once the next minute has opened.
    """

    scan_id = models.UUIDField(unique=True)
    symbol = models.TextField()
    timeframe = models.TextField()
    direction = models.SmallIntegerField(choices=Direction)
    regime = models.SmallIntegerField(choices=[(regime.value, regime.name.lower()) for regime in Regime])
    win_probability = models.FloatField()
    expected_r = models.FloatField()
    reference_price = models.FloatField()
    risk = models.FloatField()
    stop_loss = models.FloatField()
    take_profit = models.FloatField()
    opened_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    checked_until = models.DateTimeField()
    entry = models.FloatField(null=True)
    outcome = models.TextField(blank=True, default="", choices=[(o.value, o.value) for o in Outcome])
    exit_price = models.FloatField(null=True)
    exit_at = models.DateTimeField(null=True)
    net_r = models.FloatField(null=True)
    net_pct = models.FloatField(null=True)
    best_r = models.FloatField(null=True)
    worst_r = models.FloatField(null=True)
    ambiguous = models.BooleanField(default=False)
    missing_minutes = models.IntegerField(default=0)
    mirror_outcome = models.TextField(blank=True, default="", choices=[(o.value, o.value) for o in Outcome])
    mirror_exit_at = models.DateTimeField(null=True)
    mirror_net_r = models.FloatField(null=True)
    mirror_missing_minutes = models.IntegerField(default=0)
    weight_version = models.IntegerField()
    source = models.TextField(choices=SOURCES)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.symbol} {self.get_direction_display()} {self.opened_at:%Y-%m-%d %H:%M}"

    @property
    def is_open(self) -> bool:
        return not self.outcome


def _tracked_meta(prefix: str) -> dict[str, list[models.Index]]:
    """Indexes that both tables need: the open ones per symbol, and those by time for the analytics."""
    unresolved = models.Q(outcome="") | models.Q(mirror_outcome="")
    return {
        "indexes": [
            models.Index(fields=["symbol", "opened_at"], name=f"{prefix}_symbol_opened"),
            models.Index(fields=["checked_until"], name=f"{prefix}_unresolved", condition=unresolved),
            models.Index(fields=["opened_at"], name=f"{prefix}_opened"),
            models.Index(fields=["exit_at"], name=f"{prefix}_exit"),
            models.Index(fields=["expires_at"], name=f"{prefix}_expires"),
        ]
    }


class Signal(TrackedDecision):
    """A lean that passed every gate; published."""

    class Meta:
        db_table = "signals"
        indexes = _tracked_meta("signals")["indexes"]


class RejectedSignal(TrackedDecision):
    """A shadow: a lean that a gate held back, followed to its outcome like a live signal and never published."""

    rejection = models.TextField(choices=[(reason, reason) for reason in REASONS])

    class Meta:
        db_table = "rejected_signals"
        verbose_name = "shadow"
        verbose_name_plural = "shadows"
        indexes = [*_tracked_meta("rejected")["indexes"], models.Index(fields=["rejection", "exit_at"])]


class Position(models.Model):
    """The paper position of a signal: how much of it the account would have held, and what that paid."""

    signal = models.OneToOneField(Signal, on_delete=models.PROTECT)
    quantity = models.FloatField()
    equity_before = models.FloatField()
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    profit = models.FloatField(null=True)

    class Meta:
        db_table = "positions"
        verbose_name = "paper position"
        verbose_name_plural = "paper positions"

    def __str__(self) -> str:
        return f"position of {self.signal}"


class VoidedDecision(models.Model):
    """A decision that a person declared void while it was open: who, why, and from when on in market time.

    Append-only. What recomputes outcomes from candles takes the end of these from here. `both`: its mirror was open
    too, and is void with it.
    """

    scan_id = models.UUIDField(primary_key=True)
    symbol = models.TextField()
    timeframe = models.TextField()
    opened_at = models.DateTimeField()
    market_at = models.DateTimeField()
    both = models.BooleanField()
    by = models.TextField()
    reason = models.TextField()
    recorded_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "voided_decisions"
        verbose_name = "decision voided by hand"
        verbose_name_plural = "decisions voided by hand"
        indexes = [models.Index(fields=["timeframe", "opened_at"], name="voided_by_opening")]

    def __str__(self) -> str:
        return f"{self.symbol} {self.opened_at:%Y-%m-%d %H:%M}, void since {self.market_at:%Y-%m-%d %H:%M}"
