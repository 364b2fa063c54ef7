"""What a head looks at: one anchored window of bars a timeframe, and several windows as one. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from signals.frame import Excerpt, Frame, Part, end_to_end


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


Stack = tuple[Window, IntArray]


class Batch:
    """Rows to be read of several windows of one timeframe, stacked as often as heads ask, each stack made once."""

    def __init__(self, read: Sequence[Span]) -> None:
        self._read = read
        self._stacks: dict[tuple[int | None, tuple[str, ...]], Stack] = {}
        self._whole: dict[str, Frame] = {}

    def stacked(self, memory: int | None, context: Sequence[str] = ()) -> Stack:
        """The windows as one, each with at least `memory` bars before its rows; and where those are there.

        Those of the `context` timeframes that the windows have are stacked as far as the rows see them; feeds are not.
        """
        # Rounded up, so that heads that remember about as much share a stack.
        bars = memory if memory is None or memory < 2 else 1 << (memory - 1).bit_length()
        key = (bars, tuple(name for name in context if name in self._read[0].window.context))
        if key not in self._stacks:
            self._stacks[key] = self._stack(*key)
        return self._stacks[key]

    def _stack(self, memory: int | None, context: Sequence[str]) -> Stack:
        parts = [each.with_memory(memory) for each in self._read]
        ends = np.cumsum([len(part) for part in parts]).tolist()
        wanted = [np.arange(end - len(each), end) for each, end in zip(self._read, ends, strict=True)]
        frames, seen = {}, {}
        for name in context:
            frames[name], seen[name] = self._stack_context(name, parts)
        base = Excerpt(parts, self._whole_of("", [part.frame for part in parts]))
        rows = np.concatenate(wanted)
        return Window(base, frames, {}, 0, rows, seen), rows

    def _stack_context(self, name: str, parts: Sequence[Part]) -> tuple[Frame, IntArray]:
        """The bars of a context timeframe that the parts see, and the row among them that each of their rows sees."""
        held, seen, before = [], [], 0
        for each, part in zip(self._read, parts, strict=True):
            frame = each.window.context[name]
            rows = np.searchsorted(frame.close_ms, part.cut(part.frame.close_ms), side="right") - 1
            start, stop = max(int(rows[0]), 0), max(int(rows[-1]), 0) + 1
            held.append(Part(frame, start, min(stop, len(frame))))
            seen.append(np.where(rows >= 0, rows - start + before, -1))
            before += len(held[-1])
        return Excerpt(held, self._whole_of(name, [part.frame for part in held])), np.concatenate(seen)

    def _whole_of(self, name: str, frames: Sequence[Frame]) -> Frame:
        if name not in self._whole:
            self._whole[name] = end_to_end(frames)
        return self._whole[name]


def stacked(read: Sequence[Span], memory: int | None, context: Sequence[str] = ()) -> Stack:
    """Rows of several windows as one window: `Batch.stacked`, once."""
    return Batch(read).stacked(memory, context)
