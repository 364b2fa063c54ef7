"""Quiet hours: across midnight, in other time zones, and when clocks are changed."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.notifications.quiet import QuietHours

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = QuietHours(time(22), time(7), BERLIN)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("moment", "end"),
    [
        ("2021-07-10T20:00", "2021-07-11T05:00"),  # 22:00 in Berlin
        ("2021-07-10T23:59", "2021-07-11T05:00"),
        ("2021-07-11T04:59", "2021-07-11T05:00"),
        ("2021-07-10T19:59", None),
        ("2021-07-11T05:00", None),
        ("2021-01-10T21:00", "2021-01-11T06:00"),  # an hour later in winter
        ("2021-03-27T23:00", "2021-03-28T05:00"),  # the night with an hour less
        ("2021-10-30T23:00", "2021-10-31T06:00"),  # and the one with an hour more
    ],
)
def test_a_night_across_midnight_ends_in_the_morning_of_its_zone(moment: str, end: str | None) -> None:
    assert NIGHT.end_at(at(moment)) == (at(end) if end else None)


def test_hours_of_one_day_are_quiet_on_that_day() -> None:
    noon = QuietHours(time(12), time(13), BERLIN)

    assert noon.end_at(at("2021-07-10T10:30")) == at("2021-07-10T11:00")
    assert noon.end_at(at("2021-07-10T22:30")) is None


def test_an_end_that_a_clock_skips_comes_after_the_jump() -> None:
    early = QuietHours(time(22), time(2, 30), BERLIN)

    assert early.end_at(at("2021-03-28T00:30")) == at("2021-03-28T01:30")  # 03:30, since 02:30 is not there


def test_a_clock_set_back_makes_no_second_night() -> None:
    early = QuietHours(time(22), time(2, 30), BERLIN)

    assert early.end_at(at("2021-10-31T00:20")) == at("2021-10-31T00:30")
    assert early.end_at(at("2021-10-31T01:10")) is None  # 02:10 for the second time


moments = st.datetimes(datetime(2019, 1, 1), datetime(2027, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))
times = st.times().map(lambda moment: moment.replace(second=0, microsecond=0))


@given(moment=moments, since=times, until=times, zone=st.sampled_from(ZONES))
def test_quiet_ends_later_within_a_day_and_not_before(moment: datetime, since: time, until: time, zone: str) -> None:
    quiet = QuietHours(since, until, ZoneInfo(zone))
    end = quiet.end_at(moment)

    if end is None:
        return
    assert moment < end <= moment + timedelta(hours=26)
    assert quiet.end_at(end - timedelta(microseconds=1)) == end
    assert since != until


@given(moment=moments, since=times, until=times, zone=st.sampled_from(ZONES))
def test_away_from_clock_changes_it_is_what_the_clock_on_the_wall_says(
    moment: datetime, since: time, until: time, zone: str
) -> None:
    there = ZoneInfo(zone)
    day = timedelta(days=1)
    offsets = {(moment + shift).astimezone(there).utcoffset() for shift in (-2 * day, -day, timedelta(0), day, 2 * day)}
    clock = moment.astimezone(there).time()
    inside = since <= clock < until if since <= until else clock >= since or clock < until

    if len(offsets) == 1:
        assert (QuietHours(since, until, there).end_at(moment) is not None) == inside
