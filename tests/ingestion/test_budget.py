"""Request weight is spent by all processes together: never more than our share of a minute, whoever asks."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from ingestion.budget import learn_limit, note_used, reserve
from ingestion.models import RequestBudget
from tests.at_once import run_at_once

HOST, MOST = "api.test", 100
# Seconds. A test begins early enough for the minute not to turn while it counts.
SLOWEST_TEST = 3.0

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def half_of_it(settings: Any) -> None:
    settings.ALPHAPULSE_WEIGHT_SHARE = 0.5
    if (left := 60 - time.time() % 60) < SLOWEST_TEST:
        time.sleep(left)


def taken(weight: int = 10) -> bool:
    return reserve(HOST, weight, most=MOST).window is not None


def row() -> RequestBudget:
    return RequestBudget.objects.get(host=HOST)


def turn(minutes: int) -> None:
    """As if the row had been written so many minutes ago."""
    RequestBudget.objects.update(window_start=row().window_start - timedelta(minutes=minutes))


def test_no_more_than_our_share_of_a_minute_is_handed_out() -> None:
    assert [taken() for _ in range(6)] == [True] * 5 + [False]
    assert (row().used, row().most) == (50, MOST)


def test_who_gets_nothing_learns_how_long_the_minute_lasts() -> None:
    taken(50)

    with connection.cursor() as cursor:
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        second = float(cursor.fetchone()[0]) % 60
    wait = reserve(HOST, 1, most=MOST).wait

    assert 59.0 < second + wait <= 60.0 or second + wait > 119.0


def test_a_small_request_still_fits_where_a_large_one_does_not() -> None:
    taken(45)

    assert (taken(10), taken(5), taken(1)) == (False, True, False)


def test_the_next_minute_starts_afresh() -> None:
    taken(50)
    note_used(HOST, row().window_start, 77)
    turn(2)

    assert taken(30)
    assert (row().used, row().told) == (30, 0)


def test_who_read_the_clock_before_the_minute_turned_pays_in_the_new_one() -> None:
    """Two wait for the row's lock while the minute turns: the later one must not turn it back."""
    taken(40)
    turn(-1)
    before = row().window_start

    assert (taken(20), taken(10)) == (False, True)
    assert (row().window_start, row().used) == (before, 50)


def test_a_minute_in_the_future_is_the_trace_of_a_clock_that_was_wrong() -> None:
    taken(50)
    turn(-60)

    assert taken(50)


def test_a_single_request_larger_than_our_share_is_let_through_when_the_minute_begins() -> None:
    assert (taken(80), taken(1)) == (True, False)


def test_what_the_exchange_counts_beyond_our_own_makes_the_budget_smaller() -> None:
    window = reserve(HOST, 10, most=MOST).window
    assert window is not None

    note_used(HOST, window, 45)
    assert (row().used, row().told) == (45, 45)
    assert (taken(10), taken(5)) == (False, True)
    note_used(HOST, window, 46)
    assert (row().used, row().told) == (50, 46)


def test_an_answer_from_the_minute_before_says_nothing_about_this_one() -> None:
    window = reserve(HOST, 10, most=MOST).window
    assert window is not None

    note_used(HOST, window - timedelta(minutes=1), 99)

    assert row().used == 10


def test_the_limit_is_the_exchange_s_own_once_it_is_known() -> None:
    taken(10)

    learn_limit(HOST, 40)
    assert (taken(10), taken(10)) == (True, False)
    learn_limit(HOST, 0)
    learn_limit(HOST, 10**12)
    assert row().most == 40


def test_hosts_have_budgets_of_their_own() -> None:
    taken(50)

    assert reserve("other.test", 50, most=MOST).window is not None


SPEND = """
from django.conf import settings
settings.ALPHAPULSE_WEIGHT_SHARE = 0.7
from ingestion.budget import reserve
windows = [reserve("api.test", 7, most=1000).window for _ in range(100)]
answer = [window.isoformat() for window in windows if window]
"""


def test_four_processes_at_once_never_spend_more_than_the_share(process_environment: dict[str, str]) -> None:
    answers = run_at_once(SPEND, process_environment)

    spent = [window for answer in answers for window in answer]
    # 400 x 7 are asked for; 700 a minute is our share, and the minute may turn once meanwhile.
    by_minute = [7 * spent.count(window) for window in set(spent)]
    assert max(by_minute) == 700
    assert len(by_minute) <= 2
