"""How the market clock goes: minute by minute, as soon as every listed symbol has a candle or an explained gap."""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from alphapulse_site.clock import advance_market_clock, market_now, note_exchange_clock
from alphapulse_site.hints import hint
from ingestion.candles import to_datetime, to_ms
from ingestion.models import Symbol
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import TIMEFRAMES

DAY_MS = 86_400_000
# Wall time. A hole that has brought nothing for this long is passed: one symbol must not hold up the market.
PATIENCE = timedelta(minutes=5)


def advance(until: datetime) -> datetime | None:
    """Move the clock as far as every symbol is settled, at most to `until`, the exchange's latest closed minute.

    Returns where it stands; None while the market has no history. Workers are woken once the caller has committed.
    """
    note_exchange_clock(until)
    now = market_now()
    if now is None or until <= now:
        return now
    settled = settled_until(now, until)
    if settled <= now or not advance_market_clock(settled):
        return now
    transaction.on_commit(lambda: wake_workers(now, settled))
    return settled


def settled_until(since: datetime, until: datetime) -> datetime:
    """The first minute of [since, until) that a symbol lacks without an explanation; `until` if there is none.

    Of a symbol that has a stalled hole, minutes are not waited for.
    """
    listed = Symbol.objects.filter(delisted_at=None).values_list("name", flat=True)
    holes = unexplained_gaps(listed, to_ms(since), to_ms(until))
    stalled = stalled_symbols([hole.symbol for hole in holes]) if holes else set()
    waited_for = [hole.start_ms for hole in holes if hole.symbol not in stalled]
    return to_datetime(min(waited_for, default=to_ms(until)))


STALLED = """
SELECT gap.symbol FROM candle_gaps AS gap
WHERE gap.symbol = ANY(%(symbols)s) AND gap.status = 'filling' AND gap.first_seen < now() - %(patience)s
  AND NOT EXISTS (
    SELECT FROM backfill_runs AS run
    WHERE run.symbol = gap.symbol AND run.progress_at >= now() - %(patience)s)"""


def stalled_symbols(symbols: list[str]) -> set[str]:
    """Those with a hole that was seen long ago and whose backfill has brought nothing since."""
    parameters: dict[str, Any] = {"symbols": symbols, "patience": PATIENCE}
    with connection.cursor() as cursor:
        cursor.execute(STALLED, parameters)
        return {symbol for (symbol,) in cursor.fetchall()}


def wake_workers(since: datetime, until: datetime) -> None:
    """Hint at what came due on the way: a scan when its bar has closed, the nightly jobs at midnight."""
    timeframe = TIMEFRAMES[settings.ALPHAPULSE_SCAN_TIMEFRAME]
    for step_ms, task in ((timeframe.ms, "signals.scan_due"), (DAY_MS, "learning.resume_jobs")):
        if to_ms(until) // step_ms > to_ms(since) // step_ms:
            hint(task)
