"""A client that acts through the API and remembers for every Idempotency-Key what it was told.

2xx is acknowledged, 4xx is refused. Anything else (5xx, a lost connection, a time-out, half an answer) says nothing,
and the same is asked again under the same key until it is known.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from typing import Any

import requests

from tests.faults.acts import Act

# Longer than an act takes in peace, shorter than many a fault: then it is asked again while the first is still at work.
PATIENCE = 4.0
ASKERS = 3
PAUSES = (0.3, 1.5)
# Until the last unknown one is known, once all is healed.
SECONDS_TO_SETTLE = 120.0


@dataclass(frozen=True)
class Answer:
    """What was said of an act for good."""

    status: int
    body: Any
    location: str = ""
    is_repeated: bool = False

    @property
    def is_acknowledged(self) -> bool:
        return 200 <= self.status < 300


@dataclass
class Asked:
    """An act, its answer as soon as there is one, and how often there was none."""

    act: Act
    answer: Answer | None = None
    unknown: int = 0

    @property
    def is_acknowledged(self) -> bool:
        return self.answer is not None and self.answer.is_acknowledged


class Asking:
    """Speaks to one web process with one token."""

    def __init__(self, url: str, secret: str, *, patience: float = PATIENCE) -> None:
        self._url, self._secret, self._patience = url, secret, patience
        self.asked: list[Asked] = []

    def ask(self, act: Act) -> Asked:
        """Once."""
        asked = Asked(act)
        self.asked.append(asked)
        self._ask_again(asked)
        return asked

    def _ask_again(self, asked: Asked) -> None:
        asked.answer = self.send(asked.act)
        asked.unknown += asked.answer is None

    def send(self, act: Act) -> Answer | None:
        """What is said to it now, remembered by nobody; None where that says nothing."""
        headers = {"Authorization": f"Bearer {self._secret}", "Idempotency-Key": act.key}
        try:
            reply = requests.post(self._url + act.path, json=act.body, headers=headers, timeout=self._patience)
            body = reply.json()
        except requests.RequestException:
            return None
        if reply.status_code >= 500:
            return None
        is_repeated = reply.headers.get("Idempotent-Replayed") == "true"
        return Answer(reply.status_code, body, reply.headers.get("Location", ""), is_repeated)

    @contextmanager
    def under_way(self, acts: Sequence[Act]) -> Iterator[None]:
        """Each in a thread of its own while the block goes on; the end of it waits until each has heard something."""
        with ThreadPoolExecutor(len(acts)) as pool:
            asked = [pool.submit(self.ask, act) for act in acts]
            yield
        for each in asked:
            each.result()

    @contextmanager
    def going_on(self, acts: Callable[[random.Random], Iterator[Act]], seed: int) -> Iterator[None]:
        """Some askers, one act after the other, for as long as the block goes on."""
        over = Event()
        with ThreadPoolExecutor(ASKERS) as pool:
            askers = [pool.submit(self._go_on, acts, random.Random(f"{seed} {each}"), over) for each in range(ASKERS)]
            try:
                yield
            finally:
                over.set()
        for asker in askers:
            asker.result()

    def _go_on(self, acts: Callable[[random.Random], Iterator[Act]], chance: random.Random, over: Event) -> None:
        for act in acts(chance):
            asked = self.ask(act)
            if over.wait(chance.uniform(*PAUSES)):
                return
            if asked.answer is None:
                # Perhaps while the first one is still at work.
                self._ask_again(asked)

    def is_acknowledged(self, act: Act) -> bool:
        return any(asked.act is act and asked.is_acknowledged for asked in reversed(self.asked))

    def is_heard(self) -> bool:
        """Whether the web process listens."""
        return requests.get(f"{self._url}/healthz", timeout=PATIENCE).status_code > 0

    def settle(self, wait: Callable[..., Any]) -> None:
        """Ask what is unknown until it is known; `wait` is the system's."""
        wait(self._nothing_is_unknown, seconds=SECONDS_TO_SETTLE)

    def _nothing_is_unknown(self) -> bool:
        for asked in self.asked:
            if asked.answer is None:
                self._ask_again(asked)
        return all(asked.answer for asked in self.asked)

    def replayed(self) -> list[tuple[Asked, Answer | None]]:
        """Each act whose answer holds for ever, once more, beside what is said now."""
        lasting = [asked for asked in self.asked if asked.act.is_final or asked.is_acknowledged]
        with ThreadPoolExecutor(ASKERS) as pool:
            return list(zip(lasting, pool.map(lambda asked: self.send(asked.act), lasting), strict=True))
