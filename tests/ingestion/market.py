"""Candles made from a fixed seed, for tests that ask about handling and not about the market."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from ingestion.timeframes import MINUTE_MS, Candles

MARCH_24 = 1_679_616_000_000  # 2023-03-24 00:00 UTC
DATA = Path(__file__).resolve().parents[1] / "data"
SHARED = Path(__file__).resolve().parents[2].parent / "shared"
HEADER = "open_time_ms,open,high,low,close,volume,close_time_ms,quote_volume,trades,taker_buy_base,taker_buy_quote"


def made_candles(
    *, count: int, start_ms: int = MARCH_24, without: Iterable[int] = (), seed: int = 7, full: bool = True
) -> Candles:
    """A random walk of `count` minutes, some left out; without `full` the last four figures are missing (NaN)."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 1e-3, count)))
    opened = np.r_[100.0, close[:-1]][:count]
    kept = np.setdiff1d(np.arange(count), np.fromiter(without, np.int64))
    volume = random.lognormal(0, 1, count)
    missing = np.full(count, np.nan)
    columns = {
        "open_ms": start_ms + np.arange(count, dtype=np.int64) * MINUTE_MS,
        "open": opened,
        "high": np.maximum(opened, close) * (1 + random.random(count) * 1e-3),
        "low": np.minimum(opened, close) * (1 - random.random(count) * 1e-3),
        "close": close,
        "volume": volume,
        "quote_volume": volume * close if full else missing,
        "trades": np.floor(volume * 10) if full else missing,
        "taker_base": volume / 2 if full else missing,
        "taker_quote": volume * close / 2 if full else missing,
        "minutes": np.ones(count, np.int64),
    }
    return Candles(**{name: values[kept] for name, values in columns.items()})


def csv_rows(candles: Candles) -> list[str]:
    """The candles as rows of our csv format, every bit of the floats kept."""
    return [csv_row(candles, i) for i in range(len(candles))]


def csv_row(candles: Candles, i: int) -> str:
    open_ms = int(candles.open_ms[i])
    prices = [repr(float(getattr(candles, name)[i])) for name in ("open", "high", "low", "close", "volume")]
    extra = [float(getattr(candles, name)[i]) for name in ("quote_volume", "trades", "taker_base", "taker_quote")]
    texts = ["" if np.isnan(value) else repr(value) for value in extra]
    return ",".join([str(open_ms), *prices, str(open_ms + MINUTE_MS - 1), *texts])


def write_csv(path: Path, rows: Iterable[str], *, header: str = HEADER) -> Path:
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path
