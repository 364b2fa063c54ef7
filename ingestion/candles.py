"""Candles in and out of PostgreSQL as arrays: binary COPY both ways, no row objects.

Which candle stays when a minute is stored twice: the first one, unless the second comes from a higher source
(import < stream < rest < archive) and says something else. So importing a file never changes what decisions were
made with, and what the exchange itself corrected later can still be brought in from its archive. What a candle said
before it was corrected stays on record (`CandleRevision`).
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from alphapulse_site.copying import BINARY_HEADER, BINARY_TRAILER, POSTGRES_EPOCH_MS, copy_out
from ingestion.models import CandleSource
from ingestion.partitions import ensure_partitions
from ingestion.timeframes import FIGURES, Candles

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ROWS_PER_COPY = 50_000

# What every source has, and what it may lack.
PRICES, NULLABLE = FIGURES[:5], FIGURES[5:]


@dataclass(frozen=True)
class StoreReport:
    """What became of the candles handed in: new, taken as a correction, or known before.

    `disagreeing` counts those of the known ones whose prices or volume differ from the stored candle, which stays.
    """

    inserted: int = 0
    replaced: int = 0
    unchanged: int = 0
    disagreeing: int = 0

    def __add__(self, other: "StoreReport") -> "StoreReport":
        return StoreReport(*(mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)))


def to_ms(moment: datetime) -> int:
    """Milliseconds since the epoch, exactly."""
    return (moment - EPOCH) // timedelta(milliseconds=1)


def to_datetime(ms: int) -> datetime:
    """The UTC moment, exactly; no float on the way."""
    return EPOCH + timedelta(milliseconds=int(ms))


def empty_candles() -> Candles:
    return candles_of(np.empty(0, np.int64), {name: np.empty(0) for name in FIGURES})


def candles_of(open_ms: npt.NDArray[np.int64], figures: Mapping[str, npt.NDArray[np.float64]]) -> Candles:
    """1m candles from their columns."""
    return Candles(open_ms=open_ms, minutes=np.ones(len(open_ms), np.int64), **figures)


# --- in ---------------------------------------------------------------------------------------------------------------


def store_candles(candles: Mapping[str, Candles], *, source: CandleSource) -> StoreReport:
    """Store 1m candles by symbol, in one transaction; partitions are made as needed. Safe to run twice.

    Raises ValueError if a symbol's candles are not ascending and unique.
    """
    filled = {symbol: minutes for symbol, minutes in candles.items() if len(minutes)}
    if not filled:
        return StoreReport()
    _refuse_unsorted(filled)
    first = min(int(minutes.open_ms[0]) for minutes in filled.values())
    last = max(int(minutes.open_ms[-1]) for minutes in filled.values())
    ensure_partitions("candles", to_datetime(first), to_datetime(last + 1))
    report = StoreReport()
    with transaction.atomic(), connection.cursor() as cursor:
        for chunk in _chunks(filled):
            report += _store_chunk(cursor, chunk, source)
    return report


def _refuse_unsorted(candles: Mapping[str, Candles]) -> None:
    for symbol, minutes in candles.items():
        if np.any(np.diff(minutes.open_ms) <= 0):
            raise ValueError(f"candles of {symbol} are not ascending and unique in open time; sort them before storing")


def _chunks(candles: Mapping[str, Candles]) -> list[list[tuple[str, Candles]]]:
    """All candles in parts of ROWS_PER_COPY in the order of the key, so that two writers cannot deadlock."""
    chunks: list[list[tuple[str, Candles]]] = [[]]
    room = ROWS_PER_COPY
    for symbol, minutes in sorted(candles.items()):
        while len(minutes):
            if not room:
                chunks.append([])
                room = ROWS_PER_COPY
            part, minutes = minutes.rows(slice(0, room)), minutes.rows(slice(room, None))
            chunks[-1].append((symbol, part))
            room -= len(part)
    return chunks


def _copy_rows(symbol: str, candles: Candles) -> bytes:
    """The rows of one symbol as PostgreSQL's binary COPY wants them: a field count, then length and value by turns."""
    name = symbol.encode()
    columns: list[tuple[str, str, Any]] = [("symbol", f"S{len(name)}", name)]
    columns.append(("open_time", ">i8", (candles.open_ms - POSTGRES_EPOCH_MS) * 1000))
    columns += [(figure, ">f8", getattr(candles, figure)) for figure in FIGURES]
    layout: list[tuple[str, str]] = [("fields", ">i2")]
    for column, kind, _ in columns:
        layout += [(f"{column}_length", ">i4"), (column, kind)]
    rows = np.empty(len(candles), np.dtype(layout))
    rows["fields"] = len(columns)
    for column, _, values in columns:
        rows[f"{column}_length"] = rows.dtype[column].itemsize
        rows[column] = values
    return rows.tobytes()


