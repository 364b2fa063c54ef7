"""What is stored and what is missing. Everything here reads; times in ms since the epoch unless they are datetimes."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db import connection

from alphapulse_site.clock import is_recording
from ingestion.candles import to_datetime, to_ms
from ingestion.holes import Hole
from ingestion.models import Candle, Symbol
from ingestion.revisions import Delisting
from ingestion.timeframes import IntArray


@dataclass(frozen=True)
class Coverage:
    """The stored candles of a symbol: open times of the first and the last, None if there is none."""

    symbol: str
    first: datetime | None
    last: datetime | None


def active_symbols() -> list[str]:
    """Names of the symbols that are scanned, sorted."""
    return list(Symbol.objects.filter(is_active=True).order_by("name").values_list("name", flat=True))


# A symbol is expected from its listing on, or from its first candle if nobody has said when it was listed; before
# complete_until everything is known. Intervals that are covered (a candle, an explained gap) are laid in order, and
# a hole is where the next one starts later than everything before it has reached. Two empty intervals mark the ends.
# OFFSET 0 keeps the planner from reading whole months where its statistics are old.
FIND_HOLES = """
WITH expected AS (
    SELECT symbol, since, until FROM (
        SELECT wanted.symbol,
            greatest(%(start)s, complete_until, coalesce(
                listed_at, (SELECT min(open_time) FROM candles WHERE candles.symbol = wanted.symbol))) AS since,
            least(%(end)s, delisted_at) AS until,
            listed_at IS NOT NULL OR EXISTS (SELECT FROM candles WHERE candles.symbol = wanted.symbol) AS is_known
        FROM unnest(%(symbols)s::text[]) AS wanted (symbol) LEFT JOIN symbols ON symbols.name = wanted.symbol
    ) AS bounds WHERE is_known AND since < until
), covered AS (
    SELECT symbol, since AS start, since AS "end" FROM expected
    UNION ALL SELECT symbol, until, until FROM expected
    UNION ALL
    SELECT symbol, open_time, open_time + interval '1 minute' FROM expected CROSS JOIN LATERAL (
        SELECT open_time FROM candles
        WHERE candles.symbol = expected.symbol AND open_time >= since AND open_time < until AND NOT off_grid OFFSET 0
    ) AS stored
    UNION ALL
    SELECT gap.symbol, gap.start, gap."end" FROM candle_gaps AS gap JOIN expected USING (symbol)
    WHERE status = 'explained' AND gap."end" > since AND gap.start < until
), laid AS (
    SELECT symbol, start, max("end") OVER (
        PARTITION BY symbol ORDER BY start, "end" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM covered
)
SELECT symbol, reached, start FROM laid WHERE start > reached ORDER BY symbol, reached"""


def unexplained_gaps(symbols: Iterable[str], start_ms: int, end_ms: int) -> list[Hole]:
    """Interior and trailing holes of [start_ms, end_ms), by symbol and time. None before listing or after delisting."""
    names = sorted(set(symbols))
    if not names:
        return []
    with connection.cursor() as cursor:
        cursor.execute(FIND_HOLES, {"symbols": names, "start": to_datetime(start_ms), "end": to_datetime(end_ms)})
        return [Hole(symbol, to_ms(start), to_ms(end)) for symbol, start, end in cursor.fetchall()]


def unexplained_minutes(symbols: Iterable[str], start_ms: int, end_ms: int) -> dict[str, int]:
    """How many minutes of [start_ms, end_ms) are unexplained holes, for the symbols that have some."""
    counts: dict[str, int] = {}
    for hole in unexplained_gaps(symbols, start_ms, end_ms):
        counts[hole.symbol] = counts.get(hole.symbol, 0) + hole.minutes
    return counts


def known_until(symbols: Iterable[str], until_ms: int) -> dict[str, int]:
    """Up to when every minute of each symbol is a candle or an explained gap, at most `until_ms`.

    0 for a symbol we know nothing of: no listing and no candle.
    """
    names = sorted(set(symbols))
    begun = _with_a_beginning(names)
    known = {name: until_ms if name in begun else 0 for name in names}
    for hole in unexplained_gaps(names, 0, until_ms):
        known[hole.symbol] = min(known[hole.symbol], hole.start_ms)
    return known


def _with_a_beginning(names: list[str]) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name FROM unnest(%s::text[]) AS wanted (name) LEFT JOIN symbols USING (name)"
            " WHERE listed_at IS NOT NULL OR EXISTS (SELECT FROM candles WHERE candles.symbol = wanted.name)",
            [names],
        )
        return {name for (name,) in cursor.fetchall()}


SYMBOLS_A_MINUTE = """
SELECT open_time, count(*) FROM candles
WHERE symbol = ANY(%s) AND open_time >= %s AND open_time < %s AND NOT off_grid GROUP BY open_time"""


def symbols_with_candles(symbols: Iterable[str], start_ms: int, end_ms: int) -> dict[int, int]:
    """How many of the symbols have a candle, by minute (ms) of [start_ms, end_ms), without those that none has."""
    with connection.cursor() as cursor:
        cursor.execute(SYMBOLS_A_MINUTE, [list(symbols), to_datetime(start_ms), to_datetime(end_ms)])
        return {to_ms(open_time): count for open_time, count in cursor.fetchall()}


def candles_around(symbol: str, start_ms: int, end_ms: int) -> dict[str, dict[str, Any] | None]:
    """The stored candles `before` and `after` [start_ms, end_ms), in words of evidence; None where there is none."""
    stored = Candle.objects.filter(symbol=symbol, off_grid=False)
    before = stored.filter(open_time__lt=to_datetime(start_ms)).order_by("-open_time").first()
    after = stored.filter(open_time__gte=to_datetime(end_ms)).order_by("open_time").first()
    return {"before": _as_evidence(before), "after": _as_evidence(after)}


def _as_evidence(candle: Candle | None) -> dict[str, Any] | None:
    if candle is None:
        return None
    return {"open_time": candle.open_time.isoformat(), "close": candle.close, "volume": candle.volume}


def candle_coverage(symbols: Iterable[str] | None = None) -> list[Coverage]:
    """First and last stored candle of each symbol, by index and not by counting."""
    names = sorted(set(symbols)) if symbols is not None else list(Symbol.objects.values_list("name", flat=True))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, (SELECT min(open_time) FROM candles WHERE symbol = name),"
            " (SELECT max(open_time) FROM candles WHERE symbol = name) FROM unnest(%s::text[]) AS name",
            [names],
        )
        return [Coverage(*row) for row in cursor.fetchall()]


@dataclass(frozen=True)
class Newest:
    """The open time of a symbol's newest stored candle, None if there is none."""

    symbol: str
    is_active: bool
    opened: datetime | None


def newest_candles() -> list[Newest]:
    """Of every symbol that is known: one query, and one step at the end of an index for each."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, is_active, (SELECT max(open_time) FROM candles WHERE symbol = name) FROM symbols"
            " ORDER BY name"
        )
        return [Newest(*row) for row in cursor.fetchall()]


def last_closes(symbols: Iterable[str]) -> dict[str, float]:
    """The close of the newest stored candle of each symbol that has one."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT name, newest.close FROM unnest(%s::text[]) AS name CROSS JOIN LATERAL (SELECT close FROM candles"
            " WHERE symbol = name AND NOT off_grid ORDER BY open_time DESC LIMIT 1) AS newest",
            [sorted(set(symbols))],
        )
        return dict(cursor.fetchall())


