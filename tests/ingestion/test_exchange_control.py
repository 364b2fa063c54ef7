"""The simulator's control endpoint: orders that are carried out, and reasons for those that are not."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from ingestion.exchange.faults import KINDS
from ingestion.exchange.limits import Limits
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.listeners import Listener, listening, subscribed
from tests.ingestion.market import MARCH_24, made_candles

BTC, ETH = "BTCUSDT", "ETHUSDT"
BTC_1M = "btcusdt@kline_1m"
START_MS = MARCH_24 + 60 * MINUTE_MS


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    candles = {symbol: made_candles(count=1440) for symbol in (BTC, ETH)}
    with running_exchange(candles, start_ms=START_MS, frozen=True) as exchange:
        yield exchange


def ask(running: RunningExchange, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = requests.request(method, running.control.url + path, json=body, timeout=5)
    return answer.status_code, answer.json()


# --- faults -----------------------------------------------------------------------------------------------------------


def test_a_fault_is_ordered_listed_and_cleared(running: RunningExchange) -> None:
    order = {"kind": "late", "symbols": [ETH, BTC], "seconds": 60, "count": 3, "parameters": {"delay": 2}}
    status, listed = ask(running, "POST", "/faults", order)

    assert status == 201
    (fault,), (again,) = listed, running.control.get("/faults")
    assert 59 < again.pop("seconds") <= fault.pop("seconds") <= 60
    assert (
        fault == again == {"kind": "late", "symbols": [BTC, ETH], "paths": [], "count": 3, "parameters": {"delay": 2}}
    )
    assert ask(running, "DELETE", "/faults") == (200, [])
    assert running.exchange.faults.active() == []


def test_a_fault_happens(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M) as listener:
        running.control.post("/faults", {"kind": "duplicate", "count": 1})
        listener.minute()
        assert [k["t"] for k in listener.finals(2)] == [START_MS, START_MS]


def test_faults_of_one_kind_can_be_cleared(running: RunningExchange) -> None:
    for kind in ("stall", "late", "stall"):
        running.control.post("/faults", {"kind": kind})

    assert [fault["kind"] for fault in running.control.delete("/faults?kind=stall")] == ["late"]


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_can_be_ordered_with_nothing_but_its_name(running: RunningExchange, kind: str) -> None:
    assert ask(running, "POST", "/faults", {"kind": kind, "seconds": 0}) == (201, [])


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"kind": "earthquake"}, "unknown kind 'earthquake'; there is: refuse, timeout, 418"),
        ({}, "unknown kind None"),
        ({"kind": []}, "unknown kind []"),
        ({"kind": "late", "sybmols": [BTC]}, "sybmols is not a key of this order; there is: kind, symbols"),
        ({"kind": "late", "symbols": ["XUSDT"]}, "the exchange does not list XUSDT"),
        ({"kind": "late", "symbols": BTC}, "symbols is no list of texts"),
        ({"kind": "late", "paths": [1]}, "paths is no list of texts"),
        ({"kind": "late", "seconds": -1}, "seconds is -1 and should be a number from 0"),
        ({"kind": "late", "seconds": "5"}, "seconds is '5' and should be a number from 0"),
        ({"kind": "late", "count": 0}, "count is 0 and should be a whole number from 1"),
        ({"kind": "late", "count": True}, "count is True"),
        ({"kind": "late", "parameters": 5}, "parameters is no JSON object"),
        ({"kind": "late", "parameters": {"dealy": 5}}, "dealy is not a parameter of late; there is: delay"),
        ({"kind": "stall", "parameters": {"delay": 5}}, "delay is not a parameter of stall; there is: none"),
        ({"kind": "late", "parameters": {"delay": "soon"}}, "the parameters of late make no sense"),
        ({"kind": "restated", "parameters": {"factor": None}}, "the parameters of restated make no sense"),
        ([], "the body is no JSON object"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(
    running: RunningExchange, order: Any, reason: str
) -> None:
    status, said = ask(running, "POST", "/faults", order)

    assert status == 400
    assert reason in said["error"]
    assert running.exchange.faults.active() == []


def test_a_body_that_is_no_json_is_refused_with_the_place(running: RunningExchange) -> None:
    answer = requests.post(running.control.url + "/faults", data="{'kind'", timeout=5)

    assert (answer.status_code, "line 1 column 2" in answer.json()["error"]) == (400, True)


def test_paths_and_methods_that_do_not_exist_are_told_in_json(running: RunningExchange) -> None:
    assert ask(running, "GET", "/nothing") == (404, {"error": "Not Found"})
    assert ask(running, "PUT", "/faults") == (405, {"error": "Method Not Allowed"})


def test_the_endpoint_sits_on_loopback_and_on_a_port_of_its_own(running: RunningExchange) -> None:
    assert requests.get(running.rest_url + "/faults", timeout=5).status_code == 404
    outside = {str(each[4][0]) for each in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)}
    for address in outside - {"127.0.0.1"}:
        with socket.socket() as client:
            client.settimeout(1)
            assert client.connect_ex((address, running.places.control_port)) != 0


# --- requests ---------------------------------------------------------------------------------------------------------


def test_requests_are_counted_with_those_that_came_during_a_ban() -> None:
    candles = {BTC: made_candles(count=10)}
    with running_exchange(candles, frozen=True, limits=Limits(2, tolerated=0)) as running:
        for path in ("time", "ping", "time", "time", "time"):
            requests.get(f"{running.rest_url}/api/v3/{path}", timeout=5)
        told = running.control.get("/requests")
        of_time = running.control.get("/requests?path=/api/v3/time&lines=2")
        running.control.delete("/requests")
        after = running.control.get("/requests")

    assert (told["requests"], told["weight"], told["while_told_to_wait"], told["during_ban"]) == (5, 5, 1, 1)
    assert told["paths"] == {"/api/v3/time": 4, "/api/v3/ping": 1}
    assert told["statuses"] == {"200": 2, "429": 1, "418": 2}
    assert (told["lines"], of_time["requests"]) == ([], 4)
    assert [(line["path"], line["status"], line["defied"]) for line in of_time["lines"]] == [
        ("/api/v3/time", 418, 429),
        ("/api/v3/time", 418, 418),
    ]
    assert after["requests"] == 0


def test_a_number_of_lines_that_is_none_is_refused(running: RunningExchange) -> None:
    assert ask(running, "GET", "/requests?lines=many")[0] == 400


# --- clock and state --------------------------------------------------------------------------------------------------


def test_the_clock_is_set_sped_up_frozen_and_thawed(running: RunningExchange) -> None:
    assert running.control.post("/clock", {"set": START_MS + 5})["ms"] == START_MS + 5
    at = running.control.post("/clock", {"set": "2023-03-24T03:00:00+00:00", "speed": 90})
    assert at == {
        "ms": MARCH_24 + 180 * MINUTE_MS,
        "utc": "2023-03-24T03:00:00.000+00:00",
        "speed": 90.0,
        "frozen": True,
        "end_ms": None,
    }
    thawed = running.control.post("/clock", {"thaw": True})
    later = running.control.post("/clock", {"freeze": True})
    assert (thawed["frozen"], later["frozen"]) == (False, True)
    assert later["ms"] > thawed["ms"]
    assert running.control.post("/clock")["ms"] == later["ms"]


@pytest.mark.parametrize(
    "order",
    [{"set": "soon"}, {"set": -5}, {"speed": -1}, {"speed": "fast"}, {"freeze": 1}, {"stop": True}, {"set": True}],
)
def test_a_clock_is_not_turned_by_nonsense(running: RunningExchange, order: dict[str, Any]) -> None:
    status, said = ask(running, "POST", "/clock", order)

    assert (status, next(iter(order)) in said["error"]) == (400, True)
    assert running.exchange.clock.now_ms() == START_MS


def test_the_state_tells_who_listens_to_what(running: RunningExchange) -> None:
    running.control.post("/faults", {"kind": "stall"})
    with subscribed(running, BTC_1M, "ethusdt@kline_1m"), listening(running, "/ws"):
        state = running.control.get("/state")

    assert (state["symbols"], state["clock"]["ms"]) == ([BTC, ETH], START_MS)
    assert state["requests"] >= 2
    assert sorted(each["streams"] for each in state["connections"]) == [0, 2]
    assert {(each["ip"], each["combined"]) for each in state["connections"]} == {
        ("127.0.0.1", True),
        ("127.0.0.1", False),
    }
    assert [fault["kind"] for fault in state["faults"]] == ["stall"]


# --- connections ------------------------------------------------------------------------------------------------------


def test_all_connections_are_closed_with_a_code(running: RunningExchange) -> None:
    with listening(running, "/ws") as one, subscribed(running, BTC_1M) as other:
        assert running.control.post("/disconnect", {"code": 1012, "reason": "restart"}) == {"closed": 2}
        assert [one.goodbye(), other.goodbye()] == [(1012, "restart")] * 2


def test_connections_are_cut_off_without_a_word(running: RunningExchange) -> None:
    with listening(running, "/ws") as listener:
        assert running.control.post("/disconnect", {"abort": True}) == {"closed": 1}
        assert listener.goodbye() == (1006, "")


@pytest.mark.parametrize("order", [{"code": 5}, {"code": 1005}, {"code": "1000"}, {"reason": 7}, {"after": -1}])
def test_a_goodbye_that_cannot_be_said_is_refused(running: RunningExchange, order: dict[str, Any]) -> None:
    with listening(running, "/ws") as listener:
        assert ask(running, "POST", "/disconnect", order)[0] == 400
        assert still_there(listener)


def still_there(listener: Listener) -> bool:
    return bool(listener.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})["id"])


def test_a_shutdown_is_announced_before_connections_are_closed(running: RunningExchange) -> None:
    with listening(running, "/ws") as raw, subscribed(running, BTC_1M) as named:
        assert running.control.post("/shutdown_event", {"after": 0.3}) == {"told": 2}
        with listening(running, "/ws") as later:
            event = {"e": "serverShutdown", "E": START_MS}
            assert raw.frame() == event
            assert named.frame() == {"stream": "!serverShutdown", "data": event}
            assert still_there(raw)
            assert [raw.goodbye()[0], named.goodbye()[0]] == [1001, 1001]
            # Who came after the announcement is on the new server.
            assert still_there(later)
