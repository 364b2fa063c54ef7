"""Frames and windows for tests: the shipped recording, bars made by hand, and the window that live would have read."""

from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ingestion.csv_format import load_recording
from ingestion.timeframes import TIMEFRAMES, Candles, FloatArray, Timeframe, resample
from signals.frame import Frame
from signals.segments import CONTEXT, Segment, segments
from signals.window import Window

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"
QUARTER = TIMEFRAMES["15m"]
# On the grid of every timeframe, so that bars made by hand fall into whole slower bars.
START_MS = 1_623_369_600_000 // TIMEFRAMES["4h"].ms * TIMEFRAMES["4h"].ms


@cache
def recording() -> dict[str, Candles]:
    """A month of real 1m candles of eight markets; read once a process."""
    return load_recording(RECORDING)


@cache
def replayed(symbol: str, timeframe: str) -> tuple[Segment, ...]:
    """The windows replay reads, which together hold every ready bar of the recording."""
    minutes, chosen = recording()[symbol], TIMEFRAMES[timeframe]
    return tuple(segments(minutes, chosen, int(minutes.open_ms[0]) + chosen.ms, int(minutes.open_ms[-1])))


def live_window(minutes: Candles, timeframe: Timeframe, close_ms: int) -> Window:
    """The window of the bar that closes at `close_ms`, when no later candle exists."""
    slower = [TIMEFRAMES[name] for name in CONTEXT if TIMEFRAMES[name].minutes > timeframe.minutes]
    return Window(
        live_frame(minutes, timeframe, close_ms),
        {context.name: live_frame(minutes, context, close_ms) for context in slower},
        {},
    )


def live_frame(minutes: Candles, timeframe: Timeframe, close_ms: int) -> Frame:
    """The anchored frame of the last bar closed by `close_ms`."""
    last_ms = timeframe.last_closed_open_ms(close_ms)
    block = int(timeframe.block_of(np.array([last_ms]))[0])
    start_ms = timeframe.window_start_ms(block)
    return Frame(timeframe, resample(minutes.between(start_ms, last_ms + timeframe.ms), timeframe))


def bars(
    close: npt.ArrayLike,
    timeframe: Timeframe = QUARTER,
    *,
    high: FloatArray | None = None,
    low: FloatArray | None = None,
    volume: FloatArray | None = None,
    start_ms: int = START_MS,
) -> Candles:
    """Bars of `timeframe` with these closes; each opens at the close before it and has no wick unless told."""
    closes = np.asarray(close, dtype=np.float64)
    opening = np.concatenate((closes[:1], closes[:-1]))
    unknown = np.full(len(closes), np.nan)
    return Candles(
        open_ms=start_ms + np.arange(len(closes), dtype=np.int64) * timeframe.ms,
        open=opening,
        high=np.maximum(opening, closes) if high is None else high,
        low=np.minimum(opening, closes) if low is None else low,
        close=closes,
        volume=np.ones(len(closes)) if volume is None else volume,
        quote_volume=unknown,
        trades=unknown,
        taker_base=unknown,
        taker_quote=unknown,
        minutes=np.full(len(closes), timeframe.minutes, dtype=np.int64),
    )


def mirrored(candles: Candles, about: float) -> Candles:
    """The same market upside down: every price p becomes `about` - p."""
    return Candles(
        **{name: getattr(candles, name) for name in candles.__dataclass_fields__}
        | {
            "open": about - candles.open,
            "high": about - candles.low,
            "low": about - candles.high,
            "close": about - candles.close,
        }
    )


def scaled(candles: Candles, factor: float) -> Candles:
    """The same market in another currency: every price times `factor`."""
    prices = {name: factor * getattr(candles, name) for name in ("open", "high", "low", "close")}
    return Candles(**{name: getattr(candles, name) for name in candles.__dataclass_fields__} | prices)


def without(candles: Candles, rows: slice) -> Candles:
    """The candles with an outage where `rows` were."""
    kept = np.delete(np.arange(len(candles)), rows)
    return Candles(*(getattr(candles, name)[kept] for name in candles.__dataclass_fields__))