def copy_incoming(cursor: CursorWrapper, parts: Sequence[tuple[str, Candles]]) -> None:
    """Candles by symbol into the temporary table `incoming_candles`, which holds nothing else then."""
    data = b"".join([BINARY_HEADER, *(_copy_rows(symbol, part) for symbol, part in parts), BINARY_TRAILER])
    cursor.execute(CREATE_INCOMING)
    cursor.copy_expert("COPY incoming_candles FROM STDIN (FORMAT binary)", io.BytesIO(data))


def _store_chunk(cursor: CursorWrapper, chunk: list[tuple[str, Candles]], source: CandleSource) -> StoreReport:
    rows = sum(len(part) for _, part in chunk)
    copy_incoming(cursor, chunk)
    cursor.execute(INSERT_INCOMING, [source.value])
    inserted = int(cursor.rowcount)
    known = rows - inserted
    if not known:
        return StoreReport(inserted)
    replaced = 0
    if LOWER_SOURCES[source]:
        cursor.execute(CORRECT_STORED, [source.value, LOWER_SOURCES[source], source.value])
        replaced = int(cursor.rowcount)
    if far_lower := LOWER_SOURCES[source][:-1]:
        cursor.execute(CONFIRM_STORED, [source.value, far_lower])
    cursor.execute(COUNT_DISAGREEING)
    return StoreReport(inserted, replaced, known - replaced, int(cursor.fetchone()[0]))


# One temporary table a session, emptied at COMMIT and before each use: making one a minute would bloat the catalogue.
CREATE_INCOMING = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming_candles (
    symbol text, open_time timestamptz, open float8, high float8, low float8, close float8, volume float8,
    quote_volume float8, trades float8, taker_base float8, taker_quote float8) ON COMMIT DELETE ROWS;
