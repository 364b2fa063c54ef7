"""Keeps one share of the symbols on the air for ever: connection after connection, each up before the last one goes."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from websockets.exceptions import InvalidStatus, WebSocketException

from ingestion.stream.connection import Connection
from ingestion.stream.pace import ConnectionLimit, backoff_seconds
from ingestion.stream.reception import Reception
from ingestion.stream.rules import Rules

logger = logging.getLogger(__name__)

# A connection that lived this long was a good one: the next failure is the first in a row.
STEADY_SECONDS = 10.0
# Seconds to stay away after an answer that says so without saying how long: over the limit, banned, firewall.
STAY_AWAY = {429: 60, 418: 120, 403: 120}
# Binance bans for three days at most.
LONGEST_AWAY = 3 * 86_400


@dataclass
class _Life:
    """A connection, and the task it runs in."""

    connection: Connection
    task: "asyncio.Task[None]"
    born: float = field(default_factory=time.monotonic)


class Line:
    """`on_air` is called whenever a connection has begun to speak: what was said before it is missing."""

    def __init__(
        self,
        symbols: Iterable[str],
        reception: Reception,
        rules: Rules,
        limit: ConnectionLimit,
        on_air: Callable[[], None],
    ) -> None:
        self._symbols = frozenset(symbols)
        self._reception, self._rules, self._limit, self._on_air = reception, rules, limit, on_air
        self._lives: list[_Life] = []
        self._failures = 0
        self._pause = 0.0

    def want(self, symbols: Iterable[str]) -> None:
        self._symbols = frozenset(symbols)
        for life in self._lives:
            life.connection.want(self._symbols)

    async def run(self) -> None:
        """Never returns. Cancelled, it closes what is open."""
        try:
            while True:
                fresh = await self._begin()
                for older in [life for life in self._lives if life is not fresh]:
                    await self._end(older)
                self._on_air()
                await self._until_due(fresh)
        finally:
            for life in list(self._lives):
                await self._end(life)

    async def _begin(self) -> _Life:
        """A connection that speaks, sooner or later; one that still does meanwhile is left alone."""
        while True:
            await asyncio.sleep(self._pause)
            self._pause = 0.0
            while (wait := self._limit.take(time.monotonic())) > 0:
                await asyncio.sleep(wait)
            life = self._start()
            await _first(life.task, life.connection.is_speaking, seconds=self._patience)
            if not life.task.done():
                return life
            self._bury(life)

    @property
    def _patience(self) -> float:
        """A connection that has been up this long without its answers is taken as it is."""
        return self._rules.open_timeout + 2 * self._rules.silence

    async def _until_due(self, life: _Life) -> None:
        """Until it has ended, or the exchange or its age says that another one should take over."""
        renew = life.born + self._rules.renew_after - time.monotonic()
        await _first(life.task, life.connection.is_leaving, seconds=max(renew, 0))
        if life.task.done():
            self._bury(life)

    def _start(self) -> _Life:
        connection = Connection(self._symbols, self._reception, self._rules)
        life = _Life(connection, asyncio.create_task(connection.run()))
        self._lives.append(life)
        self._reception.figures.connections += 1
        return life

    async def _end(self, life: _Life) -> None:
        life.task.cancel()
        await asyncio.wait([life.task])
        self._bury(life)

    def _bury(self, life: _Life) -> None:
        """Note how it ended, and how long to stay away. What is no trouble of the network is a bug, and is raised."""
        self._lives.remove(life)
        self._reception.figures.connections -= 1
        if life.task.cancelled():
            return
        self._reception.figures.reconnects += 1
        error = life.task.exception()
        if not isinstance(error, OSError | WebSocketException):
            raise error or RuntimeError("a connection ended without a reason")
        lived = time.monotonic() - life.born
        self._failures = 0 if lived >= STEADY_SECONDS else self._failures + 1
        self._pause = max(seconds_to_stay_away(error), backoff_seconds(self._failures, random.random()))
        logger.warning("a connection to the exchange ended after %.1f s: %s", lived, str(error) or type(error).__name__)


def seconds_to_stay_away(error: BaseException) -> float:
    """What a refusal of the opening handshake asks for; 0 of any other trouble."""
    if not isinstance(error, InvalidStatus) or error.response.status_code not in STAY_AWAY:
        return 0.0
    said = error.response.headers.get("Retry-After", "")
    asked = int(said) if said.isascii() and said.isdigit() else STAY_AWAY[error.response.status_code]
    return float(min(asked, LONGEST_AWAY))


async def _first(task: "asyncio.Task[None]", event: asyncio.Event, *, seconds: float) -> None:
    """Return when the task is done, when the event is set or when the time is over."""
    waiting = asyncio.create_task(event.wait())
    try:
        await asyncio.wait([task, waiting], timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiting.cancel()
