"""One HTTP request to a source of market data: an answer, or an error that says what the caller can do about it.

Before it is sent, its weight is taken out of the host's budget, and a wish of the host to be left alone is kept.
"""

import json
import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import requests

from ingestion.budget import note_used, reserve
from ingestion.candles import EPOCH, to_datetime
from ingestion.pauses import pause_in_force, pause_requests

Clock = Callable[[], datetime]

# The exchange's own codes: it is at fault and may be well again soon; too many requests; no such symbol.
SERVER_CODES = (-1000, -1001, -1006, -1007, -1008)
TOO_MANY, UNKNOWN_SYMBOL = -1003, -1121
# Seconds to keep quiet where the answer does not say how long: over the limit, banned, firewall, refused region.
QUIET = {429: 60, 418: 120, 403: 300, 451: 3600}
# Binance bans for three days at most; a longer pause is a misread answer.
LONGEST_PAUSE = timedelta(days=3)
BANNED_UNTIL = re.compile(r"banned until (\d{13})\b")
# A date header further off than this is the fault of a cache and says nothing about the exchange's clock.
CLOCKS_APART = timedelta(days=1)
LONGEST_BODY = 2000
USED_WEIGHT = "X-MBX-USED-WEIGHT-1M"
# Between two looks at a budget or a pause that should be over but is not: the two clocks differ a little.
SHORTEST_WAIT = 0.02


class ExchangeError(Exception):
    """A request that brought no answer."""


class ExchangeDownError(ExchangeError):
    """The source does not answer, or with an error of its own: trying again later can help."""


class ExchangeBusyError(ExchangeError):
    """The source wants no request before `until`; none is sent until then."""

    def __init__(self, message: str, until: datetime) -> None:
        super().__init__(f"{message}; no request before {until:%Y-%m-%d %H:%M:%S} UTC")
        self.until = until


class RequestRefusedError(ExchangeError):
    """The source finds fault with the request; the same one will be refused again."""


class UnknownSymbolError(RequestRefusedError):
    """The source has no such symbol."""


class MalformedAnswerError(ExchangeError):
    """An answer that cannot be read; `body` is its text, cut."""

    def __init__(self, reason: str, body: str) -> None:
        super().__init__(reason)
        # PostgreSQL keeps no zero in a text.
        self.body = body.replace("\0", "\\x00")[:LONGEST_BODY]


@dataclass(frozen=True)
class Answer:
    """A JSON answer and two clocks: ours when it was there, the source's own, which may be ours for want of one."""

    body: Any
    text: str
    received_at: datetime
    source_at: datetime


@dataclass(frozen=True)
class Cost:
    """What a request costs of the host's budget; `most` is the host's limit a minute until it tells its own."""

    weight: int
    most: int


@dataclass
class Spent:
    """What went through a door: requests that were sent, and their weight."""

    requests: int = 0
    weight: int = 0


def ask(
    host: str, send: Callable[[], requests.Response], clock: Clock, *, cost: Cost | None = None, patience: float = 0.0
) -> Answer:
    """Send one request once the host may be asked; ExchangeBusyError if that is not within `patience` seconds.

    A wish of the host to be left alone is put on record, for all processes. Without a cost the host has no budget.
    """
    window = _wait_for_turn(host, clock, cost, time.monotonic() + patience)
    try:
        response = send()
    except requests.RequestException as error:
        raise ExchangeDownError(f"{host} does not answer: {error}") from error
    if window is not None:
        _note_weight(host, window, response)
    return _read(host, response, clock())


def _wait_for_turn(host: str, clock: Clock, cost: Cost | None, ends: float) -> datetime | None:
    """Return the budget's minute that the request is to be sent in, None without a cost.

    Pauses are looked at again after every wait: what a process waits for may have ended in a ban of another's request.
    """
    while True:
        busy = _pause(host, clock())
        if busy is None:
            if cost is None:
                return None
            turn = reserve(host, cost.weight, most=cost.most)
            if turn.window is not None:
                return turn.window
            busy = ExchangeBusyError(f"the request weight for {host} is spent", clock() + timedelta(seconds=turn.wait))
        seconds = (busy.until - clock()).total_seconds()
        if time.monotonic() + seconds > ends:
            raise busy
        time.sleep(max(seconds, SHORTEST_WAIT))


def _pause(host: str, now: datetime) -> ExchangeBusyError | None:
    pause = pause_in_force(host, now)
    return None if pause is None else ExchangeBusyError(f"{host} is left alone: {pause.reason}", pause.until)


def _note_weight(host: str, window: datetime, response: requests.Response) -> None:
    told = response.headers.get(USED_WEIGHT, "")
    if re.fullmatch(r"[0-9]{1,12}", told):
        note_used(host, window, int(told))


def _read(host: str, response: requests.Response, now: datetime) -> Answer:
    status, (is_json, body) = response.status_code, _json(response.content)
    code, said = _complaint(body) if is_json else (0, "")
    where = f"{host} answers {status}" + (f" ({code}: {said})" if code else "")
    if status in QUIET or code == TOO_MANY:
        raise _keep_quiet(host, where, response, said, now)
    if status >= 500 or code in SERVER_CODES:
        raise ExchangeDownError(where)
    if code == UNKNOWN_SYMBOL:
        raise UnknownSymbolError(where)
    if status != 200 or code:
        raise RequestRefusedError(where)
    if not is_json and response.text.lstrip().startswith("<"):
        raise ExchangeDownError(f"{host} answers with a web page instead of data")
    if not is_json:
        raise MalformedAnswerError("the answer is no JSON", response.text)
    return Answer(body, response.text, now, _source_clock(response, now))


def _json(content: bytes) -> tuple[bool, Any]:
    try:
        return True, json.loads(content)
    # Brackets within brackets by the thousand end the parser's recursion.
    except (ValueError, RecursionError):
        return False, None


def _complaint(body: Any) -> tuple[int, str]:
    """The exchange's code and message, if the answer is one of its errors; 0 if not."""
    code = body.get("code") if isinstance(body, dict) else None
    if isinstance(code, bool) or not isinstance(code, int) or code >= 0:
        return 0, ""
    return code, str(body.get("msg"))[:200]


def _keep_quiet(host: str, where: str, response: requests.Response, said: str, now: datetime) -> ExchangeBusyError:
    """Put the pause on record, as long as the answer asks for."""
    asked = [_retry_after(response, now), _banned_until(said)]
    known = [moment for moment in asked if moment is not None]
    until = max(known) if known else now + timedelta(seconds=QUIET.get(response.status_code, QUIET[429]))
    until = min(max(until, now + timedelta(seconds=1)), now + LONGEST_PAUSE)
    pause_requests(host, until=until, reason=where)
    return ExchangeBusyError(where, until)


def _retry_after(response: requests.Response, now: datetime) -> datetime | None:
    """From seconds or a date, as HTTP has it."""
    said = response.headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", said):
        return now + timedelta(seconds=math.ceil(float(said)))
    return _date(said)


def _banned_until(said: str) -> datetime | None:
    found = BANNED_UNTIL.search(said)
    return to_datetime(int(found[1])) if found else None


def _source_clock(response: requests.Response, now: datetime) -> datetime:
    said = _date(response.headers.get("Date", ""))
    return said if said is not None and abs(said - now) <= CLOCKS_APART else now


def _date(said: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return None
    return moment if moment.tzinfo is not None and moment > EPOCH else None
