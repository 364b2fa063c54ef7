"""What a head looks at: one anchored window of bars a timeframe, with indicators computed once and shared. Pure."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from typing import Any, TypeVar, cast

import numpy as np

from ingestion.timeframes import BoolArray, Candles, FloatArray, IntArray, Timeframe
from signals.indicators import SERIES
from signals.indicators.base import Indicator

T = TypeVar("T")


class Frame:
    """The bars of one timeframe from one window start on; a row may be read only for bars of the frame's own block.

    Every series is causal, so the last row of a live frame equals the same row of a whole block, bit for bit.
    """

    def __init__(self, timeframe: Timeframe, candles: Candles) -> None:
        self.timeframe = timeframe
        self._candles = candles
        self._series: dict[str, FloatArray] = dict(vars(candles))
        self._derived: dict[tuple[Hashable, ...], Any] = {}

    def __len__(self) -> int:
        return len(self._candles)

    @property
    def candles(self) -> Candles:
        return self._candles

    @property
    def parts(self) -> "Sequence[Part]":
        """The whole frames, and the rows of each, that this one is made of: itself."""
        return [Part(self, 0, len(self))]

    def __getitem__(self, name: str) -> FloatArray:
        """A candle column (`close`) or an indicator (`rsi_14`) by name, shape (bars,). Do not write to it."""
        if name not in self._series:
            self._series[name] = self._compute(SERIES[name])
        return self._series[name]

    def _compute(self, indicator: Indicator) -> FloatArray:
        # A lookback beyond the block would warm up in some windows and not in others: undefined there, always.
        if indicator.lookback >= self.timeframe.block or len(self) == 0:
            return np.full(len(self), np.nan)
        series = indicator.compute(*[self[each] for each in indicator.inputs])
        series.flags.writeable = False
        return series

    def derived(self, compute: Callable[..., T], *arguments: Hashable) -> T:
        """`compute(frame, *arguments)`, made once for all heads; for what remembers the whole window, as swings do.

        Its arrays have bars as their last axis. Do not write to them.
        """
        key = (compute, *arguments)
        if key not in self._derived:
            self._derived[key] = compute(self, *arguments)
        made: T = self._derived[key]
        return made

    def since(self, row: int) -> "Frame":
        """The bars from `row` on, warmed up on the whole."""
        return Excerpt([Part(self, row, len(self))]) if row > 0 else self

    @property
    def open_ms(self) -> IntArray:
        return self._candles.open_ms

    @property
    def close_ms(self) -> IntArray:
        return self.open_ms + self.timeframe.ms

    @property
    def minutes(self) -> IntArray:
        return self._candles.minutes

    @property
    def ready(self) -> BoolArray:
        """Bars with at least W bars of clock time behind them in this window; heads abstain before."""
        return self.derived(ready_bars)


def ready_bars(frame: Frame) -> BoolArray:
    index = frame.timeframe.bar_index(frame.open_ms)
    ready: BoolArray = index - index[:1] + 1 >= frame.timeframe.block
    return ready


@dataclass(frozen=True)
class Part:
    """The rows [start, stop) of a frame."""

    frame: Frame
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def cut(self, values: Any) -> Any:
        """The part's share of an array whose last axis is bars."""
        return values[..., self.start : self.stop]


