"""Matured leans by day, gate, regime and symbol, as columns: what the gates' worth is computed from. Pure numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.gates import REASONS

# Codes of `GateDays.reason`, in order: the empty reason of a lean that no gate refused, then the gates' own.
REASON_CODES = ("", *REASONS)
UNKNOWN_REASON = len(REASON_CODES)
COLUMNS = ("day", "reason", "regime", "symbol")


@dataclass(frozen=True)
class GateDays:
    """Counts and sums of leans; columns (n,). `figures` by the names of the daily table, `day` since 1970 in UTC.

    `reason` is a place in REASON_CODES, or behind them for one that no gate gives any more; `symbol` one in `symbols`.
    Several rows may have the same keys; their order makes no difference but in the last bits of sums.
    """

    day: IntArray
    reason: IntArray
    regime: IntArray
    symbol: IntArray
    symbols: tuple[str, ...]
    figures: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.day)

    def __getitem__(self, name: str) -> FloatArray:
        """A figure of the table, or the leans that have a result, or those that were good or missed."""
        if name == "valued":
            return self["shadows"] - self["void"]
        return self["good"] + self["missed"] if name == "judged" else self.figures[name]

    def rows(self, chosen: BoolArray) -> "GateDays":
        columns = {name: getattr(self, name)[chosen] for name in COLUMNS}
        return replace(self, **columns, figures={name: column[chosen] for name, column in self.figures.items()})

    @cached_property
    def refused(self) -> "GateDays":
        return self.rows(self.reason != 0)

    @cached_property
    def published(self) -> "GateDays":
        return self.rows(self.reason == 0)

    def total(self, name: str) -> float:
        return float(self[name].sum())

    @classmethod
    def empty(cls, figures: Sequence[str]) -> "GateDays":
        none = np.empty(0, np.int64)
        return cls(none, none, none, none, (), {name: np.empty(0) for name in figures})

    @classmethod
    def joined(cls, parts: "Sequence[GateDays]") -> "GateDays":
        """The rows of all parts, which have the same figures; at least one part."""
        symbols = sorted({symbol for part in parts for symbol in part.symbols})
        code = {symbol: place for place, symbol in enumerate(symbols)}
        moved = [
            replace(part, symbol=np.array([code[symbol] for symbol in part.symbols], dtype=np.int64)[part.symbol])
            for part in parts
        ]
        columns = {name: np.concatenate([getattr(part, name) for part in moved]) for name in COLUMNS}
        names = parts[0].figures
        figures = {name: np.concatenate([part.figures[name] for part in parts]) for name in names}
        return cls(**columns, symbols=tuple(symbols), figures=figures)


def cube(days: IntArray, rows: GateDays, place: IntArray, groups: int, columns: Sequence[str]) -> FloatArray:
    """Sums of the columns by day and group, (days, groups, columns); `place` (n,) is each row's group, -1 for none."""
    used = place >= 0
    cell = np.searchsorted(days, rows.day[used]) * groups + place[used]
    sums = [np.bincount(cell, weights=rows[name][used], minlength=len(days) * groups) for name in columns]
    return np.stack(sums, axis=-1).astype(np.float64).reshape(len(days), groups, len(columns))
