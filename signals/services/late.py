"""Late symbols: left out of their close because their candles had not come, and scanned when they have."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from alphapulse_site.copying import copy_rows
from ingestion.selectors import unexplained_gaps
from signals.configuration import rules, scan_timeframe
from signals.models import LateScan, RejectedSignal, ScanClose, ScanHistory
from signals.rows import scan_rows, to_ms, tracked_rows
from signals.scan import Judged, decide, judge
from signals.selectors import AFTER_THE_CLOSE, past_signals
from signals.services.look import looks_at, packed_reasons
from signals.version import Version
from signals.windows import feeds_at, segments_at

CLOSES_AT_ONCE = 20


def late_closes() -> list[datetime]:
    """The first decided closes that have late symbols whose candles have come by now."""
    timeframe = scan_timeframe().name
    decided = ScanClose.objects.filter(timeframe=timeframe, decided_at__isnull=False).values("close_time")
    waiting = list(LateScan.objects.filter(timeframe=timeframe, scanned_at=None, close_time__in=decided))
    return sorted({late.close_time for late in _come(waiting)})[:CLOSES_AT_ONCE]


def _come(waiting: Sequence[LateScan]) -> list[LateScan]:
    """Those whose whole bar is stored or explained."""
    if not waiting:
        return []
    bar_ms, closes = scan_timeframe().ms, [to_ms(late.close_time) for late in waiting]
    holes = unexplained_gaps((late.symbol for late in waiting), min(closes) - bar_ms, max(closes))
    open_ones: dict[str, list[tuple[int, int]]] = {}
    for hole in holes:
        open_ones.setdefault(hole.symbol, []).append((hole.start_ms, hole.end_ms))
    return [
        late
        for late, close_ms in zip(waiting, closes, strict=True)
        if not any(start < close_ms and end > close_ms - bar_ms for start, end in open_ones.get(late.symbol, ()))
    ]


def scan_late(*, close: datetime, version: Version) -> int:
    """Scan the late symbols of a decided close whose candles have come, each once; returns how many.

    The data gate refuses them, since nobody could have acted on them: they become shadows and change nothing that the
    serial gates saw, so it does not matter when they come.
    """
    timeframe, began = scan_timeframe(), timezone.now()
    waiting = LateScan.objects.filter(timeframe=timeframe.name, close_time=close, scanned_at=None)
    late = {row.symbol: row.missing_minutes for row in _come(list(waiting))}
    found, feeds = segments_at(timeframe, close, sorted(late)), feeds_at(timeframe, close, late)
    looks = looks_at(timeframe, close, found, feeds)
    lacked = np.array([late[symbol] for symbol in looks.symbol.tolist()], dtype=np.int64)
    looks.missing_minutes[:] = np.maximum(looks.missing_minutes, lacked)
    judged = judge(looks, version.deciding, version.thresholds, rules())
    reasons = dict(zip(looks.symbol.tolist(), packed_reasons(found, feeds), strict=True))
    with transaction.atomic():
        claimed = _claim(close, late, began)
        _store(judged.take(np.isin(judged.symbol, sorted(claimed))), close, version, reasons)
    return len(claimed)


def _claim(close: datetime, symbols: Iterable[str], began: datetime) -> set[str]:
    """Mark them as scanned inside the transaction that writes their scans; returns those nobody had marked."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE late_scans SET began_at = %s, scanned_at = clock_timestamp() WHERE timeframe = %s"
            " AND close_time = %s AND symbol = ANY(%s) AND scanned_at IS NULL RETURNING symbol",
            [began, scan_timeframe().name, close, sorted(symbols)],
        )
        return {symbol for (symbol,) in cursor.fetchall()}


def _store(judged: Judged, close: datetime, version: Version, reasons: dict[str, bytes]) -> None:
    timeframe = scan_timeframe()
    row = ScanClose.objects.get(timeframe=timeframe.name, close_time=close)
    past = past_signals(timeframe, close + AFTER_THE_CLOSE, rules().gates)
    decided = decide(judged, past, version.deciding, version.thresholds, rules())
    written = scan_rows(
        decided,
        timeframe,
        version=version.weight_version,
        waited_too_long=row.waited_too_long,
        source="live",
        reasons=[reasons[symbol] for symbol in decided.symbol.tolist()],
    )
    copy_rows(ScanHistory, written)
    copy_rows(RejectedSignal, tracked_rows(decided, timeframe, rules(), version=version.weight_version, source="live"))
    ScanClose.objects.filter(timeframe=timeframe.name, close_time=close).update(scans=F("scans") + len(decided))
