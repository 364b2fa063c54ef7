"""Sessions of the New York clock, right through its changes between winter and summer time. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import numpy as np

from ingestion.timeframes import BoolArray, IntArray

NEW_YORK = ZoneInfo("America/New_York")
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Session:
    """Hours of the New York day: from the first, before the last."""

    name: str
    begins: int
    ends: int


# The kill zones as ICT teaches them (Huddleston, mentorship of 2016-17): hours in which sessions open and overlap.
ASIA = Session("asia", 20, 24)
LONDON = Session("london", 2, 5)
MORNING = Session("new_york", 7, 10)
LONDON_CLOSE = Session("london_close", 10, 12)
KILL_ZONES = (ASIA, LONDON, MORNING, LONDON_CLOSE)


@lru_cache(maxsize=65_536)
def offset_ms(hour: int) -> int:
    """New York's offset from UTC in an hour since the epoch, in ms; it changes on full hours only."""
    offset = (EPOCH + timedelta(hours=hour)).astimezone(NEW_YORK).utcoffset()
    return int((offset or timedelta()) / timedelta(milliseconds=1))


def new_york_ms(times_ms: IntArray) -> IntArray:
    """Milliseconds since midnight of the New York day at each time (ms since the epoch), shape of `times_ms`."""
    if not len(times_ms):
        return times_ms
    hours = times_ms // HOUR_MS
    first = int(hours.min())
    # Times of many markets lie in few hours: each is looked up once.
    offsets = np.zeros(int(hours.max()) - first + 1, np.int64)
    offsets[hours - first] = 1
    there = np.flatnonzero(offsets)
    offsets[there] = [offset_ms(first + hour) for hour in there.tolist()]
    local: IntArray = (times_ms + offsets[hours - first]) % DAY_MS
    return local


def inside(local_ms: IntArray, session: Session) -> BoolArray:
    """Where a New York time of day lies in a session."""
    within: BoolArray = (local_ms >= session.begins * HOUR_MS) & (local_ms < session.ends * HOUR_MS)
    return within


def in_kill_zone(local_ms: IntArray) -> BoolArray:
    found: BoolArray = np.logical_or.reduce([inside(local_ms, session) for session in KILL_ZONES])
    return found
