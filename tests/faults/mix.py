"""A random day at the exchange: which fault begins when, and how long it lasts. The same seed gives the same day."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

KLINES, TIME = "/api/v3/klines", "/api/v3/time"
# Kind, how often among the others, the order that goes with it. What counts comes so many times and is over.
KINDS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("disconnect", 3, {}),
    ("shutdown", 1, {}),
    ("kill", 2, {}),
    ("stall", 3, {}),
    ("stall", 2, {"symbols": 1}),
    ("refuse_streams", 2, {"parameters": {"how": "abort"}}),
    ("malformed_frame", 2, {"count": 3, "parameters": {"instead": True}}),
    ("binary_frame", 1, {"count": 2}),
    ("oversized_frame", 1, {"count": 1}),
    ("unknown_event", 1, {"count": 2}),
    ("wrong_symbol", 1, {"count": 2}),
    ("bad_price", 2, {"count": 2, "parameters": {"price": "1e400"}}),
    ("off_grid", 1, {"count": 1}),
    ("duplicate", 2, {"count": 8}),
    ("late", 2, {"count": 4, "parameters": {"delay": 2.5}}),
    ("out_of_order", 2, {"count": 4}),
    ("never_closed", 3, {"count": 4}),
    ("burst", 2, {"parameters": {"minutes": 90}, "count": 1}),
    ("5xx", 2, {"paths": [KLINES]}),
    ("html", 1, {"paths": [KLINES, TIME]}),
    ("malformed", 1, {"paths": [KLINES]}),
    ("timeout", 1, {"paths": [KLINES]}),
    ("refuse", 1, {"paths": [KLINES, TIME]}),
    ("short", 2, {"paths": [KLINES], "parameters": {"rows": 2}}),
    ("429", 1, {"count": 1, "paths": [KLINES], "parameters": {"seconds": 4}}),
    ("418", 1, {"count": 1, "paths": [KLINES], "parameters": {"seconds": 6}}),
    ("maintenance", 1, {}),
    ("halt", 1, {"symbols": 1}),
)


@dataclass(frozen=True)
class Trouble:
    """A fault that begins `after` wall seconds after the one before and lasts so many, if it is not counted."""

    after: float
    kind: str
    seconds: float
    order: dict[str, Any] = field(default_factory=dict)


def troubles(seed: int, names: tuple[str, ...]) -> Iterator[Trouble]:
    """Without end."""
    chance = random.Random(seed)
    weights = [weight for _, weight, _ in KINDS]
    while True:
        kind, _, order = chance.choices(KINDS, weights)[0]
        chosen = {"symbols": chance.sample(names, order["symbols"])} if "symbols" in order else {}
        yield Trouble(chance.uniform(0.1, 2.0), kind, chance.uniform(0.5, 5.0), order | chosen)
