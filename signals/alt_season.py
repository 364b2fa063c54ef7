"""Alt season: how many coins of our own universe have beaten bitcoin over a month. Pure."""

from collections.abc import Mapping

import numpy as np

from ingestion.timeframes import MINUTE_MS, Candles, FloatArray, IntArray
from signals.mood import BITCOIN, MIN_SYMBOLS

# market.md 2, head I. blockchaincenter.net, whose index made the word known, takes 90 days.
SEASON_MS = 30 * 1440 * MINUTE_MS
# A price so old still is that of the moment: an outage at the one minute must not cost a figure.
LATEST_MS = 60 * MINUTE_MS


def prices_at(candles: Candles, times_ms: IntArray) -> FloatArray:
    """The last close by each time, shape of `times_ms`; NaN where none is younger than LATEST_MS."""
    if not len(candles):
        return np.full(len(times_ms), np.nan)
    row = np.searchsorted(candles.open_ms, times_ms - MINUTE_MS, side="right") - 1
    age = times_ms - MINUTE_MS - candles.open_ms[row]
    return np.where((row >= 0) & (age < LATEST_MS), candles.close[row], np.nan)


def seasons(candles: Mapping[str, Candles], times_ms: IntArray) -> FloatArray:
    """The alt season at each time of a history by symbol; shape of `times_ms`."""
    return share_ahead(
        {
            symbol: prices_at(minutes, times_ms) / prices_at(minutes, times_ms - SEASON_MS)
            for symbol, minutes in candles.items()
        },
        len(times_ms),
    )


def share_ahead(growth: Mapping[str, FloatArray], times: int) -> FloatArray:
    """The share of alts, 0..1, that grew more than bitcoin did, shape (times,); as much is half a win.

    `growth` by symbol: price over that of 30 days before, NaN where it is not known. NaN without bitcoin and with
    fewer symbols than a mood needs.
    """
    wins, counted = np.zeros((2, times))
    bitcoin = growth.get(BITCOIN, np.full(times, np.nan))
    for symbol, alt in growth.items():
        known = np.isfinite(alt) & np.isfinite(bitcoin) & (symbol != BITCOIN)
        wins += np.where(known, 0.5 + 0.5 * np.sign(alt - bitcoin), 0.0)
        counted += known
    # Bitcoin is one of the symbols.
    return np.where(counted >= MIN_SYMBOLS - 1, wins / np.maximum(counted, 1.0), np.nan)
