"""The bars of longer timeframes that scans look back on: full ones are kept, so that a month is not added up each time.

A full bar has every one of its minutes, so none that comes later can change it. Around a minute that is corrected or
deleted a trigger of `candles` forgets the bars, under a lock beside which nobody makes any.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

import numpy as np
from django.db import connection, transaction
from django.db.backends.utils import CursorWrapper

from alphapulse_site.copying import POSTGRES_EPOCH_MS, copy_out
from ingestion.candles import EVERY_FIGURE, OUT_KINDS, candles_of, copy_incoming, empty_candles, to_datetime
from ingestion.models import Bar
from ingestion.timeframes import FIGURES, TIMEFRAMES, BoolArray, Candles, IntArray, Timeframe, resample

# The trigger takes the same one alone.
BARS_LOCK = 7_246_302
# Times of one series lie within 2**42 ms of 1970 (the year 2109); the next one's begin there.
PLACE_MS = 2**42

Span = tuple[int, int]  # open times [start, end) in ms


class Key(NamedTuple):
    """The bars of one symbol and timeframe."""

    symbol: str
    timeframe: Timeframe


Series = dict[Key, Candles]

LATERAL = """
SELECT wanted.place, found.open_time, {figures}
FROM unnest(%s::int[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[])
    AS wanted (place, symbol, timeframe, start, "end")
CROSS JOIN LATERAL (
    SELECT * FROM {table} WHERE symbol = wanted.symbol {and_timeframe}
        AND open_time >= wanted.start AND open_time < wanted."end" OFFSET 0
) AS found"""
FROM_BARS = LATERAL.format(table="bars", and_timeframe="AND timeframe = wanted.timeframe", figures=", ".join(FIGURES))
FROM_CANDLES = LATERAL.format(table="candles", and_timeframe="", figures=EVERY_FIGURE)

KEEP = f"""
INSERT INTO bars (symbol, timeframe, open_time, {", ".join(FIGURES)})
SELECT symbol, %s, open_time, {", ".join(FIGURES)} FROM incoming_candles ON CONFLICT DO NOTHING"""


def load_bars(symbols: Sequence[str], spans: Mapping[Timeframe, Span]) -> dict[str, dict[str, Candles]]:
    """What `resample` makes of the stored minutes, by symbol and timeframe; each span is on its timeframe's grid."""
    names = sorted(set(symbols))
    wanted = {Key(name, frame): span for name in names for frame, span in spans.items()}
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock_shared(%s)", [BARS_LOCK])
        kept = _read(FROM_BARS, [(key, span) for key, span in wanted.items() if key.timeframe.minutes > 1])
        lacking = {key: _lacking(kept.get(key), key.timeframe, span) for key, span in wanted.items()}
        # All in one statement: what comes in meanwhile is seen by every timeframe or by none.
        made = _made(_minutes(names, lacking), lacking)
        _keep(cursor, made)
    found: dict[str, dict[str, Candles]] = {name: {} for name in names}
    for key in wanted:
        found[key.symbol][key.timeframe.name] = _merged(kept.get(key), made[key], key.timeframe)
    return found


def forget_old(before: datetime) -> int:
    """Delete bars that no scan looks back to any more; how many."""
    return Bar.objects.filter(open_time__lt=before).delete()[0]


def _read(query: str, parts: Sequence[tuple[Key, Span]]) -> Series:
    """The rows of each part as one series by its key, ascending."""
    if not parts:
        return {}
    keys, spans = zip(*parts, strict=True)
    places = {key: place for place, key in enumerate(dict.fromkeys(keys))}
    columns = [[places[key] for key in keys], [key.symbol for key in keys], [key.timeframe.name for key in keys]]
    times = [[to_datetime(edge) for edge in edges] for edges in zip(*spans, strict=True)]
    rows = copy_out(query, [*columns, *times], OUT_KINDS)
    open_ms = rows["open_time"].astype(np.int64) // 1000 + POSTGRES_EPOCH_MS
    at = rows["place"].astype(np.int64) * PLACE_MS + open_ms
    order: IntArray | slice = slice(None) if (at[1:] > at[:-1]).all() else np.argsort(at)
    every = candles_of(open_ms[order], {name: rows[name].astype(np.float64)[order] for name in FIGURES})
    bounds = np.searchsorted(at[order], np.arange(len(places) + 1) * PLACE_MS).tolist()
    return {key: every.rows(slice(bounds[place], bounds[place + 1])) for key, place in places.items()}


def _lacking(kept: Candles | None, timeframe: Timeframe, span: Span) -> IntArray:
    """Open times of the bars that are not kept."""
    grid = np.arange(*span, timeframe.ms)
    return grid if kept is None else np.setdiff1d(grid, kept.open_ms, assume_unique=True)


def _minutes(names: Sequence[str], lacking: Mapping[Key, IntArray]) -> dict[str, Candles]:
    """The minutes of all bars that a symbol lacks, by symbol."""
    spans: dict[str, list[Span]] = {name: [] for name in names}
    for key, open_ms in lacking.items():
        ms = key.timeframe.ms
        edges = np.flatnonzero(np.diff(open_ms) != ms) + 1
        spans[key.symbol] += [(int(run[0]), int(run[-1]) + ms) for run in np.split(open_ms, edges) if len(run)]
    minute = TIMEFRAMES["1m"]
    parts = [(Key(name, minute), span) for name in names for span in _joined(spans[name])]
    read = _read(FROM_CANDLES, parts)
    return {name: read.get(Key(name, minute), empty_candles()) for name in names}


def _joined(spans: list[Span]) -> Iterator[Span]:
    """Spans without overlaps, ascending."""
    first: int | None = None
    last = 0
    for start, end in sorted(spans):
        if first is None or start > last:
            if first is not None:
                yield first, last
            first, last = start, end
        last = max(last, end)
    if first is not None:
        yield first, last


def _made(minutes: Mapping[str, Candles], lacking: Mapping[Key, IntArray]) -> Series:
    """The lacking bars from the minutes, which hold those of other bars too."""
    made = {}
    for key, open_ms in lacking.items():
        inside = minutes[key.symbol]
        if len(open_ms):
            inside = inside.between(int(open_ms[0]), int(open_ms[-1]) + key.timeframe.ms)
        bars = resample(inside, key.timeframe)
        made[key] = bars if key.timeframe.minutes == 1 else _chosen(bars, np.isin(bars.open_ms, open_ms))
    return made


def _chosen(candles: Candles, rows: BoolArray) -> Candles:
    return candles if rows.all() else Candles(*(getattr(candles, name)[rows] for name in Candles.__dataclass_fields__))


def _keep(cursor: CursorWrapper, made: Series) -> None:
    """Store the full bars; in order of the key, so that two who make the same cannot deadlock."""
    longer = {key.timeframe for key in made if key.timeframe.minutes > 1}
    for frame in sorted(longer, key=lambda frame: frame.minutes):
        of_frame = {key.symbol: bars for key, bars in made.items() if key.timeframe == frame}
        full = {symbol: _chosen(bars, bars.minutes == frame.minutes) for symbol, bars in of_frame.items()}
        parts = [(symbol, bars) for symbol, bars in sorted(full.items()) if len(bars)]
        if parts:
            copy_incoming(cursor, parts)
            cursor.execute(KEEP, [frame.name])


def _merged(kept: Candles | None, made: Candles, timeframe: Timeframe) -> Candles:
    """Kept bars, which are full, and made ones in order of time."""
    if kept is None or not len(kept):
        return made
    kept = replace(kept, minutes=np.full(len(kept), timeframe.minutes))
    if not len(made):
        return kept
    columns = [np.concatenate([getattr(kept, name), getattr(made, name)]) for name in Candles.__dataclass_fields__]
    both = Candles(*columns)
    if made.open_ms[0] > kept.open_ms[-1]:
        return both
    order = np.argsort(both.open_ms)
    return Candles(*(column[order] for column in columns))
