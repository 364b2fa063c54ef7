"""What the streams say and when: closing frames at every minute's end, and an update a second in between."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

import numpy as np

from ingestion.exchange.audience import SLOTS, Channel
from ingestion.exchange.frames import Event, kline_event
from ingestion.exchange.intervals import Interval
from ingestion.exchange.market_faults import MarketFaults
from ingestion.exchange.mishaps import Mishaps
from ingestion.exchange.running import Row
from ingestion.exchange.state import Exchange
from ingestion.timeframes import MINUTE_MS

NAP = 1.0 / SLOTS
# Further than this the clock was set and did not run: nobody is told of the minutes in between.
LONGEST_STEP_MS = 120 * MINUTE_MS
BURST_MINUTES = 60

Opening = Callable[[Interval], int | None]


class Broadcast:
    """The voice of the exchange, on the loop of its connections."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._audience = exchange.audience
        self._mishaps = Mishaps(exchange.faults)
        self._market_faults = MarketFaults(exchange)
        self._closed_ms = _minute_of(exchange.clock.now_ms())
        self._seen_ms, self._seen_at = exchange.clock.now_ms(), time.monotonic()
        self._slot = int(time.monotonic() / NAP)
        self._told_ms: dict[str, int] = {}

    async def run(self) -> NoReturn:
        """For as long as the exchange is there."""
        clock = self._exchange.clock
        while True:
            await asyncio.sleep(min(NAP, clock.wall_seconds_until(self._closed_ms + MINUTE_MS)))
            self._market_faults.apply()
            await self._close_minutes()
            self._update()
            await self._burst()
            self._audience.tell(self._mishaps.due())
            self._audience.look_after(self._exchange.stream_limits)

    # --- closing frames -----------------------------------------------------------------------------------------------

    async def _close_minutes(self) -> None:
        now_ms = self._exchange.clock.now_ms()
        until_ms = _minute_of(now_ms)
        if self._was_set(now_ms):
            self._closed_ms = until_ms
        while self._closed_ms < until_ms:
            self._closed_ms += MINUTE_MS
            closing = self._mishaps.audible(self._closing(self._closed_ms, self._audience.channels.values()))
            self._audience.tell(self._mishaps.distorted(closing))
            # Who runs behind a fast clock still has to answer requests.
            await asyncio.sleep(0)

    def _was_set(self, now_ms: int) -> bool:
        """Whether the clock has gone back, or much further on than it runs."""
        clock, at = self._exchange.clock, time.monotonic()
        ran_ms = 0.0 if clock.is_frozen else (at - self._seen_at) * 1000 * clock.speed
        step_ms = now_ms - self._seen_ms
        self._seen_ms, self._seen_at = now_ms, at
        return step_ms < 0 or step_ms - ran_ms > LONGEST_STEP_MS

    def _closing(self, close_ms: int, channels: Iterable[Channel]) -> list[Event]:
        """The final frames of all candles of these streams that close at this moment."""

        def opening(interval: Interval) -> int | None:
            return _open_of(interval, close_ms - 1) if _open_of(interval, close_ms) == close_ms else None

        return self._events(channels, opening, close_ms, is_final=True)

    async def _burst(self) -> None:
        """Once more the closing frames of the last minutes, all at once."""
        fault = next((fault for fault in self._exchange.faults.active() if fault.kind == "burst"), None)
        if fault is None:
            return
        fault.count = 0
        minutes = int(fault.parameters.get("minutes", BURST_MINUTES))
        for back in range(minutes - 1, -1, -1):
            chosen = [channel for channel in self._audience.channels.values() if fault.concerns(symbol=channel.symbol)]
            self._audience.tell(self._closing(self._closed_ms - back * MINUTE_MS, chosen))
            await asyncio.sleep(0)

    # --- updates ------------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        """One frame a second for each stream whose candle has moved on."""
        now_ms, slot = self._exchange.clock.now_ms(), int(time.monotonic() / NAP)
        passed = range(max(self._slot + 1, slot - SLOTS + 1), slot + 1)
        self._slot = slot
        due = [channel for each in passed for channel in self._audience.due_in(each)]
        moved = [channel for channel in due if self._told_ms.get(channel.stream) != now_ms]
        self._told_ms.update({channel.stream: now_ms for channel in moved})
        running = self._events(moved, lambda interval: _open_of(interval, now_ms), now_ms, is_final=False)
        self._audience.tell(self._mishaps.audible(running))

    # --- both ---------------------------------------------------------------------------------------------------------

    def _events(self, channels: Iterable[Channel], opening: Opening, at_ms: int, *, is_final: bool) -> list[Event]:
        """What there is to tell, at the moment `at_ms`, of the candles that `opening` gives for each interval."""
        opens: dict[Interval, int | None] = {}
        found = []
        event_ms = self._exchange.clock.now_ms()
        for channel in list(channels):
            interval = channel.interval
            if interval not in opens:
                opens[interval] = opening(interval)
            row = self._row(channel, opens[interval], at_ms)
            # Nothing is said of a candle before its first trade; its end is told in any case.
            if row is not None and (is_final or row.volume > 0):
                said = kline_event(channel.symbol, interval.name, row, event_ms=event_ms, is_final=is_final)
                found.append(Event(channel.stream, channel.symbol, said))
        return found

    def _row(self, channel: Channel, open_ms: int | None, at_ms: int) -> Row | None:
        market, symbol = self._exchange.market, channel.symbol
        if open_ms is None or not market.is_listed(symbol, at_ms):
            return None
        if channel.interval.ms == MINUTE_MS:
            return market.minute(symbol, open_ms, at_ms)
        bars = market.klines(symbol, channel.interval.name, start_ms=open_ms, end_ms=open_ms, limit=1, now_ms=at_ms)
        return bars.rows()[0] if len(bars) else None


def _minute_of(ms: int) -> int:
    return ms // MINUTE_MS * MINUTE_MS


def _open_of(interval: Interval, ms: int) -> int:
    return int(interval.opens(np.array([ms]))[0])
