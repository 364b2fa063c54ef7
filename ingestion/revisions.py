"""What was stored at a moment: the changes that came later, undone. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from ingestion.timeframes import FIGURES, Candles


@dataclass(frozen=True)
class Change:
    """Minutes [start_ms, end_ms) of a symbol that came to be stored otherwise, between two moments of the wall clock.

    `before`: the figures of its one minute until then, NaN where unknown. None: the minutes were not there before.
    """

    symbol: str
    start_ms: int
    end_ms: int
    noted_from: datetime
    noted_by: datetime
    before: tuple[float, ...] | None = None


@dataclass(frozen=True)
class Delisting:
    """The minute a symbol ceased to be listed at, and when (wall clock) we came to know; None: nobody wrote it down."""

    at_ms: int
    noted_at: datetime | None = None


def undone(minutes: Mapping[str, Candles], changes: Iterable[Change]) -> dict[str, Candles]:
    """The candles as they stood before these changes, of which each must be there if an earlier one of it is."""
    by_symbol: dict[str, list[Change]] = {}
    for change in sorted(changes, key=lambda change: change.noted_from, reverse=True):
        by_symbol.setdefault(change.symbol, []).append(change)
    found = dict(minutes)
    for symbol in by_symbol.keys() & found.keys():
        found[symbol] = _undone(found[symbol], by_symbol[symbol])
    return found


def _undone(candles: Candles, newest_first: Sequence[Change]) -> Candles:
    columns = {name: getattr(candles, name).copy() for name in FIGURES}
    is_there = np.ones(len(candles), np.bool_)
    for change in newest_first:
        rows = slice(*np.searchsorted(candles.open_ms, [change.start_ms, change.end_ms]).tolist())
        if change.before is None:
            is_there[rows] = False
            continue
        for name, figure in zip(FIGURES, change.before, strict=True):
            columns[name][rows] = figure
    kept = replace(candles, **columns)
    return Candles(*(getattr(kept, name)[is_there] for name in Candles.__dataclass_fields__))
