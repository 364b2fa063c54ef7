"""A TCP proxy on loopback between a process and its server: it slows, silences or cuts the line on command.

with Proxy(("127.0.0.1", 6379)) as line:      # or Proxy(Path("/run/postgresql/.s.PGSQL.5432"))
    start_worker(broker=f"redis://127.0.0.1:{line.port}/0")
    line.slow(up=0.5)     # each piece on its way to the server takes half a second longer; open connections too
    line.silence()        # a black hole: nothing passes, nobody is told, and new connections hear nothing
    line.cut()            # every connection is reset, new ones are refused
    line.heal()           # as on the first day; what a black hole held back goes on its way, as TCP would resend it
"""

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Any

Target = tuple[str, int] | Path
PIECE = 65_536
PIECES_ON_THE_WAY = 64


@dataclass
class Condition:
    """How the line is at this moment: seconds to the server, seconds back, and whether anything passes."""

    up: float = 0.0
    down: float = 0.0
    passes: asyncio.Event = field(default_factory=asyncio.Event)


@contextlib.contextmanager
def _closing(writer: asyncio.StreamWriter) -> Iterator[None]:
    """Close an end after its last word; where it is cut short, by RST, as the machine of a dead process does."""
    try:
        yield
        writer.close()
    finally:
        if not writer.is_closing():
            own = writer.transport.get_extra_info("socket")
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Proxy:
    """Listens on `port` inside its `with` block, in a thread of its own."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._condition = Condition()
        self._condition.passes.set()
        self._server: asyncio.Server | None = None
        self._lines: set[asyncio.Task[None]] = set()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]

    def __enter__(self) -> "Proxy":
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._do(self._reset())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def connections(self) -> int:
        """How many lines are open."""
        return len(self._lines)

    def slow(self, *, up: float = 0.0, down: float = 0.0) -> None:
        """Seconds that each piece takes longer to the server and back, as a longer wire would; in order."""
        self._condition.up, self._condition.down = up, down

    def silence(self) -> None:
        """Nothing passes in either direction, neither data nor the end of a connection."""
        self._loop.call_soon_threadsafe(self._condition.passes.clear)

    def cut(self) -> None:
        """Reset what is open and refuse what is new."""
        self._do(self._reset())

    def heal(self) -> None:
        """Everything passes at once again."""
        self.slow()
        self._loop.call_soon_threadsafe(self._condition.passes.set)
        if self._server is None:
            self._do(self._listen())

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

    async def _reset(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        lines = list(self._lines)
        for line in lines:
            line.cancel()
        await asyncio.gather(*lines, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        # A client that is reset, or ends in the middle, is what this proxy is for.
        with contextlib.suppress(OSError, asyncio.CancelledError), _closing(writer):
            await self._carry(reader, writer)
        self._lines.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._condition.passes.wait()
        far_reader, far_writer = await self._reach()
        with _closing(far_writer):
            await asyncio.gather(
                self._pump(reader, far_writer, lambda: self._condition.up),
                self._pump(far_reader, writer, lambda: self._condition.down),
            )

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self._target, Path):
            return await asyncio.open_unix_connection(str(self._target))
        return await asyncio.open_connection(*self._target)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Callable[[], float]
    ) -> None:
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(PIECES_ON_THE_WAY)
        taking = asyncio.create_task(self._take(reader, pieces))
        try:
            await self._give(writer, pieces, delay)
        finally:
            taking.cancel()

    async def _take(self, reader: asyncio.StreamReader, pieces: "asyncio.Queue[tuple[float, bytes]]") -> None:
        data = b"-"
        while data:
            try:
                data = await reader.read(PIECE)
            except OSError:
                data = b""
            await pieces.put((self._loop.time(), data))

    async def _give(
        self,
        writer: asyncio.StreamWriter,
        pieces: "asyncio.Queue[tuple[float, bytes]]",
        delay: Callable[[], float],
    ) -> None:
        while True:
            taken_at, data = await pieces.get()
            await asyncio.sleep(max(0.0, taken_at + delay() - self._loop.time()))
            await self._condition.passes.wait()
            if not data:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
