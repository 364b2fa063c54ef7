"""Yesterday asked for again: what the exchange has corrected since then replaces what its stream said."""

import time
from datetime import datetime, timedelta
from typing import Any

from alphapulse_site.clock import market_now
from alphapulse_site.jobs import advisory_lock, run_once
from alphapulse_site.models import JobRun
from ingestion.backfill import Backfill, Door
from ingestion.candles import to_ms
from ingestion.gaps import LOCK
from ingestion.holes import Hole
from ingestion.models import CandleRevision, Symbol

JOB = "ingestion.reread_day"
# The exchange corrects most of what it corrects soon; the hour lets the day's own gaps close first.
SETTLES_AFTER, DAY = timedelta(hours=1), timedelta(days=1)


def reread_day(*, door: Door, seconds: float = 240.0) -> JobRun | None:
    """Compare the latest whole day of the market with REST, once; None if that was done, or has to wait for a tick.

    Safe to run twice: a page that says the same as what is stored changes nothing.
    """
    now = market_now()
    if now is None:
        return None
    day = (now - SETTLES_AFTER).replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    period = f"{day:%Y-%m-%d}"
    if JobRun.objects.filter(job=JOB, period=period, status=JobRun.Status.DONE).exists():
        return None
    with advisory_lock(LOCK) as is_ours:
        if not is_ours or not _reread(door, day, seconds):
            return None
    return run_once(JOB, period, lambda: _report(day))


def _reread(door: Door, day: datetime, seconds: float) -> bool:
    """Ask for every minute of the day; whether all of it was answered."""
    run = Backfill(door, until_ms=to_ms(day + DAY), ends=time.monotonic() + seconds)
    symbols = Symbol.objects.filter(delisted_at=None, listed_at__lt=day + DAY).order_by("name")
    begins = [(symbol.name, symbol.listed_at or day) for symbol in symbols]
    run.fill(Hole(name, to_ms(max(day, begin)), to_ms(day + DAY)) for name, begin in begins)
    return run.stopped is None and not run.is_unfinished


def _report(day: datetime) -> dict[str, Any]:
    corrected = CandleRevision.objects.filter(open_time__gte=day, open_time__lt=day + DAY)
    return {"corrected": corrected.count(), "symbols": sorted(set(corrected.values_list("symbol", flat=True)))}
