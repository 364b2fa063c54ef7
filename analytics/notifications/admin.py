"""Channels and the outbox in the admin. No secret is stored, and of an address a list shows only where it leads."""

from typing import Any
from urllib.parse import urlsplit

from django import forms
from django.contrib import admin
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from alphapulse_site.acts import Act, ActsAdmin
from alphapulse_site.admin import ReadOnlyAdmin
from alphapulse_site.pages import choice_filter, recent_filter
from analytics.models import Channel, Notification, UnwellSpell
from analytics.notifications.delivering import send_again
from analytics.notifications.kinds import CHOICES, Kind
from analytics.notifications.sending import Became
from analytics.notifications.services import save_channel, try_channel
from analytics.notifications.transport import RefusedAddressError, check_url
from analytics.notifications.words import message_of
from analytics.selectors.outbox import standing
from ingestion.timeframes import TIMEFRAMES
from signals.models import Direction

Medium = Channel.Medium
SIDES = [(direction.value, direction.label) for direction in (Direction.LONG, Direction.SHORT)]


class ChannelForm(forms.ModelForm):
    """Lists as boxes to tick, and an address of the right kind."""

    kinds = forms.MultipleChoiceField(
        choices=[(kind, kind.replace("_", " ")) for kind in CHOICES], widget=forms.CheckboxSelectMultiple
    )
    timeframes = forms.MultipleChoiceField(
        choices=[(name, name) for name in TIMEFRAMES],
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text="none: all",
    )
    directions = forms.TypedMultipleChoiceField(
        choices=SIDES, coerce=int, widget=forms.CheckboxSelectMultiple, required=False, help_text="none: both"
    )

    class Meta:
        model = Channel
        exclude = ()

    def clean(self) -> dict[str, Any]:
        found = super().clean() or self.cleaned_data
        if bool(found.get("quiet_since")) != bool(found.get("quiet_until")):
            self.add_error("quiet_until", "Quiet hours need a beginning and an end, or neither.")
        if found.get("address"):
            self._check_address(found.get("medium"), found["address"])
        return found

    def _check_address(self, medium: str | None, address: str) -> None:
        try:
            if medium == Medium.WEBHOOK:
                check_url(address)
            elif medium == Medium.EMAIL:
                validate_email(address)
        except (RefusedAddressError, forms.ValidationError) as error:
            self.add_error("address", "; ".join(getattr(error, "messages", [str(error)])))


class NotTakenError(Exception):
    """A message that did not arrive; the text says why."""


def tried(channel: Channel, by: str, reason: str) -> str:
    result = try_channel(channel=channel)
    if result is None:
        raise NotTakenError(f"The channel {channel} is closed or rests and was not tried.")
    if result.became is not Became.DELIVERED:
        # No error, which would take back what is written of the failure.
        return f"The channel {channel} did not take it: {result.reason}"
    return f"The channel {channel} took it."


TEST = Act(
    question=lambda channel: "Send it a test message now, also in quiet hours?",
    do=tried,
    errors=(NotTakenError,),
    story=lambda channel: [standing(channel)],
    most=20,
)


def put_back(row: Notification, by: str, reason: str) -> str:
    if not send_again(notification_id=row.pk, now=timezone.now()):
        raise NotTakenError(f"{row} still waits, came in a digest, or was counted in a summary.")
    return f"{row} goes out within a minute."


AGAIN = Act(
    question=lambda row: "Send it again? The receiver knows it by its id.",
    do=put_back,
    errors=(NotTakenError,),
    story=lambda row: [f"{row.get_state_display()} after {row.attempts} attempts. {row.last_error}"],
    most=50,
)


@admin.register(Channel)
class ChannelAdmin(ActsAdmin):
    """A change counts from now on: what was before is not told under the wishes of after."""

    form = ChannelForm
    list_display = ("name", "medium", "leads_to", "is_active", "state", "kinds")
    list_filter = ("medium", "is_active")
    readonly_fields = ("state", "seen_until", "listens_since")
    actions = ("send_test",)
    fieldsets = (
        (None, {"fields": ("name", "medium", "address", "secret_name", "is_active", "state")}),
        (
            "What it hears",
            {"fields": ("kinds", "symbols", "timeframes", "directions", "minimum_expected_r", "listens_since")},
        ),
        ("Quiet hours", {"fields": ("quiet_since", "quiet_until", "time_zone", "urgent_at_night")}),
    )

    @admin.display(description="leads to")
    def leads_to(self, channel: Channel) -> str:
        """A webhook's path may hold a key, so of it only the host."""
        return urlsplit(channel.address).hostname or "-" if channel.medium == Medium.WEBHOOK else channel.address

    @admin.display(description="standing")
    def state(self, channel: Channel) -> str:
        return standing(channel) if channel.pk else "-"

    def save_model(self, request: HttpRequest, obj: Channel, form: forms.ModelForm, change: bool) -> None:
        save_channel(channel=obj)

    @admin.action(description="Send a test message", permissions=["operate"])
    def send_test(self, request: HttpRequest, chosen: QuerySet[Channel]) -> HttpResponse | None:
        return self.ask_first(TEST, request, chosen)


@admin.register(Notification)
class NotificationAdmin(ActsAdmin, ReadOnlyAdmin):
    """The outbox."""

    list_display = ("created_at", "channel", "kind", "title", "state", "attempts", "delivered_at", "last_error")
    list_filter = (
        recent_filter("created_at", "written"),
        choice_filter("state", "state", lambda: [(each, each) for each in Notification.State.values]),
        choice_filter("kind", "kind", lambda: [(each, each.replace("_", " ")) for each in Kind]),
        "channel",
    )
    list_select_related = ("channel",)
    ordering = ("-created_at", "-pk")
    search_fields = ("key__startswith",)
    readonly_fields = ("message", "message_id")
    actions = ("again",)

    @admin.display(description="message")
    def title(self, row: Notification) -> str:
        return message_of(row.kind, row.payload).title if row.payload else "-"

    @admin.display(description="in words")
    def message(self, row: Notification) -> str:
        return message_of(row.kind, row.payload).text if row.payload else "-"

    @admin.action(description="Send again, under the same id", permissions=["operate"])
    def again(self, request: HttpRequest, chosen: QuerySet[Notification]) -> HttpResponse | None:
        return self.ask_first(AGAIN, request, chosen)


@admin.register(UnwellSpell)
class UnwellSpellAdmin(ReadOnlyAdmin):
    list_display = ("name", "is_data", "began_at", "ended_at", "seen")
    list_filter = (recent_filter("began_at", "began"), "is_data")
    ordering = ("-began_at",)
