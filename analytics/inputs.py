"""What the last scans saw, read again from the candles that had closed by then."""

from ingestion.timeframes import TIMEFRAMES
from signals.configuration import rules
from signals.heads import HEADS
from signals.models import ScanHistory
from signals.scan import look_together
from signals.windows import feeds_at, segments_at


def scans_with_other_candles(count: int) -> list[ScanHistory]:
    """Those of the `count` last scans whose stored input digest differs from the one computed up to their close."""
    last = ScanHistory.objects.filter(rejection__isnull=False).order_by("-close_time", "symbol")[:count]
    return [scan for scan in last if input_digest(scan) != bytes(scan.candle_digest)]


def input_digest(scan: ScanHistory) -> bytes | None:
    """The digest of a scan's inputs; None where the candles of its close are not there any more."""
    timeframe, symbols = TIMEFRAMES[scan.timeframe], [scan.symbol]
    found = segments_at(timeframe, scan.close_time, symbols)
    market, own = feeds_at(timeframe, scan.close_time, symbols)
    looks = look_together(found, market, HEADS, rules(), own)
    return bytes(looks.digest[0]) if len(looks) else None
