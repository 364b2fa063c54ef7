"""When a delivery is tried again, and when nobody tries any more. Pure; no chance in it."""

from datetime import timedelta

FIRST, LONGEST = timedelta(minutes=1), timedelta(hours=1)
GIVE_UP_AFTER = timedelta(hours=24)


def wait_after(attempts: int) -> timedelta:
    """1, 2, 4, 8, 16, 32 minutes, then an hour each; also the time a claim lasts, so longer than any try."""
    doublings = min(max(attempts - 1, 0), 10)
    return min(FIRST * (1 << doublings), LONGEST)


def asked_to_wait(seconds: float) -> timedelta:
    """What a receiver asks for, from a second to the whole time after which we would give up."""
    return min(max(timedelta(seconds=seconds), timedelta(seconds=1)), GIVE_UP_AFTER)
