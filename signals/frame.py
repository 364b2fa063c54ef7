"""The bars of one timeframe, with indicators computed once and shared: a whole series, or parts of many. Pure."""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np

from ingestion.timeframes import BoolArray, Candles, FloatArray, IntArray, Timeframe
from signals.indicators import SERIES
from signals.indicators.base import Indicator

T = TypeVar("T")
Compute = TypeVar("Compute", bound=Callable[..., Any])

ACROSS: set[Callable[..., Any]] = set()


def across(compute: Compute) -> Compute:
    """Marks what may be `derived` from many whole frames end to end at once: it minds where each `begins`."""
    ACROSS.add(compute)
    return compute


class Frame:
    """The bars of one timeframe from one window start on; a row may be read only for bars of the frame's own block.

    Every series is causal, so the last row of a live frame equals the same row of a whole block, bit for bit.
    """

    def __init__(self, timeframe: Timeframe, candles: Candles) -> None:
        self.timeframe = timeframe
        self._candles, self._length = candles, len(candles)
        self._series: dict[str, FloatArray] = dict(vars(candles))
        self._derived: dict[tuple[Hashable, ...], Any] = {}

    def __len__(self) -> int:
        return self._length

    @property
    def candles(self) -> Candles:
        return self._candles

    @property
    def parts(self) -> "Sequence[Part]":
        """The whole frames, and the rows of each, that this one is made of: itself."""
        return [Part(self, 0, len(self))]

    @property
    def whole(self) -> "Frame":
        """The whole frames end to end that this one is made of: itself."""
        return self

    @property
    def places(self) -> IntArray:
        """The row of each bar among those of `whole`, shape (bars,)."""
        return self.derived(rows_of)

    @property
    def begins(self) -> IntArray:
        """The row at which the frame of each bar begins; for whole frames. Shape (bars,)."""
        return np.zeros(len(self), np.int64)

    def __getitem__(self, name: str) -> FloatArray:
        """A candle column (`close`) or an indicator (`rsi_14`) by name, shape (bars,). Do not write to it."""
        series = self._series.get(name)
        if series is None:
            series = self._series[name] = self._compute(SERIES[name])
        return series

    def _compute(self, indicator: Indicator) -> FloatArray:
        # A lookback beyond the block would warm up in some windows and not in others: undefined there, always.
        if indicator.lookback >= self.timeframe.block or self._length == 0:
            return np.full(self._length, np.nan)
        series = indicator.compute(*[self[each] for each in indicator.inputs])
        series.flags.writeable = False
        return series

    def derived(self, compute: Callable[..., T], *arguments: Hashable) -> T:
        """`compute(frame, *arguments)`, made once for all heads; for what remembers the whole window, as swings do.

        It is given a whole frame, or many end to end if it is marked `across`. Its arrays have bars as their last
        axis. Do not write to them.
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
        return self.derived(close_times)

    @property
    def minutes(self) -> IntArray:
        return self._candles.minutes

    @property
    def ready(self) -> BoolArray:
        """Bars with at least W bars of clock time behind them in this window; heads abstain before."""
        return self.derived(ready_bars)


def close_times(frame: Frame) -> IntArray:
    return frame.open_ms + frame.timeframe.ms


def rows_of(frame: Frame) -> IntArray:
    return np.arange(len(frame))


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
    neighbouring rows runs on over the seams, so a part begins as many bars early as the head remembers. `whole` may be
    given by whoever makes several excerpts of the same frames, so that they share it.
    """

    def __init__(self, parts: Sequence[Part], whole: Frame | None = None) -> None:
        super().__init__(parts[0].frame.timeframe, parts[0].frame.candles)
        self._series, self._parts, self._length = {}, parts, sum(map(len, parts))
        self._whole = whole

    @property
    def parts(self) -> Sequence[Part]:
        return self._parts

    @property
    def whole(self) -> Frame:
        if self._whole is None:
            self._whole = end_to_end([part.frame for part in self._parts])
        return self._whole

    @cached_property
    def _in_frame(self) -> IntArray:
        """The row of each bar in its own frame."""
        return np.concatenate([np.arange(part.start, part.stop) for part in self._parts])

    @cached_property
    def places(self) -> IntArray:
        if not isinstance(self.whole, Whole):
            return self._in_frame
        offsets = [self.whole.offsets[id(part.frame)] for part in self._parts]
        places: IntArray = self._in_frame + np.repeat(offsets, [len(part) for part in self._parts])
        return places

    def since(self, row: int) -> Frame:
        parts = []
        for part in self._parts:
            skipped = min(row, len(part))
            parts += [Part(part.frame, part.start + skipped, part.stop)] if skipped < len(part) else []
            row -= skipped
        return Excerpt(parts or [Part(self._parts[-1].frame, self._parts[-1].stop, self._parts[-1].stop)], self._whole)

    @property
    def candles(self) -> Candles:
        return Candles(*(cast(Any, self[name]) for name in Candles.__dataclass_fields__))

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._series:
            self._series[name] = self._compute(SERIES[name]) if name in SERIES else self._cut(name)
        return self._series[name]

    def _compute(self, indicator: Indicator) -> FloatArray:
        if indicator.reach is None or indicator.lookback >= self.timeframe.block:
            return self._cut(indicator.name)
        if indicator.reach == 0:
            return indicator.compute(*[self[each] for each in indicator.inputs])
        wide, rows = self._reaching
        series = indicator.compute(*[wide[each] for each in indicator.inputs])
        # What the first rows of a frame reach for lies beyond a seam.
        return np.where(self._in_frame >= indicator.lookback, series[rows], np.nan)

    @cached_property
    def _reaching(self) -> "tuple[Excerpt, IntArray]":
        """These parts from as many bars earlier on as any series reaches, and the rows there that are ours."""
        parts = [Part(part.frame, max(part.start - LONGEST_REACH, 0), part.stop) for part in self._parts]
        ends = np.cumsum([len(part) for part in parts]).tolist()
        rows = [np.arange(end - len(part), end) for end, part in zip(ends, self._parts, strict=True)]
        return Excerpt(parts, self._whole), np.concatenate(rows)

    def _cut(self, name: str) -> FloatArray:
        return np.concatenate([part.frame[name][part.start : part.stop] for part in self._parts])

    def derived(self, compute: Callable[..., T], *arguments: Hashable) -> T:
        key = (compute, *arguments)
        if key not in self._derived:
            if compute in ACROSS:
                self._derived[key] = picked(self.whole.derived(compute, *arguments), self.places)
            else:
                pieces = [(part, part.frame.derived(compute, *arguments)) for part in self._parts]
                self._derived[key] = joined(pieces)
        made: T = self._derived[key]
        return made

    @property
    def open_ms(self) -> IntArray:
        return cast(IntArray, self["open_ms"])

    @cached_property
    def close_ms(self) -> IntArray:
        return self.open_ms + self.timeframe.ms

    @property
    def minutes(self) -> IntArray:
        return cast(IntArray, self["minutes"])


