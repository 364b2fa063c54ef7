"""What the simulator answers on a websocket: acknowledgements, lists, and the exchange's objections to nonsense."""

import json
from typing import Any

import pytest

from ingestion.exchange.dialogue import MOST_STREAMS, Subscriptions, reply
from tests.ingestion.exchanges import running_exchange
from tests.ingestion.listeners import listening, subscribed
from tests.ingestion.market import MARCH_24, made_candles

ONE, TWO = "btcusdt@kline_1m", "ethusdt@kline_5m"
VARIANTS = "`SUBSCRIBE`, `UNSUBSCRIBE`, `LIST_SUBSCRIPTIONS`, `SET_PROPERTY`, `GET_PROPERTY`"


def said(message: Any, subscriptions: Subscriptions | None = None) -> Any:
    text = message if isinstance(message, str) else json.dumps(message)
    return json.loads(reply(text, subscriptions or Subscriptions(combined=True)))


def test_streams_are_subscribed_listed_in_order_and_given_up() -> None:
    streams = Subscriptions(combined=False)

    assert said({"method": "SUBSCRIBE", "params": [TWO, ONE, TWO], "id": 1}, streams) == {"result": None, "id": 1}
    assert said({"method": "LIST_SUBSCRIPTIONS", "id": 2}, streams) == {"result": [TWO, ONE], "id": 2}
    assert said({"method": "UNSUBSCRIBE", "params": [TWO, "never@trade"], "id": 3}, streams) == {
        "result": None,
        "id": 3,
    }
    assert said({"method": "LIST_SUBSCRIPTIONS", "id": 4}, streams) == {"result": [ONE], "id": 4}


def test_the_property_says_whether_frames_name_their_stream() -> None:
    streams = Subscriptions(combined=True)

    assert said({"method": "GET_PROPERTY", "params": ["combined"], "id": 1}, streams) == {"result": True, "id": 1}
    assert said({"method": "SET_PROPERTY", "params": ["combined", False], "id": 2}, streams) == {
        "result": None,
        "id": 2,
    }
    assert said({"method": "GET_PROPERTY", "params": ["combined"], "id": 3}, streams) == {"result": False, "id": 3}


@pytest.mark.parametrize("request_id", [0, -7, 2**63 - 1, "a1", "x" * 36, None])
def test_ids_come_back_as_they_were_sent(request_id: Any) -> None:
    assert said({"method": "LIST_SUBSCRIPTIONS", "id": request_id}) == {"result": [], "id": request_id}


@pytest.mark.parametrize("request_id", [1.5, True, "", "x" * 37, "a b", 2**63, [], {}])
def test_other_ids_are_refused(request_id: Any) -> None:
    error = {"code": 2, "msg": "Invalid request: request ID must be an unsigned integer"}

    assert said({"method": "LIST_SUBSCRIPTIONS", "id": request_id}) == {"error": error, "id": None}
    assert said({"method": "LIST_SUBSCRIPTIONS"}) == {"error": error, "id": None}


@pytest.mark.parametrize(
    ("request_body", "code", "message"),
    [
        (
            {"method": "SHOUT"},
            2,
            f"Invalid request: unknown variant `SHOUT`, expected one of {VARIANTS} at line 1 column 28",
        ),
        (
            {"method": None},
            2,
            f"Invalid request: unknown variant `None`, expected one of {VARIANTS} at line 1 column 28",
        ),
        ({"params": []}, 2, "Invalid request: missing field `method` at line 1 column 23"),
        ({"method": "SUBSCRIBE", "params": ["nonsense"]}, 2, "Invalid request: invalid stream"),
        ({"method": "SUBSCRIBE", "params": [ONE, 5]}, 2, "Invalid request: invalid stream"),
        ({"method": "SUBSCRIBE", "params": [f"{ONE}/{TWO}"]}, 2, "Invalid request: invalid stream"),
        ({"method": "SUBSCRIBE", "params": ONE}, 2, "Invalid request: params must be an array"),
        ({"method": "SUBSCRIBE"}, 2, "Invalid request: params must name at least one stream"),
        ({"method": "LIST_SUBSCRIPTIONS", "params": [ONE]}, 2, "Invalid request: too many parameters"),
        ({"method": "SET_PROPERTY", "params": ["combined", 1]}, 1, "Invalid value type: expected Boolean"),
        ({"method": "SET_PROPERTY", "params": ["combined"]}, 1, "Invalid value type: expected Boolean"),
        ({"method": "SET_PROPERTY", "params": []}, 2, "Invalid request: property name must be a string"),
        ({"method": "GET_PROPERTY", "params": [5]}, 2, "Invalid request: property name must be a string"),
        ({"method": "GET_PROPERTY", "params": ["combined", True]}, 2, "Invalid request: too many parameters"),
    ],
)
def test_nonsense_is_objected_to_in_the_words_of_the_exchange(
    request_body: dict[str, Any], code: int, message: str
) -> None:
    assert said(request_body | {"id": 9}) == {"error": {"code": code, "msg": message}, "id": 9}


