"""Something worth telling, and who wants to hear it. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from analytics.notifications.kinds import Kind

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Event:
    """What happened, when, under a key that is the same whenever it is found again.

    `at`: market time, or wall time where `on_wall`. `tell`: gathers what the message says, once, when it is needed.
    """

    kind: Kind
    key: str
    at: datetime
    tell: Callable[[], Facts]
    on_wall: bool = False
    symbol: str = ""
    timeframe: str = ""
    direction: int = 0
    expected_r: float | None = None

    @cached_property
    def facts(self) -> Facts:
        return self.tell()


@dataclass(frozen=True)
class Wish:
    """What a channel wants to hear. Empty lists mean all; what names no symbol passes all but `kinds`."""

    kinds: Sequence[str]
    symbols: Sequence[str] = ()
    timeframes: Sequence[str] = ()
    directions: Sequence[int] = ()
    minimum_expected_r: float | None = None

    def wants(self, event: Event) -> bool:
        if event.kind not in self.kinds:
            return False
        if not event.symbol:
            return True
        least = self.minimum_expected_r
        return (
            (not self.symbols or event.symbol in self.symbols)
            and (not self.timeframes or event.timeframe in self.timeframes)
            and (not self.directions or event.direction in self.directions)
            and (least is None or (event.expected_r is not None and event.expected_r >= least))
        )