def candle_count_estimate() -> int:
    """About how many candles are stored, from the planner's statistics; a count would read every one of them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(sum(greatest(reltuples, 0)), 0)::bigint FROM pg_class WHERE relkind <> 'p' AND ("
            "oid = to_regclass('candles')"
            " OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = to_regclass('candles')))"
        )
        return int(cursor.fetchone()[0])


def candle_storage() -> str:
    """How the candle table is stored: `native_partitions` or `timescaledb`, as the migration chose."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT obj_description(to_regclass('candles'), 'pg_class')")
        return str(cursor.fetchone()[0]).removeprefix("storage: ")


# The absent time of a symbol is an explained gap that says when it was delisted and when we noticed. One that was
# delisted by hand has none.
DELISTINGS = """
SELECT DISTINCT symbol, (evidence ->> 'delisted_at')::timestamptz, (evidence ->> 'noted_at')::timestamptz
FROM candle_gaps WHERE symbol = ANY(%(symbols)s) AND reason = 'not_listed' AND evidence ? 'delisted_at'
UNION ALL
SELECT name, delisted_at, NULL FROM symbols WHERE name = ANY(%(symbols)s) AND delisted_at IS NOT NULL AND NOT EXISTS (
    SELECT FROM candle_gaps WHERE symbol = name AND reason = 'not_listed'
        AND (evidence ->> 'delisted_at')::timestamptz = delisted_at)
ORDER BY 1, 2"""


