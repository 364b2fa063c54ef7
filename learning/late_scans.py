"""Late scans made again: the symbols that were left out of their close, with the candles that had come for them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from itertools import groupby

import numpy as np

from learning.comparison import scans_at
from learning.recomputing import Bench, past_in
from learning.spells import Close
from learning.views import View
from learning.walk import Seen
from signals.gates import PastSignal
from signals.models import LateScan, ScanHistory
from signals.rows import to_ms
from signals.selectors import AFTER_THE_CLOSE


@dataclass(frozen=True)
class LateOnes:
    """The late scans of one close that were made together; `lacked`: the minutes that each symbol's bar lacked."""

    close: Close
    lacked: Mapping[str, int]


def late_ones(timeframe: str, first: datetime, last: datetime) -> list[LateOnes]:
    """Those of the closes [first, last], in order of close and of when they were made."""
    rows = LateScan.objects.filter(timeframe=timeframe, close_time__range=(first, last), scanned_at__isnull=False)
    found = []
    for (close_time, scanned_at), group in groupby(
        rows.order_by("close_time", "scanned_at", "symbol"), key=lambda row: (row.close_time, row.scanned_at)
    ):
        lacked = {row.symbol: (row.missing_minutes, row.began_at) for row in group}
        began = min(at for _, at in lacked.values() if at)
        close = Close(to_ms(close_time), began, scanned_at or began, tuple(lacked))
        found.append(LateOnes(close, {symbol: minutes for symbol, (minutes, _) in lacked.items()}))
    return found


@dataclass(frozen=True)
class LateBench(Bench):
    """A bench for one close's late scans: its signals are past, and its mood was made without these symbols."""

    lacked: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def beside(cls, bench: Bench, ones: LateOnes) -> "LateBench":
        return cls(**{each.name: getattr(bench, each.name) for each in fields(Bench)}, lacked=ones.lacked)

    def _feed_differences(self, seen: Seen, closes: Sequence[int]) -> list[str]:
        return []

    def _look(self, view: View, symbols: Sequence[str], closes: Sequence[int]) -> Seen:
        seen = super()._look(view, symbols, closes)
        lacked = np.array([self.lacked[symbol] for symbol in seen.looks.symbol.tolist()], dtype=np.int64)
        seen.looks.missing_minutes[:] = np.maximum(seen.looks.missing_minutes, lacked)
        return seen

    def _past(self, view: View, close_ms: int) -> list[PastSignal]:
        return past_in(view, self.timeframe, close_ms + int(AFTER_THE_CLOSE.total_seconds() * 1000))

    def _scans_at(self, closes: Iterable[int]) -> list[ScanHistory]:
        return [row for row in scans_at(self.timeframe, closes) if row.symbol in self.lacked]
