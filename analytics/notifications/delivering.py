"""Sending what is due: claimed row by row, tried once, marked. At least once, and under the same id each time.

A claim counts the attempt and moves the row's next one into the future before anything is sent. A process that is
killed between sending and marking leaves the row pending: it is sent again then, and the receiver knows its id.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from time import monotonic
from urllib.parse import urljoin

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q
from django.utils import timezone

from analytics.notifications.kinds import URGENT, Kind
from analytics.notifications.models import Channel, Notification
from analytics.notifications.sending import Became, Outgoing, Result, send
from analytics.notifications.waiting import GIVE_UP_AFTER, wait_after
from analytics.notifications.words import message_of
from analytics.selectors.links import path_of

SECONDS = 15.0
State = Notification.State


@dataclass
class Sent:
    """What a run came to, and whether something due was left for the next."""

    delivered: int = 0
    failed: int = 0
    is_unfinished: bool = False


def deliver(*, seconds: float = SECONDS) -> Sent:
    """Send what is due, for so many seconds at most and one try. An ailing channel rests after its first failure."""
    expire(now=timezone.now())
    sent, until = Sent(), monotonic() + seconds
    while row := claim(now=timezone.now()):
        result = send(outgoing(row))
        mark(row=row, result=result, now=timezone.now())
        if result.became is Became.DELIVERED:
            sent.delivered += 1
        else:
            sent.failed += 1
        if monotonic() > until:
            sent.is_unfinished = True
            break
    return sent


def expire(*, now: datetime) -> int:
    """Give up what nobody took for too long, also where its channel is closed or ails so that it has no turn."""
    ailing = Q(attempts__gt=0) | Q(channel__is_active=False) | Q(channel__failures__gt=0)
    given_up = Notification.objects.filter(ailing, state=State.PENDING, part_of=None, give_up_at__lte=now)
    count = given_up.update(state=State.FAILED)
    lost = Notification.objects.filter(state=State.PENDING, part_of__state=State.FAILED)
    return count + lost.update(state=State.FAILED, last_error="its digest failed")


def claim(*, now: datetime, row_id: int | None = None) -> Notification | None:
    """The next due row, its attempt counted; None if nothing is due. What is due in quiet hours waits for their end.

    `row_id`: this row and no other, and never mind the quiet.
    """
    with transaction.atomic():
        while row := _due(now, row_id):
            quiet_end = row.channel.quiet_end(now, urgent=row.kind in URGENT)
            if quiet_end is None or row_id is not None:
                return _claimed(row, now)
            Notification.objects.filter(pk=row.pk).update(next_attempt_at=quiet_end)
    return None


def _claimed(row: Notification, now: datetime) -> Notification:
    if row.kind == Kind.DIGEST and not row.attempts:  # what it brings is settled: nothing joins it from here on
        parts = row.parts.filter(state=State.PENDING).order_by("created_at", "pk").values("kind", "key", "payload")
        told = [{"kind": part["kind"], "key": part["key"], "facts": part["payload"]} for part in parts]
        row.payload = {"parts": told}
    row.attempts += 1
    row.next_attempt_at = now + wait_after(row.attempts)
    row.save(update_fields=["attempts", "next_attempt_at", "payload"])
    return row


def _due(now: datetime, row_id: int | None) -> Notification | None:
    rested = Q(channel__paused_until__isnull=True) | Q(channel__paused_until__lte=now)
    due = Notification.objects.filter(rested, state=State.PENDING, part_of=None, next_attempt_at__lte=now)
    if row_id is not None:
        due = due.filter(pk=row_id)
    locked = due.filter(channel__is_active=True).select_for_update(skip_locked=True, of=("self",))
    return locked.select_related("channel").order_by("next_attempt_at", "pk").first()


def outgoing(row: Notification) -> Outgoing:
    """The row in words."""
    return Outgoing(row, message_of(row.kind, row.payload), link_of(row))


def link_of(row: Notification) -> str:
    """Where the pages say more; empty where nobody has said where they are."""
    base = settings.ALPHAPULSE_PUBLIC_URL
    return urljoin(f"{base.rstrip('/')}/", path_of(row.kind, row.payload).lstrip("/")) if base else ""


def mark(*, row: Notification, result: Result, now: datetime) -> None:
    """Write down what became of a try. A row that another process has marked meanwhile stays as it is."""
    with transaction.atomic():
        if result.became is Became.DELIVERED:
            _delivered(row, now)
            return
        until = now + max(wait_after(max(row.attempts, row.channel.failures + 1)), result.wait or timedelta(0))
        # Only the last attempt says what comes next.
        ours = Notification.objects.filter(pk=row.pk, state=State.PENDING, attempts=row.attempts)
        if ours.update(last_error=result.reason, **_after_failure(row, result, until, now)):
            _rest(row.channel, result, until, now)


def _delivered(row: Notification, now: datetime) -> None:
    done = {"state": State.DELIVERED, "delivered_at": now, "last_error": ""}
    if Notification.objects.filter(pk=row.pk, state=State.PENDING).update(**done):
        row.parts.exclude(state=State.DELIVERED).update(**done)
    Channel.objects.filter(pk=row.channel_id, failures__gt=0).update(failures=0, paused_until=None)


def _after_failure(row: Notification, result: Result, until: datetime, now: datetime) -> dict[str, object]:
    if result.became is Became.REFUSED or (result.became is Became.AGAIN and now >= row.give_up_at):
        return {"state": State.FAILED}
    # What a closed channel did not get waits until somebody opens it again.
    return {"next_attempt_at": now if result.became is Became.CLOSED else until}


def _rest(channel: Channel, result: Result, until: datetime, now: datetime) -> None:
    if result.became is Became.AGAIN:
        Channel.objects.filter(pk=channel.pk).update(failures=F("failures") + 1, paused_until=until)
    elif result.became is Became.CLOSED:
        closed = {"is_active": False, "disabled_at": now, "disabled_reason": result.reason}
        Channel.objects.filter(pk=channel.pk, is_active=True).update(**closed)


def send_again(*, notification_id: int, now: datetime) -> bool:
    """Put a row that failed, was passed over or was delivered back into the queue, under its old id.

    False where it still waits, or came as a part of a digest.
    """
    again = {
        "state": State.PENDING,
        "next_attempt_at": now,
        "give_up_at": now + GIVE_UP_AFTER,
        "delivered_at": None,
    }
    rows = Notification.objects.filter(pk=notification_id, part_of=None).exclude(state=State.PENDING)
    return bool(rows.exclude(payload={}).update(**again))
