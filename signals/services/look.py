"""The first phase of a close: the market's mood once, then votes, pool and symbol gates in chunks of symbols."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import isfinite

import numpy as np
from django.conf import settings
from django.db import connection, transaction

from alphapulse_site.clock import market_now, reached_at
from alphapulse_site.copying import copy_rows
from ingestion.candles import load_many
from ingestion.models import MarketFeed
from ingestion.partitions import ensure_partitions
from ingestion.selectors import active_symbols, unexplained_minutes
from ingestion.timeframes import FloatArray, Timeframe
from signals import mood_feed
from signals.alt_season import LATEST_MS, SEASON_MS, prices_at, share_ahead
from signals.configuration import rules, scan_timeframe
from signals.derivatives import ALT_SEASON
from signals.explanation import packed, reasons_at
from signals.feeds import Feeds, SymbolFeeds
from signals.heads import HEADS
from signals.models import LateScan, RejectedSignal, ScanClose, ScanHistory
from signals.rows import scan_rows, to_ms, to_time
from signals.scan import Looks, judge, look_together, windows_seen
from signals.segments import Segment, history_start_ms
from signals.selectors import decided_until
from signals.services.track import track
from signals.version import Version
from signals.windows import feeds_at, mood_history, segments_at


def batched(symbols: list[str], size: int) -> Iterator[list[str]]:
    return (symbols[at : at + size] for at in range(0, len(symbols), size))


def next_due_close() -> datetime | None:
    """The first close that has no decisions yet, if the market clock has reached it."""
    timeframe, now = scan_timeframe(), market_now()
    if now is None:
        return None
    latest = to_time(to_ms(now) // timeframe.ms * timeframe.ms)
    last = decided_until(timeframe.name)
    following = last + timedelta(milliseconds=timeframe.ms) if last else latest
    return following if following <= latest else None


def first_try(*, close: datetime) -> datetime:
    """Since when (wall clock) somebody has tried to scan this close: how long it has waited for its weights."""
    row, _ = ScanClose.objects.get_or_create(
        timeframe=scan_timeframe().name, close_time=close, defaults={"complete_at": reached_at(close)}
    )
    return row.first_tried_at


def opened(*, close: datetime) -> ScanClose:
    return ScanClose.objects.get(timeframe=scan_timeframe().name, close_time=close)


def open_close(*, close: datetime, version: Version) -> list[int]:
    """Store the market's mood of this close and fix its version and chunks; returns the chunks still to look at."""
    timeframe = scan_timeframe()
    ensure_partitions("scan_history", close, close + timedelta(microseconds=1))
    with transaction.atomic():
        row = ScanClose.objects.select_for_update().get(timeframe=timeframe.name, close_time=close)
        if row.decided_at:
            return []
        if row.chunks is None:
            symbols = leave_out_late(timeframe, close, active_symbols())
            store_mood(timeframe, close, symbols)
            row.chunks = list(batched(symbols, settings.ALPHAPULSE_SCAN_CHUNK))
            row.weight_version, row.threshold_version = version.weight_version, version.threshold_version
            row.calibration_version, row.waited_too_long = version.calibration_version, version.waited_too_long
            fixed = ("weight_version", "threshold_version", "calibration_version", "waited_too_long")
            row.save(update_fields=["chunks", *fixed])
    return [chunk for chunk in range(len(row.chunks)) if chunk not in row.looked]


def leave_out_late(timeframe: Timeframe, close: datetime, symbols: list[str]) -> list[str]:
    """The symbols whose bar is complete or explained; of the others it is put on record that they are late."""
    lacking = unexplained_minutes(symbols, to_ms(close) - timeframe.ms, to_ms(close))
    LateScan.objects.bulk_create(
        LateScan(timeframe=timeframe.name, close_time=close, symbol=symbol, missing_minutes=minutes)
        for symbol, minutes in lacking.items()
    )
    return [symbol for symbol in symbols if symbol not in lacking]


