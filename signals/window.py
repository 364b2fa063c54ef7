"""What a head looks at: one anchored window of bars a timeframe, with indicators computed once and shared. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ingestion.timeframes import BoolArray, Candles, FloatArray, IntArray, Timeframe
from signals.indicators import INDICATORS


@dataclass
class Frame:
    """The bars of one timeframe from one window start on; a row may be read only for bars of the frame's own block.

    Every series is causal, so the last row of a live frame equals the same row of a whole block, bit for bit.
    """

    timeframe: Timeframe
    candles: Candles
    _series: dict[str, FloatArray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.candles)

    def __getitem__(self, name: str) -> FloatArray:
        """A candle column (`close`) or an indicator (`rsi_14`) by name, shape (bars,). Do not write to it."""
        if name in Candles.__dataclass_fields__:
            return getattr(self.candles, name)  # type: ignore[no-any-return]
        if name not in self._series:
            self._series[name] = self._compute(name)
        return self._series[name]

    def _compute(self, name: str) -> FloatArray:
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
        index = self.timeframe.bar_index(self.candles.open_ms)
        return index - index[:1] + 1 >= self.timeframe.block if len(index) else np.empty(0, np.bool_)


@dataclass(frozen=True)
class Window:
    """One symbol at the scan timeframe (`base`) with its slower timeframes as context and feeds by name.

    `feeds` are series already aligned to the base rows by their `available_at`, NaN where none is fresh.
    """

    base: Frame
    context: Mapping[str, Frame]
    feeds: Mapping[str, FloatArray]

    def __len__(self) -> int:
        return len(self.base)

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
