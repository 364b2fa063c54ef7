"""Hundreds of symbols with the history that their scans look back on, stored within minutes: few walks, many names."""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from ingestion.candles import COLUMNS, store_candles, to_datetime, to_ms
from ingestion.models import CandleSource, Symbol
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.market import made_candles

WALKS = 20


def names(count: int) -> list[str]:
    return [f"M{number:03d}USDT" for number in range(count)]


def walk_of(number: int, start_ms: int, minutes: int) -> Candles:
    """The candles of symbol `number`: every twentieth symbol walks alike."""
    return made_candles(count=minutes, start_ms=start_ms, seed=number % WALKS)


COPIES = f"""
INSERT INTO candles ({COLUMNS}, source)
SELECT copies.name, {COLUMNS.removeprefix("symbol, ")}, source
FROM candles CROSS JOIN unnest(%s::text[]) AS copies (name) WHERE symbol = %s ORDER BY copies.name, open_time"""


def fill(symbols: Sequence[str], since: datetime, until: datetime) -> None:
    """List the symbols and store their candles of [since, until)."""
    known = {"quote_asset": "USDT", "listed_at": since, "complete_until": until}
    rows = [Symbol(name=name, base_asset=name[:4], **known) for name in symbols]
    Symbol.objects.bulk_create(rows)
    minutes = (to_ms(until) - to_ms(since)) // MINUTE_MS
    walks = {name: walk_of(number, to_ms(since), minutes) for number, name in enumerate(symbols[:WALKS])}
    store_candles(walks, source=CandleSource.ARCHIVE)
    with connection.cursor() as cursor:
        for number, name in enumerate(symbols[:WALKS]):
            cursor.execute(COPIES, [list(symbols[number + WALKS :: WALKS]), name])
        cursor.execute("VACUUM (ANALYZE) candles")


def month_before(close: datetime) -> datetime:
    """Since when candles are looked at, with some to spare."""
    return to_datetime(to_ms(close) // (1440 * MINUTE_MS) * (1440 * MINUTE_MS) - 33 * 1440 * MINUTE_MS)
