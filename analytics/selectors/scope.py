"""What a question is about: a stretch of market time, and which symbol and timeframe."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

# Before the first candle there is no market time and nothing to find; any stretch will do that holds nothing.
BEFORE_TIME = datetime(1971, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Scope:
    """Market time (since, until]; `symbol` and `timeframe` empty mean all of them."""

    since: datetime
    until: datetime
    symbol: str = ""
    timeframe: str = ""

    @classmethod
    def last(cls, length: timedelta, *, until: datetime, symbol: str = "", timeframe: str = "") -> "Scope":
        return cls(until - length, until, symbol, timeframe)

    @property
    def at(self) -> datetime | None:
        """The moment that an answer is of."""
        return None if self.until == BEFORE_TIME else self.until

    def filters(self, column: str) -> dict[str, Any]:
        """The scope as filters of a queryset whose time is `column`."""
        chosen = {name: getattr(self, name) for name in ("symbol", "timeframe") if getattr(self, name)}
        return {f"{column}__gt": self.since, f"{column}__lte": self.until, **chosen}
