"""What the last scans saw, read again from the candles that had closed by then."""

import numpy as np

from ingestion.candles import load_many
from ingestion.models import MarketFeed
from ingestion.timeframes import TIMEFRAMES, FloatArray, IntArray, Timeframe
from signals import mood, mood_feed
from signals.configuration import rules
from signals.heads import HEADS
from signals.models import ScanHistory
from signals.rows import to_ms
from signals.scan import history_start_ms, look, segments

# Any head will do: the digest of the inputs does not depend on who votes on them.
ANY_HEAD = HEADS[:1]


def scans_with_other_candles(count: int) -> list[ScanHistory]:
    """Those of the `count` last scans whose stored input digest differs from the one computed up to their close."""
    last = ScanHistory.objects.filter(rejection__isnull=False).order_by("-close_time", "symbol")[:count]
    return [scan for scan in last if input_digest(scan) != bytes(scan.candle_digest)]


def input_digest(scan: ScanHistory) -> bytes | None:
    """The digest of a scan's inputs; None where the candles of its close are not there any more."""
    timeframe, close_ms = TIMEFRAMES[scan.timeframe], to_ms(scan.close_time)
    minutes = load_many([scan.symbol], history_start_ms(timeframe, close_ms), close_ms)[scan.symbol]
    feeds = mood_feed.feeds(*_mood_at(timeframe, scan))
    looks = look(scan.symbol, list(segments(minutes, timeframe, close_ms, close_ms)), feeds, ANY_HEAD, rules())
    return bytes(looks.digest[0]) if len(looks) else None


def _mood_at(timeframe: Timeframe, scan: ScanHistory) -> tuple[IntArray, FloatArray]:
    row = MarketFeed.objects.filter(
        name=mood_feed.feed_name(timeframe), symbol="", available_at=scan.close_time
    ).first()
    values = np.array([row.values] if row else [], dtype=np.float64).reshape(-1, len(mood.MOOD_FIELDS))
    return np.full(len(values), to_ms(scan.close_time), dtype=np.int64), values
