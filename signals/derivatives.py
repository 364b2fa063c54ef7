"""Readings of the futures market as each symbol's own feeds, in scale-free units. Pure.

A reading is known from the moment it was fetched, not from the moment it speaks of; what is made of several readings
is known when the last of them is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from ingestion.feeds import DAY_MS, FUNDING, HOUR_MS, LONG_SHORT, OPEN_INTEREST, PREMIUM, TAKER_RATIO
from ingestion.timeframes import MINUTE_MS, FloatArray
from signals.feeds import PLACE_MS, Feed, Readings, SymbolFeeds
from signals.mood import BITCOIN

# Funding is paid every eight hours on most contracts, every four or every hour on some; rates are told per eight.
FUNDING_MS = 8 * HOUR_MS
FASTER_FUNDING_MS = (HOUR_MS, 2 * HOUR_MS, 4 * HOUR_MS)
# A reading of the five-minute grid is usable for an hour, a funding rate until the next is an hour late.
GRID_FRESH_MS, FUNDING_FRESH_MS = HOUR_MS, FUNDING_MS + HOUR_MS
# Open interest is compared with that of the day before; a reading so near to it will do.
NEAR_ENOUGH_MS = 15 * MINUTE_MS
# Taker volume of one reading is five minutes long; so many of them are added up.
TAKER_READINGS = 12

ALT_SEASON = "crypto.alt_season"
# How far before a close the moments lie whose readings it can depend on, in ms: (from, to) by name.
READ_BACK: dict[str, tuple[tuple[int, int], ...]] = {
    FUNDING: ((FUNDING_FRESH_MS + FASTER_FUNDING_MS[-1] + MINUTE_MS, 0),),
    PREMIUM: ((GRID_FRESH_MS, 0),),
    OPEN_INTEREST: ((GRID_FRESH_MS, 0), (GRID_FRESH_MS + DAY_MS + NEAR_ENOUGH_MS, DAY_MS)),
    LONG_SHORT: ((GRID_FRESH_MS, 0),),
    TAKER_RATIO: ((GRID_FRESH_MS + HOUR_MS, 0),),
}


# Name, then symbol.
Stored = Mapping[str, Mapping[str, Readings]]


def symbol_feeds(symbols: Iterable[str], stored: Stored, season: Feed | None = None) -> SymbolFeeds:
    """The feeds of these symbols: those that their readings give, and for all but bitcoin the market's `season`."""
    names = tuple(sorted(symbols))
    places = {symbol: place for place, symbol in enumerate(names)}
    feeds: dict[str, Feed] = {}
    for name, make in MAKERS.items():
        parts = [(places[symbol], stored[name][symbol]) for symbol in names if symbol in stored.get(name, {})]
        if parts:
            feeds |= make(_end_to_end(parts))
    alts = [place for symbol, place in places.items() if symbol != BITCOIN]
    if season is not None and alts:
        feeds[ALT_SEASON] = _repeated(season, alts)
    return SymbolFeeds(names, feeds)


def _end_to_end(parts: Sequence[tuple[int, Readings]]) -> Readings:
    """The readings of several symbols as those of one, each at its place in time."""
    return Readings(
        np.concatenate([readings.as_of_ms + place * PLACE_MS for place, readings in parts]),
        np.concatenate([readings.available_ms + place * PLACE_MS for place, readings in parts]),
        np.concatenate([readings.values for _, readings in parts]),
    )


def _repeated(feed: Feed, places: Sequence[int]) -> Feed:
    shift = np.repeat(np.array(places) * PLACE_MS, len(feed.values))
    as_of_ms, available_ms = (np.tile(each, len(places)) + shift for each in (feed.as_of_ms, feed.available_ms))
    return Feed(as_of_ms, available_ms, np.tile(feed.values, len(places)), feed.fresh_ms)


def funding(readings: Readings) -> dict[str, Feed]:
    """`crypto.funding`: the rate as a fraction per eight hours, whatever the interval it was paid for.

    That is the shortest one after which the payment before lies, and eight hours where none of those is known.
    """
    paid = np.full(len(readings), FUNDING_MS)
    for interval in FASTER_FUNDING_MS:
        before = _earlier(readings, readings.values[:, 0], interval, near_ms=MINUTE_MS)
        paid = np.where(np.isfinite(before) & (paid == FUNDING_MS), interval, paid)
    rates = readings.values[:, 0] * (FUNDING_MS / paid)
    return {"crypto.funding": Feed(readings.as_of_ms, readings.available_ms, rates, FUNDING_FRESH_MS)}