TRUNCATE incoming_candles"""

CLEAN_INCOMING = """
    SELECT symbol, open_time, open_time + interval '59.999 seconds' AS close_time, open, high, low, close, volume,
        nullif(quote_volume, 'NaN') AS quote_volume, nullif(trades, 'NaN')::bigint AS trades,
        nullif(taker_base, 'NaN') AS taker_base, nullif(taker_quote, 'NaN') AS taker_quote
    FROM incoming_candles"""

COLUMNS = "symbol, open_time, close_time, open, high, low, close, volume, quote_volume, trades, taker_base, taker_quote"

INSERT_INCOMING = f"""
INSERT INTO candles ({COLUMNS}, source)
SELECT {COLUMNS}, %s FROM ({CLEAN_INCOMING}) AS incoming
ON CONFLICT (symbol, open_time) DO NOTHING"""

# What is replaced is noted first, and stays locked, so that both are of the same row. By the moment's own clock, not by
# the transaction's beginning: a long one would seem to have been seen before it was.
CORRECT_STORED = f"""
WITH incoming AS ({CLEAN_INCOMING}), noted AS (
    INSERT INTO candle_revisions (symbol, open_time, noted_at, old_source, new_source, old_figures, new_figures)
    SELECT stored.symbol, stored.open_time, clock_timestamp(), stored.source, %s,
        ARRAY[{", ".join(f"stored.{f}::float8" for f in FIGURES)}],
        ARRAY[{", ".join(f"incoming.{f}::float8" for f in FIGURES)}]
    FROM candles AS stored JOIN incoming USING (symbol, open_time)
    WHERE stored.source = ANY(%s)
      AND ({", ".join(f"stored.{f}" for f in FIGURES)}) IS DISTINCT FROM ({", ".join(f"incoming.{f}" for f in FIGURES)})
    ORDER BY stored.symbol, stored.open_time FOR UPDATE OF stored
    RETURNING symbol, open_time
)
UPDATE candles AS stored SET ({", ".join(FIGURES)}, source) = ({", ".join(f"incoming.{f}" for f in FIGURES)}, %s)
FROM incoming JOIN noted USING (symbol, open_time)
WHERE stored.symbol = incoming.symbol AND stored.open_time = incoming.open_time"""

# Runs after the correction: what is left of the lower sources says the same. It becomes the higher one's word where a
# source stands between the two, which would else overrule it, so that the order in which they speak does not matter.
CONFIRM_STORED = """
UPDATE candles AS stored SET source = %s FROM incoming_candles AS incoming
WHERE stored.symbol = incoming.symbol AND stored.open_time = incoming.open_time AND stored.source = ANY(%s)"""

COUNT_DISAGREEING = f"""
SELECT count(*) FROM candles AS stored JOIN incoming_candles AS incoming USING (symbol, open_time)
WHERE ({", ".join(f"stored.{f}" for f in PRICES)}) <> ({", ".join(f"incoming.{f}" for f in PRICES)})"""

LOWER_SOURCES = {source: [s.value for s in list(CandleSource)[:rank]] for rank, source in enumerate(CandleSource)}


# --- out --------------------------------------------------------------------------------------------------------------

OUT_KINDS = {"place": ">i4", "open_time": ">i8", **dict.fromkeys(FIGURES, ">f8")}

# NaN where the source did not have it.
EVERY_FIGURE = ", ".join([*PRICES, *(f"coalesce({figure}::float8, 'NaN')" for figure in NULLABLE)])

SELECT_CANDLES = f"""
SELECT array_position(%s::text[], symbol), open_time, {EVERY_FIGURE}
FROM candles
WHERE symbol = ANY(%s) AND open_time >= %s AND open_time < %s"""


def load_candles(symbol: str, start_ms: int, end_ms: int) -> Candles:
    """The stored 1m candles of [start_ms, end_ms), ascending; figures the source did not have are NaN."""
    return load_many([symbol], start_ms, end_ms)[symbol]


def load_many(symbols: Sequence[str], start_ms: int, end_ms: int) -> dict[str, Candles]:
    """The stored 1m candles of [start_ms, end_ms) of every symbol asked for (empty if it has none)."""
    names = list(dict.fromkeys(symbols))
    rows = copy_out(SELECT_CANDLES, [names, names, to_datetime(start_ms), to_datetime(end_ms)], OUT_KINDS)
    place = rows["place"].astype(np.int64)
    open_ms = rows["open_time"].astype(np.int64) // 1000 + POSTGRES_EPOCH_MS
    # Sorted here and not by PostgreSQL: it is faster, and each partition of an index scan arrives in order anyway.
    order = np.lexsort((open_ms, place))
    open_ms = open_ms[order]
    figures = {figure: rows[figure].astype(np.float64)[order] for figure in FIGURES}
    bounds = np.searchsorted(place[order], np.arange(1, len(names) + 2))
    every = candles_of(open_ms, figures)
    return {name: every.rows(slice(int(bounds[i]), int(bounds[i + 1]))) for i, name in enumerate(names)}
