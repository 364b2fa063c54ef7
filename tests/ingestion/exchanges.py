"""The exchange simulator, running in a thread of the test, and a client for its control endpoint."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any

import requests

from ingestion.exchange.clock import ExchangeClock
from ingestion.exchange.listings import Listing
from ingestion.exchange.market import Market
from ingestion.exchange.server import Places, serving
from ingestion.exchange.state import Exchange
from ingestion.timeframes import Candles

STARTS_WITHIN = 10


class Control:
    """The control endpoint, spoken to over HTTP as anybody outside would."""

    def __init__(self, url: str) -> None:
        self.url = url

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        answer = requests.request(method, self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    def get(self, path: str) -> Any:
        return self.ask("GET", path)

    def post(self, path: str, body: Any = None) -> Any:
        return self.ask("POST", path, body)

    def delete(self, path: str) -> Any:
        return self.ask("DELETE", path)


@dataclass(frozen=True)
class RunningExchange:
    """An exchange at its addresses. `exchange` is the object itself: its clock, faults and log may be used directly."""

    exchange: Exchange
    places: Places
    loop: asyncio.AbstractEventLoop

    @property
    def rest_url(self) -> str:
        return self.places.rest_url

    @property
    def stream_url(self) -> str:
        return self.places.stream_url

    @property
    def control(self) -> Control:
        return Control(self.places.control_url)


@contextmanager
def running_exchange(
    market: Market | Mapping[str, Candles],
    *,
    listings: list[Listing] | None = None,
    start_ms: int | None = None,
    speed: float = 1.0,
    frozen: bool = False,
    port: int = 0,
    **parts: Any,
) -> Iterator[RunningExchange]:
    """The exchange for the length of the block, its clock at `start_ms` (the end of the candles).

    `parts` are other fields of Exchange. With a `port` it can be stopped and come back where it was.
    """
    traded = market if isinstance(market, Market) else Market(market, listings)
    clock = ExchangeClock(traded.end_ms if start_ms is None else start_ms, speed)
    if frozen:
        clock.freeze()
    exchange = Exchange(traded, clock, **parts)
    server = _Server(exchange, port)
    server.start()
    try:
        yield RunningExchange(exchange, server.wait(), server.loop)
    finally:
        server.stop()


class _Server:
    """A thread with an event loop of its own."""

    def __init__(self, exchange: Exchange, port: int) -> None:
        self.exchange, self.port = exchange, port
        self.loop = asyncio.new_event_loop()
        self._places: Places | None = None
        self._error: OSError | None = None
        self._is_up, self._stop = Event(), asyncio.Event()
        self._thread = Thread(target=self._run, name="exchange", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wait(self) -> Places:
        assert self._is_up.wait(STARTS_WITHIN), "the exchange did not start"
        if self._error is not None:
            raise self._error
        assert self._places is not None
        return self._places

    def stop(self) -> None:
        if not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            self.loop.run_until_complete(self._serve())
        except OSError as error:
            self._error = error
        finally:
            self.loop.close()
            self._is_up.set()

    async def _serve(self) -> None:
        async with serving(self.exchange, port=self.port) as self._places:
            self._is_up.set()
            await self._stop.wait()
