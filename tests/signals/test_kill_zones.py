"""Sessions follow the clock in New York, not the one in Greenwich, on both days of the year on which it is changed."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.heads.kill_zones import HOUR_MS, KILL_ZONES, LONDON, MORNING, in_kill_zone, inside, new_york_ms


def ms(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.mark.parametrize(
    ("utc", "zone"),
    [
        # Winter time until 2023-03-12 02:00 in New York, which is 07:00 UTC: the morning session begins at 12:00 UTC.
        ("2023-03-10 11:59", False),
        ("2023-03-10 12:00", True),
        ("2023-03-10 14:59", True),
        # From then on it begins at 11:00 UTC.
        ("2023-03-13 10:59", False),
        ("2023-03-13 11:00", True),
        ("2023-03-13 14:00", False),
        # Summer time until 2023-11-05 02:00 in New York, which is 06:00 UTC.
        ("2023-11-03 11:00", True),
        ("2023-11-03 10:59", False),
        ("2023-11-06 11:59", False),
        ("2023-11-06 12:00", True),
    ],
)
def test_the_morning_session_moves_with_the_clock_of_new_york(utc: str, zone: bool) -> None:
    assert inside(new_york_ms(np.array([ms(utc)])), MORNING)[0] == zone


def test_the_hour_that_is_skipped_in_march_is_no_london_hour() -> None:
    # 02:00 to 03:00 does not exist on that day; London's hours begin at 03:00, which is 07:00 UTC.
    night = np.array([ms("2023-03-12 06:59"), ms("2023-03-12 07:00"), ms("2023-03-12 08:59"), ms("2023-03-12 09:00")])

    assert inside(new_york_ms(night), LONDON).tolist() == [False, True, True, False]


def test_the_hour_that_comes_twice_in_november_is_before_london_both_times() -> None:
    night = np.array([ms("2023-11-05 05:30"), ms("2023-11-05 06:30"), ms("2023-11-05 07:00"), ms("2023-11-05 09:59")])

    assert (new_york_ms(night[:2]) // HOUR_MS).tolist() == [1, 1]
    assert inside(new_york_ms(night), LONDON).tolist() == [False, False, True, True]


@given(st.lists(st.integers(ms("2017-01-01 00:00"), ms("2035-01-01 00:00")), max_size=20))
def test_every_time_is_what_the_clock_in_new_york_shows(times: list[int]) -> None:
    shown = [datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=time) for time in times]
    local = [moment.astimezone(ZoneInfo("America/New_York")) for moment in shown]

    found = new_york_ms(np.array(times, np.int64))

    assert (found // HOUR_MS).tolist() == [moment.hour for moment in local]
    assert in_kill_zone(found).tolist() == [
        any(zone.begins <= moment.hour < zone.ends for zone in KILL_ZONES) for moment in local
    ]
