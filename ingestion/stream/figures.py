"""What the stream has done so far, for its heartbeat."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ingestion.kline import Kline

LATENCIES, LATENCY_SPAN = 20_000, 300.0


@dataclass
class Figures:
    """Counters since the start, each changed by one thread only; latencies of the last minutes, by the writer."""

    candles: int = 0
    quarantined: int = 0
    disagreeing: int = 0
    connections: int = 0
    reconnects: int = 0
    last_frame_at: float | None = None
    _newest: dict[str, int] = field(default_factory=dict, repr=False)
    _latencies: deque[tuple[float, float]] = field(default_factory=lambda: deque(maxlen=LATENCIES), repr=False)

    def note_written(self, klines: Iterable[Kline], seconds_since: Callable[[int], float]) -> None:
        """How long after its close (ms) each candle was committed; an old one that comes again says nothing of that."""
        now = time.monotonic()
        for kline in klines:
            if kline.open_ms > self._newest.get(kline.symbol, -1):
                self._newest[kline.symbol] = kline.open_ms
                self._latencies.append((now, seconds_since(kline.close_ms + 1) * 1000))

    def as_json(self) -> dict[str, Any]:
        now = time.monotonic()
        while self._latencies and self._latencies[0][0] < now - LATENCY_SPAN:
            self._latencies.popleft()
        ordered = sorted(ms for _, ms in self._latencies)
        return {
            "candles": self.candles,
            "quarantined": self.quarantined,
            "disagreeing": self.disagreeing,
            "connections": self.connections,
            "reconnects": self.reconnects,
            "latency_p50_ms": _quantile(ordered, 0.5),
            "latency_p99_ms": _quantile(ordered, 0.99),
            "last_frame_seconds": None if self.last_frame_at is None else round(now - self.last_frame_at, 1),
        }


def _quantile(ordered: list[float], share: float) -> float | None:
    return round(ordered[int(share * (len(ordered) - 1))], 1) if ordered else None
