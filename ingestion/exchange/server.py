"""The exchange at its ports: REST and websockets on one, the control endpoint on another."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from ingestion.exchange import control, downloads, front, futures, rest, streams
from ingestion.exchange.state import EXCHANGE, Exchange

# Handlers that do not end by themselves (a time-out on command, a websocket) are cut off after this many seconds.
SHUTDOWN_SECONDS = 0.5


@dataclass(frozen=True)
class Places:
    """Where the exchange listens."""

    host: str
    port: int
    control_port: int

    @property
    def rest_url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def stream_url(self) -> str:
        return f"ws://{self.host}:{self.port}"

    @property
    def control_url(self) -> str:
        return f"http://127.0.0.1:{self.control_port}"


def make_app(exchange: Exchange) -> web.Application:
    """Spot and futures REST and the websocket streams."""
    app = web.Application()
    app[EXCHANGE] = exchange
    for part in (front, rest, futures, streams, downloads):
        part.add_to(app)
    return app


def make_control_app(exchange: Exchange) -> web.Application:
    app = web.Application()
    app[EXCHANGE] = exchange
    control.add_to(app)
    return app


@asynccontextmanager
async def serving(
    exchange: Exchange, *, host: str = "127.0.0.1", port: int = 0, control_port: int = 0
) -> AsyncIterator[Places]:
    """The exchange answers while the block runs; port 0 is any that is free."""
    async with AsyncExitStack() as stack:
        taken = await _listen(stack, make_app(exchange), host, port)
        # Whoever may misuse the exchange sits on this machine.
        yield Places(host, taken, await _listen(stack, make_control_app(exchange), "127.0.0.1", control_port))


async def _listen(stack: AsyncExitStack, app: web.Application, host: str, port: int) -> int:
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])


async def run(
    exchange: Exchange, *, host: str, port: int, control_port: int, listening: Callable[[Places], None]
) -> None:
    """Serve until the process is told to stop (TERM or INT); `listening` hears where."""
    stop = asyncio.Event()
    async with serving(exchange, host=host, port=port, control_port=control_port) as places:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listening(places)
        await stop.wait()
