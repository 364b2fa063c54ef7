"""How soon a connection may be tried: later after each failure, and never more often than the exchange allows. Pure."""

from collections import deque
from dataclasses import dataclass, field

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
# Binance allows 300 an address; some are left to whatever else runs there.
CONNECTIONS, CONNECTION_SPAN = 250, 300.0


def backoff_seconds(failures: int, chance: float) -> float:
    """How long to wait after that many failures in a row; `chance` in [0, 1) spreads those who failed together."""
    return min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures, 10)) * chance


@dataclass
class ConnectionLimit:
    """At most `most` connections in any `span` of seconds; the moments are the caller's, on one steady clock."""

    most: int = CONNECTIONS
    span: float = CONNECTION_SPAN
    _made: deque[float] = field(default_factory=deque)

    def take(self, now: float) -> float:
        """0 if a connection may be made now, which is then counted; else how many seconds to wait."""
        while self._made and self._made[0] <= now - self.span:
            self._made.popleft()
        if len(self._made) >= self.most:
            return self._made[0] + self.span - now
        self._made.append(now)
        return 0.0
