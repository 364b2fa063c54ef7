"""Readings of a futures market for tests of whole histories: most on time, some late, twice or never."""

from collections.abc import Iterable

import numpy as np

from ingestion.feeds import HOUR_MS
from ingestion.timeframes import MINUTE_MS, FloatArray, IntArray
from signals.derivatives import FUNDING_MS, Stored
from signals.feeds import Readings

GRID_MS = 5 * MINUTE_MS
SOON_MS, LATE_MS = 2 * MINUTE_MS, 3 * HOUR_MS + 7 * MINUTE_MS
DAY_STEPS = 288


def drawn_readings(symbols: Iterable[str], first_ms: int, last_ms: int) -> Stored:
    """Every reading of [first_ms, last_ms) by name, then symbol."""
    at_ms = np.arange(-(-first_ms // GRID_MS) * GRID_MS, last_ms, GRID_MS)
    drawn: dict[str, dict[str, Readings]] = {}
    for place, symbol in enumerate(sorted(symbols)):
        for name, values in _values(at_ms, place).items():
            paid = at_ms % FUNDING_MS == 0 if name == "crypto.funding" else np.ones(len(at_ms), np.bool_)
            drawn.setdefault(name, {})[symbol] = _arrivals(at_ms[paid], values[paid])
    return drawn


def _values(at_ms: IntArray, place: int) -> dict[str, FloatArray]:
    """Waves of hours and of weeks, another phase for each symbol.

    As on the real market: funding near 0.01 %, about three longs on two shorts, and crowds that come and go.
    """
    step = at_ms // GRID_MS
    wave, tide = np.sin(step / 7 + place), np.cos(step / (3 * DAY_STEPS) + place)
    one, coins = np.ones(len(at_ms)), 1000.0 * (1.0 + 0.2 * np.sin(step / DAY_STEPS + place))
    columns = {
        "crypto.funding": [0.0001 + 0.0005 * tide**5],
        "crypto.premium": [0.0004 * wave],
        "crypto.long_short": [1.5 * 3.0 ** (0.8 * tide**3)],
        "crypto.taker_ratio": [10.0 + wave, 10.0 * one],
        "crypto.open_interest": [coins, coins * (40.0 + 2.0 * np.sin(step / DAY_STEPS))],
    }
    return {name: np.column_stack(values) for name, values in columns.items()}


def _arrivals(at_ms: IntArray, values: FloatArray) -> Readings:
    """Every 29th moment is never read, every 13th late, every 11th a second time with other values."""
    step = np.arange(len(at_ms))
    came = step % 29 != 28
    delay = np.where(step % 13 == 12, LATE_MS, SOON_MS)
    twice = came & (step % 11 == 10)
    as_of = np.concatenate((at_ms[came], at_ms[twice]))
    available = np.concatenate(((at_ms + delay)[came], (at_ms + delay + SOON_MS)[twice]))
    table = np.concatenate((values[came], 2.0 * values[twice]))
    order = np.lexsort((as_of, available))
    return Readings(as_of[order], available[order], table[order])


def arrived_by(stored: Stored, close_ms: int) -> Stored:
    """What had been fetched by a close; a symbol that had nothing of a name by then has no place under it."""
    return {
        name: {
            symbol: Readings(*(getattr(each, column)[each.available_ms <= close_ms] for column in vars(each)))
            for symbol, each in by_symbol.items()
            if (each.available_ms <= close_ms).any()
        }
        for name, by_symbol in stored.items()
    }
