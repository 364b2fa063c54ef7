"""How the market clock goes: minute by minute, as soon as every listed symbol has a candle or an explained gap.

After a deadline it goes on without few symbols, which are then late for what closed there.
"""

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from alphapulse_site.clock import advance_market_clock, market_now, note_exchange_clock, overdue_until
from alphapulse_site.hints import hint
from ingestion.candles import to_datetime, to_ms
from ingestion.models import Candle, CandleSource, Symbol
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES

DAY_MS = 86_400_000
# Wall time. A hole that has brought nothing for this long is passed: one symbol must not hold up the market.
PATIENCE = timedelta(minutes=5)
# From this share of the symbols on, the others that lack a minute are stragglers and not an outage of ours.
MOST = 0.75


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
    """The first minute of [since, until) that is waited for: a symbol lacks it without an explanation. Else `until`.

    Not waited for are symbols that the clock has passed already, those with a stalled hole, and stragglers.
    """
    listed = list(Symbol.objects.filter(delisted_at=None).values_list("name", flat=True))
    since_ms = to_ms(since)
    # A symbol that lacked the minute before was passed there, or had nothing to be waited for.
    holes = unexplained_gaps(listed, since_ms - MINUTE_MS, to_ms(until))
    holes = [hole for hole in holes if hole.start_ms >= since_ms]
    stalled = stalled_symbols([hole.symbol for hole in holes]) if holes else set()
    waited_for = {hole.start_ms for hole in holes if hole.symbol not in stalled}
    passed = stragglers_minutes(listed, waited_for) if waited_for else set()
    return to_datetime(min(waited_for - passed, default=to_ms(until)))


def stragglers_minutes(listed: list[str], minutes: set[int]) -> set[int]:
    """Those of the minutes that few symbols lack although the deadline is over.

    The stream has brought them for most symbols: so they are news, and not history that is being fetched after a
    downtime, for which everybody waits.
    """
    overdue = overdue_until(timedelta(seconds=settings.ALPHAPULSE_SCAN_DEADLINE))
    old = {minute for minute in minutes if overdue and to_datetime(minute + MINUTE_MS) <= overdue}
    return {minute for minute in old if streamed(listed, minute) >= MOST * len(listed)}


def streamed(symbols: list[str], minute_ms: int) -> int:
    """How many of the symbols have the candle of a minute from the stream."""
    candles = Candle.objects.filter(symbol__in=symbols, open_time=to_datetime(minute_ms), source=CandleSource.STREAM)
    return candles.count()


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
