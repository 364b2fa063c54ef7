"""The market of the benchmark: a month of history that stays, and a state in which nothing has been decided yet."""

import gzip
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import store_candles, to_datetime, to_ms
from ingestion.models import Candle, CandleSource, Symbol
from ingestion.timeframes import MINUTE_MS, Candles
from learning.versions import ensure_birth
from tests.benchmarks.large_market import fill, names, walk_of
from tests.ingestion.market import HEADER, MARCH_24, csv_rows

# Of the windows that scans look back on, 21 to 43 days, the mean: 32 days to the anchor of the 4h window.
START = to_datetime(MARCH_24) + timedelta(days=5, hours=10)
SINCE = START - timedelta(days=32, hours=3)
KEPT = ("candles", "symbols", "django_migrations", "bars")


def prepare(count: int) -> list[str]:
    """Migrated tables and the history of so many symbols; their names."""
    call_command("migrate", verbosity=0)
    symbols = names(count)
    stored = Symbol.objects.count()
    if stored not in (0, count):
        raise SystemExit(f"this directory holds {stored} symbols; take another one for {count}")
    if not stored:
        fill(symbols, SINCE, START)
    reset()
    return symbols


def reset() -> None:
    """Nothing decided, nothing after the start: only history and the bars that were made of it."""
    with connection.cursor() as cursor:
        for table in ("learning_events", "learning_state"):
            cursor.execute(f"ALTER TABLE {table} DISABLE TRIGGER never_wiped")
        partitions = "SELECT inhrelid::regclass::text FROM pg_inherits"
        cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> ALL(%s)"
            f" AND quote_ident(tablename) NOT IN ({partitions}) AND tablename NOT LIKE 'candles%%'",
            [list(KEPT)],
        )
        cursor.execute(f"TRUNCATE {', '.join(name for (name,) in cursor.fetchall())} CASCADE")
    Candle.objects.filter(open_time__gte=START).delete()
    Symbol.objects.update(complete_until=START, delisted_at=None, is_active=True)
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    ensure_birth()
    advance_market_clock(START)


def later(symbols: Sequence[str], minutes: int) -> dict[str, Candles]:
    """The next minutes of every symbol."""
    before = (to_ms(START) - to_ms(SINCE)) // MINUTE_MS
    walks = [walk_of(number, to_ms(SINCE), before + minutes).rows(slice(before, None)) for number in range(20)]
    return {name: walks[number % len(walks)] for number, name in enumerate(symbols)}


def write(directory: Path, symbols: Sequence[str], minutes: int) -> None:
    """The next minutes as files that the local exchange plays."""
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.csv.gz"):
        old.unlink()
    for name, walk in later(symbols, minutes).items():
        text = "\n".join([HEADER, *csv_rows(walk)]) + "\n"
        (directory / f"{name}-1m.csv.gz").write_bytes(gzip.compress(text.encode(), 1))


def store(symbols: Sequence[str], minutes: int) -> datetime:
    """The next minutes as the stream would have brought them, with the clock at their end."""
    store_candles(later(symbols, minutes), source=CandleSource.STREAM)
    until = START + timedelta(minutes=minutes)
    advance_market_clock(until)
    return until