@pytest.mark.parametrize("method", ["GET_PROPERTY", "SET_PROPERTY"])
def test_an_unknown_property_is_objected_to_in_a_form_of_its_own(method: str) -> None:
    params = ["colour", True][: 1 + (method == "SET_PROPERTY")]

    assert said({"method": method, "params": params, "id": 5}) == {"code": 0, "msg": "Unknown property", "id": 5}


@pytest.mark.parametrize(
    ("text", "where"),
    [("", "1 column 1"), ("{\n  nonsense", "2 column 3"), ("[" * 100_000, "1 column 1"), ("9" * 5000, "1 column 1")],
)
def test_what_is_no_json_is_objected_to_with_the_place(text: str, where: str) -> None:
    error = {"code": 3, "msg": f"Invalid JSON: expected value at line {where}"}

    assert said(text) == {"error": error, "id": None}


@pytest.mark.parametrize("text", ["5", "[]", "null", '"SUBSCRIBE"'])
def test_json_that_is_no_request_is_objected_to(text: str) -> None:
    assert said(text)["error"]["code"] == 2


def test_a_connection_has_1024_streams_and_not_one_more() -> None:
    streams = Subscriptions(combined=True)
    names = [f"s{number}usdt@kline_1m" for number in range(MOST_STREAMS)]
    assert said({"method": "SUBSCRIBE", "params": names, "id": 1}, streams)["result"] is None

    refusal = said({"method": "SUBSCRIBE", "params": [names[0], ONE], "id": 2}, streams)

    assert refusal["error"]["code"] == 2
    assert list(streams.streams) == names
    assert said({"method": "SUBSCRIBE", "params": names[:5], "id": 3}, streams) == {"result": None, "id": 3}


# --- over the wire ----------------------------------------------------------------------------------------------------


def test_a_dialogue_decides_what_is_heard_and_how() -> None:
    traded = running_exchange({"BTCUSDT": made_candles(count=60)}, frozen=True, start_ms=MARCH_24)
    with traded as running, listening(running, "/ws") as listener:
        listener.minute()
        assert listener.texts(0, then=0.2) == []
        listener.say({"method": "SUBSCRIBE", "params": [ONE], "id": 1})
        listener.minute()
        assert listener.frame()["e"] == "kline"
        listener.say({"method": "SET_PROPERTY", "params": ["combined", True], "id": 2})
        listener.minute()
        assert listener.frame()["stream"] == ONE
        listener.say({"method": "UNSUBSCRIBE", "params": [ONE], "id": 3})
        listener.minute()
        assert listener.texts(0, then=0.2) == []


def test_the_address_counts_as_a_subscription() -> None:
    with running_exchange({"BTCUSDT": made_candles(count=60)}, frozen=True) as running, subscribed(running, ONE) as one:
        assert one.say({"method": "LIST_SUBSCRIPTIONS", "id": 1}) == {"result": [ONE], "id": 1}
        assert one.say({"method": "GET_PROPERTY", "params": ["combined"], "id": 2})["result"] is True


def test_bytes_that_are_no_text_are_answered_and_not_fatal() -> None:
    with (
        running_exchange({"BTCUSDT": made_candles(count=60)}, frozen=True) as running,
        listening(running, "/ws") as one,
    ):
        one.socket.send(b"\xff\xfe")
        assert one.frame()["error"]["code"] == 3
        assert one.say({"method": "LIST_SUBSCRIPTIONS", "id": 1})["id"] == 1
