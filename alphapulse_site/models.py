"""What the frame records: periods done, heartbeats, tasks that gave up, and where the market clock stands."""

from datetime import timedelta

from django.db import models
from django.db.models import Q


class JobRun(models.Model):
    """One job in one period, done at most once (see `jobs.run_once`).

    `due_at` and `market_at` are market times: when the period was over, and where the market stood at the last try.
    """

    class Status(models.TextChoices):
        RUNNING = "running"
        DONE = "done"
        FAILED = "failed"

    job = models.CharField(max_length=60)
    period = models.CharField(max_length=60)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    started_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    market_at = models.DateTimeField(null=True, blank=True)
    due_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)

    class Meta:
        db_table = "job_runs"
        verbose_name = "job run"
        verbose_name_plural = "job runs"
        constraints = [
            models.UniqueConstraint(fields=["job", "period"], name="job_runs_once_a_period"),
            models.CheckConstraint(
                condition=Q(status__in=["running", "done", "failed"]), name="job_runs_status_is_known"
            ),
        ]
        indexes = [models.Index(fields=["job", "-started_at"], name="job_runs_newest")]

    def __str__(self) -> str:
        return f"{self.job} {self.period}: {self.status}"

    @property
    def is_done(self) -> bool:
        return self.status == self.Status.DONE

    @property
    def lateness(self) -> timedelta | None:
        """How long after it was due the last try began, by the market's clock; None if nobody said when it was due."""
        if self.due_at is None or self.market_at is None:
            return None
        return max(self.market_at - self.due_at, timedelta(0))


class Heartbeat(models.Model):
    """The last sign of life of a process or poll, by name, and how many it has given."""

    name = models.CharField(max_length=100, unique=True)
    beat_at = models.DateTimeField()
    market_at = models.DateTimeField(null=True, blank=True)
    figures = models.JSONField(default=dict, blank=True)
    beats = models.PositiveBigIntegerField(default=0)

    class Meta:
        db_table = "heartbeats"

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%Y-%m-%d %H:%M:%S}"


class ParkedTask(models.Model):
    """A task that failed for good, kept with its arguments so that it can be understood and sent again.

    `retried_as`: the id it was sent again under, once; if it fails again it is parked again, under that id.
    """

    task_id = models.CharField(max_length=100, unique=True)
    name = models.CharField(max_length=200)
    args = models.JSONField(default=list, blank=True)
    kwargs = models.JSONField(default=dict, blank=True)
    error = models.TextField()
    traceback = models.TextField(blank=True)
    parked_at = models.DateTimeField()
    retried_at = models.DateTimeField(null=True, blank=True)
    retried_by = models.CharField(max_length=150, blank=True)
    retried_as = models.CharField(max_length=100, blank=True)

    class Meta:
        db_table = "parked_tasks"
        verbose_name = "parked task"
        verbose_name_plural = "parked tasks"
        indexes = [models.Index(fields=["-parked_at"], name="parked_tasks_newest")]

    def __str__(self) -> str:
        return f"{self.name} {self.task_id}"

    @classmethod
    def waiting(cls) -> "models.QuerySet[ParkedTask]":
        """Those that nobody has sent again, oldest first."""
        return cls.objects.filter(retried_at=None).order_by("parked_at", "pk")


class Redelivery(models.Model):
    """How often a message came back unacknowledged, by the id of its task (see `redelivery`)."""

    task_id = models.CharField(max_length=100, primary_key=True)
    times = models.PositiveIntegerField()
    last_at = models.DateTimeField()

    class Meta:
        db_table = "redeliveries"
        verbose_name_plural = "redeliveries"

    def __str__(self) -> str:
        return f"{self.task_id}: {self.times}"


class MarketClock(models.Model):
    """The one row that says which market is followed, and how far.

    `closed_until`: every minute before it is settled (see `ingestion.market_clock`). `exchange_until`: the close of the
    latest minute that the exchange has closed, as far as we know, and since when we know it; the distance is what we
    owe.
    """

    class Mode(models.TextChoices):
        WALL = "wall"
        RECORDING = "recording"

    ONLY_ROW = 1

    id = models.PositiveSmallIntegerField(primary_key=True, default=ONLY_ROW)
    mode = models.CharField(max_length=10, choices=Mode, default=Mode.WALL)
    closed_until = models.DateTimeField(null=True, blank=True)
    exchange_until = models.DateTimeField(null=True, blank=True)
    exchange_noted_at = models.DateTimeField(null=True, blank=True)
    speed = models.FloatField(default=1.0)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "market_clock"
        verbose_name = "market clock"
        verbose_name_plural = "market clock"
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="market_clock_has_one_row"),
            models.CheckConstraint(condition=Q(mode__in=["wall", "recording"]), name="market_clock_mode_is_known"),
            # Below infinity, because PostgreSQL takes NaN for larger than any number.
            models.CheckConstraint(
                condition=Q(speed__gt=0, speed__lt=float("inf")), name="market_clock_speed_is_a_number"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.mode} until {self.closed_until}"


class ClockStep(models.Model):
    """When (wall clock) the market clock came to a minute. The last two days are kept, to say how late scans are."""

    closed_until = models.DateTimeField(primary_key=True)
    stepped_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "clock_steps"

    def __str__(self) -> str:
        return f"{self.closed_until:%Y-%m-%d %H:%M} at {self.stepped_at:%Y-%m-%d %H:%M:%S}"
