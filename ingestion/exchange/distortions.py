"""What can go wrong with a closing frame: each kind makes of one event those that are sent in its place. Pure."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ingestion.exchange.frames import BINARY, Event, frame, text_frame

Parameters = Mapping[str, Any]
Distortion = Callable[[Event, Parameters], list[Event]]

OVERSIZED = 10_000_000
OFF_GRID_MS = 17_000


def _changed(event: Event, changes: Mapping[str, Any], **top: Any) -> Event:
    """The event with other values in its kline and, by `top`, beside it."""
    said = json.loads(event.data)
    said["k"].update(changes)
    return replace(event, data=json.dumps(said | top, separators=(",", ":")))


def _kline(event: Event) -> dict[str, Any]:
    k: dict[str, Any] = json.loads(event.data)["k"]
    return k


# --- in place of the frame --------------------------------------------------------------------------------------------


def _bad_price(event: Event, given: Parameters) -> list[Event]:
    """`price` is whatever JSON can say, NaN as a text by default; `field` says where, the close by default."""
    return [_changed(event, {str(given.get("field", "c")): given.get("price", "NaN")})]


def _restated(event: Event, given: Parameters) -> list[Event]:
    """Sound, but not what REST will say: close and volume are `factor` times as much, 1.001 by default."""
    k, factor = _kline(event), float(given.get("factor", 1.001))
    close = float(k["c"]) * factor
    high, low = max(float(k["h"]), close), min(float(k["l"]), close)
    figures = {"c": close, "h": high, "l": low, "v": float(k["v"]) * factor}
    return [_changed(event, {name: f"{value:.8f}" for name, value in figures.items()})]


def _off_grid(event: Event, given: Parameters) -> list[Event]:
    """The candle opens and closes `shift_ms` after its minute, 17 seconds by default."""
    k, shift = _kline(event), int(given.get("shift_ms", OFF_GRID_MS))
    return [_changed(event, {"t": k["t"] + shift, "T": k["T"] + shift})]


def _never_closed(event: Event, given: Parameters) -> list[Event]:
    return [_changed(event, {"x": False})]


def _late(event: Event, given: Parameters) -> list[Event]:
    """`delay` in wall seconds, 5 by default."""
    return [replace(event, delay=event.delay + float(given.get("delay", 5.0)))]


def _duplicate(event: Event, given: Parameters) -> list[Event]:
    """The frame `times` times, twice by default."""
    return [event] * int(given.get("times", 2))


# --- beside the frame, or with `instead` in its place -----------------------------------------------------------------


def _beside(make: Callable[[Event, Parameters], Event]) -> Distortion:
    def distort(event: Event, given: Parameters) -> list[Event]:
        return [make(event, given)] if given.get("instead") else [make(event, given), event]

    return distort


def _malformed(event: Event, given: Parameters) -> Event:
    return replace(event, form=lambda text: text_frame(text.replace(":", ";", 3)))


def _truncated(event: Event, given: Parameters) -> Event:
    return replace(event, form=lambda text: text_frame(text[: len(text) * 2 // 3]))


def _binary(event: Event, given: Parameters) -> Event:
    return replace(event, form=lambda text: frame(bytes(byte ^ 0xA5 for byte in text.encode()), BINARY))


def _oversized(event: Event, given: Parameters) -> Event:
    """`bytes` long, 10 million by default, and sound in every other way."""
    padding = "x" * int(given.get("bytes", OVERSIZED))
    return replace(event, data=f'{event.data[:-1]},"padding":"{padding}"}}')


def _unknown_event(event: Event, given: Parameters) -> Event:
    """`event` is its name."""
    return replace(event, data=json.dumps({"e": given.get("event", "somethingNew"), "E": 1, "x": [{"y": None}]}))


def _wrong_symbol(event: Event, given: Parameters) -> Event:
    """A sound kline of another `symbol` on this stream."""
    symbol = given.get("symbol", "WRONGUSDT")
    return _changed(event, {"s": symbol}, s=symbol)


DISTORTIONS: dict[str, Distortion] = {
    "bad_price": _bad_price,
    "restated": _restated,
    "off_grid": _off_grid,
    "never_closed": _never_closed,
    "late": _late,
    "duplicate": _duplicate,
    "malformed_frame": _beside(_malformed),
    "truncated_frame": _beside(_truncated),
    "binary_frame": _beside(_binary),
    "oversized_frame": _beside(_oversized),
    "unknown_event": _beside(_unknown_event),
    "wrong_symbol": _beside(_wrong_symbol),
}
