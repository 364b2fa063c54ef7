"""Every way in which the simulator's streams and markets can misbehave, once each, seen by a client."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from websockets.exceptions import InvalidMessage, InvalidStatus

from ingestion import kline
from ingestion.exchange import misbehaviour
from ingestion.exchange.distortions import DISTORTIONS
from ingestion.exchange.faults import CLOSING_KINDS, KINDS, MARKET_KINDS, OUT_OF_ORDER, REST_KINDS, Fault
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.listeners import Listener, listening, subscribed, wait_until
from tests.ingestion.market import MARCH_24, made_candles

BTC, ETH = "BTCUSDT", "ETHUSDT"
BTC_1M, ETH_1M = "btcusdt@kline_1m", "ethusdt@kline_1m"
START_MS = MARCH_24 + 60 * MINUTE_MS


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    candles = {BTC: made_candles(count=1440), ETH: made_candles(count=1440, seed=8)}
    with running_exchange(candles, start_ms=START_MS, frozen=True) as exchange:
        yield exchange


@pytest.fixture
def listener(running: RunningExchange) -> Iterator[Listener]:
    with subscribed(running, BTC_1M, ETH_1M) as heard:
        yield heard


def misbehave(running: RunningExchange, kind: str, *, symbols: tuple[str, ...] = (BTC,), **parameters: Any) -> None:
    running.exchange.faults.add(Fault(kind, frozenset(symbols), parameters=parameters))


def one_minute(listener: Listener, symbol: str = BTC) -> list[dict[str, Any]]:
    """The final frames of a symbol for one more minute; the other symbol's comes as always, with the same write."""
    listener.minute()
    found = [listener.kline()]
    while found[-1]["s"] == symbol:
        found.append(listener.kline())
    kline.from_frame(found[-1])
    return [k for k in [*found, *listener.finals(0)] if k["s"] == symbol]


def rest_row(running: RunningExchange, symbol: str, open_ms: int) -> list[Any]:
    query: dict[str, Any] = {"symbol": symbol, "interval": "1m", "startTime": open_ms, "limit": 1}
    (row,) = requests.get(running.rest_url + "/api/v3/klines", params=query, timeout=5).json()
    return list(row)


def test_every_kind_that_is_named_is_carried_out_somewhere() -> None:
    assert set(CLOSING_KINDS) == set(DISTORTIONS) | {OUT_OF_ORDER}
    assert set(REST_KINDS) | {"maintenance"} == set(misbehaviour.KINDS) | {"short"}
    assert set(MARKET_KINDS) <= set(KINDS)


# --- closing frames that are changed ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "price", ["NaN", "Infinity", "-Infinity", "-5.00000000", "1e400", "", "0", None, 5, float("nan")]
)
def test_a_price_can_be_none(running: RunningExchange, listener: Listener, price: Any) -> None:
    misbehave(running, "bad_price", price=price)

    (k,) = one_minute(listener)

    assert repr(k["c"]) == repr(price)
    with pytest.raises(kline.BadKlineError):
        kline.from_frame(k)


def test_another_figure_can_be_bad(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "bad_price", field="v", price="-1")

    assert one_minute(listener)[0]["v"] == "-1"


def test_a_frame_can_say_something_else_than_rest(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "restated", factor=1.5)

    (k,) = one_minute(listener)

    row = rest_row(running, BTC, START_MS)
    assert float(k["c"]) == pytest.approx(1.5 * float(row[4]))
    assert float(k["v"]) == pytest.approx(1.5 * float(row[5]))
    assert kline.from_frame(k).open_ms == START_MS


def test_a_candle_can_lie_off_the_grid(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "off_grid")

    (k,) = one_minute(listener)

    assert (k["t"], k["T"]) == (START_MS + 17_000, START_MS + 17_000 + 59_999)


def test_a_candle_can_stay_open_for_ever(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "never_closed")

    assert one_minute(listener) == []
    assert one_minute(listener) == []


# --- closing frames at the wrong time or in the wrong number ----------------------------------------------------------


def test_a_frame_can_be_late(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "late", delay=0.6)
    began = time.monotonic()

    assert one_minute(listener) == []
    late = listener.kline()

    assert (late["s"], late["t"]) == (BTC, START_MS)
    assert time.monotonic() - began >= 0.6


def test_a_frame_can_come_more_than_once(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "duplicate", times=3)

    assert [k["t"] for k in one_minute(listener)] == [START_MS] * 3


