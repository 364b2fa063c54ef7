"""Channels, the outbox, and how long the system has been unwell."""

import uuid
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.serializers.json import DjangoJSONEncoder
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q

from analytics.notifications.events import Wish
from analytics.notifications.kinds import CHOICES, USUAL, Kind
from analytics.notifications.quiet import QuietHours
from signals.models import Direction

SECRET_NAME = r"^ALPHAPULSE_CHANNEL_[A-Z0-9_]+$"


def usual_kinds() -> list[str]:
    return [str(kind) for kind in USUAL]


def check_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"{name} is no time zone; write one such as Europe/Berlin.")


class Channel(models.Model):
    """Where messages go, what it wants to hear, and when it wants to be left alone.

    `listens_since`, `market_since`: what was before is not told; the second is set by the first look at the market.
    `seen_until`: market time up to which it has been looked for news. `failures`: tries in a row that failed.
    `paused_until`: the receiver wants or needs rest.
    """

    class Medium(models.TextChoices):
        TELEGRAM = "telegram", "Telegram"
        WEBHOOK = "webhook", "webhook"
        EMAIL = "email", "e-mail"

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.SlugField(max_length=60, unique=True)
    medium = models.CharField(max_length=10, choices=Medium)
    address = models.CharField(
        max_length=500, help_text="chat id of Telegram, http(s) address of a webhook, or e-mail address"
    )
    secret_name = models.CharField(
        max_length=100,
        blank=True,
        validators=[RegexValidator(SECRET_NAME, "Name a variable such as ALPHAPULSE_CHANNEL_TELEGRAM_TOKEN.")],
        help_text="environment variable with the bot's token or the webhook's whsec_ secret; never the secret itself",
    )
    is_active = models.BooleanField(default=True)
    kinds = ArrayField(models.CharField(max_length=30, choices=[(k, k) for k in CHOICES]), default=usual_kinds)
    symbols = ArrayField(models.CharField(max_length=30), default=list, blank=True, help_text="none: all")
    timeframes = ArrayField(models.CharField(max_length=5), default=list, blank=True, help_text="none: all")
    directions = ArrayField(
        models.SmallIntegerField(choices=[(d.value, d.label) for d in (Direction.LONG, Direction.SHORT)]),
        default=list,
        blank=True,
        help_text="1 long, -1 short; none: both",
    )
    minimum_expected_r = models.FloatField(null=True, blank=True, help_text="of signals and their outcomes")
    quiet_since = models.TimeField(null=True, blank=True)
    quiet_until = models.TimeField(null=True, blank=True, help_text="what was held back comes now, as one message")
    time_zone = models.CharField(max_length=60, default="UTC", validators=[check_zone])
    urgent_at_night = models.BooleanField(
        default=True, help_text="data stale, job late and version rolled back come through quiet hours"
    )
    listens_since = models.DateTimeField(editable=False)
    market_since = models.DateTimeField(null=True, editable=False)
    seen_until = models.DateTimeField(null=True, editable=False)
    failures = models.PositiveIntegerField(default=0, editable=False)
    paused_until = models.DateTimeField(null=True, editable=False)
    disabled_at = models.DateTimeField(null=True, editable=False)
    disabled_reason = models.TextField(blank=True, editable=False)

    class Meta:
        db_table = "channels"
        ordering = ("name",)
        constraints = [
            models.CheckConstraint(
                condition=Q(medium__in=["telegram", "webhook", "email"]), name="channels_medium_is_known"
            ),
            models.CheckConstraint(
                condition=Q(quiet_since__isnull=True, quiet_until__isnull=True)
                | Q(quiet_since__isnull=False, quiet_until__isnull=False),
                name="channels_quiet_hours_have_two_ends",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def wish(self) -> Wish:
        return Wish(self.kinds, self.symbols, self.timeframes, self.directions, self.minimum_expected_r)

    @property
    def quiet_hours(self) -> QuietHours | None:
        since: time | None = self.quiet_since
        return QuietHours(since, self.quiet_until, ZoneInfo(self.time_zone)) if since and self.quiet_until else None

    def quiet_end(self, at: datetime, *, urgent: bool) -> datetime | None:
        """When what is due now may be delivered; None if now."""
        if self.quiet_hours is None or (urgent and self.urgent_at_night):
            return None
        return self.quiet_hours.end_at(at)


class Notification(models.Model):
    """One event for one channel, once: the outbox.

    `part_of`: the digest that brings it after quiet hours. `next_attempt_at` is also how long a claim lasts: a delivery
    that was broken off is tried again then, under the same message id.
    """

    class State(models.TextChoices):
        PENDING = "pending"
        DELIVERED = "delivered"
        FAILED = "failed"
        SUPPRESSED = "suppressed"

    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, related_name="notifications")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=30, choices=[(k, k) for k in Kind])
    happened_at = models.DateTimeField()
    payload = models.JSONField(default=dict, encoder=DjangoJSONEncoder)
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    part_of = models.ForeignKey("self", null=True, on_delete=models.CASCADE, related_name="parts")
    attempts = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    next_attempt_at = models.DateTimeField()
    give_up_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)

    class Meta:
        db_table = "notifications"
        constraints = [
            models.UniqueConstraint(fields=["channel", "key"], name="notifications_once_a_channel"),
            models.CheckConstraint(
                condition=Q(state__in=["pending", "delivered", "failed", "suppressed"]),
                name="notifications_state_is_known",
            ),
            models.CheckConstraint(
                condition=Q(state="delivered", delivered_at__isnull=False)
                | (~Q(state="delivered") & Q(delivered_at__isnull=True)),
                name="notifications_delivered_have_a_time",
            ),
        ]
        indexes = [
            models.Index(
                fields=["next_attempt_at", "id"],
                condition=Q(state="pending", part_of__isnull=True),
                name="notifications_due",
            ),
            models.Index(fields=["-created_at"], name="notifications_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.key} to {self.channel}"

    @property
    def message_id(self) -> str:
        """The same for this event and channel whenever it is sent, so that a receiver can tell a repetition."""
        return f"msg_{uuid.uuid5(self.channel.uid, self.key).hex}"


class UnwellSpell(models.Model):
    """A check that failed without a break, from when to when on the wall clock; at most one open spell a check.

    `is_data`: the market's data were stale; else a job was late.
    """

    name = models.CharField(max_length=120)
    is_data = models.BooleanField()
    seen = models.TextField()
    began_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "unwell_spells"
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(ended_at__isnull=True), name="unwell_spells_one_open_a_check"
            )
        ]
        indexes = [models.Index(fields=["-began_at"], name="unwell_spells_newest")]

    def __str__(self) -> str:
        return f"{self.name} since {self.began_at:%Y-%m-%d %H:%M}"

    def facts(self) -> dict[str, Any]:
        return {"check": self.name, "seen": self.seen, "since": self.began_at, "until": self.ended_at}
