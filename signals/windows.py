"""What a scan looks at, read from the database: the windows of a close and the feeds that were there by then."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import numpy as np
from django.db.models import Q

from ingestion.bars import load_bars
from ingestion.models import MarketFeed
from ingestion.timeframes import IntArray, Timeframe
from signals import mood, mood_feed
from signals.consensus import FloatArray
from signals.derivatives import ALT_SEASON, READ_BACK, Stored, symbol_feeds
from signals.feeds import Feed, Feeds, Readings, SymbolFeeds
from signals.heads import HEADS
from signals.rows import to_ms
from signals.scan import windows_seen
from signals.segments import CONTEXT, Segment, segments, spans_read
from signals.window import Window

MOOD_MEMORY = timedelta(days=mood.HISTORY_DAYS)


def segments_at(
    timeframe: Timeframe, close: datetime, symbols: list[str], context: Sequence[str] = CONTEXT
) -> dict[str, list[Segment]]:
    """Each symbol's window at one close; a symbol without a ready bar there has none."""
    close_ms = to_ms(close)
    bars = load_bars(symbols, spans_read(timeframe, close_ms, context))
    return {symbol: list(segments(stored, timeframe, close_ms, close_ms, context)) for symbol, stored in bars.items()}


def mood_history(timeframe: Timeframe, before: datetime) -> tuple[IntArray, FloatArray]:
    """Stored mood rows of the last 30 days before a close: times (ms) and values (rows, fields)."""
    rows = MarketFeed.objects.filter(
        name=mood_feed.feed_name(timeframe), symbol="", available_at__lt=before, available_at__gte=before - MOOD_MEMORY
    ).order_by("available_at")
    found = [(to_ms(row.available_at), row.values) for row in rows]
    values = np.array([value for _, value in found], dtype=np.float64).reshape(len(found), len(mood.MOOD_FIELDS))
    return np.array([at for at, _ in found], dtype=np.int64), values


def feeds_at(timeframe: Timeframe, close: datetime, symbols: Iterable[str]) -> tuple[Feeds, SymbolFeeds]:
    """The feeds of the whole market and each symbol's own, as far as a scan at this close can see them."""
    names, close_ms = sorted(symbols), to_ms(close)
    moments = Q(name__in=(mood_feed.feed_name(timeframe), ALT_SEASON), symbol="", as_of=close)
    moments |= Q(name=mood_feed.EXTERNAL, symbol="", as_of__gt=_before(close, mood_feed.EXTERNAL_FRESH_MS))
    for name, spans in READ_BACK.items():
        for since, until in spans:
            span = (_before(close, since), _before(close, until))
            moments |= Q(name=name, symbol__in=names, as_of__range=span)
    stored = readings(MarketFeed.objects.filter(moments, available_at__lte=close).values_list(*COLUMNS))
    moods = stored.get(mood_feed.feed_name(timeframe), {}).get("")
    table = np.empty((0, len(mood.MOOD_FIELDS))) if moods is None else moods.values
    market = mood_feed.feeds(np.full(len(table), close_ms), table)
    return market | mood_feed.external(external_of(stored)), symbol_feeds(names, stored, season_of(stored))


def _before(close: datetime, ms: int) -> datetime:
    return close - timedelta(milliseconds=ms)


COLUMNS = ("name", "symbol", "as_of", "available_at", "values")
Row = tuple[str, str, datetime, datetime, list[float]]


def readings(rows: Iterable[Row]) -> dict[str, dict[str, Readings]]:
    """Rows of COLUMNS as readings by name, then symbol."""
    found: dict[str, dict[str, list[tuple[int, int, Sequence[float]]]]] = {}
    for name, symbol, as_of, available_at, values in rows:
        found.setdefault(name, {}).setdefault(symbol, []).append((to_ms(as_of), to_ms(available_at), values))
    return {
        name: {symbol: Readings.of(lines) for symbol, lines in by_symbol.items()} for name, by_symbol in found.items()
    }


def all_readings(names: Iterable[str]) -> dict[str, dict[str, Readings]]:
    """Every stored reading of these names, by name, then symbol ('' for the whole market)."""
    return readings(MarketFeed.objects.filter(name__in=list(names)).values_list(*COLUMNS))


def external_of(stored: Stored) -> Readings | None:
    return stored.get(mood_feed.EXTERNAL, {}).get("")


def season_of(stored: Stored) -> Feed | None:
    """The stored alt seasons of closes as a feed, each for one bar."""
    seasons = stored.get(ALT_SEASON, {}).get("")
    return None if seasons is None else Feed(seasons.as_of_ms, seasons.available_ms, seasons.values[:, 0])


def window_at(timeframe: Timeframe, close: datetime, symbol: str) -> Window | None:
    """What a scan of one symbol and close saw, to be read at its last row; None without a ready bar there."""
    found = segments_at(timeframe, close, [symbol]).get(symbol)
    return windows_seen(symbol, found, HEADS, *feeds_at(timeframe, close, [symbol]))[0] if found else None
