"""Prices and the rolling statistics of the last 24 hours, made from the minutes that opened within them. Pure."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ingestion.exchange.frames import NO_TRADE, NUMBERS_A_MINUTE
from ingestion.exchange.info import figure
from ingestion.exchange.intervals import DAY_MS
from ingestion.exchange.series import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, TRADES, VOLUME, Bars
from ingestion.timeframes import MINUTE_MS, FloatArray

NOTHING = figure(0.0)


@dataclass(frozen=True)
class Day:
    """The last day of a symbol: its minutes, and the close before them (None: there was none)."""

    symbol: str
    now_ms: int
    minutes: Bars
    close_before: float | None


def full(day: Day) -> dict[str, Any]:
    """Bid, ask and the last trade's size stay 0: candles do not know them."""
    opened, last, volume, quote = _opened(day), _last(day), _sum(day, VOLUME), _quote_volume(day)
    change = last - opened
    tail = _tail(day)
    return {
        "symbol": day.symbol,
        "priceChange": figure(change),
        "priceChangePercent": f"{change / opened * 100 if opened else 0.0:.3f}",
        "weightedAvgPrice": figure(quote / volume if volume else 0.0),
        "prevClosePrice": figure(opened if day.close_before is None else day.close_before),
        "lastPrice": figure(last),
        **dict.fromkeys(("lastQty", "bidPrice", "bidQty", "askPrice", "askQty"), NOTHING),
        "openPrice": figure(opened),
        "highPrice": figure(_extreme(day, HIGH)),
        "lowPrice": figure(_extreme(day, LOW)),
        **tail,
    }


def mini(day: Day) -> dict[str, Any]:
    return {
        "symbol": day.symbol,
        "openPrice": figure(_opened(day)),
        "highPrice": figure(_extreme(day, HIGH)),
        "lowPrice": figure(_extreme(day, LOW)),
        "lastPrice": figure(_last(day)),
        **_tail(day),
    }


def _tail(day: Day) -> dict[str, Any]:
    first_id, last_id, count = _trades(day)
    return {
        "volume": figure(_sum(day, VOLUME)),
        "quoteVolume": figure(_quote_volume(day)),
        "openTime": day.now_ms - DAY_MS,
        "closeTime": day.now_ms,
        "firstId": first_id,
        "lastId": last_id,
        "count": count,
    }


def _trades(day: Day) -> tuple[int, int, int]:
    """First and last number, and the count. Trades are numbered as in the streams, so numbers are left out."""
    counts = np.nan_to_num(_column(day, TRADES))
    traded = np.flatnonzero(counts)
    if not len(traded):
        return NO_TRADE, NO_TRADE, 0
    first, last = (int(day.minutes.open_ms[place]) // MINUTE_MS * NUMBERS_A_MINUTE for place in traded[[0, -1]])
    return first, last + int(counts[traded[-1]]) - 1, int(counts.sum())


def _column(day: Day, place: int) -> FloatArray:
    return day.minutes.figures[:, place]


def _opened(day: Day) -> float:
    return float(_column(day, OPEN)[0]) if len(day.minutes) else day.close_before or 0.0


def _last(day: Day) -> float:
    return float(_column(day, CLOSE)[-1]) if len(day.minutes) else day.close_before or 0.0


def _extreme(day: Day, place: int) -> float:
    if not len(day.minutes):
        return 0.0
    return float(_column(day, place).max() if place == HIGH else _column(day, place).min())


def _sum(day: Day, place: int) -> float:
    return float(np.sum(_column(day, place)))


def _quote_volume(day: Day) -> float:
    """Where the source has none, volume at the middle price: whoever ranks markets by it gets the right order."""
    middle = (_column(day, HIGH) + _column(day, LOW) + _column(day, CLOSE)) / 3
    known = _column(day, QUOTE_VOLUME)
    return float(np.sum(np.where(np.isnan(known), _column(day, VOLUME) * middle, known)))
