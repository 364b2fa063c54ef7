"""The verbs of this room: look for news and send them, try a channel, send a message again."""

from dataclasses import dataclass

from django.utils import timezone

from analytics.notifications.collecting import blank_row, collect
from analytics.notifications.delivering import Sent, claim, deliver, mark, outgoing
from analytics.notifications.kinds import Kind
from analytics.notifications.models import Channel
from analytics.notifications.sending import Result, send
from analytics.notifications.watching import note_health


@dataclass(frozen=True)
class Notified:
    """What one run came to."""

    written: int
    sent: Sent

    @property
    def is_unfinished(self) -> bool:
        return self.sent.is_unfinished

    def figures(self) -> dict[str, int]:
        return {"written": self.written, "delivered": self.sent.delivered, "failed": self.sent.failed}


def notify() -> Notified:
    """Note how the system is, write down what is new, send what is due."""
    now = timezone.now()
    note_health(now=now)
    return Notified(collect(now=now), deliver())


def try_channel(*, channel: Channel) -> Result | None:
    """Send a test message at once, also in quiet hours; None where the channel is closed or rests.

    It goes through the outbox like any other, so that a failure is tried again and can be seen.
    """
    now = timezone.now()
    key = f"test:{now:%Y-%m-%dT%H:%M:%S.%fZ}"
    row = blank_row(channel, Kind.TEST, key, now, now, payload={"channel": channel.name})
    row.save(force_insert=True)
    claimed = claim(now=now, row_id=row.pk)
    if claimed is None:
        return None
    result = send(outgoing(claimed))
    mark(row=claimed, result=result, now=timezone.now())
    return result


def save_channel(*, channel: Channel) -> None:
    """Store what a person said of a channel; from now on it hears what it wants now, and nothing of before.

    A channel that was closed and is opened again is told what was missed as one line, by its old watermark.
    """
    now = timezone.now()
    before = Channel.objects.filter(pk=channel.pk).first()
    if before is None:
        channel.listens_since = now
    elif before.wish != channel.wish:
        channel.listens_since, channel.market_since, channel.seen_until = now, None, None
    if channel.is_active:
        channel.disabled_at, channel.disabled_reason = None, ""
        channel.failures, channel.paused_until = 0, None
    columns = [field.name for field in Channel._meta.concrete_fields if not field.primary_key]
    channel.save(force_insert=True) if before is None else channel.save(update_fields=columns)
