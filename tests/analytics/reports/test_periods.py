"""Days and ISO weeks by their names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analytics.reports.periods import KINDS, NoPeriodError, last_ended, period_at, period_named

moments = st.datetimes(datetime(2010, 1, 1), datetime(2090, 1, 1)).map(lambda moment: moment.replace(tzinfo=UTC))


def test_a_week_begins_on_monday() -> None:
    week = period_named("weekly", "2021-W26")

    assert (f"{week.since:%a %Y-%m-%d}", f"{week.until:%a %Y-%m-%d}") == ("Mon 2021-06-28", "Mon 2021-07-05")


def test_midnight_belongs_to_the_day_that_it_ends() -> None:
    midnight = datetime(2021, 7, 10, tzinfo=UTC)

    assert period_at("daily", midnight).name == "2021-07-09"
    assert last_ended("daily", midnight).name == "2021-07-09"
    assert last_ended("daily", midnight - timedelta(seconds=1)).name == "2021-07-08"


@given(moment=moments, kind=st.sampled_from(KINDS))
def test_a_period_is_found_again_by_its_name_and_the_next_one_joins_it(moment: datetime, kind: str) -> None:
    period = period_at(kind, moment)

    assert period.since < moment <= period.until
    assert period_named(kind, period.name) == period
    assert period.after.since == period.until
    assert period.after.before == period
    assert last_ended(kind, moment).until <= moment


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("daily", "2021-02-29"),
        ("daily", "20210702"),
        ("daily", "2021-W26"),
        ("weekly", "2021-W53"),
        ("weekly", "2021-W00"),
        ("weekly", "2021-07-02"),
        ("weekly", "0001-W01"),
        ("daily", "9999-12-31"),
        ("daily", "\uff12\uff10\uff12\uff11-07-02"),
        ("monthly", "2021-07"),
    ],
)
def test_what_is_no_period_says_what_is_one(kind: str, name: str) -> None:
    with pytest.raises(NoPeriodError, match="write"):
        period_named(kind, name)
