"""Orders to the control endpoint, read from JSON with a reason for each that makes no sense."""

import json
import re
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from ingestion.exchange.audience import GOING_AWAY
from ingestion.exchange.distortions import DISTORTIONS
from ingestion.exchange.faults import KINDS, Fault
from ingestion.exchange.frames import Event, kline_event
from ingestion.exchange.running import Row

Found = TypeVar("Found")
Order = dict[str, Any]
NUMBER = (int, float)
SAMPLE = Event("s", "S", kline_event("S", "1m", Row(0, 59_999, *[1.0] * 9), event_ms=1, is_final=True))


class BadOrderError(ValueError):
    """An order that cannot be carried out; the message says why."""


@dataclass(frozen=True)
class ClockOrder:
    set_ms: int | None = None
    speed: float | None = None
    freeze: bool = False
    thaw: bool = False


@dataclass(frozen=True)
class Farewell:
    code: int = GOING_AWAY
    reason: str = ""
    after: float = 1.0
    abort: bool = False


def given(text: str) -> Order:
    """The JSON object of a request; an empty body is an empty one."""
    try:
        order = json.loads(text or "{}")
    except ValueError as error:
        raise BadOrderError(f"the body is no JSON: {error}") from error
    if not isinstance(order, dict):
        raise BadOrderError("the body is no JSON object")
    return order


def fault_of(order: Order, listed: Collection[str]) -> Fault:
    """The fault that is ordered, for symbols that are listed."""
    _refuse_others(order, ("kind", "symbols", "paths", "seconds", "count", "parameters"))
    kind, symbols = order.get("kind"), _texts(order, "symbols")
    if not isinstance(kind, str) or kind not in KINDS:
        raise BadOrderError(f"unknown kind {kind!r}; there is: {', '.join(KINDS)}")
    if strangers := sorted(symbols - set(listed)):
        raise BadOrderError(f"the exchange does not list {', '.join(strangers)}")
    seconds, count = _at_least_0(order, "seconds"), order.get("count")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise BadOrderError(f"count is {count!r} and should be a whole number from 1")
    parameters = order.get("parameters", {})
    _refuse_senseless(kind, parameters)
    until = None if seconds is None else time.time() + seconds
    return Fault(kind, symbols, _texts(order, "paths"), until, count, parameters)


def _refuse_senseless(kind: str, parameters: Any) -> None:
    """The description of a kind names its parameters; whether their values will do, a sample shows."""
    if not isinstance(parameters, dict):
        raise BadOrderError("parameters is no JSON object")
    _refuse_others(parameters, re.findall(r"`(\w+)`", KINDS[kind]), f"a parameter of {kind}")
    try:
        if kind in DISTORTIONS and kind != "oversized_frame":
            DISTORTIONS[kind](SAMPLE, parameters)
    except (TypeError, ValueError) as error:
        raise BadOrderError(f"the parameters of {kind} make no sense: {error}") from error


def clock_order(order: Order) -> ClockOrder:
    """`set` is in ms since the epoch or a moment such as 2021-06-30T12:00:00+00:00; `speed` is times the wall's."""
    _refuse_others(order, ("set", "speed", "freeze", "thaw"))
    return ClockOrder(
        set_ms=_moment(order.get("set")),
        speed=_at_least_0(order, "speed"),
        freeze=_of_type(order, "freeze", bool, False),
        thaw=_of_type(order, "thaw", bool, False),
    )


def farewell_of(order: Order) -> Farewell:
    """How connections are to be closed."""
    _refuse_others(order, ("code", "reason", "after", "abort"))
    code, after = _of_type(order, "code", int, GOING_AWAY), _at_least_0(order, "after")
    if not (1000 <= code < 1015 or 3000 <= code < 5000) or code in (1004, 1005, 1006):
        raise BadOrderError(f"code is {code} and should be one a close frame may carry, such as 1001 or 1008")
    reason = _of_type(order, "reason", str, "")
    return Farewell(code, reason[:120], 1.0 if after is None else after, _of_type(order, "abort", bool, False))


def _moment(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise BadOrderError(f"set is {value!r} and should be in ms or a moment in ISO 8601") from error
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _refuse_others(order: Mapping[str, Any], known: Collection[str], what: str = "a key of this order") -> None:
    if others := sorted(set(order) - set(known)):
        raise BadOrderError(f"{', '.join(others)} is not {what}; there is: {', '.join(known) or 'none'}")


def _texts(order: Order, name: str) -> frozenset[str]:
    value = order.get(name, [])
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise BadOrderError(f"{name} is no list of texts")
    return frozenset(value)


def _at_least_0(order: Order, name: str) -> float | None:
    value = order.get(name)
    if value is None:
        return None
    if not isinstance(value, NUMBER) or isinstance(value, bool) or not 0 <= value < float("inf"):
        raise BadOrderError(f"{name} is {value!r} and should be a number from 0")
    return float(value)


def _of_type(order: Order, name: str, kind: type[Found], default: Found) -> Found:
    value = order.get(name, default)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise BadOrderError(f"{name} is {value!r} and should be of type {kind.__name__}")
    return value
