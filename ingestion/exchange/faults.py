"""What the exchange has been told to do wrong, and for how long."""

import time
from dataclasses import dataclass, field
from typing import Any

OUT_OF_ORDER = "out_of_order"
SILENCE = ("stall", "maintenance")

# Every kind and what it does, with its parameters. `seconds` and `delay` are those of the wall clock.
REST_KINDS = {
    "refuse": "the connection is reset",
    "timeout": "no answer, until the client has had enough",
    "418": "a ban of `seconds` (default: as long as it is the address's turn)",
    "429": "a plea to wait `seconds` (default 60)",
    "403": "a web page of the firewall",
    "451": "a refusal of the region",
    "5xx": "an error with `status` (default 500) and `body`",
    "html": "a web page with `status` (default 200)",
    "malformed": "half of the answer",
    "slow": "the answer after `seconds` (default 1)",
    "short": "`rows` candles (default 1) of those asked for",
}
CLOSING_KINDS = {
    "bad_price": "a figure that is none: `price` (any JSON, default NaN) in `field` (default c)",
    "restated": "other figures than REST serves, `factor` times as much (default 1.001)",
    "off_grid": "open and close `shift_ms` later (default 17000)",
    "never_closed": "the last frame of the candle says x=false",
    "late": "sent after `delay` seconds (default 5)",
    "duplicate": "sent `times` times (default 2)",
    OUT_OF_ORDER: "sent behind the next one of its stream",
    "malformed_frame": "a text that is no JSON before it, or `instead` of it",
    "truncated_frame": "two thirds of it before it, or `instead` of it",
    "binary_frame": "a binary frame before it, or `instead` of it",
    "oversized_frame": "the same with `bytes` of padding (default 10000000) before it, or `instead` of it",
    "unknown_event": "an `event` nobody knows before it, or `instead` of it",
    "wrong_symbol": "the same of another `symbol` before it, or `instead` of it",
}
STREAM_KINDS = CLOSING_KINDS | {
    "stall": "connections stay open and pings come, but no frame does",
    "refuse_streams": "no handshake: answered with 503, or cut off if `how` is abort",
    "burst": "the closing frames of the last `minutes` (default 60) once more, at once",
}
MARKET_KINDS = {
    "halt": "status BREAK, no frames; its minutes never get candles",
    "maintenance": "everything halted and silent, handshakes and REST answered with 503",
    "delisting": "unknown to the exchange from now on, also when the fault is over",
}
ARCHIVE_KINDS = {
    "archive_checksum": "the checksum is not that of the file",
    "archive_replaced": "other figures, `factor` times as much (default 1.001), with a right checksum",
    "archive_missing": "the file does not exist (404)",
}
KINDS = REST_KINDS | STREAM_KINDS | MARKET_KINDS | ARCHIVE_KINDS


@dataclass
class Fault:
    """One misbehaviour: of these symbols and paths (empty: of all), until a wall time (s) or so many times."""

    kind: str
    symbols: frozenset[str] = frozenset()
    paths: frozenset[str] = frozenset()
    until: float | None = None
    count: int | None = None
    parameters: dict[str, Any] = field(default_factory=dict)

    def is_over(self) -> bool:
        return self.count == 0 or (self.until is not None and time.time() >= self.until)

    def concerns(self, path: str = "", symbol: str = "") -> bool:
        return (not self.paths or path in self.paths) and (not self.symbols or symbol in self.symbols)

    def strikes(self, path: str = "", symbol: str = "") -> bool:
        """Whether it happens here and now; if so it is one time fewer to come."""
        if self.is_over() or not self.concerns(path, symbol):
            return False
        if self.count is not None:
            self.count -= 1
        return True


class Faults:
    """The faults in force, oldest first. May be changed from any thread."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._active = [*self.active(), fault]

    def clear(self, kind: str | None = None) -> None:
        """End the faults of a kind, or all of them."""
        self._active = [fault for fault in self._active if kind is not None and fault.kind != kind]

    def active(self) -> list[Fault]:
        return [fault for fault in self._active if not fault.is_over()]

    def first(self, kind: str, *, path: str = "", symbol: str = "") -> Fault | None:
        """The fault of this kind that concerns the path and symbol, if any; asking counts it down."""
        return next((each for each in self._active if each.kind == kind and each.strikes(path, symbol)), None)
