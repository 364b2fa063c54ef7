"""One websocket to the exchange: asks for its symbols, hands on what it hears, and ends with the reason why."""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import Iterable

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from ingestion.stream import frames, plan
from ingestion.stream.reception import Reception
from ingestion.stream.rules import Rules

logger = logging.getLogger(__name__)

# The exchange takes five messages a second, and counts pongs among them.
SECONDS_BETWEEN_REQUESTS = 0.3
# A kline frame has some 400 bytes. The library ends a connection that sends a larger one than this (code 1009).
LARGEST_MESSAGE = 256 * 1024
# Messages that wait for us, beyond which the library stops reading from the socket.
WAITING_MESSAGES = 512
SECONDS_TO_CLOSE = 1.0
# A symbol that says nothing for so long of the market's time, while others speak, is asked for again.
QUIET_SYMBOL_MS = 300_000


class Connection:
    """`is_speaking` is set once all its symbols have been asked for and granted and the first frame is there."""

    def __init__(self, symbols: Iterable[str], reception: Reception, rules: Rules) -> None:
        self.is_speaking, self.is_leaving = asyncio.Event(), asyncio.Event()
        self._reception, self._rules = reception, rules
        self._wanted = set(symbols)
        # What the exchange was told to send now; what it was ever told to, since its last frames may be on the way.
        self._asked: set[str] = set()
        self._known: set[str] = set()
        self._unanswered: set[int] = set()
        self._heard: dict[str, float] = {}
        self._changed = asyncio.Event()
        self._numbers = itertools.count(1)

    def want(self, symbols: Iterable[str]) -> None:
        """Have these symbols from now on."""
        self._wanted = set(symbols)
        self._changed.set()

    async def run(self) -> None:
        """Live until the connection ends. It never returns: raises TimeoutError (silence), OSError or the library's."""
        socket = await self._open()
        asking = asyncio.create_task(self._ask(socket))
        try:
            await self._listen(socket)
        finally:
            asking.cancel()
            await socket.close()

    async def _open(self) -> ClientConnection:
        return await connect(
            f"{self._rules.url}/stream",
            open_timeout=self._rules.open_timeout,
            close_timeout=SECONDS_TO_CLOSE,
            # Our watchdog looks at frames, which tells more than a pong does; the exchange's pings are answered.
            ping_interval=None,
            compression=None,
            max_size=LARGEST_MESSAGE,
            max_queue=WAITING_MESSAGES,
        )

    # --- hearing ------------------------------------------------------------------------------------------------------

    async def _listen(self, socket: ClientConnection) -> None:
        """The watchdog counts frames of the market only: a connection that talks rubbish is as good as silent."""
        deadline = time.monotonic() + self._rules.silence
        while True:
            async with asyncio.timeout_at(deadline):
                message = await socket.recv(decode=False)
            if await self._take(message):
                deadline = time.monotonic() + self._rules.silence

    async def _take(self, message: bytes) -> bool:
        """Whether it was a frame of the market."""
        frame = frames.read(message, self._known)
        if isinstance(frame, frames.Reply):
            self._note_reply(frame)
        elif isinstance(frame, frames.Shutdown):
            logger.info("the exchange announces that this server shuts down")
            self.is_leaving.set()
        else:
            await self._reception.take(frame, message)
        if not isinstance(frame, frames.ClosedCandle | frames.RunningCandle):
            return False
        self._heard[frame.symbol] = time.monotonic()
        if not self._unanswered and self._asked >= self._wanted:
            self.is_speaking.set()
        return True

    def _note_reply(self, reply: frames.Reply) -> None:
        if reply.complaint:
            # Not asked again at once: its symbols stay silent, and that is noticed.
            logger.warning("the exchange refuses request %s: %s", reply.request, reply.complaint)
        if reply.request is not None:
            self._unanswered.discard(reply.request)

    # --- asking -------------------------------------------------------------------------------------------------------

    async def _ask(self, socket: ClientConnection) -> None:
        """Keep the subscriptions as they are wanted. How the connection ends is told where it is listened to."""
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._changed.clear()
                for request in plan.requests(self._asked, self._wanted, self._quiet_symbols()):
                    await self._send(socket, request)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._rules.silence):
                        await self._changed.wait()

    async def _send(self, socket: ClientConnection, request: plan.Request) -> None:
        number = next(self._numbers)
        self._unanswered.add(number)
        if request.method == "SUBSCRIBE":
            # Before sending: the first frame may be here before we go on.
            self._asked.update(request.symbols)
            self._known.update(request.symbols)
            self._heard |= dict.fromkeys(request.symbols, time.monotonic())
        else:
            self._asked.difference_update(request.symbols)
        await socket.send(request.text(number))
        await asyncio.sleep(SECONDS_BETWEEN_REQUESTS)

    def _quiet_symbols(self) -> list[str]:
        """Those asked for that have been silent much too long, while this connection as a whole is not."""
        patience = max(self._rules.silence, self._reception.clock.wall_seconds(QUIET_SYMBOL_MS))
        since = time.monotonic() - patience
        return [symbol for symbol in self._asked if self._heard[symbol] < since]
