"""What a head looks at: one anchored window of bars a timeframe, with indicators computed once and shared. Pure."""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

from ingestion.timeframes import BoolArray, Candles, FloatArray, IntArray, Timeframe
from signals.indicators import INDICATORS

T = TypeVar("T")


@dataclass
class Frame:
    """The bars of one timeframe from one window start on; a row may be read only for bars of the frame's own block.

    Every series is causal, so the last row of a live frame equals the same row of a whole block, bit for bit.
    `_source` is the frame and row that a shorter view was cut from: its series are warmed up there.
    """

    timeframe: Timeframe
    candles: Candles
    _series: dict[str, FloatArray] = field(default_factory=dict, repr=False)
    _derived: dict[tuple[Hashable, ...], Any] = field(default_factory=dict, repr=False)
    _source: "tuple[Frame, int] | None" = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.candles)

    def __getitem__(self, name: str) -> FloatArray:
        """A candle column (`close`) or an indicator (`rsi_14`) by name, shape (bars,). Do not write to it."""
        if name in Candles.__dataclass_fields__:
            return getattr(self.candles, name)  # type: ignore[no-any-return]
        if name not in self._series:
            self._series[name] = self._compute(name)
        return self._series[name]

    def derived(self, compute: Callable[..., T], *arguments: Hashable) -> T:
        """`compute(frame, *arguments)`, made once however many heads ask: swings, regimes. Do not write to it."""
        key = (compute, *arguments)
        if key not in self._derived:
            self._derived[key] = compute(self, *arguments)
        made: T = self._derived[key]
        return made

    def since(self, row: int) -> "Frame":
        """The bars from `row` on as a frame of their own, with indicators warmed up on the whole: the same bits."""
        return Frame(self.timeframe, self.candles.rows(slice(row, None)), _source=(self, row)) if row > 0 else self

    def _compute(self, name: str) -> FloatArray:
        if self._source is not None:
            whole, row = self._source
            return whole[name][row:]
        indicator = INDICATORS[name]
        # A lookback beyond the block would warm up in some windows and not in others: undefined there, always.
        if indicator.lookback >= self.timeframe.block or len(self) == 0:
            return np.full(len(self), np.nan)
        series = indicator.compute(*(self[column] for column in indicator.inputs))
        series.flags.writeable = False
        return series

    @property
    def close_ms(self) -> IntArray:
        return self.candles.open_ms + self.timeframe.ms

    @property
    def ready(self) -> BoolArray:
        """Bars with at least W bars of clock time behind them in this window; heads abstain before."""
        if self._source is not None:
            whole, row = self._source
            return whole.ready[row:]
        index = self.timeframe.bar_index(self.candles.open_ms)
        return index - index[:1] + 1 >= self.timeframe.block if len(index) else np.empty(0, np.bool_)


@dataclass(frozen=True)
class Window:
    """One symbol at the scan timeframe (`base`) with its slower timeframes as context and feeds by name.

    `feeds` are series already aligned to the base rows by their `available_at`, NaN where none is fresh. Votes are
    read from row `first` on: what comes before is there for the memory of the heads.
    """

    base: Frame
    context: Mapping[str, Frame]
    feeds: Mapping[str, FloatArray]
    first: int = 0

    def __len__(self) -> int:
        return len(self.base)

    def recent(self, memory: int) -> "Window":
        """This window from `memory` bars before the first row that is read; rows are counted from there.

        For a head whose vote depends on so many bars before its own, besides indicators: it need not vote on the rest.
        """
        row = max(self.first - memory, 0)
        if row == 0:
            return self
        feeds = {name: values[row:] for name, values in self.feeds.items()}
        return Window(self.base.since(row), self.context, feeds, self.first - row)

    def aligned(self, timeframe: str, values: FloatArray) -> FloatArray:
        """`values` (one a context bar) as seen from each base row: the last context bar closed by then, else NaN.

        NaN too where the context timeframe is not ready. `timeframe` may name the base itself.
        """
        frame = self.base if timeframe == self.base.timeframe.name else self.context[timeframe]
        seen = np.where(frame.ready, values, np.nan)
        if frame is self.base:
            return seen
        row = np.searchsorted(frame.close_ms, self.base.close_ms, side="right") - 1
        if not len(frame):
            return np.full(len(self.base), np.nan)
        return np.where(row >= 0, seen[np.maximum(row, 0)], np.nan)