def basis(readings: Readings) -> dict[str, Feed]:
    """`crypto.basis`: how far the perpetual stands above its index, as a fraction."""
    return {"crypto.basis": _plain(readings, 0)}


def long_short(readings: Readings) -> dict[str, Feed]:
    """`crypto.long_short`: accounts that are long over accounts that are short."""
    return {"crypto.long_short": _plain(readings, 0)}


def _plain(readings: Readings, field: int) -> Feed:
    values = np.ascontiguousarray(readings.values[:, field])
    return Feed(readings.as_of_ms, readings.available_ms, values, GRID_FRESH_MS)


def taker_ratio(readings: Readings) -> dict[str, Feed]:
    """`crypto.taker_ratio`: what takers bought over what they sold, in the last hour's readings that had arrived."""
    bought, sold = (_last_hour(readings, readings.values[:, field]) for field in (0, 1))
    ratio = np.where(sold > 0, bought / np.where(sold > 0, sold, 1.0), np.nan)
    return {"crypto.taker_ratio": _known(Feed(readings.as_of_ms, readings.available_ms, ratio, GRID_FRESH_MS))}


def _last_hour(readings: Readings, values: FloatArray) -> FloatArray:
    """For each reading, the sum of the values from the hour up to it that had arrived by then; NaN if any lacks.

    Readings arrive in order but for holes filled later: those are left to the reading that comes after them.
    """
    total = np.zeros(len(values))
    step = HOUR_MS // TAKER_READINGS
    for back in range(TAKER_READINGS):
        total = total + _earlier(readings, values, back * step, near_ms=0)
    return total


def open_interest(readings: Readings) -> dict[str, Feed]:
    """`crypto.open_interest_change` and `crypto.price_change`: against the day before, as fractions.

    `values` hold open interest in coins and in quote currency; the one over the other is the price.
    """
    coins, quote = readings.values[:, 0], readings.values[:, 1]
    price = np.where(coins > 0, quote / np.where(coins > 0, coins, 1.0), np.nan)
    changes = {"crypto.open_interest_change": coins, "crypto.price_change": price}
    return {
        name: _known(Feed(readings.as_of_ms, readings.available_ms, _day_change(readings, values), GRID_FRESH_MS))
        for name, values in changes.items()
    }


def _day_change(readings: Readings, values: FloatArray) -> FloatArray:
    before = _earlier(readings, values, DAY_MS, near_ms=NEAR_ENOUGH_MS)
    return np.where(before > 0, values / np.where(before > 0, before, 1.0) - 1.0, np.nan)


def _earlier(readings: Readings, values: FloatArray, back_ms: int, *, near_ms: int) -> FloatArray:
    """For each reading, the value `back_ms` before it or at most `near_ms` earlier still; NaN if it had not arrived.

    Of two readings of one moment the first to arrive counts.
    """
    times, first = np.unique(readings.as_of_ms, return_index=True)
    wanted = readings.as_of_ms - back_ms
    place = np.searchsorted(times, wanted, side="right") - 1
    found = first[np.maximum(place, 0)]
    near = (place >= 0) & (wanted - readings.as_of_ms[found] <= near_ms)
    arrived = readings.available_ms[found] <= readings.available_ms
    return np.where(near & arrived, values[found], np.nan)


def _known(feed: Feed) -> Feed:
    """The feed without readings that say nothing: the one before them stays the newest as long as it is fresh."""
    known = np.isfinite(feed.values)
    return Feed(feed.as_of_ms[known], feed.available_ms[known], feed.values[known], feed.fresh_ms)


MAKERS: dict[str, Callable[[Readings], dict[str, Feed]]] = {
    FUNDING: funding,
    PREMIUM: basis,
    OPEN_INTEREST: open_interest,
    LONG_SHORT: long_short,
    TAKER_RATIO: taker_ratio,
}
