"""Readings of a futures market that never was, for the small system: on time, late, twice, or never."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from math import cos, sin

from ingestion.models import MarketFeed

BEGIN, END = datetime(2021, 6, 15, 12, tzinfo=UTC), datetime(2021, 6, 18, 2, tzinfo=UTC)
GRID, FUNDING = timedelta(minutes=5), timedelta(hours=8)
SOON, LATE = timedelta(minutes=2), timedelta(hours=3, minutes=7)
# BNBUSDT never has a reading, and AAVEUSDT no open interest: spot coins, feeds that failed.
FED = ("AAVEUSDT", "ADAUSDT", "BTCUSDT", "DOGEUSDT")


def made_up_feeds() -> list[MarketFeed]:
    """All of them in order of arrival; a moment that comes twice comes with other values the second time."""
    return sorted((*_external(), *(row for symbol in FED for row in _of(symbol))), key=lambda row: row.available_at)


def _external() -> Iterator[MarketFeed]:
    for day, index in enumerate((12.0, 25.0, 88.0)):
        at = BEGIN + timedelta(days=day)
        yield MarketFeed(name="sentiment.external", as_of=at, available_at=at + SOON, values=[index])


def _of(symbol: str) -> Iterator[MarketFeed]:
    phase, step, at = FED.index(symbol), 0, BEGIN
    while at < END:
        wave, slow = sin(step / 7 + phase), cos(step / 90 + phase)
        coins = 1000.0 * (1.0 + 0.2 * slow)
        yield from _arrivals("crypto.premium", symbol, at, step, [0.0008 * wave])
        yield from _arrivals("crypto.long_short", symbol, at, step, [3.0 ** (1.3 * slow)])
        yield from _arrivals("crypto.taker_ratio", symbol, at, step, [10.0 + 3.0 * wave, 10.0])
        if symbol != "AAVEUSDT":
            yield from _arrivals("crypto.open_interest", symbol, at, step, [coins, coins * (40.0 + 2.0 * wave)])
        if (at - BEGIN) % FUNDING == timedelta(0):
            yield from _arrivals("crypto.funding", symbol, at, step, [0.0001 + 0.0006 * slow])
        at, step = at + GRID, step + 1


def _arrivals(name: str, symbol: str, at: datetime, step: int, values: list[float]) -> Iterator[MarketFeed]:
    """Every 29th moment is never read, every 13th late, every 11th twice."""
    if step % 29 == 28:
        return
    delay = LATE if step % 13 == 12 else SOON
    yield MarketFeed(name=name, symbol=symbol, as_of=at, available_at=at + delay, values=values)
    if step % 11 == 10:
        twice = [2.0 * value for value in values]
        yield MarketFeed(name=name, symbol=symbol, as_of=at, available_at=at + delay + SOON, values=twice)


def store_feeds(rows: Iterable[MarketFeed]) -> None:
    MarketFeed.objects.bulk_create(list(rows), ignore_conflicts=True)
