"""Small markets for tests: 1m candles made by hand or from a seed."""

from collections.abc import Sequence

import numpy as np

from ingestion.timeframes import MINUTE_MS, Candles

START_MS = 1_623_369_600_000  # 2021-06-11 00:00 UTC


Row = tuple[float, float, float, float]


def candles(rows: Sequence[Row], start_ms: int = START_MS, missing: tuple[int, ...] = ()) -> Candles:
    """1m candles from (open, high, low, close), leaving out the minutes numbered in `missing`."""
    kept = [row for row in range(len(rows)) if row not in missing]
    table = np.array([rows[row] for row in kept], dtype=np.float64).reshape(len(kept), 4)
    nan = np.full(len(kept), np.nan)
    return Candles(
        open_ms=start_ms + np.array(kept, dtype=np.int64) * MINUTE_MS,
        open=table[:, 0],
        high=table[:, 1],
        low=table[:, 2],
        close=table[:, 3],
        volume=np.ones(len(kept)),
        quote_volume=nan,
        trades=nan,
        taker_base=nan,
        taker_quote=nan,
        minutes=np.ones(len(kept), dtype=np.int64),
    )


def random_walk(minutes: int, seed: int, price: float = 100.0, start_ms: int = START_MS) -> Candles:
    """A driftless walk with highs and lows around it; the same for a seed."""
    random = np.random.default_rng(seed)
    close = price * np.exp(np.cumsum(random.normal(0, 0.001, minutes)))
    opening = np.r_[price, close[:-1]]
    spread = np.abs(random.normal(0, 0.0005, (2, minutes))) * close
    high, low = np.maximum(opening, close) + spread[0], np.minimum(opening, close) - spread[1]
    walk = candles(list(zip(opening, high, low, close, strict=True)), start_ms)
    walk.volume[:] = random.lognormal(3, 1, minutes)
    return walk
