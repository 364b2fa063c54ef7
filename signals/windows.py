"""What a scan looks at, read from the database: the windows of a close and the feeds that were there by then."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from ingestion.candles import load_many
from ingestion.models import MarketFeed
from ingestion.timeframes import IntArray, Timeframe
from signals import mood, mood_feed
from signals.consensus import FloatArray
from signals.feeds import Feed
from signals.rows import to_ms
from signals.scan import CONTEXT, Segment, history_start_ms, segments, with_feeds
from signals.window import Window

MOOD_MEMORY = timedelta(days=mood.HISTORY_DAYS)


def segments_at(
    timeframe: Timeframe, close: datetime, symbols: list[str], context: Sequence[str] = CONTEXT
) -> dict[str, list[Segment]]:
    """Each symbol's window at one close; a symbol without a ready bar there has none."""
    close_ms = to_ms(close)
    minutes = load_many(symbols, history_start_ms(timeframe, close_ms, context), close_ms)
    return {
        symbol: list(segments(candles, timeframe, close_ms, close_ms, context)) for symbol, candles in minutes.items()
    }


def mood_history(timeframe: Timeframe, before: datetime) -> tuple[IntArray, FloatArray]:
    """Stored mood rows of the last 30 days before a close: times (ms) and values (rows, fields)."""
    rows = MarketFeed.objects.filter(
        name=mood_feed.feed_name(timeframe), symbol="", available_at__lt=before, available_at__gte=before - MOOD_MEMORY
    ).order_by("available_at")
    found = [(to_ms(row.available_at), row.values) for row in rows]
    values = np.array([value for _, value in found], dtype=np.float64).reshape(len(found), len(mood.MOOD_FIELDS))
    return np.array([at for at, _ in found], dtype=np.int64), values


def mood_feeds(timeframe: Timeframe, close: datetime) -> dict[str, Feed]:
    """The mood of exactly this close, as feeds for the heads."""
    rows = MarketFeed.objects.filter(name=mood_feed.feed_name(timeframe), symbol="", available_at=close)
    times = np.array([to_ms(row.available_at) for row in rows], dtype=np.int64)
    values = np.array([row.values for row in rows], dtype=np.float64).reshape(len(times), len(mood.MOOD_FIELDS))
    return mood_feed.feeds(times, values)


def window_at(timeframe: Timeframe, close: datetime, symbol: str) -> Window | None:
    """What a scan of one symbol and close saw, to be read at its last row; None without a ready bar there."""
    found = segments_at(timeframe, close, [symbol]).get(symbol)
    return with_feeds(found, mood_feeds(timeframe, close))[0] if found else None