def test_frames_can_come_in_the_wrong_order(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "out_of_order")

    minutes = [[(k["t"] - START_MS) // MINUTE_MS for k in one_minute(listener)] for _ in range(4)]

    assert minutes == [[], [1, 0], [], [3, 2]]


def test_the_last_minutes_can_all_come_once_more(running: RunningExchange, listener: Listener) -> None:
    one_minute(listener)
    misbehave(running, "burst", minutes=50)
    found = listener.finals(50)

    assert {k["s"] for k in found} == {BTC}
    assert [k["t"] for k in found] == [START_MS + (back + 1) * MINUTE_MS for back in range(-50, 0)]
    assert listener.finals(0, then=0.2) == []


# --- frames that nobody understands -----------------------------------------------------------------------------------


@pytest.mark.parametrize("instead", [False, True])
@pytest.mark.parametrize("kind", ["malformed_frame", "truncated_frame"])
def test_a_text_can_be_no_json(running: RunningExchange, listener: Listener, kind: str, instead: bool) -> None:
    misbehave(running, kind, symbols=(BTC, ETH), instead=instead)
    listener.minute()

    said = listener.texts(2 if instead else 4)

    assert len(said) == 2 if instead else 4
    broken = [text for text in said if not is_json(text)]
    assert len(broken) == 2
    assert {"btcusdt" in str(text) for text in broken} == {True, False}


def is_json(text: str | bytes) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_a_frame_can_be_binary(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "binary_frame")
    listener.minute()

    said = listener.texts(3)

    assert sorted(type(each).__name__ for each in said) == ["bytes", "str", "str"]
    assert not any(is_json(each) for each in said if isinstance(each, bytes))


def test_a_frame_can_be_of_ten_megabytes(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "oversized_frame")
    listener.minute()

    sizes = sorted(len(listener.text(5)) for _ in range(3))

    assert sizes[-1] > 10_000_000
    assert sizes[1] < 500


def test_an_event_can_be_unknown(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "unknown_event", event="somethingElse", instead=True)
    listener.minute()

    events = sorted(json.loads(text)["data"]["e"] for text in listener.texts(2))

    assert events == ["kline", "somethingElse"]


def test_a_stream_can_tell_of_another_symbol(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "wrong_symbol", symbol="DOGEUSDT")
    listener.minute()

    said = [json.loads(text) for text in listener.texts(3)]

    stray = [frame for frame in said if frame["data"]["s"] == "DOGEUSDT"]
    assert [(frame["stream"], frame["data"]["k"]["s"]) for frame in stray] == [(BTC_1M, "DOGEUSDT")]
    assert len(said) == 3


def test_faults_add_up(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "restated", factor=2)
    misbehave(running, "duplicate")
    misbehave(running, "off_grid", shift_ms=1)

    assert [k["t"] for k in one_minute(listener)] == [START_MS + 1] * 2


def test_an_exchange_that_breaks_down_by_itself_says_so(
    running: RunningExchange, listener: Listener, caplog: pytest.LogCaptureFixture
) -> None:
    misbehave(running, "late", delay="an order that the control endpoint would not take")
    listener.minute()

    wait_until(lambda: "the streams have stopped" in caplog.text)


# --- silence ----------------------------------------------------------------------------------------------------------


def test_streams_can_fall_silent_while_connections_stay(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "stall")

    assert one_minute(listener) == []
    assert listener.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})["result"] == [BTC_1M, ETH_1M]
    running.exchange.faults.clear()
    assert [k["t"] for k in one_minute(listener)] == [START_MS + MINUTE_MS]
    # What was not said is not said later, and REST knows it.
    assert rest_row(running, BTC, START_MS)[0] == START_MS


def test_all_streams_can_fall_silent(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "stall", symbols=())
    listener.minute()
    running.exchange.clock.set(START_MS + MINUTE_MS + 30_000)

    assert listener.texts(0, then=1.2) == []


def test_handshakes_can_be_refused_or_cut_off(running: RunningExchange, listener: Listener) -> None:
    running.exchange.faults.add(Fault("refuse_streams", count=1))
    with pytest.raises(InvalidStatus) as refused, listening(running, "/ws"):
        pass
    running.exchange.faults.add(Fault("refuse_streams", count=1, parameters={"how": "abort"}))
    with pytest.raises((InvalidMessage, EOFError, ConnectionError)), listening(running, "/ws"):
        pass

    assert refused.value.response.status_code == 503
    assert len(one_minute(listener)) == 1
    with listening(running, "/ws"):
        pass


