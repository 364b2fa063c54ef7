"""What a message of the exchange's websocket says: a closed candle, a running one, a reply, or nothing sound. Pure."""

import hashlib
import json
from collections.abc import Container
from dataclasses import dataclass

from ingestion.csv_rows import EARLIEST_MS, LATEST_MS
from ingestion.kline import BadKlineError, Kline, from_frame, is_final
from ingestion.refused import LONGEST_PAYLOAD, Refused
from ingestion.stream.plan import stream_of

# The exchange closes a candle when its minute is over; its two clocks may be this far apart.
CLOCKS_APART_MS = 1000


@dataclass(frozen=True)
class ClosedCandle:
    """A final kline, and when the exchange sent it."""

    kline: Kline
    event_ms: int

    @property
    def symbol(self) -> str:
        return self.kline.symbol


@dataclass(frozen=True)
class RunningCandle:
    """A sign of life of a symbol; its figures still move and are not looked at."""

    symbol: str
    event_ms: int


@dataclass(frozen=True)
class Reply:
    """The answer to a request of ours; `complaint` is empty if it was granted."""

    request: int | None
    complaint: str


@dataclass(frozen=True)
class Shutdown:
    """This server will go away within minutes; another one will answer a connection made now."""


Frame = ClosedCandle | RunningCandle | Reply | Shutdown | Refused


class _BadFrameError(ValueError):
    """Says what is wrong with the message."""


def read(message: bytes, symbols: Container[str]) -> Frame:
    """The message as one of the five kinds; klines of symbols that nobody asked for are refused."""
    try:
        return _read(message, symbols)
    except (_BadFrameError, BadKlineError) as error:
        return refuse(message, str(error))


def refuse(message: bytes, reason: str) -> Refused:
    # PostgreSQL keeps no zero in a text.
    payload = message[:LONGEST_PAYLOAD].decode("utf-8", "backslashreplace").replace("\0", "\\x00")
    return Refused(payload[:LONGEST_PAYLOAD], reason, hashlib.sha256(message).hexdigest())


def _read(message: bytes, symbols: Container[str]) -> Frame:
    said = _json(message)
    if not isinstance(said, dict):
        raise _BadFrameError("the message is no object")
    stream, data = said.get("stream"), said.get("data", said)
    if not isinstance(data, dict):
        raise _BadFrameError("the message holds no event")
    match data.get("e"):
        case "kline":
            return _kline(stream, data, symbols)
        case "serverShutdown":
            return Shutdown()
        case None if "result" in said or "error" in said or "code" in said:
            return _reply(said)
    raise _BadFrameError("the message is of an unknown kind")


def _json(message: bytes) -> object:
    try:
        return json.loads(message.decode("utf-8"))
    # Brackets within brackets by the thousand end the parser's recursion.
    except (ValueError, RecursionError):
        raise _BadFrameError("the message is no JSON") from None


def _kline(stream: object, data: dict[str, object], symbols: Container[str]) -> ClosedCandle | RunningCandle:
    k, symbol, event_ms = data.get("k"), data.get("s"), data.get("E")
    if not isinstance(k, dict) or not isinstance(symbol, str) or k.get("s") != symbol or k.get("i") != "1m":
        raise _BadFrameError("the event is no 1m kline of one symbol")
    if symbol not in symbols:
        raise _BadFrameError("the kline is of a symbol that was not asked for")
    if stream is not None and stream != stream_of(symbol):
        raise _BadFrameError("the kline came on the stream of another symbol")
    if isinstance(event_ms, bool) or not isinstance(event_ms, int) or not EARLIEST_MS <= event_ms <= LATEST_MS:
        raise _BadFrameError("the event time is not in milliseconds between 2009 and 2100")
    if k.get("x") is False:
        return RunningCandle(symbol, event_ms)
    if not is_final(k):
        raise _BadFrameError("the kline says neither that it is final nor that it is not")
    closed = from_frame(k)
    if event_ms + CLOCKS_APART_MS < closed.close_ms:
        raise _BadFrameError("the kline says that it is final before its minute is over")
    return ClosedCandle(closed, event_ms)


def _reply(said: dict[str, object]) -> Reply:
    request = said.get("id")
    complaint = said.get("error", said if "code" in said else None)
    known = request if isinstance(request, int) and not isinstance(request, bool) else None
    return Reply(known, "" if complaint is None else json.dumps(complaint)[:200])