LONGEST_REACH = max(each.reach or 0 for each in SERIES.values())


class Whole(Excerpt):
    """Different whole frames end to end."""

    def __init__(self, frames: Sequence[Frame]) -> None:
        super().__init__([Part(frame, 0, len(frame)) for frame in frames])
        ends = np.cumsum([0, *map(len, frames)])
        self.offsets = {id(frame): int(end) for frame, end in zip(frames, ends[:-1], strict=True)}

    @property
    def whole(self) -> Frame:
        # Not kept: an object that holds itself is not freed when the last other one lets go of it.
        return self

    @cached_property
    def begins(self) -> IntArray:
        return np.repeat(list(self.offsets.values()), [len(part) for part in self._parts])

    def derived(self, compute: Callable[..., T], *arguments: Hashable) -> T:
        return Frame.derived(self, compute, *arguments) if compute in ACROSS else super().derived(compute, *arguments)


def end_to_end(frames: Sequence[Frame]) -> Frame:
    """Each of the frames once, as one."""
    different = list({id(frame): frame for frame in frames}.values())
    return different[0] if len(different) == 1 else Whole(different)


def picked(value: Any, rows: IntArray) -> Any:
    """Some rows of the arrays in a value, whose last axis is bars."""
    if is_dataclass(value) and not isinstance(value, type):
        return type(value)(*(picked(getattr(value, each.name), rows) for each in fields(value)))
    return tuple(picked(each, rows) for each in value) if isinstance(value, tuple) else value[..., rows]


def joined(pieces: Sequence[tuple[Part, Any]]) -> Any:
    """One value from those of several frames: arrays cut and put together, dataclasses and tuples member by member."""
    _, first = pieces[0]
    if is_dataclass(first) and not isinstance(first, type):
        members = [joined([(part, getattr(each, name.name)) for part, each in pieces]) for name in fields(first)]
        return type(first)(*members)
    if isinstance(first, tuple):
        return tuple(joined([(part, each[place]) for part, each in pieces]) for place in range(len(first)))
    return np.concatenate([part.cut(each) for part, each in pieces], axis=-1)
