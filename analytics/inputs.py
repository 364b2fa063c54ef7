"""What the last scans saw, read again from the candles that had closed by then, as they stood then."""

from collections.abc import Iterator, Sequence

from ingestion.candles import load_many
from ingestion.changes import changes_to
from ingestion.revisions import Change, undone
from ingestion.timeframes import TIMEFRAMES
from learning.spells import DOUBT
from signals.configuration import rules
from signals.heads import HEADS
from signals.models import ScanClose, ScanHistory
from signals.rows import to_ms
from signals.scan import look_together
from signals.segments import history_start_ms, segments
from signals.windows import feeds_at


def scans_with_other_candles(count: int) -> list[ScanHistory]:
    """Those of the `count` last scans whose stored input digest differs from the one computed up to their close.

    Candles that were corrected or filled in since the look are taken as they were before.
    """
    last = ScanHistory.objects.filter(rejection__isnull=False).order_by("-close_time", "symbol")[:count]
    return [scan for scan in last if bytes(scan.candle_digest) not in _possible_digests(scan)]


def input_digest(scan: ScanHistory, later: Sequence[Change] = ()) -> bytes | None:
    """The digest of a scan's inputs without these changes; None where the candles of its close are not there."""
    timeframe, close_ms = TIMEFRAMES[scan.timeframe], to_ms(scan.close_time)
    stored = load_many([scan.symbol], history_start_ms(timeframe, close_ms), close_ms)
    minutes = undone(stored, later)[scan.symbol]
    market, own = feeds_at(timeframe, scan.close_time, [scan.symbol])
    found = {scan.symbol: list(segments(minutes, timeframe, close_ms, close_ms))}
    looks = look_together(found, market, HEADS, rules(), own)
    return bytes(looks.digest[0]) if len(looks) else None


def _possible_digests(scan: ScanHistory) -> Iterator[bytes | None]:
    """With the candles of now, then with those before the last change since the look, the last two, and on."""
    yield input_digest(scan)
    later = _changes_since_look(scan)
    for seen in range(len(later) - 1, -1, -1):
        yield input_digest(scan, later[seen:])


def _changes_since_look(scan: ScanHistory) -> list[Change]:
    close = ScanClose.objects.filter(timeframe=scan.timeframe, close_time=scan.close_time).first()
    looked_at = (close.first_tried_at if close else scan.close_time) - DOUBT
    close_ms = to_ms(scan.close_time)
    start_ms = history_start_ms(TIMEFRAMES[scan.timeframe], close_ms)
    known = changes_to([scan.symbol], start_ms, lambda begins_ms, by: begins_ms < close_ms and by > looked_at)
    return [change for change in known if change.start_ms < close_ms and change.noted_by > looked_at]
