"""Which symbols share a connection, and the messages that ask the exchange for them. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Enough for a connection to be complete in two seconds, and a message stays far below any limit of its size.
STREAMS_A_MESSAGE = 200

Shares = dict[int, frozenset[str]]


@dataclass(frozen=True)
class Request:
    """One message to the exchange: take these symbols on, or off."""

    method: str
    symbols: tuple[str, ...]

    def text(self, number: int) -> str:
        """The message; the answer will carry its number."""
        streams = [stream_of(symbol) for symbol in self.symbols]
        return json.dumps({"method": self.method, "params": streams, "id": number}, ensure_ascii=False)


def stream_of(symbol: str) -> str:
    """Name of the stream of a symbol's 1m candles."""
    return f"{symbol.lower()}@kline_1m"


def share_out(shares: Mapping[int, frozenset[str]], wanted: Iterable[str], most: int) -> Shares:
    """Shares of at most `most` symbols for as few connections as can be; a symbol stays where it is.

    Connections go by number: a new one gets the lowest that is free, one that is left without symbols is absent.
    """
    wanted = set(wanted)
    kept = {number: set(symbols & wanted) for number, symbols in sorted(shares.items()) if symbols & wanted}
    homeless = sorted(wanted.difference(*kept.values()))
    for symbols in kept.values():
        room = max(most - len(symbols), 0)
        symbols.update(homeless[:room])
        homeless = homeless[room:]
    while homeless:
        number = next(n for n in range(len(kept) + 1) if n not in kept)
        kept[number], homeless = set(homeless[:most]), homeless[most:]
    return {number: frozenset(symbols) for number, symbols in kept.items()}


def requests(asked: Iterable[str], wanted: Iterable[str], again: Iterable[str] = ()) -> list[Request]:
    """What turns the subscriptions `asked` into those `wanted`; symbols of `again` are taken off and on."""
    asked, wanted = set(asked), set(wanted)
    renewed = set(again) & asked & wanted
    return [
        *_batches("UNSUBSCRIBE", (asked - wanted) | renewed),
        *_batches("SUBSCRIBE", (wanted - asked) | renewed),
    ]


def _batches(method: str, symbols: Iterable[str]) -> list[Request]:
    names = sorted(symbols)
    return [
        Request(method, tuple(names[start : start + STREAMS_A_MESSAGE]))
        for start in range(0, len(names), STREAMS_A_MESSAGE)
    ]
