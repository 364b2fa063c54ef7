"""What an answer at the wire means: data, a fault of the source, a fault of the request, or a wish for quiet."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.utils import timezone

from ingestion import rest
from ingestion.binance import FuturesDoor, SpotDoor, premium_weight
from ingestion.budget import reserve
from ingestion.feed_rows import STAMPS
from ingestion.feeds import DAY_MS, PREMIUM, SOURCES
from ingestion.models import RequestBudget, RequestPause
from ingestion.pauses import pause_in_force, pause_requests
from ingestion.rest import (
    Answer,
    ExchangeBusyError,
    ExchangeDownError,
    ExchangeError,
    MalformedAnswerError,
    RequestRefusedError,
    UnknownSymbolError,
)
from tests.at_once import run_at_once
from tests.ingestion.futures import NOON, NOON_MS, Clock, Exchange, as_json
from tests.ingestion.market import SHARED
from tests.ingestion.spot import BTC, TIME, Spot, asked, asking, history, misbehave

RECORDED = SHARED / "data" / "binance_api"
BANNED_MS = NOON_MS + DAY_MS

pytestmark = pytest.mark.django_db


@pytest.fixture
def door(exchange: Exchange, clock: Clock) -> Iterator[FuturesDoor]:
    with FuturesDoor(clock=clock) as opened:
        yield opened


def ask(door: FuturesDoor) -> Answer:
    return door.page(SOURCES[PREMIUM], "BTCUSDT", NOON_MS - DAY_MS, NOON_MS)


def told(answer: tuple[int, dict[str, str], bytes]) -> Callable[[str, dict[str, str]], Any]:
    return lambda path, query: answer


def recorded(name: str) -> str:
    place = RECORDED / name
    if not place.exists():
        pytest.skip(f"{place} is not there")
    return place.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (as_json({}, 500), ExchangeDownError),
        (as_json({}, 503), ExchangeDownError),
        ((502, {}, b"<html><h1>502 Bad Gateway</h1></html>"), ExchangeDownError),
        ((200, {}, b"\n <!DOCTYPE html><title>Maintenance</title>"), ExchangeDownError),
        (as_json({"code": -1001, "msg": "Internal error"}, 400), ExchangeDownError),
        (as_json({"code": -1008, "msg": "Server is overloaded"}, 400), ExchangeDownError),
        (as_json({"code": -1121, "msg": "Invalid symbol."}, 400), UnknownSymbolError),
        (as_json({"code": -1121, "msg": "Invalid symbol."}), UnknownSymbolError),
        (as_json({"code": -1102, "msg": "Mandatory parameter"}, 400), RequestRefusedError),
        (as_json(["an error of a strange shape"], 400), RequestRefusedError),
        ((404, {}, b""), RequestRefusedError),
        ((200, {}, b'[[1741608000000,"0.1"'), MalformedAnswerError),
        ((200, {}, b"[" * 100_000), MalformedAnswerError),
        ((200, {}, b"\xff\xfe\x00"), MalformedAnswerError),
        ((200, {}, b""), MalformedAnswerError),
        (as_json({"code": -1003, "msg": "Too much"}, 429), ExchangeBusyError),
        (as_json({"code": -1003, "msg": "Too much"}, 400), ExchangeBusyError),
        ((403, {}, b"<html>WAF</html>"), ExchangeBusyError),
        ((451, {}, b"{}"), ExchangeBusyError),
    ],
)
def test_an_answer_without_data_is_an_error_that_says_what_to_do(
    exchange: Exchange, door: FuturesDoor, answer: tuple[int, dict[str, str], bytes], error: type[ExchangeError]
) -> None:
    exchange.instead = lambda path, query: answer

    with pytest.raises(ExchangeError) as raised:
        ask(door)

    assert raised.type is error
    assert "127.0.0.1" in str(raised.value) or "JSON" in str(raised.value)
    assert RequestPause.objects.exists() == (error is ExchangeBusyError)


def test_an_answer_that_is_cut_off_is_an_exchange_that_is_down(exchange: Exchange, door: FuturesDoor) -> None:
    exchange.instead = lambda path, query: (200, {"Content_Length": "1000"}, b"[[1741608000000,")

    with pytest.raises(ExchangeDownError, match="does not answer"):
        ask(door)


def test_an_exchange_that_does_not_answer_in_time_is_down(exchange: Exchange, clock: Clock, settings: Any) -> None:
    settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 0.2
    over = Event()

    def never(path: str, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        over.wait(20)
        return as_json([])

    exchange.instead = never

    started = time.monotonic()
    with FuturesDoor(clock=clock) as door, pytest.raises(ExchangeDownError, match="does not answer"):
        ask(door)
    over.set()

    assert time.monotonic() - started < 5


def test_an_exchange_nobody_is_at_is_down(settings: Any, clock: Clock) -> None:
    settings.ALPHAPULSE_FUTURES_URL = "http://127.0.0.1:9"

    with FuturesDoor(clock=clock) as door, pytest.raises(ExchangeDownError):
        ask(door)


# --- pauses -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "headers", "said", "seconds"),
    [
        (429, {"Retry_After": "17"}, "Too much", 17),
        (429, {"Retry_After": "1.5"}, "Too much", 2),
        (429, {"Retry_After": "Mon, 10 Mar 2025 12:05:00 GMT"}, "Too much", 240),
        (429, {}, "Too much", 60),
        (429, {"Retry_After": "soon"}, "Too much", 60),
        (429, {"Retry_After": "-5"}, "Too much", 60),
        (429, {"Retry_After": "0"}, "Too much", 1),
        (429, {"Retry_After": "999999999"}, "Too much", 3 * 86_400),
        (418, {}, "Banned", 120),
        (418, {}, f"Way too much request weight used; IP banned until {BANNED_MS}. Please", 86_400 - 60),
        (418, {"Retry_After": "120"}, f"IP banned until {BANNED_MS}.", 86_400 - 60),
        (403, {}, "", 300),
        (451, {}, "", 3600),
    ],
)
def test_a_wish_for_quiet_is_kept_as_long_as_it_says(
    exchange: Exchange, door: FuturesDoor, clock: Clock, status: int, headers: dict[str, str], said: str, seconds: int
) -> None:
    exchange.instead = lambda path, query: as_json({"code": -1003, "msg": said}, status, **headers)

    with pytest.raises(ExchangeBusyError) as raised:
        ask(door)

    assert raised.value.until == NOON + timedelta(seconds=seconds)
    clock.move(seconds=seconds - 0.01)
    with pytest.raises(ExchangeBusyError):
        ask(door)
    assert len(exchange.requests) == 1
    clock.move(seconds=0.02)
    exchange.instead = lambda path, query: as_json([])
    assert ask(door).body == []


def test_a_pause_is_never_made_shorter() -> None:
    pause_requests("host", until=NOON + timedelta(hours=2), reason="banned")
    pause_requests("host", until=NOON + timedelta(minutes=1), reason="over the limit")

    pause = pause_in_force("host", NOON + timedelta(hours=1))
    assert (pause.reason if pause else None) == "banned"
    pause_requests("host", until=NOON + timedelta(hours=3), reason="banned again")
    assert RequestPause.objects.get().until == NOON + timedelta(hours=3)


def test_a_pause_of_one_host_is_no_pause_of_another() -> None:
    pause_requests("host", until=NOON + timedelta(hours=2), reason="banned")

    assert pause_in_force("other", NOON) is None


# --- request weight ---------------------------------------------------------------------------------------------------


def budget() -> RequestBudget:
    return RequestBudget.objects.get()


def test_weight_is_paid_before_the_request_is_sent(exchange: Exchange, door: FuturesDoor) -> None:
    exchange.instead = lambda path, query: as_json({}, 500)

    with pytest.raises(ExchangeDownError):
        ask(door)

    assert (len(exchange.requests), budget().used, budget().most) == (1, 2, 2400)
    assert (door.spent.requests, door.spent.weight) == (1, 2)


@pytest.mark.parametrize(("limit", "weight"), [(2, 1), (99, 1), (100, 2), (499, 2), (500, 5), (1000, 5), (1001, 10)])
def test_a_page_of_the_premium_index_weighs_what_the_documentation_says(limit: int, weight: int) -> None:
    assert premium_weight(limit) == weight


@pytest.mark.parametrize(
    ("header", "told"), [("77", 77), ("0", 0), ("", 0), ("many", 0), ("-5", 0), ("7.5", 0), ("9" * 12, 10_000_000)]
)
@pytest.mark.parametrize("status", [200, 429])
def test_the_weight_that_the_exchange_tells_is_believed_if_it_is_one(
    exchange: Exchange, door: FuturesDoor, status: int, header: str, told: int
) -> None:
    exchange.instead = lambda path, query: as_json([], status, X_MBX_USED_WEIGHT_1M=header)

    with suppress(ExchangeBusyError):
        ask(door)

    assert (budget().told, budget().used) == (told, max(told, 2))


def test_nothing_is_sent_once_our_share_is_spent(exchange: Exchange, door: FuturesDoor, clock: Clock) -> None:
    exchange.instead = lambda path, query: as_json([], X_MBX_USED_WEIGHT_1M="1919")
    ask(door)

    with pytest.raises(ExchangeBusyError, match="request weight") as raised:
        ask(door)

    assert len(exchange.requests) == 1
    assert timedelta(0) < raised.value.until - clock() <= timedelta(minutes=1)
    assert not RequestPause.objects.exists()


def test_who_has_patience_sends_once_a_pause_is_over(exchange: Exchange) -> None:
    exchange.instead = lambda path, query: as_json([])
    with FuturesDoor(patience=5.0) as door:
        pause_requests(door.host, until=timezone.now() + timedelta(seconds=0.3), reason="over the limit")
        started = time.monotonic()
        assert ask(door).body == []

    assert 0.2 < time.monotonic() - started < 4


def test_who_has_too_little_patience_is_told_at_once(exchange: Exchange) -> None:
    with FuturesDoor(patience=1.0) as door:
        pause_requests(door.host, until=timezone.now() + timedelta(seconds=30), reason="over the limit")
        started = time.monotonic()
        with pytest.raises(ExchangeBusyError):
            ask(door)

    assert time.monotonic() - started < 0.5
    assert exchange.requests == []


def test_who_waits_for_weight_sends_nothing_into_a_ban_that_came_meanwhile(
    exchange: Exchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    with FuturesDoor(patience=70.0) as door:
        reserve(door.host, 2400, most=2400)

        def minutes_later(seconds: float) -> None:
            RequestBudget.objects.update(used=0)
            pause_requests(door.host, until=timezone.now() + timedelta(hours=2), reason="banned")

        monkeypatch.setattr(rest.time, "sleep", minutes_later)
        with pytest.raises(ExchangeBusyError, match="banned"):
            ask(door)

    assert exchange.requests == []


ASK = """
from ingestion.binance import SpotDoor
from ingestion.rest import ExchangeError
with SpotDoor(patience=0.5) as door:
    answer = []
    for _ in range(5):
        try:
            answer.append(door.server_time_ms() > 0)
        except ExchangeError as error:
            answer.append(type(error).__name__)
