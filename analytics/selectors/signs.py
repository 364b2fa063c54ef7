"""Signs of life: which heartbeats are young enough, read once for whoever asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from alphapulse_site.celery import QUEUES, SCHEDULE
from alphapulse_site.models import Heartbeat

OUTCOME_MONITOR, SHADOW_MONITOR, SCAN, STREAM, LEARNING = (
    "outcome_monitor",
    "shadow_monitor",
    "scan",
    "stream",
    "learning",
)
OUTCOME_INTERVAL = SCHEDULE["outcome poll"][2]
SHADOW_INTERVAL = SCHEDULE["shadow poll"][2]
CANARY_INTERVAL = timedelta(minutes=1)
INTERVALS_ALLOWED = 2


def canary(queue: str) -> str:
    """The heartbeat's name of the canary of a queue."""
    return f"canary:{queue}"


@dataclass(frozen=True)
class Signs:
    """All heartbeats by name, and the wall time they were read at."""

    beats: Mapping[str, Heartbeat]
    now: datetime

    @classmethod
    def read(cls) -> "Signs":
        return cls({beat.name: beat for beat in Heartbeat.objects.all()}, timezone.now())

    def last(self, name: str) -> datetime | None:
        return self.beats[name].beat_at if name in self.beats else None

    def age(self, name: str) -> timedelta | None:
        last = self.last(name)
        return None if last is None else self.now - last

    def is_alive(self, name: str, interval: timedelta) -> bool:
        """Whether the last beat is younger than two intervals."""
        age = self.age(name)
        return age is not None and age < INTERVALS_ALLOWED * interval

    def queues_moving(self) -> dict[str, bool]:
        return {queue: self.is_alive(canary(queue), CANARY_INTERVAL) for queue in QUEUES}

    def count(self, name: str) -> int:
        """How many signs of life there have been."""
        return self.beats[name].beats if name in self.beats else 0
