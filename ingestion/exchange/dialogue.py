"""What a client may say on a websocket, and the exchange's answer to it, word for word. Pure.

Where the exchange's wording is documented or recorded it is taken from there; what it says of too many streams and
of missing parameters is not, and is ours.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MOST_STREAMS = 1024
LONGEST_ID = 36
# A name the exchange cannot even split is refused; of one it merely does not know nothing ever comes.
STREAM_NAME = re.compile(r"[^\s@/]+@[^\s/]+")
TEXT_ID = re.compile(rf"[A-Za-z0-9_\-]{{1,{LONGEST_ID}}}")


class Objection(Exception):
    """What the exchange says of a message it does not understand."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Subscriptions:
    """The streams of one connection in the order they came, and whether its frames name them."""

    combined: bool
    streams: dict[str, None] = field(default_factory=dict)

    def add(self, names: list[str]) -> None:
        """Take on more streams; all of them or, beyond the limit, none."""
        wanted = self.streams | dict.fromkeys(names)
        if len(wanted) > MOST_STREAMS:
            raise Objection(2, f"Invalid request: too many streams, at most {MOST_STREAMS} a connection")
        self.streams = wanted

    def remove(self, names: list[str]) -> None:
        for name in names:
            self.streams.pop(name, None)


def reply(text: str, subscriptions: Subscriptions) -> str:
    """The frame that goes back; what was asked for is done."""
    request_id: Any = None
    try:
        request = _parsed(text)
        request_id = _id_of(request)
        result = _method(request, len(text))(subscriptions, request)
    except Objection as objection:
        return _refusal(objection, request_id)
    return _compact({"result": result, "id": request_id})


def _refusal(objection: Objection, request_id: Any) -> str:
    said = {"code": objection.code, "msg": objection.message}
    # An unknown property is answered in a form of its own.
    return _compact(said | {"id": request_id} if objection.code == 0 else {"error": said, "id": request_id})


def _parsed(text: str) -> dict[str, Any]:
    try:
        request = json.loads(text)
    except json.JSONDecodeError as error:
        raise Objection(3, f"Invalid JSON: expected value at line {error.lineno} column {error.colno}") from None
    # Brackets by the thousand end the parser's recursion, and digits by the thousand are no number to it.
    except (RecursionError, ValueError):
        raise Objection(3, "Invalid JSON: expected value at line 1 column 1") from None
    if not isinstance(request, dict):
        raise Objection(2, "Invalid request: missing field `method` at line 1 column 1")
    return request


def _id_of(request: dict[str, Any]) -> Any:
    """Null, a whole number of 64 bits or a short text; without one there is no request."""
    given = request.get("id", 0.0)
    is_number = isinstance(given, int) and not isinstance(given, bool) and -(2**63) <= given < 2**63
    if given is None or is_number or (isinstance(given, str) and TEXT_ID.fullmatch(given)):
        return given
    raise Objection(2, "Invalid request: request ID must be an unsigned integer")


def _method(request: dict[str, Any], length: int) -> Callable[[Subscriptions, dict[str, Any]], Any]:
    if "method" not in request:
        raise Objection(2, f"Invalid request: missing field `method` at line 1 column {length}")
    name = request["method"]
    if not isinstance(name, str) or name not in METHODS:
        known = ", ".join(f"`{each}`" for each in METHODS)
        raise Objection(2, f"Invalid request: unknown variant `{name}`, expected one of {known} at line 1 column 28")
    return METHODS[name]


def _parameters(request: dict[str, Any], most: int) -> list[Any]:
    given = request.get("params", [])
    if not isinstance(given, list):
        raise Objection(2, "Invalid request: params must be an array")
    if len(given) > most:
        raise Objection(2, "Invalid request: too many parameters")
    return given


def _stream_names(request: dict[str, Any]) -> list[str]:
    names = _parameters(request, most=10 * MOST_STREAMS)
    if not names:
        raise Objection(2, "Invalid request: params must name at least one stream")
    if not all(isinstance(name, str) and STREAM_NAME.fullmatch(name) for name in names):
        raise Objection(2, "Invalid request: invalid stream")
    return names


def _subscribe(subscriptions: Subscriptions, request: dict[str, Any]) -> None:
    subscriptions.add(_stream_names(request))


def _unsubscribe(subscriptions: Subscriptions, request: dict[str, Any]) -> None:
    subscriptions.remove(_stream_names(request))


def _list(subscriptions: Subscriptions, request: dict[str, Any]) -> list[str]:
    _parameters(request, most=0)
    return list(subscriptions.streams)


def _set_property(subscriptions: Subscriptions, request: dict[str, Any]) -> None:
    given = _parameters(request, most=2)
    _refuse_other_property(given)
    if len(given) < 2 or not isinstance(given[1], bool):
        raise Objection(1, "Invalid value type: expected Boolean")
    subscriptions.combined = given[1]


def _get_property(subscriptions: Subscriptions, request: dict[str, Any]) -> bool:
    _refuse_other_property(_parameters(request, most=1))
    return subscriptions.combined


def _refuse_other_property(given: list[Any]) -> None:
    if not given or not isinstance(given[0], str):
        raise Objection(2, "Invalid request: property name must be a string")
    if given[0] != "combined":
        raise Objection(0, "Unknown property")


def _compact(body: dict[str, Any]) -> str:
    return json.dumps(body, separators=(",", ":"))


METHODS: dict[str, Callable[[Subscriptions, dict[str, Any]], Any]] = {
    "SUBSCRIBE": _subscribe,
    "UNSUBSCRIBE": _unsubscribe,
    "LIST_SUBSCRIPTIONS": _list,
    "SET_PROPERTY": _set_property,
    "GET_PROPERTY": _get_property,
}
