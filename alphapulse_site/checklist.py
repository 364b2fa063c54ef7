"""The start-up checklist on the console: one line a step, with its figure."""

import http.client
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from django.db import OperationalError, connection
from rich.console import Console

from alphapulse_site.models import Heartbeat

POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Sign:
    """A step that is complete once the running system shows a sign: `look` returns the figure, None until then."""

    label: str
    look: Callable[[], str | None]
    log: str


class Checklist:
    """Prints a line a step; `say` is for everything else that belongs on the console."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self._started = time.monotonic()

    def say(self, text: str) -> None:
        self.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def step(self, label: str, work: Callable[[], str]) -> None:
        """Do the work and tick it off with the figure it returns."""
        with self.console.status(label):
            figure = work()
        self._tick(label, figure)

    def _tick(self, label: str, figure: str) -> None:
        self.say(f"[ok] {time.monotonic() - self._started:6.1f} s  {label}: {figure}" if figure else f"[ok] {label}")

    def watch(self, signs: list[Sign], *, patience: float, then: Callable[[], None]) -> threading.Thread:
        """Tick the signs off as they appear, in a thread of its own, since honcho keeps the main one."""
        thread = threading.Thread(target=self._watch, args=(signs, patience, then), name="checklist", daemon=True)
        thread.start()
        return thread

    def _watch(self, signs: list[Sign], patience: float, then: Callable[[], None]) -> None:
        deadline = time.monotonic() + patience
        waiting = list(signs)
        while waiting and time.monotonic() < deadline:
            waiting = [sign for sign in waiting if not self._has_come(sign)]
            time.sleep(POLL_SECONDS)
        for sign in waiting:
            self.say(f"[--] {sign.label}: no sign of it after {patience:.0f} s, see {sign.log}")
        connection.close()
        then()

    def _has_come(self, sign: Sign) -> bool:
        figure = sign.look()
        if figure is not None:
            self._tick(sign.label, figure)
        return figure is not None


def heartbeat_since(name: str, since: datetime) -> str | None:
    """The figures of the newest heartbeat of that name, None if there is none since then, or one that tells an error.

    The first gap check may come before the exchange is up; the next one comes within a minute.
    """
    try:
        sign = Heartbeat.objects.filter(name=name, beat_at__gte=since).first()
    except OperationalError:  # the servers go first if the system is stopped while it starts
        return None
    if sign is None or sign.figures.get("error"):
        return None
    return ", ".join(f"{key} {value}" for key, value in sign.figures.items() if value is not None) or "alive"


def answer_of(port: int, path: str) -> str | None:
    """What a web server on loopback answers to GET, None until it answers at all."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        began = time.monotonic()
        client.request("GET", path)
        status = client.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        client.close()
    return f"http://127.0.0.1:{port}/ answers {status} in {1000 * (time.monotonic() - began):.0f} ms"
