"""Who listens to the streams: the connections, what each is subscribed to, and how long each may go on."""

import asyncio
import time
import zlib
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from aiohttp import web

from ingestion.exchange.dialogue import Subscriptions
from ingestion.exchange.frames import PING, Event, frame
from ingestion.exchange.intervals import INTERVALS, Interval

POLICY_VIOLATION, GOING_AWAY = 1008, 1001
# Updates are spread over the second in so many parts, each stream always in the same one.
SLOTS = 20


@dataclass(frozen=True)
class StreamLimits:
    """What the exchange allows a client, all of it on the wall clock, in seconds."""

    life: float = 24 * 3600.0
    ping_every: float = 20.0
    pong_within: float = 60.0
    messages: int = 5
    attempts: int = 300
    attempts_within: float = 300.0
    drain_within: float = 5.0
    most_behind: int = 64_000_000


@dataclass(frozen=True)
class Channel:
    """A stream of klines; of every other name nothing is ever heard."""

    stream: str
    symbol: str
    interval: Interval


def channel_of(stream: str) -> Channel | None:
    """What a stream is about, if it is one of klines. Names are in small letters, as the exchange wants them."""
    symbol, _, kind = stream.partition("@kline_")
    if not symbol or symbol != symbol.lower() or kind not in INTERVALS:
        return None
    return Channel(stream, symbol.upper(), INTERVALS[kind])


@dataclass(eq=False)
class Connection:
    """One websocket. Frames are written to its transport as they are; the library only reads and closes."""

    socket: web.WebSocketResponse
    transport: asyncio.Transport
    ip: str
    subscriptions: Subscriptions
    opened_at: float = field(default_factory=time.monotonic)
    heard: set[str] = field(default_factory=set)
    _written: int = 0
    _drained: int = 0
    _drained_at: float = field(default_factory=time.monotonic)
    _pinged_at: float = field(default_factory=time.monotonic)
    _unanswered: dict[bytes, float] = field(default_factory=dict)
    _messages: deque[float] = field(default_factory=deque)

    def write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self._written += len(data)
            self.transport.write(data)

    def say(self, events: Iterable[Event]) -> None:
        """All of it in one piece, since every write is a call of the system."""
        combined = self.subscriptions.combined
        self.write(b"".join(event.named if combined else event.alone for event in events))

    def is_talkative(self, limits: StreamLimits) -> bool:
        """Count one message, ping or pong of the client; True if it is one too many for this second."""
        now = time.monotonic()
        self._messages.append(now)
        while self._messages[0] <= now - 1.0:
            self._messages.popleft()
        return len(self._messages) > limits.messages

    def hear_pong(self, payload: bytes) -> None:
        """A pong that repeats a ping answers all before it; one that nobody asked for counts for nothing."""
        if payload in self._unanswered:
            self._unanswered.clear()

    def ping_if_due(self, limits: StreamLimits) -> None:
        now = time.monotonic()
        if now - self._pinged_at >= limits.ping_every:
            self._pinged_at = now
            payload = str(int(time.time() * 1000)).encode()
            self._unanswered[payload] = now
            self.write(frame(payload, PING))

    def is_deaf(self, limits: StreamLimits) -> bool:
        return any(time.monotonic() - at > limits.pong_within for at in self._unanswered.values())

    def is_stuck(self, limits: StreamLimits) -> bool:
        """Whether its reader has left too much unread, or has not read on for too long."""
        now, behind = time.monotonic(), self.transport.get_write_buffer_size()
        if not behind or self._written - behind > self._drained:
            self._drained, self._drained_at = self._written - behind, now
        return behind > limits.most_behind or now - self._drained_at > limits.drain_within

    def is_over(self, limits: StreamLimits) -> bool:
        return time.monotonic() - self.opened_at >= limits.life


