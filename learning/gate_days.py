"""Matured leans by day, gate, regime and symbol, as columns: what the gates' worth is computed from. Pure numpy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import BoolArray, FloatArray, IntArray

PUBLISHED = ""  # the reason of a lean that no gate refused
TextArray = npt.NDArray[np.str_]


@dataclass(frozen=True)
class GateDays:
    """Counts and sums of leans; columns (n,). `figures` by the names of the daily table, `day` since 1970 in UTC.

    Several rows may have the same keys; their order makes no difference but in the last bits of sums.
    """

    day: IntArray
    reason: TextArray
    regime: IntArray
    symbol: TextArray
    figures: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.day)

    def __getitem__(self, name: str) -> FloatArray:
        """A figure of the table, or the leans that have a result, or those that were good or missed."""
        if name == "valued":
            return self["shadows"] - self["void"]
        return self["good"] + self["missed"] if name == "judged" else self.figures[name]

    def rows(self, chosen: BoolArray) -> "GateDays":
        columns = {name: getattr(self, name)[chosen] for name in ("day", "reason", "regime", "symbol")}
        return replace(self, **columns, figures={name: column[chosen] for name, column in self.figures.items()})

    @cached_property
    def refused(self) -> "GateDays":
        return self.rows(self.reason != PUBLISHED)

    @cached_property
    def published(self) -> "GateDays":
        return self.rows(self.reason == PUBLISHED)

    def total(self, name: str) -> float:
        return float(self[name].sum())

    @classmethod
    def empty(cls, figures: Sequence[str]) -> "GateDays":
        whole, text = np.empty(0, np.int64), np.empty(0, np.str_)
        return cls(whole, text, whole, text, {name: np.empty(0) for name in figures})

    @classmethod
    def joined(cls, parts: "Sequence[GateDays]") -> "GateDays":
        """The rows of all parts, which have the same figures; at least one part."""
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in ("day", "reason", "regime", "symbol")
        }
        names = parts[0].figures
        return cls(**columns, figures={name: np.concatenate([part.figures[name] for part in parts]) for name in names})


def cube(days: IntArray, rows: GateDays, place: IntArray, groups: int, columns: Sequence[str]) -> FloatArray:
    """Sums of the columns by day and group, (days, groups, columns); `place` (n,) is each row's group, -1 for none."""
    used = place >= 0
    cell = np.searchsorted(days, rows.day[used]) * groups + place[used]
    sums = [np.bincount(cell, weights=rows[name][used], minlength=len(days) * groups) for name in columns]
    return np.stack(sums, axis=-1).astype(np.float64).reshape(len(days), groups, len(columns))
