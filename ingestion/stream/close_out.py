"""Looks after every minute, some seconds after its close, whether a symbol's candle has not come."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable

from ingestion.stream.reception import Reception
from ingestion.timeframes import MINUTE_MS

logger = logging.getLogger(__name__)

# However fast the market goes, frames need some time on the way, and the gap check should not run all the time.
LEAST_WALL_SECONDS = 1.0


class CloseOut:
    """Calls for what is missing: REST has it, since frames of quiet symbols can be late or never come."""

    def __init__(self, reception: Reception, *, grace: float, call: Callable[[], None]) -> None:
        self._reception, self._grace, self._call = reception, grace, call
        self._symbols: frozenset[str] = frozenset()
        self._looked_at = 0
        self._told: list[str] = []

    def want(self, symbols: Iterable[str]) -> None:
        self._symbols = frozenset(symbols)

    async def run(self) -> None:
        """Never returns."""
        while True:
            await asyncio.sleep(self.look(time.monotonic()))

    def look(self, at: float) -> float:
        """Look at the latest minute that should be complete, unless that was done; seconds until the next look."""
        clock = self._reception.clock
        now_ms = clock.now_ms(at)
        if now_ms is None:
            return LEAST_WALL_SECONDS
        due_ms = now_ms - max(self._grace, LEAST_WALL_SECONDS * clock.speed) * 1000
        close_ms = int(due_ms) // MINUTE_MS * MINUTE_MS
        if close_ms != self._looked_at:
            self._looked_at = close_ms
            self._call_for(self._missing(close_ms))
        return max(LEAST_WALL_SECONDS, clock.wall_seconds(close_ms + MINUTE_MS - due_ms))

    def _missing(self, close_ms: int) -> list[str]:
        """The symbols whose candle that closed then has not come, and those that have left out one since last time."""
        closed, skipped = self._reception.closed, self._reception.skipped
        late = {symbol for symbol in self._symbols if closed.get(symbol, 0) < close_ms - MINUTE_MS}
        missing = sorted(late | (skipped & self._symbols))
        skipped.clear()
        return missing

    def _call_for(self, missing: list[str]) -> None:
        if missing:
            self._call()
        if missing and missing != self._told:
            shown = ", ".join(missing[:5]) + (", ..." if len(missing) > 5 else "")
            logger.info("no candle of the last minute came for %d symbols (%s); REST is asked", len(missing), shown)
        self._told = missing
