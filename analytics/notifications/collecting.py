"""Filling the outbox from the tables: whatever a channel wants to hear and has no row for.

Found from state, so a lost message or a dead worker loses nothing: the next look finds the same events, and the unique
key of the outbox makes a second row impossible.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction

from alphapulse_site.clock import market_now, market_speed
from analytics.notifications.events import Event
from analytics.notifications.kinds import OLDEST, URGENT, Kind
from analytics.notifications.models import Channel, Notification
from analytics.notifications.waiting import GIVE_UP_AFTER
from analytics.selectors import news

# How far behind the last look an event may turn up: an outcome waits until gaps are filled.
LOOK_BACK = timedelta(days=3)
State = Notification.State


@dataclass(frozen=True)
class Look:
    """One look: wall time, market time (None before there is a market) and how fast that goes; events found once."""

    now: datetime
    at: datetime | None
    speed: float
    events: Sequence[Event] = field(default=())

    def is_old(self, event: Event) -> bool:
        """Whether it is too old to be told by itself."""
        if event.on_wall:
            return self.now - event.at > OLDEST[event.kind]
        return self.at is not None and self.at - event.at > OLDEST[event.kind] * max(self.speed, 1.0)


def collect(*, now: datetime) -> int:
    """Write a row for each event and channel that wants it; returns how many. Safe to run twice, and by two at once."""
    channels = list(Channel.objects.filter(is_active=True))
    if not channels:
        return 0
    at = market_now()
    look = Look(now, at, market_speed(), tuple(found_since(channels, now=now, at=at)))
    return sum(_fill(channel.pk, look) for channel in channels)


def found_since(channels: Iterable[Channel], *, now: datetime, at: datetime | None) -> Iterable[Event]:
    """Everything that may be news to one of the channels."""
    first = min(channel.listens_since for channel in channels)
    yield from news.spells_after(max(first, now - LOOK_BACK), now=now)
    if at is not None:
        since = min(_market_bound(channel, at) for channel in channels)
        for question in (news.signals_after, news.outcomes_after, news.versions_after, news.reports_after):
            yield from question(since)


def _market_bound(channel: Channel, at: datetime) -> datetime:
    """Market time after which an event may be news to a channel."""
    if channel.market_since is None or channel.seen_until is None:
        return at
    return max(channel.market_since, channel.seen_until - LOOK_BACK)


def _fill(channel_id: int, look: Look) -> int:
    """The rows of one channel and its watermark, in one transaction; another worker at the same channel is let be."""
    with transaction.atomic():
        locked = Channel.objects.select_for_update(skip_locked=True).filter(pk=channel_id, is_active=True)
        channel = locked.first()
        if channel is None:
            return 0
        wanted = _not_told(channel, look)
        told = [event for event in wanted if not look.is_old(event)]
        old = [event for event in wanted if look.is_old(event)]
        rows = [*(_row(channel, event, look.now) for event in told), *_passed_over(channel, old, look)]
        Notification.objects.bulk_create(rows, ignore_conflicts=True)
        if look.at is not None:
            locked.update(market_since=channel.market_since or look.at, seen_until=look.at)
        return len(rows)


def _not_told(channel: Channel, look: Look) -> list[Event]:
    # Without a market clock only what happens on the wall is among the events.
    since = _market_bound(channel, look.at or look.now)
    found = [
        event
        for event in look.events
        if channel.wish.wants(event) and event.at > (channel.listens_since if event.on_wall else since)
    ]
    keys = [event.key for event in found]
    known = set(channel.notifications.filter(key__in=keys).values_list("key", flat=True))
    return [event for event in found if event.key not in known]


def _row(channel: Channel, event: Event, now: datetime) -> Notification:
    quiet_end = channel.quiet_end(now, urgent=event.kind in URGENT)
    digest = digest_of(channel, quiet_end, now) if quiet_end else None
    return blank_row(channel, event.kind, event.key, event.at, now, payload=dict(event.facts), part_of=digest)


def digest_of(channel: Channel, quiet_end: datetime, now: datetime) -> Notification | None:
    """The message that brings what was held back; None if it is out already, by a clock that is ahead of ours."""
    key = f"digest:{quiet_end:%Y-%m-%dT%H:%MZ}"
    fresh = blank_row(channel, Kind.DIGEST, key, quiet_end, now, due=quiet_end)
    Notification.objects.bulk_create([fresh], ignore_conflicts=True)
    waiting = channel.notifications.select_for_update().filter(key=key, state=State.PENDING, attempts=0)
    return waiting.first()


def _passed_over(channel: Channel, old: Sequence[Event], look: Look) -> list[Notification]:
    """A row for each event that came too late, so that it is counted once, and one message that tells how many."""
    if not old:
        return []
    counts = dict(Counter(str(event.kind) for event in old))
    times = [event.at for event in old]
    facts = {"counts": counts, "first": min(times), "last": max(times)}
    key = f"summary:{look.now:%Y-%m-%dT%H:%M:%S.%fZ}"
    reason = "older than is told one by one; counted in a summary"
    suppressed = [
        blank_row(channel, event.kind, event.key, event.at, look.now, state=State.SUPPRESSED, last_error=reason)
        for event in old
    ]
    return [*suppressed, blank_row(channel, Kind.SUMMARY, key, max(times), look.now, payload=facts)]


def blank_row(
    channel: Channel, kind: Kind, key: str, at: datetime, now: datetime, due: datetime | None = None, **columns: object
) -> Notification:
    """An unsaved row of the outbox, due now or later."""
    times = {"created_at": now, "next_attempt_at": due or now, "give_up_at": (due or now) + GIVE_UP_AFTER}
    return Notification(channel=channel, kind=kind, key=key, happened_at=at, **times, **columns)