class Audience:
    """The open connections, and by stream who hears it."""

    def __init__(self) -> None:
        self.connections: set[Connection] = set()
        self.channels: dict[str, Channel] = {}
        self._hearers: dict[str, set[Connection]] = {}
        self._slots: list[dict[str, Channel]] = [{} for _ in range(SLOTS)]
        self._attempts: dict[str, deque[float]] = {}
        self._closing: set[asyncio.Task[bool]] = set()

    def is_let_in(self, ip: str, limits: StreamLimits) -> bool:
        """Count an attempt to connect, in vain or not; False if the address has made too many."""
        now, made = time.monotonic(), self._attempts.setdefault(ip, deque())
        while made and made[0] <= now - limits.attempts_within:
            made.popleft()
        made.append(now)
        return len(made) <= limits.attempts

    def enter(self, connection: Connection) -> None:
        self.connections.add(connection)
        self.follow(connection)

    def leave(self, connection: Connection) -> None:
        self.connections.discard(connection)
        connection.subscriptions.streams.clear()
        self.follow(connection)

    def follow(self, connection: Connection) -> None:
        """Take note of what the connection is subscribed to now."""
        wanted = set(connection.subscriptions.streams)
        for stream in wanted - connection.heard:
            self._hearers.setdefault(stream, set()).add(connection)
            self._open(stream)
        for stream in connection.heard - wanted:
            self._hearers[stream].discard(connection)
            self._shut_if_empty(stream)
        connection.heard = wanted

    def _open(self, stream: str) -> None:
        channel = channel_of(stream)
        if channel is not None:
            self.channels[stream] = self._slots[_slot_of(stream)][stream] = channel

    def _shut_if_empty(self, stream: str) -> None:
        if not self._hearers[stream]:
            del self._hearers[stream]
            self.channels.pop(stream, None)
            self._slots[_slot_of(stream)].pop(stream, None)

    def due_in(self, slot: int) -> Iterator[Channel]:
        """The streams that are updated in this part of the second."""
        return iter(list(self._slots[slot % SLOTS].values()))

    def tell(self, events: Iterable[Event]) -> None:
        """Write the events to everybody who hears their streams."""
        heard: dict[Connection, list[Event]] = {}
        for event in events:
            for connection in self._hearers.get(event.stream, ()):
                heard.setdefault(connection, []).append(event)
        for connection, own in heard.items():
            connection.say(own)

    def close(self, connection: Connection, code: int, reason: str = "") -> None:
        """Say goodbye; not waited for, since a client may not answer."""
        task = asyncio.ensure_future(connection.socket.close(code=code, message=reason.encode()))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def close_all(self, code: int, reason: str = "") -> int:
        """Say goodbye to everybody; how many they were."""
        return self.close_some(list(self.connections), code, reason)

    def close_some(self, leaving: Collection[Connection], code: int, reason: str = "") -> int:
        for connection in self.connections.intersection(leaving):
            self.close(connection, code, reason)
        return len(leaving)

    def abort_all(self) -> int:
        """Cut everybody off without a word; how many they were."""
        cut = list(self.connections)
        for connection in cut:
            connection.transport.abort()
        return len(cut)

    def announce(self, stream: str, data: str) -> list[Connection]:
        """Tell everybody, whatever they are subscribed to."""
        told = list(self.connections)
        for connection in told:
            connection.say([Event(stream, "", data)])
        return told

    def look_after(self, limits: StreamLimits) -> None:
        """Ping who is due, cut off who is deaf, stuck or has been here for too long."""
        for connection in list(self.connections):
            if connection.is_stuck(limits):
                connection.transport.abort()
            elif connection.is_deaf(limits):
                self.close(connection, POLICY_VIOLATION, "Pong timeout")
            elif connection.is_over(limits):
                self.close(connection, GOING_AWAY)
            else:
                connection.ping_if_due(limits)


def _slot_of(stream: str) -> int:
    return zlib.crc32(stream.encode()) % SLOTS