def store_mood(timeframe: Timeframe, close: datetime, symbols: list[str]) -> None:
    """Write the market's mood and alt season of one close, once; nothing where no symbol has a ready bar."""
    # The mood reads the scan timeframe only, whose window is a quarter as long as that of the slowest context.
    found = segments_at(timeframe, close, symbols, context=())
    values = mood_feed.mood_at(found, to_ms(close), *mood_history(timeframe, close))
    if values is not None:
        named = [(mood_feed.feed_name(timeframe), values.tolist())]
        season = season_at(close, symbols)
        named += [(ALT_SEASON, [season])] if isfinite(season) else []
        rows = [MarketFeed(name=name, as_of=close, available_at=close, values=given) for name, given in named]
        MarketFeed.objects.bulk_create(rows, ignore_conflicts=True)


def season_at(close: datetime, symbols: list[str]) -> float:
    """The alt season of one close, NaN where it is not known; reads the hours at both ends of its month only."""
    now, then = (_prices(symbols, to_ms(close) - back) for back in (0, SEASON_MS))
    return float(share_ahead({symbol: now[symbol] / then[symbol] for symbol in symbols}, 1)[0])


def _prices(symbols: list[str], at_ms: int) -> dict[str, FloatArray]:
    candles = load_many(symbols, at_ms - LATEST_MS, at_ms)
    return {symbol: prices_at(candles[symbol], np.array([at_ms])) for symbol in symbols}


def look_chunk(*, close: datetime, chunk: int, version: Version) -> bool:
    """Write the scans of one chunk of symbols, once, and follow their shadows; True if this call completed the close.

    One that comes again completes nothing: else each message that comes twice would have the close decided twice more.
    """
    timeframe = scan_timeframe()
    row = ScanClose.objects.get(timeframe=timeframe.name, close_time=close)
    if row.chunks is None:
        raise ValueError(f"the close {row} has no chunks yet; open it before it is looked at")
    was_first = False
    if chunk not in row.looked:
        symbols = row.chunks[chunk]
        # The decision follows all that is open, alone; what many workers have followed by then it need not.
        track(RejectedSignal, until=close, symbols=symbols)
        found, feeds = segments_at(timeframe, close, symbols), feeds_at(timeframe, close, symbols)
        judged = judge(looks_at(timeframe, close, found, feeds), version.deciding, version.thresholds, rules())
        reasons = packed_reasons(found, feeds)
        with transaction.atomic():
            if was_first := _mark_looked(row, chunk):
                scans = scan_rows(
                    judged,
                    timeframe,
                    version=version.weight_version,
                    waited_too_long=row.waited_too_long,
                    source="live",
                    reasons=reasons,
                )
                copy_rows(ScanHistory, scans)
    row.refresh_from_db()
    return was_first and len(row.looked) == len(row.chunks)


SeenFeeds = tuple[Feeds, SymbolFeeds]


def looks_at(timeframe: Timeframe, close: datetime, found: Mapping[str, list[Segment]], feeds: SeenFeeds) -> Looks:
    """What the symbols' scans saw at one close, in order of symbol."""
    market, own = feeds
    looks = look_together(found, market, HEADS, rules(), own)
    unexplained = unexplained_minutes(list(found), history_start_ms(timeframe, to_ms(close)), to_ms(close))
    for at, symbol in enumerate(looks.symbol):
        looks.missing_minutes[at] += unexplained.get(str(symbol), 0)
    return looks


def packed_reasons(found: Mapping[str, list[Segment]], feeds: SeenFeeds) -> list[bytes]:
    """The packed reasons of the same scans in the same order."""
    return [
        packed(reasons_at(window, row, HEADS), HEADS)
        for symbol in sorted(found)
        for window, segment in zip(windows_seen(symbol, found[symbol], HEADS, *feeds), found[symbol], strict=True)
        for row in segment.rows.tolist()
    ]


def _mark_looked(row: ScanClose, chunk: int) -> bool:
    """Claim the chunk inside the transaction that writes its scans; False if another worker has it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE scan_closes SET looked = array_append(looked, %s) "
            "WHERE timeframe = %s AND close_time = %s AND decided_at IS NULL AND NOT %s = ANY(looked)",
            [chunk, row.timeframe, row.close_time, chunk],
        )
        return bool(cursor.rowcount)
