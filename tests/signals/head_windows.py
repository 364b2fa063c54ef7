"""Windows for the tests of heads: recorded bars, hand-made bars, mirrors and prefixes."""

import gzip
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ingestion.timeframes import TIMEFRAMES, BoolArray, Candles, FloatArray, resample
from signals.frame import Frame
from signals.heads.base import Head, Votes
from signals.window import Window

HERE = Path(__file__).resolve()
RECORDED = HERE.parents[1] / "data" / "btcusdt_15m_2021-06.csv.gz"
SHARED = HERE.parents[2].parent / "shared" / "data" / "candles"
BAR = TIMEFRAMES["15m"]
READY = BAR.block  # bars that a window holds before its heads may speak
Row = tuple[float, float, float, float]


@cache
def recorded() -> Candles:
    """1500 bars of 15m of BTCUSDT, June 2021; without taker columns, as they were found."""
    return read_candles(RECORDED, minutes=BAR.minutes)


@cache
def shared_bars(name: str) -> Candles:
    """15m bars of a shared 1m recording; skips where the recordings are not there."""
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"the shared recording {name} is not on this machine")
    return resample(read_candles(path, minutes=1), BAR)


def read_candles(path: Path, *, minutes: int) -> Candles:
    with gzip.open(path, "rt") as lines:
        table = np.genfromtxt(lines, delimiter=",", skip_header=1)
    return Candles(
        open_ms=table[:, 0].astype(np.int64),
        open=table[:, 1],
        high=table[:, 2],
        low=table[:, 3],
        close=table[:, 4],
        volume=table[:, 5],
        quote_volume=table[:, 7],
        trades=table[:, 8],
        taker_base=table[:, 9],
        taker_quote=table[:, 10],
        minutes=np.full(len(table), minutes, np.int64),
    )


def with_takers(candles: Candles, seed: int = 1) -> Candles:
    """The same candles with taker columns drawn at random."""
    share = np.random.default_rng(seed).uniform(0.3, 0.7, len(candles))
    return replace(candles, taker_base=candles.volume * share)


def bars(rows: Sequence[Row], volumes: Sequence[float], *, timeframe: str = "15m") -> Candles:
    """Bars from (open, high, low, close) and volumes, the first at the epoch."""
    table, nothing = np.array(rows, np.float64), np.full(len(rows), np.nan)
    frame = TIMEFRAMES[timeframe]
    opens, highs, lows, closes = (np.ascontiguousarray(table[:, column]) for column in range(4))
    return Candles(
        open_ms=np.arange(len(rows), dtype=np.int64) * frame.ms,
        open=opens,
        high=highs,
        low=lows,
        close=closes,
        volume=np.array(volumes, np.float64),
        quote_volume=nothing,
        trades=nothing,
        taker_base=nothing,
        taker_quote=nothing,
        minutes=np.full(len(rows), frame.minutes, np.int64),
    )


def from_closes(closes: Sequence[float] | FloatArray, *, wick: float = 0.5, timeframe: str = "15m") -> Candles:
    """Bars that open where the last one closed, with the same wick on either end and one volume."""
    before = [closes[0], *closes[:-1]]
    rows = [
        (float(a), float(max(a, b) + wick), float(min(a, b) - wick), float(b))
        for a, b in zip(before, closes, strict=True)
    ]
    return bars(rows, [10.0] * len(rows), timeframe=timeframe)


def window_of(candles: Candles, timeframe: str = "15m") -> Window:
    return Window(Frame(TIMEFRAMES[timeframe], candles), context={}, feeds={})


def upside_down(candles: Candles, around: float = 0.0) -> Candles:
    """Each price p as `around` - p; who bought from whom is turned too. Around 0 it is exact to the bit."""
    return replace(
        candles,
        open=around - candles.open,
        high=around - candles.low,
        low=around - candles.high,
        close=around - candles.close,
        taker_base=candles.volume - candles.taker_base,
    )


def ready_rows(candles: Candles) -> BoolArray:
    return window_of(candles).base.ready


def assert_same_bits(votes: Votes, others: Votes) -> None:
    np.testing.assert_array_equal(votes.direction, others.direction)
    assert votes.probability.tobytes() == others.probability.tobytes()
    assert votes.confidence.tobytes() == others.confidence.tobytes()


def first_rows(votes: Votes, count: int) -> Votes:
    return Votes(votes.direction[:count], votes.probability[:count], votes.confidence[:count])


def assert_prefix_invariant(head: Head, candles: Candles, cut: int) -> None:
    """Votes on the first `cut` bars are the first votes on all of them, bit for bit."""
    whole, part = head.vote(window_of(candles)), head.vote(window_of(candles.rows(slice(0, cut))))
    assert_same_bits(first_rows(whole, cut), part)


def assert_inputs_untouched(head: Head, candles: Candles) -> None:
    names = Candles.__dataclass_fields__
    before = {name: getattr(candles, name).copy() for name in names}
    head.vote(window_of(candles))
    for name in names:
        np.testing.assert_array_equal(getattr(candles, name), before[name])


def share_voted(head: Head, candles: Candles) -> float:
    """Of the bars at which the head may speak, the share at which it does."""
    return float(head.vote(window_of(candles)).awake[ready_rows(candles)].mean())
