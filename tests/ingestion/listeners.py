"""A client of the exchange's websockets for tests, on the `websockets` library."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange


class Listener:
    """One websocket, and the exchange at its other end, whose clock it moves."""

    def __init__(self, socket: ClientConnection, running: RunningExchange) -> None:
        self.socket, self.running = socket, running

    def text(self, seconds: float = 3.0) -> str | bytes:
        return self.socket.recv(timeout=seconds)

    def frame(self, seconds: float = 3.0) -> Any:
        return json.loads(self.text(seconds))

    def kline(self, *, final: bool = True, seconds: float = 3.0) -> dict[str, Any]:
        """The "k" of the next frame of that sort; others are skipped."""
        while True:
            frame = self.frame(seconds)
            k: dict[str, Any] = frame.get("data", frame).get("k", {})
            if k and k["x"] is final:
                return k

    def minute(self, minutes: int = 1) -> None:
        """The exchange's clock goes on to the next full minute, or further."""
        clock = self.running.exchange.clock
        clock.set((clock.now_ms() // MINUTE_MS + minutes) * MINUTE_MS)

    def texts(self, count: int, *, then: float = 0.06) -> list[str | bytes]:
        """So many messages, and what else comes within so many seconds after them."""
        found = [self.text() for _ in range(count)]
        end = time.monotonic() + then
        with suppress(TimeoutError):
            while (left := end - time.monotonic()) > 0:
                found.append(self.text(left))
        return found

    def finals(self, count: int, *, then: float = 0.06) -> list[dict[str, Any]]:
        """The "k" of so many final frames, and of what else comes within so many seconds after them."""
        found = [self.kline() for _ in range(count)]
        rest = [json.loads(text) for text in self.texts(0, then=then)]
        return found + [k for frame in rest if (k := frame.get("data", frame).get("k", {"x": False}))["x"]]

    def say(self, message: Any) -> Any:
        """The answer to a message, whatever else comes before it."""
        self.socket.send(message if isinstance(message, str) else json.dumps(message))
        while "id" not in (answer := self.frame()):
            continue
        return answer

    def goodbye(self, seconds: float = 5.0) -> tuple[int, str]:
        """Code and reason with which the exchange closes the connection."""
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                with suppress(TimeoutError):
                    self.text(0.5)
        except ConnectionClosed as closed:
            return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")
        raise AssertionError("the exchange did not close the connection")


@contextmanager
def listening(running: RunningExchange, path: str) -> Iterator[Listener]:
    with connect(running.stream_url + path, max_size=None, ping_interval=None, close_timeout=1, proxy=None) as socket:
        # The handshake is answered a moment before the connection is heard.
        wait_until(lambda: socket.local_address[1] in _ports(running))
        yield Listener(socket, running)


def _ports(running: RunningExchange) -> set[int]:
    connections = list(running.exchange.audience.connections)
    return {connection.transport.get_extra_info("peername")[1] for connection in connections}


def wait_until(what: Callable[[], bool], *, seconds: float = 3.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.005)


@contextmanager
def subscribed(running: RunningExchange, *streams: str) -> Iterator[Listener]:
    """A combined connection that is subscribed to these streams."""
    with listening(running, f"/stream?streams={'/'.join(streams)}") as listener:
        yield listener
