"""The market as it is stored: candles of any timeframe, and how far each symbol is covered."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from ingestion.candles import load_candles, to_datetime, to_ms
from ingestion.models import Symbol
from ingestion.selectors import candle_coverage
from ingestion.timeframes import FIGURES, TIMEFRAMES, Candles, Timeframe, resample

Row = dict[str, Any]
# So many minutes are read for one answer at most: a tenth of a second.
MOST_MINUTES, MOST_CANDLES = 100_000, 1_000


@dataclass(frozen=True)
class CandlePage:
    """Candles in order of time; `since` and `until` bound what was looked at, whether it held any or not."""

    symbol: str
    timeframe: str
    since: datetime
    until: datetime
    candles: list[Row]


def most_candles(timeframe: str) -> int:
    """How many candles of a timeframe one answer may hold."""
    return min(MOST_CANDLES, MOST_MINUTES // TIMEFRAMES[timeframe].minutes)


def candle_page(symbol: str, timeframe: str, *, since: datetime | None, until: datetime, limit: int) -> CandlePage:
    """The last `limit` closed candles of [since, until), on the grid; derived from the stored minutes."""
    frame = TIMEFRAMES[timeframe]
    end_ms = max(to_ms(until), 0) // frame.ms * frame.ms
    start_ms = max(end_ms - limit * frame.ms, -(-to_ms(since) // frame.ms) * frame.ms if since else 0, 0)
    bars = resample(load_candles(symbol, start_ms, end_ms), frame) if start_ms < end_ms else None
    rows = candle_rows(bars, frame) if bars is not None else []
    return CandlePage(symbol, timeframe, to_datetime(min(start_ms, end_ms)), to_datetime(end_ms), rows)


def candle_rows(bars: Candles, frame: Timeframe) -> list[Row]:
    """One dict a bar; a figure that the source did not have is None."""
    columns = {name: [None if np.isnan(v) else v for v in getattr(bars, name).tolist()] for name in FIGURES}
    return [
        {
            "open_time": to_datetime(open_ms),
            "close_time": to_datetime(open_ms + frame.ms),
            **{name: values[place] for name, values in columns.items()},
            "minutes": minutes,
            "is_partial": minutes < frame.minutes,
        }
        for place, (open_ms, minutes) in enumerate(zip(bars.open_ms.tolist(), bars.minutes.tolist(), strict=True))
    ]


def with_coverage(symbols: Iterable[Symbol]) -> list[Row]:
    """Symbols as people see them, each with its first and last stored candle: two steps of an index a symbol."""
    rows = list(symbols)
    covered = {each.symbol: each for each in candle_coverage([row.name for row in rows])}
    stored = ("name", "base_asset", "quote_asset", "is_active", "trading_status", "listed_at", "delisted_at")
    rules = ("complete_until", "tick_size", "step_size", "min_notional")
    return [
        {name: getattr(row, name) for name in (*stored, *rules)}
        | {"first_candle": covered[row.name].first, "last_candle": covered[row.name].last}
        for row in rows
    ]
