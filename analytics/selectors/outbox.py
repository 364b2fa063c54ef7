"""The channels and what waits for them. No secret and no address in it."""

from typing import Any

from django.db.models import Count
from django.utils import timezone

from analytics.notifications.models import Channel, Notification


def channel_rows() -> list[dict[str, Any]]:
    """Each channel with its standing and its messages by state."""
    counted = Notification.objects.order_by("channel", "state").values_list("channel", "state").annotate(Count("pk"))
    counts: dict[int, dict[str, int]] = {}
    for channel, state, number in counted:
        counts.setdefault(channel, {})[state] = number
    return [
        {
            "name": channel.name,
            "medium": channel.get_medium_display(),
            "standing": standing(channel),
            "counts": counts.get(channel.pk, {}),
        }
        for channel in Channel.objects.all()
    ]


def standing(channel: Channel) -> str:
    """Whether messages reach it, in words."""
    if not channel.is_active:
        why = channel.disabled_reason or "by hand"
        since = f" since {channel.disabled_at:%Y-%m-%d %H:%M}" if channel.disabled_at else ""
        return f"closed{since}: {why}"
    if channel.paused_until and channel.paused_until > timezone.now():
        return f"rests until {channel.paused_until:%Y-%m-%d %H:%M}, {channel.failures} tries failed"
    return "open"
