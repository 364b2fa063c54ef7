"""Kline events in the exchange's words, and websocket frames as they go out on the wire. Pure.

Frames are made here and not by the web library, so that a burst is built once, shared by all connections, and
written in one piece.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

TEXT, BINARY = 0x81, 0x82
NO_TRADE = -1


def frame(payload: bytes, kind: int = TEXT) -> bytes:
    """One whole websocket frame from server to client (RFC 6455: final, not masked)."""
    length = len(payload)
    if length < 126:
        return bytes((kind, length)) + payload
    if length < 1 << 16:
        return bytes((kind, 126)) + length.to_bytes(2, "big") + payload
    return bytes((kind, 127)) + length.to_bytes(8, "big") + payload


def text_frame(text: str) -> bytes:
    return frame(text.encode())


def kline_event(
    symbol: str, interval: str, row: Sequence[Any], *, first_trade: int, event_ms: int, is_final: bool
) -> str:
    """A kline event of a row as REST serves it, so that both say the same. Trades count from `first_trade`."""
    open_ms, opened, high, low, close, volume, close_ms, quote, trades, taker_base, taker_quote, ignored = row
    first, last = (first_trade, first_trade + trades - 1) if trades else (NO_TRADE, NO_TRADE)
    return (
        f'{{"e":"kline","E":{event_ms},"s":"{symbol}","k":{{"t":{open_ms},"T":{close_ms},"s":"{symbol}"'
        f',"i":"{interval}","f":{first},"L":{last},"o":"{opened}","c":"{close}","h":"{high}","l":"{low}"'
        f',"v":"{volume}","n":{trades},"x":{"true" if is_final else "false"},"q":"{quote}","V":"{taker_base}"'
        f',"Q":"{taker_quote}","B":"{ignored}"}}}}'
    )


def shutdown_event(event_ms: int) -> str:
    return f'{{"e":"serverShutdown","E":{event_ms}}}'


@dataclass(frozen=True)
class Event:
    """What is said on one stream, `delay` wall seconds late; `form` makes a frame of its text."""

    stream: str
    data: str
    delay: float = 0.0
    form: Callable[[str], bytes] = text_frame

    @cached_property
    def alone(self) -> bytes:
        """The frame for a connection of raw streams."""
        return self.form(self.data)

    @cached_property
    def named(self) -> bytes:
        """The frame for a connection of combined streams, which names the stream."""
        return self.form(f'{{"stream":"{self.stream}","data":{self.data}}}')