# --- when a fault ends ------------------------------------------------------------------------------------------------


def test_a_fault_can_be_counted(running: RunningExchange, listener: Listener) -> None:
    running.exchange.faults.add(Fault("duplicate", frozenset({BTC}), count=2))

    assert [len(one_minute(listener)) for _ in range(3)] == [2, 2, 1]
    assert running.exchange.faults.active() == []


def test_a_fault_can_last_for_some_seconds(running: RunningExchange, listener: Listener) -> None:
    fault = Fault("duplicate", frozenset({BTC}), until=time.time() + 60)
    running.exchange.faults.add(fault)

    assert len(one_minute(listener)) == 2
    fault.until = time.time()
    assert len(one_minute(listener)) == 1
    assert running.exchange.faults.active() == []


# --- the market itself ------------------------------------------------------------------------------------------------


def status_of(running: RunningExchange, symbol: str) -> str:
    info = requests.get(running.rest_url + "/api/v3/exchangeInfo", timeout=5).json()
    return next((each["status"] for each in info["symbols"] if each["symbol"] == symbol), "")


def opens_over_rest(running: RunningExchange, symbol: str) -> list[int]:
    query: dict[str, Any] = {"symbol": symbol, "interval": "1m", "startTime": START_MS}
    rows = requests.get(running.rest_url + "/api/v3/klines", params=query, timeout=5).json()
    return [(row[0] - START_MS) // MINUTE_MS for row in rows]


def test_a_halted_symbol_has_no_frames_and_never_gets_candles_for_that_time(
    running: RunningExchange, listener: Listener
) -> None:
    listing = running.exchange.market.listing
    one_minute(listener)
    running.exchange.clock.set(START_MS + MINUTE_MS + 1)
    misbehave(running, "halt")
    wait_until(lambda: listing(BTC).status == "BREAK")
    heard = [len(one_minute(listener)) for _ in range(3)]
    during = status_of(running, BTC), opens_over_rest(running, BTC)
    running.exchange.faults.clear()
    wait_until(lambda: listing(BTC).status == "TRADING")
    after = [[(k["t"] - START_MS) // MINUTE_MS for k in one_minute(listener)] for _ in range(2)]

    # The minute under way was finished, those that would have opened later are lost.
    assert heard == [1, 0, 0]
    assert during == ("BREAK", [0, 1])
    assert after == [[4], [5]]
    assert (status_of(running, BTC), opens_over_rest(running, BTC)) == ("TRADING", [0, 1, 4, 5, 6])
    assert opens_over_rest(running, ETH) == [0, 1, 2, 3, 4, 5, 6]


def test_a_delisted_symbol_is_unknown_from_then_on(running: RunningExchange, listener: Listener) -> None:
    misbehave(running, "delisting")
    wait_until(lambda: running.exchange.market.symbols(START_MS) == [ETH])

    assert one_minute(listener) == []
    running.exchange.faults.clear()
    assert one_minute(listener) == []
    assert status_of(running, BTC) == ""
    query = {"symbol": BTC, "interval": "1m"}
    refusal = requests.get(running.rest_url + "/api/v3/klines", params=query, timeout=5).json()
    assert refusal == {"code": -1121, "msg": "Invalid symbol."}


def test_in_maintenance_nothing_answers_and_afterwards_its_minutes_are_missing(
    running: RunningExchange, listener: Listener
) -> None:
    listing = running.exchange.market.listing
    misbehave(running, "maintenance", symbols=())
    wait_until(lambda: listing(BTC).status == "BREAK")
    listener.minute(3)
    silence = listener.texts(0, then=0.2)
    statuses = [requests.get(running.rest_url + path, timeout=5).status_code for path in ("/api/v3/ping", "/ws")]
    with pytest.raises(InvalidStatus), listening(running, "/ws"):
        pass
    running.exchange.faults.clear()
    wait_until(lambda: listing(BTC).status == "TRADING")
    listener.minute(2)
    heard = [(k["s"], (k["t"] - START_MS) // MINUTE_MS) for k in listener.finals(4)]

    assert (silence, statuses) == ([], [503, 503])
    assert sorted(heard) == [(BTC, 3), (BTC, 4), (ETH, 3), (ETH, 4)]
    assert opens_over_rest(running, BTC) == [3, 4, 5]
