"""The market's mood as a feed: from the windows of all symbols to one row a close, and back to the heads. Pure."""

from collections.abc import Mapping, Sequence

import numpy as np

from ingestion import feeds as fetched
from ingestion.timeframes import FloatArray, IntArray, Timeframe
from signals import mood
from signals.feeds import Feed, Readings
from signals.segments import Segment

Found = Mapping[str, Sequence[Segment]]


def feed_name(timeframe: Timeframe) -> str:
    """The name under which mood rows of a scan timeframe are stored."""
    return f"mood.{timeframe.name}"


def feeds(available_ms: IntArray, rows: FloatArray) -> dict[str, Feed]:
    """Mood rows (closes, MOOD_FIELDS) as one feed a field, for `scan.look`."""
    return {
        f"mood.{name}": Feed(available_ms, available_ms, np.ascontiguousarray(rows[:, column]))
        for column, name in enumerate(mood.MOOD_FIELDS)
    }


EXTERNAL = fetched.EXTERNAL
# An index from outside comes once a day; one that is missing leaves the last one standing for another day.
EXTERNAL_FRESH_MS = 2 * mood.DAY_MS


def external(readings: Readings | None) -> dict[str, Feed]:
    """The readings of a fear-and-greed index from outside, 0..100, as a feed; none without readings."""
    if readings is None:
        return {}
    index = np.ascontiguousarray(readings.values[:, 0])
    return {EXTERNAL: Feed(readings.as_of_ms, readings.available_ms, index, EXTERNAL_FRESH_MS)}


def symbol_rows(segments: Sequence[Segment]) -> tuple[IntArray, mood.SymbolMood]:
    """One symbol's close times and mood figures over its segments' rows."""
    known: dict[int, mood.SymbolMood] = {}
    parts, closes = [], []
    for segment in segments:
        base = segment.window.base
        known.setdefault(id(base), mood.symbol_mood(base))
        parts.append(known[id(base)].take(segment.rows))
        closes.append(base.close_ms[segment.rows])
    return np.concatenate(closes), mood.SymbolMood.concatenate(parts)


def mood_over(found: Found) -> tuple[IntArray, FloatArray]:
    """The mood at every close of a history that starts without any: times (ms) and rows (closes, MOOD_FIELDS)."""
    return mood.mood_series({symbol: symbol_rows(parts) for symbol, parts in found.items() if parts})


def mood_again(
    found: Found, stored_ms: IntArray, stored: FloatArray, first_ms: int, last_ms: int
) -> tuple[IntArray, FloatArray]:
    """The mood at every stored close of [first, last] that the history still has bars for, with the stored as past."""
    per_symbol = {symbol: symbol_rows(parts) for symbol, parts in sorted(found.items()) if parts}
    closes, rows = [], []
    for close_ms in stored_ms[(stored_ms >= first_ms) & (stored_ms <= last_ms)].tolist():
        ready = {symbol: _row_at(*figures, close_ms) for symbol, figures in per_symbol.items()}
        present = {symbol: figures for symbol, figures in ready.items() if len(figures.rows)}
        if present:
            closes.append(close_ms)
            rows.append(_mood_of(present, close_ms, stored_ms, stored))
    return np.array(closes, dtype=np.int64), np.array(rows).reshape(len(rows), len(mood.MOOD_FIELDS))


def _row_at(closes: IntArray, figures: mood.SymbolMood, close_ms: int) -> mood.SymbolMood:
    first, last = np.searchsorted(closes, [close_ms, close_ms + 1])
    return figures.take(slice(int(first), int(last)))


def mood_at(found: Found, close_ms: int, stored_ms: IntArray, stored: FloatArray) -> FloatArray | None:
    """The mood at one close, given the rows stored before it; None when no symbol has a ready bar there."""
    ready = {symbol: symbol_rows(parts)[1] for symbol, parts in sorted(found.items()) if parts}
    return _mood_of(ready, close_ms, stored_ms, stored) if ready else None


def _mood_of(
    ready: Mapping[str, mood.SymbolMood], close_ms: int, stored_ms: IntArray, stored: FloatArray
) -> FloatArray:
    timeframe = next(iter(ready.values())).timeframe
    history = mood.recent_volatility(timeframe, close_ms, stored_ms, stored[:, mood.REALISED_VOLATILITY])
    rows = np.concatenate([figures.rows for figures in ready.values()])
    position = list(ready).index(mood.BITCOIN) if mood.BITCOIN in ready else None
    return mood.market_mood(rows, position, history)
