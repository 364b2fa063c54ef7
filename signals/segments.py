"""From 1m candles to anchored windows: which bars a scan reads, and from where on. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import TIMEFRAMES, Candles, Timeframe, resample
from signals.frame import Frame
from signals.window import Window

CONTEXT = ("1h", "4h")


# A symbol's 1m candles, or what `resample` makes of them, by timeframe: the same bits.
Stored = Candles | Mapping[str, Candles]


def bars_of(stored: Stored, timeframe: Timeframe, start_ms: int, end_ms: int) -> Candles:
    """The bars that open in [start_ms, end_ms)."""
    if isinstance(stored, Candles):
        return resample(stored.between(start_ms, end_ms), timeframe)
    return stored[timeframe.name].between(start_ms, end_ms)


def frames_between(stored: Stored, timeframe: Timeframe, first_ms: int, last_ms: int) -> dict[int, Frame]:
    """Anchored frames by block for bars that open in [first_ms, last_ms]; `stored` may hold more on either side."""
    first, last = timeframe.block_of(np.array([first_ms, last_ms])).tolist()
    end_ms = last_ms + timeframe.ms
    frames = {}
    for block in range(first, last + 1):
        start_ms = timeframe.window_start_ms(block)
        stop_ms = min(start_ms + 2 * timeframe.block * timeframe.ms, end_ms)
        frames[block] = Frame(timeframe, bars_of(stored, timeframe, start_ms, stop_ms))
    return frames


def slower_than(timeframe: Timeframe, context: Sequence[str] = CONTEXT) -> list[Timeframe]:
    """The context timeframes that a scan timeframe has beside it."""
    return [TIMEFRAMES[name] for name in context if TIMEFRAMES[name].minutes > timeframe.minutes]


def history_start_ms(timeframe: Timeframe, first_close_ms: int, context: Sequence[str] = CONTEXT) -> int:
    """Open time (ms) of the earliest 1m candle that a scan closing at `first_close_ms` can read."""
    return min(start_ms for start_ms, _ in spans_read(timeframe, first_close_ms, context).values())


@dataclass(frozen=True)
class Segment:
    """A window and those of its base rows for which every timeframe's anchor is the right one."""

    window: Window
    rows: npt.NDArray[np.int64]


def spans_read(
    timeframe: Timeframe, close_ms: int, context: Sequence[str] = CONTEXT
) -> dict[Timeframe, tuple[int, int]]:
    """From when to when (ms) a scan of one close reads the bars of each timeframe."""
    used = [timeframe, *slower_than(timeframe, context)]
    newest = {each: each.last_closed_open_ms(close_ms) for each in used}
    return {
        each: (each.window_start_ms(int(each.block_of(np.array(open_ms)))), open_ms + each.ms)
        for each, open_ms in newest.items()
    }


def segments(
    stored: Stored,
    timeframe: Timeframe,
    first_close_ms: int,
    last_close_ms: int,
    context: Sequence[str] = CONTEXT,
) -> Iterator[Segment]:
    """Windows (without feeds) whose rows together are the ready bars that close in [first_close_ms, last_close_ms]."""
    slow = slower_than(timeframe, context)
    slow_frames = {
        slower.name: frames_between(
            stored,
            slower,
            slower.last_closed_open_ms(first_close_ms),
            slower.last_closed_open_ms(last_close_ms),
        )
        for slower in slow
    }
    base_frames = frames_between(stored, timeframe, first_close_ms - timeframe.ms, last_close_ms - timeframe.ms)
    for block, frame in base_frames.items():
        own = timeframe.block_of(frame.candles.open_ms) == block
        wanted = own & frame.ready & (frame.close_ms >= first_close_ms) & (frame.close_ms <= last_close_ms)
        anchors = np.stack(
            [slower.block_of(frame.close_ms // slower.ms * slower.ms - slower.ms) for slower in slow]
            or [np.zeros(len(frame), np.int64)]
        )
        rows = np.flatnonzero(wanted)
        changed = np.flatnonzero((np.diff(anchors[:, rows], axis=1) != 0).any(axis=0)) + 1
        for part in np.split(rows, changed):
            if len(part):
                seen = {
                    slower.name: slow_frames[slower.name][int(anchors[index, part[0]])]
                    for index, slower in enumerate(slow)
                }
                yield Segment(Window(frame, seen, {}), part)