"""


def test_a_ban_of_one_process_keeps_all_others_quiet(market: Spot, process_environment: dict[str, str]) -> None:
    spot = market(history(BTC), now=60)
    misbehave(spot, "418", count=1, seconds=300, paths=[TIME])
    with SpotDoor() as door, pytest.raises(ExchangeBusyError):
        door.server_time_ms()

    answers = run_at_once(asking(spot, ASK), process_environment)

    assert answers == [["ExchangeBusyError"] * 5] * 4
    assert asked(spot, TIME) == 1
    assert spot.exchange.log.defied() == []


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Mon, 10 Mar 2025 11:00:00 GMT", NOON - timedelta(minutes=61)),
        ("Sat, 01 Jan 2000 00:00:00 GMT", NOON),
        ("yesterday", NOON),
        ("", NOON),
    ],
)
def test_the_exchange_s_clock_is_taken_from_its_answer_unless_that_is_nonsense(
    exchange: Exchange, door: FuturesDoor, date: str, expected: datetime
) -> None:
    exchange.date = date
    exchange.instead = lambda path, query: as_json([])

    answer = ask(door)

    assert (answer.source_at, answer.received_at) == (expected, NOON)


# --- bodies that other projects recorded ------------------------------------------------------------------------------


def test_recorded_errors_of_the_exchange_are_understood(exchange: Exchange, door: FuturesDoor) -> None:
    lines = [json.loads(line) for line in recorded("wild/rest_error_bodies.jsonl").splitlines()]
    raised: dict[int, set[type[ExchangeError]]] = {}
    for line in lines:
        RequestPause.objects.all().delete()
        exchange.instead = told((line["http_status"], {}, line["body"].encode()))
        with pytest.raises(ExchangeError) as error:
            ask(door)
        raised.setdefault(line["http_status"], set()).add(error.type)

    assert raised == {
        400: {UnknownSymbolError, RequestRefusedError},
        401: {RequestRefusedError},
        418: {ExchangeBusyError},
        429: {ExchangeBusyError},
        451: {ExchangeBusyError},
    }


def test_the_recorded_answer_to_an_unknown_symbol_is_understood(exchange: Exchange, door: FuturesDoor) -> None:
    body = recorded("go-binance/error_400_-1121.json")
    exchange.instead = lambda path, query: (400, {}, body.encode())

    with pytest.raises(UnknownSymbolError, match="Invalid symbol"):
        ask(door)


@pytest.mark.parametrize("name", ["51_fapi_v1_klines.json", "52_fapi_v1_klines.json"])
def test_klines_recorded_from_the_futures_exchange_have_the_layout_that_is_read(name: str) -> None:
    rows = json.loads(recorded(f"gocryptotrader/{name}"))

    stamps = [STAMPS[PREMIUM](row) for row in rows]

    assert stamps == sorted(stamps)
    assert len(stamps) > 10


def test_the_tests_do_not_need_what_others_recorded(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tests.ingestion.test_rest.RECORDED", tmp_path)

    with pytest.raises(pytest.skip.Exception, match="is not there"):
        recorded("wild/rest_error_bodies.jsonl")
