"""A minute's candle while the minute is running: made from the finished one and the time. Pure numpy."""

from typing import NamedTuple

import numpy as np

from ingestion.timeframes import MINUTE_MS


class Row(NamedTuple):
    """One candle, in the order of the exchange's answer; figures that its source did not have are NaN."""

    open_ms: int
    close_ms: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    quote_volume: float
    trades: float
    taker_base: float
    taker_quote: float


def as_it_stands(final: Row, now_ms: int, tick_size: float) -> Row:
    """The candle at `now_ms`: the price has gone its way up to there, and as large a part has been traded.

    The way is open, one extreme, the other, close; in a rising minute the low comes first. Nothing of it is left to
    chance, so that whoever asks twice gets one answer.
    """
    part = min(max((now_ms - final.open_ms) / MINUTE_MS, 0.0), 1.0)
    if part == 1.0:
        return final
    first, second = (final.low, final.high) if final.close >= final.open else (final.high, final.low)
    way, times = np.array([final.open, first, second, final.close]), np.linspace(0, 1, 4)
    close = _on_grid(float(np.interp(part, times, way)), tick_size, final)
    met = [final.open, close, *way[times <= part].tolist()]
    traded = (np.floor(figure * part) if name == "trades" else figure * part for name, figure in _traded(final))
    return Row(final.open_ms, final.close_ms, final.open, max(met), min(met), close, *map(float, traded))


def _traded(final: Row) -> list[tuple[str, float]]:
    return [(name, getattr(final, name)) for name in Row._fields[6:]]


def _on_grid(price: float, tick_size: float, final: Row) -> float:
    """Rounding must not lead out of the candle."""
    rounded = round(round(price / tick_size) * tick_size, 8) if tick_size else price
    return min(max(rounded, final.low), final.high)
