"""The second phase of a close: resolve what was open, ask the serial gates, publish signals and keep shadows."""

import logging
from datetime import datetime
from functools import partial

import numpy as np
from django.db import connection, transaction
from django.utils import timezone
from psycopg2.extras import execute_values

from alphapulse_site.copying import copy_rows
from alphapulse_site.log_context import about
from ingestion.timeframes import Timeframe
from signals.configuration import rules, scan_timeframe
from signals.heads import HEADS
from signals.models import RejectedSignal, ScanClose, Signal
from signals.rows import judged_from, to_time, tracked_rows
from signals.scan import Decisions, decide
from signals.selectors import past_signals, undecided_scans
from signals.services.positions import open_positions
from signals.services.track import track
from signals.version import Version

logger = logging.getLogger(__name__)

GATES_LOCK = 0x6A7E5


def decide_close(*, close: datetime, version: Version) -> int | None:
    """Decide every scan of a close in one transaction; returns the signals, or None if it was decided before."""
    timeframe = scan_timeframe()
    if ScanClose.objects.filter(timeframe=timeframe.name, close_time=close).exclude(decided_at=None).exists():
        return None
    # Serial gates look at what is open: that must depend on the market up to this close, not on when a poll ran.
    track(Signal, until=close)
    track(RejectedSignal, until=close)
    with transaction.atomic():
        row = ScanClose.objects.select_for_update().get(timeframe=timeframe.name, close_time=close)
        take_turn()
        if row.decided_at or row.chunks is None or len(row.looked) < len(row.chunks):
            return None
        judged = judged_from(undecided_scans(timeframe.name, close), len(HEADS))
        past = past_signals(timeframe, close, rules().gates)
        decided = decide(judged, past, version.deciding, version.thresholds, rules())
        signals = store_decisions(decided, timeframe, version.weight_version)
        row.decided_at, row.scans, row.signals = timezone.now(), len(decided), signals
        row.save(update_fields=["decided_at", "scans", "signals"])
    logger.info("%d scans decided, %d signals", len(decided), signals)
    return signals


def take_turn() -> None:
    """Hold off every other transaction that changes what the serial gates see, until this one ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [GATES_LOCK])


def store_decisions(decided: Decisions, timeframe: Timeframe, version: int) -> int:
    """Complete the scans of one close and store each lean as a signal or a priced shadow."""
    _complete_scans(decided, timeframe)
    tracked = list(tracked_rows(decided, timeframe, rules(), version=version, source="live"))
    signals = [decision for decision in tracked if isinstance(decision, Signal)]
    copy_rows(Signal, signals)
    copy_rows(RejectedSignal, [decision for decision in tracked if isinstance(decision, RejectedSignal)])
    open_positions([signal.scan_id for signal in signals])
    transaction.on_commit(partial(tell, signals))
    return int(np.count_nonzero(decided.reason == ""))


# One statement for all: a close of 600 symbols waits for it. The named closes keep it to their partitions.
COMPLETE = """
UPDATE scan_history AS scan SET scan_id = found.scan_id, margins = found.margins, passed = found.passed,
    rejection = found.rejection
FROM (VALUES %%s) AS found (symbol, close_time, scan_id, margins, passed, rejection)
WHERE scan.timeframe = %s AND scan.close_time = ANY(%s)
    AND scan.symbol = found.symbol AND scan.close_time = found.close_time"""
FOUND = "(%s, %s::timestamptz, %s::uuid, %s::float8[], %s::bool[], %s)"


def _complete_scans(decided: Decisions, timeframe: Timeframe) -> None:
    closes = [to_time(close_ms) for close_ms in decided.close_ms]
    rows = [
        (
            str(decided.symbol[row]),
            close,
            str(decided.scan_id[row]),
            decided.margins[row].tolist(),
            decided.passed[row].tolist(),
            str(decided.reason[row]),
        )
        for row, close in enumerate(closes)
    ]
    with connection.cursor() as cursor:
        statement = cursor.mogrify(COMPLETE, [timeframe.name, sorted(set(closes))]).decode()
        execute_values(cursor, statement, rows, FOUND, page_size=len(rows) or 1)


def tell(signals: list[Signal]) -> None:
    """A line for each signal that was published."""
    for signal in signals:
        with about(scan_id=signal.scan_id):
            what = (signal.symbol, signal.get_direction_display(), signal.expected_r)
            logger.info("signal: %s %s, %+.3f R expected", *what)
