"""The stream in a thread of the test or as a process of its own, and a websocket server that does what it is told."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from threading import Event, Thread
from typing import Any

from django.db import connection
from websockets.asyncio.server import Request, Response, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed

from alphapulse_site.clock import set_market_clock
from alphapulse_site.jobs import lock_key
from alphapulse_site.models import MarketClock
from ingestion.models import Symbol
from ingestion.stream.plan import stream_of
from ingestion.stream.process import stream
from ingestion.stream.rules import Rules
from ingestion.stream.writer import LOCK
from ingestion.timeframes import MINUTE_MS

ROOT = Path(__file__).resolve().parents[2]
MARCH_24 = 1_679_616_000_000


def wait_until(what: Callable[[], Any], *, seconds: float = 10.0) -> Any:
    """What it says as soon as that is true; an error after the time."""
    end = time.monotonic() + seconds
    while not (said := what()):
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)
    return said


def list_symbols(*names: str) -> None:
    Symbol.objects.bulk_create([Symbol(name=name, base_asset=name[:-4], quote_asset="USDT") for name in names])


def set_speed(speed: float) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=speed)


# --- the database -----------------------------------------------------------------------------------------------------


def lock_holders() -> list[int]:
    """The sessions that hold the lock of the stream in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()"
            " AND (classid::bigint << 32) | objid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [lock_key(LOCK)],
        )
        return [pid for (pid,) in cursor.fetchall()]


@contextmanager
def candles_locked() -> Iterator[None]:
    """A database in which no candle can be written for a while."""
    with connection.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE candles IN EXCLUSIVE MODE")
        try:
            yield
        finally:
            cursor.execute("COMMIT")


# --- the stream -------------------------------------------------------------------------------------------------------


@dataclass
class RunningStream:
    """A stream in a thread; `checks` are the moments at which the gap check was called."""

    rules: Rules
    checks: list[float] = field(default_factory=list)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(stream(self.rules, self._stop, check=self.note_check))
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            self._loop.close()

    def note_check(self) -> None:
        self.checks.append(time.monotonic())

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def running_stream(url: str, **rules: Any) -> Iterator[RunningStream]:
    """Streams into the test's database for the length of the block; the gap check is counted and does nothing."""
    quick = {"silence": 5.0, "symbols_every": 0.3, "open_timeout": 2.0}
    running = RunningStream(Rules(url=url, **(quick | rules)))
    thread = Thread(target=running.run, name="stream", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join(15)
        assert not thread.is_alive(), "the stream did not stop"


@contextmanager
def stream_process(
    environment: dict[str, str], url: str, log: Path, **settings: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """`manage.py stream` on the database of the environment, killed at the end; its log is in the file."""
    more = {f"ALPHAPULSE_STREAM_{name.upper()}": str(value) for name, value in settings.items()}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-W", "ignore", "manage.py", "stream"],
            cwd=ROOT,
            env=environment | {"ALPHAPULSE_STREAM_URL": url} | more,
            stdout=file,
            stderr=file,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(10)


# --- a server ---------------------------------------------------------------------------------------------------------


def kline_message(symbol: str, minute: int, *, final: bool = True, close: float = 100.0, **changes: Any) -> str:
    """A frame as the exchange sends it, of the minute that many after the start; `changes` go into its kline."""
    opens = MARCH_24 + minute * MINUTE_MS
    k: dict[str, Any] = {"t": opens, "T": opens + 59_999, "s": symbol, "i": "1m", "f": 1, "L": 9, "o": "100.0"}
    k |= {"c": f"{close:.2f}", "h": "200.0", "l": "50.0", "v": "5.0", "n": 9, "x": final, "q": "500.0", "V": "2.0"}
    k |= {"Q": "200.0", "B": "0"} | changes
    event = {"e": "kline", "E": opens + (60_010 if final else 30_000), "s": symbol, "k": k}
    return json.dumps({"stream": stream_of(symbol), "data": event})


Script = Callable[["ServedConnection"], Awaitable[None]]


@dataclass
class ServedConnection:
    """One connection to the server, seen from there."""

    number: int
    socket: ServerConnection
    requests: list[dict[str, Any]] = field(default_factory=list)
    heard_at: list[float] = field(default_factory=list)
    streams: set[str] = field(default_factory=set)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)

    async def say(self, *messages: str | bytes) -> None:
        for message in messages:
            await self.socket.send(message)

    async def listen(self) -> None:
        """Grant what is asked for until the client goes."""
        async for message in self.socket:
            request = json.loads(message)
            self.requests.append(request)
            self.heard_at.append(time.monotonic())
            change = self.streams.update if request["method"] == "SUBSCRIBE" else self.streams.difference_update
            change(request["params"])
            self.subscribed.set()
            await self.say(json.dumps({"result": None, "id": request["id"]}))


class Server:
    """A websocket server that plays a script for each connection once it has subscribed."""

    def __init__(self, script: Script, refuse: Callable[[int], tuple[int, dict[str, str]] | None]) -> None:
        self._script, self._refuse = script, refuse
        self.connections: list[ServedConnection] = []
        self.attempts: list[float] = []
        self.open = 0
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._ready, self._stop = Event(), asyncio.Event()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}"

    def run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        async with serve(self._handle, "127.0.0.1", 0, process_request=self._let_in, compression=None) as server:
            self.port = server.sockets[0].getsockname()[1]
            self._ready.set()
            await self._stop.wait()

    def _let_in(self, socket: ServerConnection, request: Request) -> Response | None:
        self.attempts.append(time.monotonic())
        refusal = self._refuse(len(self.attempts))
        if refusal is None:
            return None
        status, headers = refusal
        return Response(status, HTTPStatus(status).phrase, Headers(headers | {"Content-Length": "0"}), b"")

    async def _handle(self, socket: ServerConnection) -> None:
        served = ServedConnection(len(self.connections), socket)
        self.connections.append(served)
        self.open += 1
        listening = asyncio.create_task(served.listen())
        try:
            await served.subscribed.wait()
            await self._script(served)
            await listening
        except ConnectionClosed:
            pass
        finally:
            listening.cancel()
            self.open -= 1

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


@contextmanager
def serving(
    script: Script, *, refuse: Callable[[int], tuple[int, dict[str, str]] | None] = lambda attempt: None
) -> Iterator[Server]:
    """`refuse` may answer an attempt to connect (counted from 1) with a status and headers."""
    server = Server(script, refuse)
    thread = Thread(target=server.run, name="websocket server", daemon=True)
    thread.start()
    assert server._ready.wait(5)
    try:
        yield server
    finally:
        server.stop()
        thread.join(10)
        assert not thread.is_alive()
