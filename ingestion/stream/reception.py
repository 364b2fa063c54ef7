"""Where all that the connections hear comes together: the exchange's time, who has spoken, candles for the writer."""

import time

from ingestion.refused import Refused
from ingestion.stream.exchange_time import ExchangeTime
from ingestion.stream.figures import Figures
from ingestion.stream.frames import ClosedCandle, RunningCandle, refuse
from ingestion.stream.inbox import Inbox
from ingestion.timeframes import MINUTE_MS


class Reception:
    """One for all connections. `closed` has the open time (ms) of the latest closed candle of each symbol.

    `skipped` are the symbols one of whose candles came without the one before it.
    """

    def __init__(self, inbox: Inbox, clock: ExchangeTime, figures: Figures) -> None:
        self.clock, self.figures = clock, figures
        self.closed: dict[str, int] = {}
        self.skipped: set[str] = set()
        self._inbox = inbox

    async def take(self, frame: ClosedCandle | RunningCandle | Refused, message: bytes) -> None:
        """Note what the frame tells. It takes as long as the writer needs to have room for a candle."""
        if isinstance(frame, Refused):
            return await self._inbox.put(frame)
        at = time.monotonic()
        self.figures.last_frame_at = at
        self.clock.note(frame.event_ms, at)
        if isinstance(frame, ClosedCandle):
            await self._take_candle(frame, message, at)

    async def _take_candle(self, frame: ClosedCandle, message: bytes, at: float) -> None:
        kline = frame.kline
        if not self.clock.has_come(kline.close_ms - MINUTE_MS, at):
            # Sound in itself, but alone with its time: one stray stamp must not move the market into the future.
            return await self._inbox.put(refuse(message, "the kline is of a minute that has not come yet"))
        before_ms = self.closed.get(kline.symbol, kline.open_ms)
        if kline.open_ms > before_ms + MINUTE_MS:
            self.skipped.add(kline.symbol)
        self.closed[kline.symbol] = max(kline.open_ms, before_ms)
        await self._inbox.put(kline)
