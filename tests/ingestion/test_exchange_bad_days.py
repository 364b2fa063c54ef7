"""What the exchange simulator does wrong over REST when it is told to, and what happens to its market."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ingestion.exchange.faults import Fault
from ingestion.exchange.misbehaviour import KINDS
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import MARCH_24, made_candles

KLINES = "/api/v3/klines"
NOW = MARCH_24 + 60 * MINUTE_MS


@pytest.fixture
def exchange() -> Iterator[RunningExchange]:
    candles = {"BTCUSDT": made_candles(count=120), "ETHUSDT": made_candles(count=120, seed=8)}
    with running_exchange(candles, start_ms=NOW, frozen=True) as running:
        yield running


def ask(exchange: RunningExchange, path: str = KLINES, *, timeout: float = 5, **query: Any) -> requests.Response:
    asked = {"symbol": "BTCUSDT", "interval": "1m"} if path == KLINES else {}
    return requests.get(exchange.rest_url + path, params=asked | query, timeout=timeout)


def opens(answer: requests.Response) -> list[int]:
    return [(row[0] - MARCH_24) // MINUTE_MS for row in answer.json()]


def go_wrong(exchange: RunningExchange, kind: str, *, count: int | None = 1, **options: Any) -> None:
    exchange.exchange.faults.add(Fault(kind, count=count, **options))


# --- answers that are none --------------------------------------------------------------------------------------------


def test_a_connection_is_reset(exchange: RunningExchange) -> None:
    go_wrong(exchange, "refuse")

    with pytest.raises(requests.ConnectionError):
        ask(exchange)
    assert [line.status for line in exchange.exchange.log.lines()] == [0]
    assert ask(exchange).status_code == 200


def test_a_request_is_never_answered(exchange: RunningExchange) -> None:
    go_wrong(exchange, "timeout")

    with pytest.raises(requests.ReadTimeout):
        ask(exchange, timeout=0.2)
    assert ask(exchange).status_code == 200


def test_an_exchange_that_answers_nobody_can_still_be_stopped() -> None:
    with running_exchange({"BTCUSDT": made_candles(count=10)}, frozen=True) as running:
        go_wrong(running, "timeout")
        with pytest.raises(requests.ReadTimeout):
            ask(running, timeout=0.1)
        began = time.monotonic()

    assert time.monotonic() - began < 2


@pytest.mark.parametrize(
    ("kind", "parameters", "status", "content"),
    [
        ("403", {}, 403, "text/html"),
        ("451", {}, 451, "application/json"),
        ("5xx", {}, 500, "application/json"),
        ("5xx", {"status": 504}, 504, "application/json"),
        ("html", {}, 200, "text/html"),
        ("html", {"status": 502}, 502, "text/html"),
        ("maintenance", {}, 503, "application/json"),
    ],
)
def test_another_answer_comes_instead(
    exchange: RunningExchange, kind: str, parameters: dict[str, Any], status: int, content: str
) -> None:
    # Maintenance lasts; whoever counts it would count the looks of the streams too.
    go_wrong(exchange, kind, parameters=parameters, count=None if kind == "maintenance" else 1)
    answer = ask(exchange)
    exchange.exchange.faults.clear()

    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (status, content)
    assert ask(exchange).status_code == 200


def test_half_an_answer_is_no_json(exchange: RunningExchange) -> None:
    go_wrong(exchange, "malformed")
    answer = ask(exchange)

    assert (answer.status_code, answer.text[:2]) == (200, "[[")
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


def test_a_page_comes_short(exchange: RunningExchange) -> None:
    go_wrong(exchange, "short", parameters={"rows": 3})

    assert opens(ask(exchange, startTime=MARCH_24)) == [0, 1, 2]
    assert len(opens(ask(exchange, startTime=MARCH_24))) == 61


def test_an_answer_comes_late(exchange: RunningExchange) -> None:
    go_wrong(exchange, "slow", parameters={"seconds": 0.3})
    began = time.monotonic()

    assert ask(exchange).status_code == 200
    assert time.monotonic() - began >= 0.3


def test_every_answer_takes_as_long_as_the_wire() -> None:
    with running_exchange({"BTCUSDT": made_candles(count=10)}, frozen=True, latency=0.15) as running:
        began = time.monotonic()
        ask(running)

    assert time.monotonic() - began >= 0.15


# --- limits on command ------------------------------------------------------------------------------------------------


def test_a_plea_to_wait_has_to_be_heeded(exchange: RunningExchange) -> None:
    go_wrong(exchange, "429", parameters={"seconds": 60})
    answers = [ask(exchange), ask(exchange)]

    assert [(each.status_code, each.headers["Retry-After"]) for each in answers] == [(429, "60")] * 2
    assert len(exchange.exchange.log.defied(429)) == 1


def test_a_ban_lasts_as_long_as_told_and_what_comes_meanwhile_is_on_record(exchange: RunningExchange) -> None:
    go_wrong(exchange, "418", parameters={"seconds": 1})
    first, second = ask(exchange), ask(exchange)
    time.sleep(1.05)

    assert (first.status_code, second.status_code, ask(exchange).status_code) == (418, 418, 200)
    assert [line.status for line in exchange.exchange.log.defied(418)] == [418]


# --- whom and how often -----------------------------------------------------------------------------------------------


def test_a_fault_strikes_whom_and_what_and_as_often_as_told(exchange: RunningExchange) -> None:
    go_wrong(exchange, "5xx", count=2, symbols=frozenset({"ETHUSDT"}), paths=frozenset({KLINES}))
    statuses = [ask(exchange, symbol=name).status_code for name in ("BTCUSDT", "ETHUSDT", "ETHUSDT", "ETHUSDT")]

    assert statuses == [200, 500, 500, 200]
    assert ask(exchange, "/api/v3/time").status_code == 200


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_that_was_ended_leaves_nothing_behind(exchange: RunningExchange, kind: str) -> None:
    go_wrong(exchange, kind, count=None)
    exchange.exchange.faults.clear()

    assert ask(exchange).status_code == 200


# --- what happens to the market ---------------------------------------------------------------------------------------


def status(exchange: RunningExchange) -> str:
    return ask(exchange, "/api/v3/exchangeInfo", symbol="BTCUSDT").json()["symbols"][0]["status"]


def test_a_halted_symbol_is_listed_and_gets_no_candles_any_more(exchange: RunningExchange) -> None:
    market, clock = exchange.exchange.market, exchange.exchange.clock
    market.halt(["BTCUSDT"], NOW + 30_000)
    clock.set(NOW + 5 * MINUTE_MS)

    assert status(exchange) == "BREAK"
    # The minute that was under way is finished.
    assert opens(ask(exchange, limit=2)) == [59, 60]
    assert opens(ask(exchange, symbol="ETHUSDT", limit=2)) == [64, 65]


def test_the_minutes_of_a_halt_never_get_candles(exchange: RunningExchange) -> None:
    market, clock = exchange.exchange.market, exchange.exchange.clock
    market.halt(["BTCUSDT"], NOW + 1)
    clock.set(NOW + 5 * MINUTE_MS)
    market.resume(["BTCUSDT"], NOW + 5 * MINUTE_MS)

    assert status(exchange) == "TRADING"
    assert opens(ask(exchange, limit=3)) == [59, 60, 65]
    assert market.minute("BTCUSDT", NOW + 2 * MINUTE_MS, NOW + 5 * MINUTE_MS) is None


def test_a_removed_symbol_is_unknown(exchange: RunningExchange) -> None:
    exchange.exchange.market.remove(["BTCUSDT"])

    assert ask(exchange).json() == {"code": -1121, "msg": "Invalid symbol."}
    assert [each["symbol"] for each in ask(exchange, "/api/v3/ticker/price").json()] == ["ETHUSDT"]


def test_lost_minutes_are_absent_from_rest_and_streams(exchange: RunningExchange) -> None:
    market = exchange.exchange.market
    market.lose(["BTCUSDT"], MARCH_24 + 10 * MINUTE_MS, MARCH_24 + 20 * MINUTE_MS)

    assert opens(ask(exchange, startTime=MARCH_24 + 9 * MINUTE_MS, limit=2)) == [9, 20]
    assert opens(ask(exchange, interval="5m", startTime=MARCH_24 + 5 * MINUTE_MS, limit=2)) == [5, 20]
    assert market.minute("BTCUSDT", MARCH_24 + 10 * MINUTE_MS, NOW) is None


def test_a_restated_candle_is_other_over_rest_than_it_was_on_the_stream(exchange: RunningExchange) -> None:
    market = exchange.exchange.market
    before = ask(exchange, startTime=MARCH_24, limit=1).json()[0]
    market.restate("BTCUSDT", MARCH_24, {"high": 123.5, "volume": 7.25})
    after = ask(exchange, startTime=MARCH_24, limit=1).json()[0]
    streamed = market.minute("BTCUSDT", MARCH_24, NOW)

    assert (after[2], after[5]) == ("123.50000000", "7.25000000")
    assert after[:2] + after[3:5] == before[:2] + before[3:5]
    assert streamed is not None
    assert f"{streamed.high:.8f}" == before[2]
    assert ask(exchange, interval="1h", startTime=MARCH_24, limit=1).json()[0][2] == "123.50000000"


def test_a_minute_that_is_not_there_cannot_be_restated(exchange: RunningExchange) -> None:
    with pytest.raises(KeyError, match="no candle"):
        exchange.exchange.market.restate("BTCUSDT", MARCH_24 + 1, {"high": 1.0})