class Excerpt(Frame):
    """Parts of frames one after the other: a head that remembers few bars reads those few, of many symbols at once.

    Indicators and whatever is `derived` were warmed up on each whole frame: the same bits. What a head itself makes of
    neighbouring rows runs on over the seams, so a part begins as many bars early as the head remembers.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__(parts[0].frame.timeframe, parts[0].frame.candles)
        self._series, self._parts = {}, parts
        self._wider: dict[int, tuple[Excerpt, IntArray, IntArray]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._parts))

    @property
    def parts(self) -> Sequence[Part]:
        return self._parts

    def since(self, row: int) -> Frame:
        parts = []
        for part in self.parts:
            skipped = min(row, len(part))
            parts += [Part(part.frame, part.start + skipped, part.stop)] if skipped < len(part) else []
            row -= skipped
        return Excerpt(parts or [Part(self.parts[-1].frame, self.parts[-1].stop, self.parts[-1].stop)])

    @property
    def candles(self) -> Candles:
        return Candles(*(cast(Any, self[name]) for name in Candles.__dataclass_fields__))

    def _compute(self, indicator: Indicator) -> FloatArray:
        if indicator.reach is None or indicator.lookback >= self.timeframe.block:
            return self._cut(indicator.name)
        wide, rows, index = self._reaching(indicator.reach)
        series = indicator.compute(*[wide[each] for each in indicator.inputs])
        # What the first rows of a frame reach for lies beyond a seam.
        return np.where(index >= indicator.lookback, series[rows], np.nan)

    def _reaching(self, bars: int) -> "tuple[Excerpt, IntArray, IntArray]":
        """These parts from `bars` earlier on; the rows there that are ours, and the place of each in its own frame."""
        if bars not in self._wider:
            parts = [Part(part.frame, max(part.start - bars, 0), part.stop) for part in self.parts]
            ends = np.cumsum([len(part) for part in parts]).tolist()
            rows = [np.arange(end - len(part), end) for end, part in zip(ends, self.parts, strict=True)]
            index = [np.arange(part.start, part.stop) for part in self.parts]
            self._wider[bars] = Excerpt(parts), np.concatenate(rows), np.concatenate(index)
        return self._wider[bars]

    def _cut(self, name: str) -> FloatArray:
        return np.concatenate([part.frame[name][part.start : part.stop] for part in self.parts])

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._series:
            self._series[name] = self._compute(SERIES[name]) if name in SERIES else self._cut(name)
        return self._series[name]

    def derived(self, compute: Callable[..., T], *arguments: Hashable) -> T:
        key = (compute, *arguments)
        if key not in self._derived:
            self._derived[key] = joined([(part, part.frame.derived(compute, *arguments)) for part in self.parts])
        made: T = self._derived[key]
        return made

    @property
    def open_ms(self) -> IntArray:
        return cast(IntArray, self["open_ms"])

    @property
    def minutes(self) -> IntArray:
        return cast(IntArray, self["minutes"])


def joined(pieces: Sequence[tuple[Part, Any]]) -> Any:
    """One value from those of several frames: arrays cut and put together, dataclasses and tuples member by member."""
    _, first = pieces[0]
    if is_dataclass(first) and not isinstance(first, type):
        members = [joined([(part, getattr(each, name.name)) for part, each in pieces]) for name in fields(first)]
        return type(first)(*members)
    if isinstance(first, tuple):
        return tuple(joined([(part, each[place]) for part, each in pieces]) for place in range(len(first)))
    return np.concatenate([part.cut(each) for part, each in pieces], axis=-1)


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
    _wanted: IntArray | None = field(default=None, repr=False)
    _seen: Mapping[str, IntArray] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.base)

    @property
    def wanted(self) -> IntArray:
        """The rows that are read, ascending."""
        return np.arange(self.first, len(self)) if self._wanted is None else self._wanted

    def recent(self, memory: int) -> "Window":
        """This window from `memory` bars before the first row that is read; rows are counted from there.

        For a head whose vote depends on so many bars before its own, besides indicators: it need not vote on the rest.
        """
        row = max(self.first - memory, 0)
        if row == 0:
            return self
        feeds = {name: values[row:] for name, values in self.feeds.items()}
        seen = {name: rows[row:] for name, rows in self._seen.items()}
        return Window(self.base.since(row), self.context, feeds, self.first - row, self.wanted - row, seen)

    def seen_rows(self, timeframe: str) -> IntArray:
        """For each base row the row of the context frame whose bar closed last by then, -1 where there is none."""
        if timeframe in self._seen:
            return self._seen[timeframe]
        return np.searchsorted(self.context[timeframe].close_ms, self.base.close_ms, side="right") - 1

    def aligned(self, timeframe: str, values: FloatArray) -> FloatArray:
        """`values` (one a context bar) as seen from each base row: the last context bar closed by then, else NaN.

        NaN too where the context timeframe is not ready. `timeframe` may name the base itself.
        """
        if timeframe == self.base.timeframe.name:
            return np.where(self.base.ready, values, np.nan)
        frame, row = self.context[timeframe], self.seen_rows(timeframe)
        seen = np.full(len(self.base), np.nan)
        known = np.flatnonzero(row >= 0)
        known = known[frame.ready[row[known]]]
        seen[known] = values[row[known]]
        return seen


def and_before(rows: IntArray, bars: int, length: int) -> IntArray:
    """The rows and the `bars` before each, once each, ascending, as far as there are any."""
    chosen = np.zeros(length + bars, np.bool_)
    for back in range(bars + 1):
        chosen[rows + bars - back] = True
    return np.flatnonzero(chosen[bars:])


@dataclass(frozen=True)
class Span:
    """The rows [start, stop) of a window that are to be read."""

    window: Window
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def with_memory(self, memory: int | None) -> Part:
        start = 0 if memory is None else max(self.start - memory, 0)
        return Part(self.window.base, start, self.stop)


def stacked(read: Sequence[Span], memory: int | None, context: Sequence[str] = ()) -> tuple[Window, IntArray]:
    """Rows of several windows of one timeframe as one window, each with `memory` bars before; and where they are there.

    Those of the `context` timeframes that the windows have are stacked as far as the rows see them; feeds are not.
    """
    parts = [each.with_memory(memory) for each in read]
    ends = np.cumsum([len(part) for part in parts])
    wanted = [np.arange(end - len(each), end) for each, end in zip(read, ends.tolist(), strict=True)]
    frames, seen = {}, {}
    for name in (name for name in context if name in read[0].window.context):
        frames[name], seen[name] = _stacked_context(name, read, parts)
    rows = np.concatenate(wanted)
    return Window(Excerpt(parts), frames, {}, 0, rows, seen), rows


def _stacked_context(name: str, read: Sequence[Span], parts: Sequence[Part]) -> tuple[Frame, IntArray]:
    """The bars of a context timeframe that the parts see, and the row among them that each of their rows sees."""
    held, seen, before = [], [], 0
    for each, part in zip(read, parts, strict=True):
        frame = each.window.context[name]
        rows = np.searchsorted(frame.close_ms, part.cut(part.frame.close_ms), side="right") - 1
        start, stop = max(int(rows[0]), 0), max(int(rows[-1]), 0) + 1
        held.append(Part(frame, start, min(stop, len(frame))))
        seen.append(np.where(rows >= 0, rows - start + before, -1))
        before += len(held[-1])
    return Excerpt(held), np.concatenate(seen)
