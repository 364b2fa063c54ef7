"""Every request the exchange got, so that a test can count what a client did."""

from collections import deque
from dataclasses import dataclass

LONGEST = 200_000


@dataclass
class Logged:
    """One request. `defied` is 429 or 418 if it came while the client had been told to keep quiet, else 0.

    `at` is wall time in seconds; `status` 0 means that no answer was sent, or not yet.
    """

    at: float
    ip: str
    path: str
    query: dict[str, str]
    weight: int
    status: int
    defied: int = 0


class RequestLog:
    """The latest requests, oldest first."""

    def __init__(self) -> None:
        self._lines: deque[Logged] = deque(maxlen=LONGEST)

    def add(self, line: Logged) -> None:
        self._lines.append(line)

    def lines(self, path: str = "") -> list[Logged]:
        """All of them, or those of one path."""
        return [line for line in list(self._lines) if path in ("", line.path)]

    def defied(self, status: int = 418) -> list[Logged]:
        """What was sent while a ban (418) or a plea to wait (429) was in force."""
        return [line for line in list(self._lines) if line.defied == status]

    def clear(self) -> None:
        self._lines.clear()
