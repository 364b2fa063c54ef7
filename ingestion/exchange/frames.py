"""Kline events in the exchange's words, and websocket frames as they go out on the wire. Pure.

Frames are made here and not by the web library, so that a burst is built once, shared by all connections, and
written in one piece.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import isnan

from ingestion.exchange.running import Row
from ingestion.timeframes import MINUTE_MS

TEXT, BINARY, PING, PONG = 0x81, 0x82, 0x89, 0x8A
NO_TRADE = -1
NUMBERS_A_MINUTE = 10_000


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


def kline_event(symbol: str, interval: str, row: Row, *, event_ms: int, is_final: bool) -> str:
    """A kline event in the exchange's order and types; what the source of the candle lacks is 0, as in REST.

    Trades are numbered from the candle's place in time, for want of their real numbers.
    """
    trades = int(_known(row.trades))
    first = row.open_ms // MINUTE_MS * NUMBERS_A_MINUTE
    first, last = (first, first + trades - 1) if trades else (NO_TRADE, NO_TRADE)
    return (
        f'{{"e":"kline","E":{event_ms},"s":"{symbol}","k":{{"t":{row.open_ms},"T":{row.close_ms},"s":"{symbol}"'
        f',"i":"{interval}","f":{first},"L":{last},"o":"{row.open:.8f}","c":"{row.close:.8f}","h":"{row.high:.8f}"'
        f',"l":"{row.low:.8f}","v":"{row.volume:.8f}","n":{trades},"x":{"true" if is_final else "false"}'
        f',"q":"{_known(row.quote_volume):.8f}","V":"{_known(row.taker_base):.8f}"'
        f',"Q":"{_known(row.taker_quote):.8f}","B":"0"}}}}'
    )


def _known(figure: float) -> float:
    return 0.0 if isnan(figure) else figure


def shutdown_event(event_ms: int) -> str:
    return f'{{"e":"serverShutdown","E":{event_ms}}}'


@dataclass(frozen=True)
class Event:
    """What is said on the stream of one symbol, `delay` wall seconds late; `form` makes a frame of its text."""

    stream: str
    symbol: str
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
