"""The stream as a process: one instance works, others stand by, all of it starts over if it breaks."""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ingestion.gaps import check_gaps
from ingestion.stream.exchange_time import ExchangeTime
from ingestion.stream.figures import Figures
from ingestion.stream.gap_checks import GapChecks
from ingestion.stream.inbox import Inbox
from ingestion.stream.pace import ConnectionLimit
from ingestion.stream.reception import Reception
from ingestion.stream.rules import Rules
from ingestion.stream.switchboard import Switchboard
from ingestion.stream.writer import SECONDS_TO_FLUSH, Writer

logger = logging.getLogger(__name__)
T = TypeVar("T")

SECONDS_TO_START_OVER = 5.0
SECONDS_FOR_GAP_CHECK = 2.0


class WriterDiedError(Exception):
    """The writing thread ended with an error, which it has printed."""


async def stream(rules: Rules, stop: asyncio.Event, *, check: Callable[[], object] = check_gaps) -> None:
    """Stream until `stop` is set; then write what has been heard, and return within seconds."""
    limit = ConnectionLimit()
    while not stop.is_set():
        try:
            await _Run(rules, limit, check).until(stop)
        except Exception:
            # The outermost boundary of a process that nobody watches at night: a bug must not silence the market.
            logger.exception("the stream broke and starts over")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SECONDS_TO_START_OVER):
                    await stop.wait()


class _Run:
    """Everything from the sockets to the database, made anew after it broke."""

    def __init__(self, rules: Rules, limit: ConnectionLimit, check: Callable[[], object]) -> None:
        figures, clock = Figures(), ExchangeTime()
        inbox = Inbox(rules.queue)
        self._gap_checks = GapChecks(check)
        reception = Reception(inbox, clock, figures)
        self._switchboard = Switchboard(reception, rules, limit, self._gap_checks.call)
        self._leads, self._follows, self._ended = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._is_orderly = False
        self._writer = Writer(
            inbox,
            clock,
            figures,
            symbols_every=rules.symbols_every,
            on_lead=_in_loop(self._note_lead),
            on_symbols=_in_loop(self._switchboard.want),
            on_end=_in_loop(self._note_end),
        )

    async def until(self, stop: asyncio.Event) -> None:
        self._writer.start()
        try:
            while not stop.is_set() and not self._ended.is_set():
                await _first(stop.wait(), self._ended.wait(), self._leads.wait())
                if self._leads.is_set():
                    self._gap_checks.call()
                    await _first(stop.wait(), self._ended.wait(), self._follows.wait(), self._switchboard.run())
        finally:
            await self._close()
        if self._ended.is_set() and not self._is_orderly:
            raise WriterDiedError("the writer of the stream ended with an error")

    async def _close(self) -> None:
        self._writer.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SECONDS_TO_FLUSH + 1):
                await self._ended.wait()
        await asyncio.to_thread(self._gap_checks.stop, seconds=SECONDS_FOR_GAP_CHECK)

    def _note_lead(self, is_ours: bool) -> None:
        now, over = (self._leads, self._follows) if is_ours else (self._follows, self._leads)
        now.set()
        over.clear()

    def _note_end(self, is_orderly: bool) -> None:
        self._is_orderly = is_orderly
        self._ended.set()


def _in_loop(call: Callable[[T], None]) -> Callable[[T], None]:
    """The same call, for another thread: it is made in this thread's event loop."""
    loop = asyncio.get_running_loop()

    def later(value: T) -> None:
        loop.call_soon_threadsafe(call, value)

    return later


async def _first(*awaited: Coroutine[Any, Any, Any]) -> None:
    """Wait until one of them is done, and end the others. An error of one is raised."""
    tasks = [asyncio.create_task(each) for each in awaited]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
