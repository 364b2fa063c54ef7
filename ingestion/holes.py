"""Why minutes are missing: holes cut where the reason changes, with the candles on either side as evidence."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from ingestion.candles import to_datetime
from ingestion.models import CandleGap
from ingestion.timeframes import MINUTE_MS, Candles

# One symbol without a candle says nothing about the exchange; that all of them lack it does.
FEWEST_FOR_AN_OUTAGE = 2

Span = tuple[int, int]


@dataclass(frozen=True)
class Hole:
    """Minutes [start_ms, end_ms) of a listed symbol that are neither a candle nor an explained gap."""

    symbol: str
    start_ms: int
    end_ms: int

    @property
    def minutes(self) -> int:
        return (self.end_ms - self.start_ms) // MINUTE_MS


@dataclass(frozen=True)
class Explanation:
    """Minutes that no source has, why, and what speaks for it."""

    hole: Hole
    reason: CandleGap.Reason
    evidence: dict[str, Any]


def split_by_reason(
    holes: Iterable[Hole], spans: Mapping[str, Span], refused: Mapping[str, Iterable[int]] | None = None
) -> list[tuple[Hole, CandleGap.Reason]]:
    """Holes cut where the reason changes. Minutes that all symbols lack whose span covers them are an outage.

    `spans` says from when to when each symbol's candles are expected, `refused` which of its minutes had a bad row.
    """
    holes, refused_minutes = list(holes), {symbol: set(minutes) for symbol, minutes in (refused or {}).items()}
    edges = sorted(
        {edge for hole in holes for edge in (hole.start_ms, hole.end_ms)}
        | {edge for span in spans.values() for edge in span}
        | {minute + after for minutes in refused_minutes.values() for minute in minutes for after in (0, MINUTE_MS)}
    )
    pieces = [piece for hole in holes for piece in _cut_at(hole, edges)]
    lacking = Counter(piece.start_ms for piece in pieces)
    found: list[tuple[Hole, CandleGap.Reason]] = []
    for piece in pieces:
        expected = sum(start <= piece.start_ms and piece.end_ms <= end for start, end in spans.values())
        reason = CandleGap.Reason.SOURCE_HAS_NO_CANDLE
        if piece.start_ms in refused_minutes.get(piece.symbol, ()):
            reason = CandleGap.Reason.ROW_QUARANTINED
        elif expected >= FEWEST_FOR_AN_OUTAGE and lacking[piece.start_ms] >= expected:
            reason = CandleGap.Reason.EXCHANGE_OUTAGE
        found.append((piece, reason))
    return _joined(found)


def _cut_at(hole: Hole, edges: list[int]) -> list[Hole]:
    inside = edges[bisect_right(edges, hole.start_ms) : bisect_left(edges, hole.end_ms)]
    return [Hole(hole.symbol, start, end) for start, end in pairwise([hole.start_ms, *inside, hole.end_ms])]


def _joined(pieces: list[tuple[Hole, CandleGap.Reason]]) -> list[tuple[Hole, CandleGap.Reason]]:
    """Neighbouring pieces of one symbol and reason as one."""
    joined: list[tuple[Hole, CandleGap.Reason]] = []
    for piece, reason in pieces:
        if joined:
            last, last_reason = joined[-1]
            if (last.symbol, last.end_ms, last_reason) == (piece.symbol, piece.start_ms, reason):
                joined[-1] = (Hole(last.symbol, last.start_ms, piece.end_ms), reason)
                continue
        joined.append((piece, reason))
    return joined


def neighbours(candles: Candles | None, hole: Hole) -> dict[str, Any]:
    """The candles that stand before and after a hole in its source, as evidence."""
    if candles is None:
        return {"before": None, "after": None}
    at = int(candles.open_ms.searchsorted(hole.start_ms))
    return {"before": _seen(candles, at - 1), "after": _seen(candles, at)}


def _seen(candles: Candles, at: int) -> dict[str, Any] | None:
    if not 0 <= at < len(candles):
        return None
    return {
        "open_time": to_datetime(int(candles.open_ms[at])).isoformat(),
        "close": float(candles.close[at]),
        "volume": float(candles.volume[at]),
    }
