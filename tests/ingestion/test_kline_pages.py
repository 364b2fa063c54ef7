"""What is asked for to fill holes, and what can be read out of an answer, row by row."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.kline_pages import MOST_ROWS, Heard, Page, Question, next_question, read_page
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.spot import BTC, at


def row(minute: float, *, shift_ms: int = 0, close: object = "101.5", stamp: object = None) -> list[Any]:
    open_ms = at(0) + round(minute * MINUTE_MS) + shift_ms if stamp is None else stamp
    close_ms = open_ms + MINUTE_MS - 1 if isinstance(open_ms, int) else 0
    return [open_ms, "100.0", "102.0", "99.0", close, "5.0", close_ms, "500.0", 3, "2.0", "200.0", "0"]


def read(*rows: object, start: int = 0, until: int = 1000) -> Page:
    return read_page(BTC, rows, at(start), at(until))


def opens(page: Page) -> list[int]:
    return [(kline.open_ms - at(0)) // MINUTE_MS for kline in page.klines]


def minutes(spans: Any) -> list[tuple[int, int]]:
    return [((start - at(0)) // MINUTE_MS, (end - at(0)) // MINUTE_MS) for start, end in spans]


# --- asked ------------------------------------------------------------------------------------------------------------


def test_a_hole_is_asked_for_with_the_candle_behind_it() -> None:
    assert next_question([(at(10), at(13))], 0) == Question(at(10), 4)


def test_a_page_is_as_long_as_the_exchange_allows_and_the_next_goes_on_from_there() -> None:
    holes = [(at(0), at(2500))]

    assert next_question(holes, 0) == Question(at(0), MOST_ROWS)
    assert next_question(holes, at(2499)) == Question(at(2499), 2)
    assert next_question(holes, at(2500)) is None


def test_holes_within_one_page_are_asked_for_together() -> None:
    holes = [(at(0), at(1)), (at(500), at(510)), (at(999), at(1005)), (at(2000), at(2001))]

    assert next_question(holes, 0) == Question(at(0), MOST_ROWS)
    assert next_question(holes, at(600)) == Question(at(999), 7)
    assert next_question(holes, at(1005)) == Question(at(2000), 2)


# --- read -------------------------------------------------------------------------------------------------------------


def test_between_two_rows_there_is_nothing_and_behind_the_last_nobody_knows() -> None:
    page = read(row(2), row(3), row(7), start=0)

    assert (opens(page), minutes(page.empties)) == ([2, 3, 7], [(0, 2), (4, 7)])
    assert (page.end_ms, page.is_silent) == (at(8), False)


def test_an_answer_without_rows_says_that_there_are_none_yet() -> None:
    page = read(start=5)

    assert (page.empties, page.end_ms, page.is_silent) == ((), at(1000), True)


def test_a_candle_that_may_still_be_running_is_left_out() -> None:
    page = read(row(8), row(9), row(10), row(11), until=10)

    assert opens(page) == [8, 9]
    assert page.refused == ()
    assert read(row(10), until=10).is_silent


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(5, close="NaN"), "close is no decimal number"),
        (row(5, close="-1.0"), "close is negative"),
        (row(5, close="1e400"), "close is negative or infinite"),
        (row(5, close=101.5), "close is no decimal number"),
        (row(5, close=None), "close is no decimal number"),
        (row(5, close="200.0"), "high is below"),
        (row(5)[:11], "no list of 12 fields"),
        (row(5, shift_ms=17_123), "not on the minute grid"),
    ],
)
def test_a_refused_row_stands_for_its_minute(bad: list[Any], reason: str) -> None:
    page = read(row(4), bad, row(7), start=4)

    assert opens(page) == [4, 7]
    assert (page.refused_minutes, minutes(page.empties)) == ({at(5)}, [(6, 7)])
    assert reason in page.refused[0].reason
    assert page.refused[0].payload.startswith(f"{BTC} [")


@pytest.mark.parametrize("nonsense", [None, "row", [], {}, row(5, stamp="1679616300000"), row(5, stamp=True), [1e400]])
def test_a_row_without_a_time_stands_for_all_minutes_it_may_be_of(nonsense: object) -> None:
    page = read(row(4), nonsense, row(7), start=4)

    assert (page.refused_minutes, page.empties) == ({at(5), at(6)}, ())
    assert len(page.refused) == 1


def test_an_answer_of_rows_without_a_time_leads_nowhere() -> None:
    page = read(["?"], None, start=4)

    assert (page.end_ms, page.is_silent, page.refused_minutes) == (at(4), False, frozenset())


def test_rows_out_of_order_prove_nothing_but_are_candles() -> None:
    page = read(row(5), row(3), row(6), start=3)

    assert opens(page) == [5, 3, 6]
    assert minutes(page.empties) == [(3, 5)]


@given(st.lists(st.integers(0, 60), unique=True), st.integers(0, 60))
def test_every_minute_up_to_the_last_row_is_a_candle_or_empty(present: list[int], start: int) -> None:
    rows = [row(minute) for minute in sorted(present) if minute >= start]

    page = read(*rows, start=start)

    empty = [minute for begin, end in minutes(page.empties) for minute in range(begin, end)]
    last = max((minute for minute in present if minute >= start), default=start - 1)
    assert sorted(opens(page) + empty) == list(range(start, last + 1))
    assert page.is_silent == (last < start)


# --- heard ------------------------------------------------------------------------------------------------------------


def test_what_was_heard_is_put_together_page_by_page() -> None:
    heard = Heard()
    heard.note(read(row(0), row(5, close="?"), row(9), start=0), at(0))
    heard.note(read(start=10), at(10))

    assert heard.is_empty(at(6), at(9))
    assert not heard.is_empty(at(4), at(6))
    assert not heard.is_empty(at(10), at(11))
    assert heard.has_nothing(at(10), at(99))
    assert not heard.has_nothing(at(8), at(12))
    assert heard.refused == {at(5)}
