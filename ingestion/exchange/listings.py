"""What the exchange says about a market: its assets, its status and the steps of its prices. Pure numpy."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.symbols import split_symbol
from ingestion.timeframes import Candles, FloatArray

TRADING, HALT, BREAK = "TRADING", "HALT", "BREAK"
# Binance's own figure for a market in dollars.
MIN_NOTIONAL = 5.0
DECIMALS = 8


@dataclass(frozen=True)
class Listing:
    """A market of the exchange, traded from `listed_ms` on (None: from its first candle)."""

    symbol: str
    base: str
    quote: str
    status: str = TRADING
    tick_size: float = 0.01
    step_size: float = 0.00001
    min_notional: float = MIN_NOTIONAL
    listed_ms: int | None = None


def listings_of(candles: Mapping[str, Candles]) -> list[Listing]:
    """Listings read off the candles: assets from the name, steps from the decimals that the figures have."""
    return [_listing(symbol, series) for symbol, series in candles.items()]


def _listing(symbol: str, candles: Candles) -> Listing:
    base, quote = split_symbol(symbol)
    prices = np.r_[candles.open[-500:], candles.close[-500:]]
    return Listing(symbol, base, quote, tick_size=step_of(prices), step_size=step_of(candles.volume[-500:]))


def step_of(figures: FloatArray) -> float:
    """The largest power of ten, at most 1, that all figures are multiples of."""
    for decimals in range(DECIMALS):
        scaled = figures * 10**decimals
        if np.all(np.abs(scaled - np.round(scaled)) < 1e-6 * np.maximum(1.0, np.abs(scaled) * 1e-6)):
            return round(10.0**-decimals, decimals)
    return 10.0**-DECIMALS