def delistings(symbols: Iterable[str]) -> dict[str, list[Delisting]]:
    """When each symbol was delisted, in order, for those that ever were; also if they have come back since."""
    found: dict[str, list[Delisting]] = {}
    with connection.cursor() as cursor:
        cursor.execute(DELISTINGS, {"symbols": list(symbols)})
        for symbol, at, noted_at in cursor.fetchall():
            found.setdefault(symbol, []).append(Delisting(to_ms(at), noted_at))
    return found


def delisted_at_ms(symbols: Iterable[str]) -> dict[str, IntArray]:
    """The moments of `delistings`, as first touch wants them."""
    return {
        symbol: np.array([delisting.at_ms for delisting in known], dtype=np.int64)
        for symbol, known in delistings(symbols).items()
    }


# --- feeds ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class WantedFeed:
    """The moments [since_ms, until_ms) of a feed and symbol, and the longest way from one reading to the next."""

    name: str
    symbol: str
    since_ms: int
    until_ms: int
    longest_ms: int


def feeds_are_fetched() -> bool:
    """Whether feeds are asked for: switched on, or left to the market clock while that is the wall clock."""
    return bool(settings.ALPHAPULSE_FEEDS == "on" or (settings.ALPHAPULSE_FEEDS == "auto" and not is_recording()))


# As FIND_HOLES does, with readings that last until the next is expected: as long after each as it came after the one
# before it, and never longer than the feed's longest way. On a regular feed that is its step. Where a contract goes
# over to paying less often, one moment too many is expected, once.
FIND_FEED_HOLES = """
WITH wanted AS (
    SELECT name, symbol, since, until, longest FROM unnest(
        %(names)s::text[], %(symbols)s::text[], %(since)s::timestamptz[], %(until)s::timestamptz[],
        %(longest)s::interval[]) AS given (name, symbol, since, until, longest) WHERE since < until
), seen AS (
    SELECT name, symbol, as_of, since, least(longest, as_of - lag(as_of) OVER each) AS lasts
    FROM market_feeds JOIN wanted USING (name, symbol) WHERE as_of >= since - 2 * longest AND as_of < until
    WINDOW each AS (PARTITION BY name, symbol ORDER BY as_of)
), covered AS (
    SELECT name, symbol, since AS start, since AS "end" FROM wanted
    UNION ALL SELECT name, symbol, until, until FROM wanted
    UNION ALL SELECT name, symbol, as_of, as_of + lasts FROM seen WHERE as_of + lasts > since
    UNION ALL
    SELECT gap.name, gap.symbol, gap.start, gap."end" FROM feed_gaps AS gap JOIN wanted USING (name, symbol)
    WHERE status = 'explained' AND gap."end" > since AND gap.start < until
), laid AS (
    SELECT name, symbol, start, max("end") OVER (
        PARTITION BY name, symbol ORDER BY start, "end" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
    FROM covered
)
SELECT name, symbol, reached, start FROM laid WHERE start > reached ORDER BY name, symbol, reached"""


def feed_holes(wanted: Iterable[WantedFeed]) -> dict[tuple[str, str], list[tuple[int, int]]]:
    """Spans without a reading or an explained gap, by feed name and symbol; in order, and none where there is none."""
    asked = list(wanted)
    parameters: dict[str, Any] = {
        "names": [each.name for each in asked],
        "symbols": [each.symbol for each in asked],
        "since": [to_datetime(each.since_ms) for each in asked],
        "until": [to_datetime(each.until_ms) for each in asked],
        "longest": [timedelta(milliseconds=each.longest_ms) for each in asked],
    }
    holes: dict[tuple[str, str], list[tuple[int, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(FIND_FEED_HOLES, parameters)
        for name, symbol, start, end in cursor.fetchall():
            holes.setdefault((name, symbol), []).append((to_ms(start), to_ms(end)))
    return holes
