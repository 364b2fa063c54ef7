"""When jobs are due, on the days on which calendars go wrong."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from learning.calendar import (
    DAILY,
    DAY_MS,
    EFFECTIVE_AFTER_MS,
    HOUR_MS,
    WEEK_MS,
    WEEKLY,
    DueJob,
    in_effect_by,
    jobs_between,
)

moments = st.integers(0, 3 * 10**12)
spans = st.integers(0, 40 * DAY_MS)


def ms(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> int:
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1000


def periods(began: int, until: int) -> list[tuple[str, str]]:
    return [(job.job, job.period) for job in jobs_between(began, until)]


@pytest.mark.parametrize(
    ("midnight", "period"),
    [
        ((2024, 2, 29), "2024-02-28"),
        ((2024, 3, 1), "2024-02-29"),
        ((2023, 3, 1), "2023-02-28"),
        ((2100, 3, 1), "2100-02-28"),
        ((2022, 1, 1), "2021-12-31"),
    ],
)
def test_a_night_is_named_after_the_day_that_ended(midnight: tuple[int, int, int], period: str) -> None:
    assert DueJob(ms(*midnight), DAILY).period == period


@pytest.mark.parametrize(
    ("sunday", "period"),
    [
        ((2021, 1, 3), "2020-W53"),
        ((2021, 1, 10), "2021-W01"),
        ((2018, 12, 30), "2018-W52"),
        ((2019, 1, 6), "2019-W01"),
        ((2026, 12, 27), "2026-W52"),
        ((2027, 1, 3), "2026-W53"),
        ((2024, 3, 3), "2024-W09"),
    ],
)
def test_a_week_is_named_after_the_iso_week_that_its_sunday_ends(sunday: tuple[int, int, int], period: str) -> None:
    year, week, weekday = date(*sunday).isocalendar()

    assert DueJob(ms(*sunday, 2), WEEKLY).period == period == f"{year}-W{week:02}"
    assert weekday == 7


@given(began=moments, span=spans)
def test_jobs_are_the_midnights_and_the_sundays_at_two_in_order_of_time(began: int, span: int) -> None:
    jobs = jobs_between(began, began + span)

    hours = range(-(-began // HOUR_MS) * HOUR_MS, began + span + 1, HOUR_MS)
    clock = [(at, datetime.fromtimestamp(at // 1000, UTC)) for at in hours]
    nights = [(at, DAILY) for at, moment in clock if moment.hour == 0]
    weeks = [(at, WEEKLY) for at, moment in clock if moment.hour == 2 and moment.isoweekday() == 7]
    assert [(job.cut_off_ms, job.job) for job in jobs] == sorted(nights + weeks)


@given(began=moments, span=spans)
def test_no_period_is_due_twice(began: int, span: int) -> None:
    found = periods(began, began + span)

    assert len(set(found)) == len(found)


@given(began=moments, first=spans, second=spans)
def test_jobs_asked_for_in_two_parts_are_those_of_the_whole(began: int, first: int, second: int) -> None:
    middle = began + first

    parts = jobs_between(began, middle) + jobs_between(middle + 1, middle + second)

    assert parts == jobs_between(began, middle + second)


def test_on_a_sunday_the_night_is_learned_before_the_week() -> None:
    sunday = ms(2021, 6, 13)

    assert periods(sunday - HOUR_MS, sunday + 3 * HOUR_MS) == [(DAILY, "2021-06-12"), (WEEKLY, "2021-W23")]


def test_a_history_that_begins_at_midnight_has_that_night() -> None:
    assert periods(ms(2021, 6, 11), ms(2021, 6, 11)) == [(DAILY, "2021-06-10")]
    assert periods(ms(2021, 6, 11) + 1, ms(2021, 6, 12) - 1) == []


def test_a_week_is_due_at_two_and_not_a_millisecond_before() -> None:
    two = ms(2021, 6, 13, 2)

    assert (WEEKLY, "2021-W23") not in periods(two - WEEK_MS + 1, two - 1)
    assert (WEEKLY, "2021-W23") in periods(two - WEEK_MS + 1, two)


def test_a_version_decides_from_a_quarter_past_midnight_on() -> None:
    midnight = ms(2021, 6, 12)
    night = DueJob(midnight, DAILY)

    assert in_effect_by(midnight - HOUR_MS, midnight + EFFECTIVE_AFTER_MS - 1) == []
    assert in_effect_by(midnight - HOUR_MS, midnight + EFFECTIVE_AFTER_MS) == [night]
    assert night.effective_ms == ms(2021, 6, 12, 0, 15)


def test_a_leap_day_has_its_night() -> None:
    found = periods(ms(2024, 2, 28, 12), ms(2024, 3, 2))

    days = [datetime(2024, 2, 28, tzinfo=UTC) + timedelta(days=day) for day in range(3)]
    assert [period for job, period in found if job == DAILY] == [f"{day:%Y-%m-%d}" for day in days]
