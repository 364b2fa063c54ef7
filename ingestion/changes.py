"""What happened to stored candles after they could have been used: corrections, and holes that were filled late."""

from collections.abc import Callable, Iterable
from datetime import datetime
from itertools import groupby

import numpy as np
from django.db import connection

from ingestion.candles import to_datetime, to_ms
from ingestion.models import BackfillRun, CandleRevision, CandleSource
from ingestion.revisions import Change
from ingestion.timeframes import MINUTE_MS, IntArray

# What a backfill brings. A candle of another source in a filled hole came over the stream in its own time.
FETCHED = (CandleSource.REST, CandleSource.ARCHIVE)
# (start of the minutes in ms, from when on they were surely there): whether somebody may have missed them.
IsLate = Callable[[int, datetime], bool]


def changes_to(symbols: Iterable[str], since_ms: int, is_late: IsLate) -> list[Change]:
    """Every correction of a minute from `since_ms` on, and the fills that were late, in the order they came."""
    names, since = sorted(set(symbols)), to_datetime(since_ms)
    found = [*_corrections(names, since), *_late_fills(names, since, is_late)]
    return sorted(found, key=lambda change: change.noted_from)


def _corrections(symbols: list[str], since: datetime) -> Iterable[Change]:
    rows = CandleRevision.objects.filter(symbol__in=symbols, open_time__gte=since).order_by("noted_at", "id")
    for symbol, open_time, noted_at, figures in rows.values_list("symbol", "open_time", "noted_at", "old_figures"):
        start_ms = to_ms(open_time)
        before = tuple(float("nan") if figure is None else figure for figure in figures)
        yield Change(symbol, start_ms, start_ms + MINUTE_MS, noted_at, noted_at, before)


def _late_fills(symbols: list[str], since: datetime, is_late: IsLate) -> list[Change]:
    """The minutes that each late run brought; it counts as over when it last brought some."""
    runs = BackfillRun.objects.filter(symbol__in=symbols, end__gt=since, candles__gt=0)
    runs = runs.order_by("symbol", "started_at", "id")
    found: list[Change] = []
    for _, group in groupby(runs, key=lambda run: run.symbol):
        known = list(group)
        late = [run for run in known if is_late(to_ms(run.start), _over(run))]
        if late:
            found += _brought_by(late, known)
    return found


def _over(run: BackfillRun) -> datetime:
    return run.progress_at or run.finished_at or run.started_at


def _brought_by(late: list[BackfillRun], runs: list[BackfillRun]) -> Iterable[Change]:
    """Runs work through their span in order of time: each brought the first minutes in it that none before it had."""
    symbol, first, last = late[0].symbol, min(run.start for run in late), max(run.end for run in late)
    left = _fetched_minutes(symbol, first, last)
    for run in runs:
        inside = np.flatnonzero((left >= to_ms(run.start)) & (left < to_ms(run.end)))[: run.candles]
        if run in late:
            for start_ms, end_ms in _spans(left[inside]):
                yield Change(symbol, start_ms, end_ms, run.started_at, _over(run))
        left = np.delete(left, inside)


# A candle that was corrected when it was already there has not filled a hole.
FETCHED_MINUTES = """
SELECT open_time FROM candles WHERE symbol = %(symbol)s AND open_time >= %(first)s AND open_time < %(last)s
    AND source = ANY(%(fetched)s) AND NOT EXISTS (
        SELECT FROM candle_revisions AS revision WHERE revision.symbol = candles.symbol
            AND revision.open_time = candles.open_time AND revision.old_source <> ALL(%(fetched)s))
ORDER BY open_time"""


def _fetched_minutes(symbol: str, first: datetime, last: datetime) -> IntArray:
    with connection.cursor() as cursor:
        cursor.execute(FETCHED_MINUTES, {"symbol": symbol, "first": first, "last": last, "fetched": list(FETCHED)})
        return np.array([to_ms(open_time) for (open_time,) in cursor.fetchall()], dtype=np.int64)


def _spans(minutes: IntArray) -> Iterable[tuple[int, int]]:
    """Consecutive minutes as spans [start, end)."""
    for part in np.split(minutes, np.flatnonzero(np.diff(minutes) != MINUTE_MS) + 1):
        if len(part):
            yield int(part[0]), int(part[-1]) + MINUTE_MS
