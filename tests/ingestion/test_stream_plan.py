"""Symbols on few connections, messages within the exchange's limits, patience after failures, and what time it is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.stream.exchange_time import LONGEST_AGE, LONGEST_SILENCE, ExchangeTime
from ingestion.stream.pace import LONGEST_SECONDS, ConnectionLimit, backoff_seconds
from ingestion.stream.plan import STREAMS_A_MESSAGE, Request, requests, share_out

NAMES = [f"S{number:04}USDT" for number in range(2100)]
SYMBOL_SETS = st.sets(st.sampled_from(NAMES[:30]))


def test_symbols_share_as_few_connections_as_can_be() -> None:
    shares = share_out({}, NAMES, 1024)

    assert [len(symbols) for symbols in shares.values()] == [1024, 1024, 52]
    assert share_out({}, [], 1024) == {}


def test_a_symbol_stays_on_its_connection_when_others_come_and_go() -> None:
    before = share_out({}, NAMES[:5], 2)
    after = share_out(before, [*NAMES[:2], NAMES[4], NAMES[7], NAMES[8]], 2)

    assert before == {0: frozenset(NAMES[:2]), 1: frozenset(NAMES[2:4]), 2: {NAMES[4]}}
    assert after == {0: frozenset(NAMES[:2]), 2: frozenset({NAMES[4], NAMES[7]}), 1: {NAMES[8]}}


@given(SYMBOL_SETS, SYMBOL_SETS, st.integers(1, 7))
def test_every_symbol_has_one_connection_and_none_has_too_many(first: set[str], then: set[str], most: int) -> None:
    shares = share_out(share_out({}, first, most), then, most)

    assert sorted(symbol for symbols in shares.values() for symbol in symbols) == sorted(then)
    assert all(0 < len(symbols) <= most for symbols in shares.values())
    assert all(number < max(len(first), len(then)) for number in shares)


def test_requests_come_in_batches_that_name_streams() -> None:
    asked = requests([], NAMES[:450])

    assert [len(request.symbols) for request in asked] == [STREAMS_A_MESSAGE, STREAMS_A_MESSAGE, 50]
    assert json.loads(Request("SUBSCRIBE", ("BTCUSDT", "币安USDT")).text(7)) == {
        "method": "SUBSCRIBE",
        "params": ["btcusdt@kline_1m", "币安usdt@kline_1m"],
        "id": 7,
    }


@given(SYMBOL_SETS, SYMBOL_SETS, SYMBOL_SETS)
def test_requests_lead_from_what_is_asked_to_what_is_wanted(asked: set[str], wanted: set[str], again: set[str]) -> None:
    taken = set(asked)
    renewed = set()
    for request in requests(asked, wanted, again):
        if request.method == "SUBSCRIBE":
            taken |= set(request.symbols)
            renewed |= set(request.symbols) & asked
        else:
            taken -= set(request.symbols)

    assert taken == wanted
    assert renewed == asked & wanted & again
    assert (requests(asked, wanted) == []) == (asked == wanted)


def test_waiting_grows_to_a_bound_and_is_spread_over_all_of_it() -> None:
    assert [backoff_seconds(failures, 1.0) for failures in range(7)] == [1, 2, 4, 8, 16, LONGEST_SECONDS, 30]
    assert backoff_seconds(10**9, 0.5) == LONGEST_SECONDS / 2
    assert backoff_seconds(3, 0.0) == 0.0


def test_connections_beyond_the_limit_wait_until_the_first_is_old_enough() -> None:
    limit = ConnectionLimit(most=3, span=300)

    assert [limit.take(now) for now in (0, 10, 20)] == [0, 0, 0]
    assert limit.take(100) == 200
    assert limit.take(300) == 0
    assert limit.take(301) == 9


@given(st.lists(st.integers(0, 40), min_size=1, max_size=100))
def test_no_span_ever_holds_more_connections_than_allowed(pauses: list[int]) -> None:
    limit, made, now = ConnectionLimit(most=5, span=100), [], 0.0
    for pause in pauses:
        now += pause
        while (wait := limit.take(now)) > 0:
            now += wait
        made.append(now)

    assert all(later - first >= 100 for first, later in zip(made, made[5:], strict=False))


# --- the exchange's time ----------------------------------------------------------------------------------------------

START = 1_679_616_000_000


def test_nothing_is_known_of_the_exchange_before_its_first_message() -> None:
    clock = ExchangeTime()

    assert clock.now_ms(5.0) is None
    assert clock.closed_until_ms(5.0) is None


@pytest.mark.parametrize("speed", [1.0, 60.0])
def test_the_exchanges_time_goes_on_from_its_messages(speed: float) -> None:
    clock = ExchangeTime(speed)
    clock.note(START + 59_000, 100.0)

    assert clock.now_ms(100.0) == START + 59_000
    assert clock.closed_until_ms(100.0) == START
    assert clock.closed_until_ms(100.0 + 1.5 / speed) == START + 60_000
    assert clock.wall_seconds(60_000) == 60 / speed


def test_the_exchanges_time_stands_still_when_it_has_said_nothing_for_a_minute() -> None:
    clock = ExchangeTime(600.0)
    clock.note(START, 100.0)
    end_ms = START + LONGEST_SILENCE * 600_000

    assert clock.now_ms(100.0 + LONGEST_SILENCE) == end_ms
    assert clock.now_ms(100.0 + 10 * LONGEST_SILENCE) == end_ms

    clock.note(START + 86_400_000, 100.0 + 10 * LONGEST_SILENCE)
    assert clock.now_ms(100.0 + 10 * LONGEST_SILENCE) == START + 86_400_000


def test_the_quickest_messages_tell_the_time_and_a_stray_stamp_does_not() -> None:
    clock = ExchangeTime()
    for number in range(100):
        late = 0.0 if number % 5 == 0 else 0.4
        clock.note(START + number * 100, number / 10 + late)
    clock.note(START + 10**9, 10.0)
    now_ms = clock.now_ms(10.0)

    assert now_ms is not None
    assert abs(now_ms - (START + 10_000)) < 1


def test_a_moment_has_come_when_the_clock_says_so_or_a_few_messages_agree() -> None:
    clock = ExchangeTime()
    for number in range(50):
        clock.note(START + number * 100, number / 10)
    assert clock.has_come(START + 5_000, 5.0)
    assert not clock.has_come(START + 100_000, 5.0)

    for believed in (False, False, True):
        clock.note(START + 100_001, 5.0)
        assert clock.has_come(START + 100_000, 5.0) is believed
    now_ms = clock.now_ms(5.0)
    assert now_ms is not None
    assert now_ms < START + 6_000


def test_a_clock_that_was_set_is_followed_soon() -> None:
    clock = ExchangeTime()
    for number in range(200):
        clock.note(START + number * 100, number / 10)
    for number in range(300):
        clock.note(START - 86_400_000 + number * 100, 20 + number / 10)
    at = 20 + LONGEST_AGE + 19.9
    now_ms = clock.now_ms(at)

    assert now_ms is not None
    assert abs(now_ms - (START - 86_400_000 + (at - 20) * 1000)) < 1


def test_what_was_told_at_another_speed_is_forgotten() -> None:
    clock = ExchangeTime(60.0)
    clock.note(START, 100.0)
    clock.set_speed(60.0)
    assert clock.now_ms(100.0) == START

    clock.set_speed(1.0)
    assert clock.now_ms(100.0) is None
    clock.note(START + 5, 101.0)
    assert clock.now_ms(102.0) == START + 1005
