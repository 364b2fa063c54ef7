"""How late the scans are: from the candles of a close being complete to its decisions, and what still waits."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from django.utils import timezone

from alphapulse_site.clock import market_now, reached_at
from ingestion.candles import to_datetime, to_ms
from signals.configuration import scan_timeframe
from signals.models import ScanClose
from signals.selectors import decided_until

LAST_CLOSES = 100


@dataclass(frozen=True)
class ScanLag:
    """Wall seconds; None where no close was timed.

    `last`, `median` and `p99` are of the last hundred decided closes that somebody waited for. `behind`: the closes
    that are due and not decided; `waiting`: since when the oldest of them has been complete, 0 where there is none.
    """

    last: float | None
    median: float | None
    p99: float | None
    behind: int
    waiting: float | None


def scan_lag() -> ScanLag:
    """The lag of the running system's timeframe; reads a hundred rows."""
    name = scan_timeframe().name
    timed = ScanClose.objects.filter(timeframe=name, decided_at__isnull=False, complete_at__isnull=False)
    moments = timed.order_by("-close_time").values_list("complete_at", "decided_at")[:LAST_CLOSES]
    took = [(decided - complete).total_seconds() for complete, decided in moments if complete and decided]
    median, p99 = (float(each) for each in np.percentile(took, [50, 99])) if took else (None, None)
    behind, oldest = _behind(decided_until(name), market_now())
    return ScanLag(took[0] if took else None, median, p99, behind, _waiting(oldest) if oldest else 0.0)


def _waiting(close: datetime) -> float | None:
    """None for a close of before the clock's steps were kept."""
    since = reached_at(close)
    return (timezone.now() - since).total_seconds() if since else None


def _behind(decided: datetime | None, now: datetime | None) -> tuple[int, datetime | None]:
    """How many closes are due and not decided, and the oldest of them."""
    if decided is None or now is None:
        return 0, None
    frame = scan_timeframe()
    closes = max(to_ms(now) // frame.ms - to_ms(decided) // frame.ms, 0)
    return closes, to_datetime(to_ms(decided) + frame.ms) if closes else None
