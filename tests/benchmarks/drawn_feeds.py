"""Feeds for the markets of the benchmarks, drawn at random: as many readings as a scan reads of each."""

from collections.abc import Iterable, Mapping
from functools import cache

import numpy as np

from ingestion.timeframes import MINUTE_MS
from signals import mood_feed
from signals.derivatives import FUNDING_MS, MAKERS, READ_BACK, symbol_feeds
from signals.feeds import Feeds, Readings, SymbolFeeds
from signals.mood import MOOD_FIELDS

GRID_MS = 5 * MINUTE_MS
# Fractions, ratios, coins and quote currency of about the usual size.
USUAL = {"crypto.funding": 1e-4, "crypto.premium": 5e-4, "crypto.open_interest": 1e6}


def market_feeds(closes_ms: Iterable[int]) -> Feeds:
    """A mood at each of these closes, and an index from outside."""
    closes = np.array(sorted(set(closes_ms)))
    draw = np.random.default_rng(1)
    moods = draw.uniform(0.0, 1.0, (len(closes), len(MOOD_FIELDS)))
    outside = Readings(closes, closes, draw.uniform(0.0, 100.0, (len(closes), 1)))
    return mood_feed.feeds(closes, moods) | mood_feed.external(outside)


def own_feeds(closes_ms: Mapping[str, int]) -> SymbolFeeds:
    """What a scan makes of the readings of each symbol that were fetched by its close."""
    stored = {name: {symbol: readings_by(name, close_ms) for symbol, close_ms in closes_ms.items()} for name in MAKERS}
    return symbol_feeds(closes_ms, stored)


@cache
def readings_by(name: str, close_ms: int) -> Readings:
    step = FUNDING_MS if name == "crypto.funding" else GRID_MS
    spans = [np.arange(close_ms - since, close_ms - until + 1, MINUTE_MS) for since, until in READ_BACK[name]]
    as_of_ms = np.unique(np.concatenate(spans) // step * step)
    drawn = np.random.default_rng(close_ms % 2**32).uniform(0.1, 4.0, (len(as_of_ms), 2))
    return Readings(as_of_ms, as_of_ms, drawn * USUAL.get(name, 1.0))
