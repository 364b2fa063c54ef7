"""Every message of the queues once more, after a while and in another order: what Redis does at its worst."""

import codecs
import heapq
import json
import random
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import redis

from alphapulse_site.celery import QUEUES

LATEST = 1.5
WORD = re.compile(rb'"((?:[^"\\]|\\.)*)"')
KEYS = {f"alphapulse:{queue}" for queue in QUEUES}


@contextmanager
def doubled(broker: Path, seed: int = 1) -> Iterator[None]:
    """Listen to what is published and publish it again, under another delivery tag, until the block ends."""
    stop = threading.Event()
    doubler = _Doubler(broker, random.Random(seed), stop)
    thread = threading.Thread(target=doubler.run, name="doubler", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(20)


class _Doubler:
    def __init__(self, broker: Path, chance: random.Random, stop: threading.Event) -> None:
        self._broker, self._chance, self._stop = broker, chance, stop
        self._waiting: list[tuple[float, str, str]] = []
        self._ours: set[str] = set()
        self.count = 0

    def run(self) -> None:
        with suppress(OSError, redis.RedisError), socket.socket(socket.AF_UNIX) as line:
            line.connect(str(self._broker))
            line.sendall(b"MONITOR\r\n")
            line.settimeout(0.05)
            self._listen(line)

    def _listen(self, line: socket.socket) -> None:
        client, rest = redis.Redis(unix_socket_path=str(self._broker)), b""
        while not self._stop.is_set():
            with suppress(TimeoutError):
                rest += line.recv(1 << 20)
            *lines, rest = rest.split(b"\r\n")
            for each in lines:
                self._note(each)
            self._send_due(client)
        client.close()

    def _note(self, line: bytes) -> None:
        words = [_plain(word) for word in WORD.findall(line)]
        if len(words) == 3 and words[0] == "LPUSH" and words[1] in KEYS:
            if words[2] in self._ours:
                self._ours.discard(words[2])
            else:
                due = time.monotonic() + self._chance.uniform(0, LATEST)
                heapq.heappush(self._waiting, (due, words[1], _again(words[2])))

    def _send_due(self, client: redis.Redis) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, key, message = heapq.heappop(self._waiting)
            self._ours.add(message)
            client.lpush(key, message)
            self.count += 1


def _plain(word: bytes) -> str:
    """A word as MONITOR writes it, without its escapes."""
    return codecs.escape_decode(word)[0].decode()


def _again(message: str) -> str:
    """The same task, delivered anew."""
    told = json.loads(message)
    told["properties"]["delivery_tag"] = str(uuid4())
    return json.dumps(told)
