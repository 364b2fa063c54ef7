"""When beat ticks on the days on which calendars go wrong, on a host of any time zone: always by UTC."""

import time
from collections.abc import Iterator
from copy import copy
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from celery.schedules import crontab

from alphapulse_site.celery import MINUTE, SCHEDULE, app

DAYS = timedelta(days=3)
# The first of three days around which something is odd.
ODD = {
    "leap day": datetime(2028, 2, 28, tzinfo=UTC),
    "no leap day": datetime(2100, 2, 27, tzinfo=UTC),
    "year end": datetime(2027, 12, 30, tzinfo=UTC),
    "clocks go forward in Berlin": datetime(2027, 3, 27, tzinfo=UTC),
    "clocks go back in Berlin": datetime(2027, 10, 30, tzinfo=UTC),
    "clocks go back in New York": datetime(2027, 11, 6, tzinfo=UTC),
}
CRONTABS = {name: when for name, (_, when, _) in SCHEDULE.items() if isinstance(when, crontab)}


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/New_York"])
def zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The host's time zone."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield request.param
    monkeypatch.undo()
    time.tzset()


def ticks(when: crontab, start: datetime, end: datetime) -> list[datetime]:
    """Every tick in [start, end), each asked for at the one before."""
    found: list[datetime] = []
    at, schedule = start - timedelta(seconds=1), copy(when)
    schedule.app = app
    while True:
        schedule.nowfun = lambda at=at: at
        at = (at + schedule.remaining_estimate(at)).astimezone(UTC)
        if at >= end:
            return found
        found.append(at)


@pytest.mark.parametrize("start", ODD.values(), ids=list(ODD))
@pytest.mark.parametrize("name", CRONTABS)
def test_ticks_are_as_far_apart_as_ever(zone: str, name: str, start: datetime) -> None:
    period = SCHEDULE[name][2]
    begins = start if period < timedelta(days=7) else start - timedelta(days=18)
    found = ticks(CRONTABS[name], begins, start + DAYS)
    gaps = {later - earlier for earlier, later in pairwise(found)}

    assert gaps == {period}
    assert len(found) == (start + DAYS - begins) // period
    assert all(at.second == 0 for at in found)


@pytest.mark.parametrize("start", ODD.values(), ids=list(ODD))
def test_nights_are_at_midnight_and_weeks_on_sunday_at_two(zone: str, start: datetime) -> None:
    nights = ticks(CRONTABS["daily learning"], start, start + DAYS)
    (week,) = ticks(CRONTABS["weekly retraining"], start, start + timedelta(days=7))

    assert [at - start for at in nights] == [timedelta(days=day) for day in range(3)]
    assert (week.weekday(), week.hour, week.minute) == (6, 2, 0)


def test_what_is_not_a_crontab_is_a_plain_interval() -> None:
    others = {name: when for name, (_, when, _) in SCHEDULE.items() if name not in CRONTABS}

    assert others == {"outcome poll": MINUTE}
