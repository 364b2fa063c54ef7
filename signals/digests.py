"""Digests: of what a scan read, bars of every timeframe and feeds, and of what was decided from it. Pure."""

import hashlib
from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from signals.consensus import Weights
from signals.frame import Frame
from signals.gates import Thresholds
from signals.window import Span

# Beside the open times. Taker volume is not among them, though the volume head reads it: where it changes a vote, the
# scan's id says so.
DIGESTED = ("open", "high", "low", "close", "volume")


def canonical(values: FloatArray) -> FloatArray:
    """The same values with every NaN in one bit pattern, so that equal values have equal bytes."""
    return np.ascontiguousarray(np.where(np.isnan(values), np.nan, values), dtype=np.float64)


def input_digests(spans: Sequence[Span], seen: Mapping[str, FloatArray]) -> list[bytes]:
    """One digest a row of everything the heads could read there: bars of every timeframe and feeds, in their order."""
    rows = sum(len(span) for span in spans)
    feeds = np.column_stack([canonical(values) for values in seen.values()] or [np.zeros(rows)])
    bars = [each for span in spans for each in _bars_seen(span)]
    return [hashlib.sha256(each + row.tobytes()).digest()[:16] for each, row in zip(bars, feeds, strict=True)]


def _bars_seen(span: Span) -> list[bytes]:
    """The digests of the bars of every timeframe at each row, put together."""
    close_ms = span.window.base.close_ms[span.start : span.stop]
    digests = [_digests_at(span.window.base, np.arange(span.start, span.stop))]
    for frame in span.window.context.values():
        digests.append(_digests_at(frame, np.searchsorted(frame.close_ms, close_ms, side="right") - 1))
    return [b"".join(each) for each in zip(*digests, strict=True)]


def _digests_at(frame: Frame, rows: IntArray) -> list[bytes]:
    """The bar digest at each row (ascending), nothing where the row is -1, as before a timeframe's first bar."""
    first = max(int(rows[0]), 0)
    digests = frame.derived(bar_digests, first)
    return [digests[row - first] if row >= 0 else b"" for row in rows.tolist()]


def bar_digests(frame: Frame, first: int) -> list[bytes]:
    """For each row from `first` on, the SHA-256 of all bars of the frame up to it."""
    table = np.empty((len(frame), 1 + len(DIGESTED)))
    table[:, 0] = frame.candles.open_ms
    for place, name in enumerate(DIGESTED, start=1):
        table[:, place] = frame[name]
    running, digests = hashlib.sha256(table[:first].data), []
    for row in table[first:]:
        running.update(row.data)
        digests.append(running.copy().digest())
    return digests


def named_by_content(
    symbols: Sequence[str], reasons: Sequence[str], digests: Sequence[bytes], figures: FloatArray, state: bytes
) -> list[UUID]:
    """An id a decision: a hash of its names, the digest of its inputs, its row of figures and the state it used."""
    return [
        UUID(bytes=hashlib.sha256(f"{symbol}|{reason}".encode() + digest + row.tobytes() + state).digest()[:16])
        for symbol, reason, digest, row in zip(symbols, reasons, digests, figures, strict=True)
    ]


def weights_digest(weights: Weights, thresholds: Thresholds) -> bytes:
    """SHA-256 of a weight version's content: what decisions made with it have in common."""
    figures = np.concatenate([weights.beta, weights.bias, [thresholds.quality_r]])
    return hashlib.sha256("|".join(weights.heads).encode() + figures.tobytes()).digest()


def decisions_digest(scan_ids: Sequence[UUID]) -> str:
    """SHA-256 over scan ids that are already in order of close and symbol."""
    return hashlib.sha256(b"".join(scan_id.bytes for scan_id in scan_ids)).hexdigest()
