"""The gap keeper: looks for missing minutes, brings in what the exchange has of them, explains or notes the rest."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F, Q
from django.utils import timezone

from alphapulse_site.clock import is_recording, market_now, note_exchange_clock
from alphapulse_site.jobs import advisory_lock
from ingestion import market_clock
from ingestion.archive import archive_of_settings
from ingestion.backfill import LONGEST_WAIT, Backfill, Door, end_broken_off_runs
from ingestion.candles import to_datetime, to_ms
from ingestion.explaining import Explaining
from ingestion.gap_records import EXPLAINED, WANTED, cut_filled_gaps, note_filling, record_explanations
from ingestion.holes import Hole
from ingestion.models import CandleGap, Symbol
from ingestion.rest import ExchangeBusyError, ExchangeError
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import MINUTE_MS

LOCK = "gap keeper"
# Of the market's time: the stream brings a candle within seconds of its close, so only then is one missing.
SETTLED_AFTER_MS = 8_000
# The part of a check's seconds after which it asks for no more pages; the rest is for questions about what is left.
SHARE_TO_FILL = 0.8
# Explained gaps are asked for again this long after the last time, so many a check.
RECHECK_AFTER, RECHECKS = timedelta(days=7), 5
# A candle that comes in late, for a minute that is explained already, comes within this time.
LATE_CANDLES = timedelta(hours=1)
# From so many new candles on, the planner's statistics are made anew.
MANY_CANDLES = 100_000


@dataclass(frozen=True)
class GapCheck:
    """What one gap check did: candles filled in, minutes explained, minutes that are still open.

    `is_unfinished`: its time was up before everything had been asked for. `error`: why it could do no more, and
    `busy_until` how long that lasts, if the exchange said so. `is_elsewhere`: another check is at it.
    """

    filled: int = 0
    explained: int = 0
    open: int = 0
    requests: int = 0
    weight: int = 0
    is_unfinished: bool = False
    error: str = ""
    busy_until: datetime | None = None
    is_elsewhere: bool = False
    reasons: Mapping[str, int] = field(default_factory=dict)

    def figures(self) -> dict[str, Any]:
        """For the sign of life."""
        names = ("filled", "explained", "open", "requests", "weight")
        return {name: getattr(self, name) for name in names} | ({"error": self.error} if self.error else {})


@dataclass(frozen=True)
class Scope:
    """Which holes are looked at: of these symbols (None: of all), of the minutes [since_ms, until_ms)."""

    symbols: tuple[str, ...] | None = None
    since_ms: int = 0
    until_ms: int | None = None


EVERYTHING = Scope()


def check_gaps(
    *,
    door: Door | None = None,
    seconds: float | None = 50.0,
    scope: Scope = EVERYTHING,
    progress: Callable[[int], None] = lambda candles: None,
) -> GapCheck:
    """Fill or explain every minute missing up to the exchange's time, for about so many seconds (None: to the end).

    Safe to run twice. Beside another check it does nothing and says what is open. `progress` hears of the candles
    that have come so far.
    """
    with advisory_lock(LOCK) as is_ours, ExitStack() as stack:
        if not is_ours:
            return GapCheck(open=open_minutes(scope), error="another process is at it", is_elsewhere=True)
        opened = stack.enter_context(_spot_door() if door is None else nullcontext(door))
        return _Check(opened, seconds, scope, progress).run(stack)


def open_minutes(scope: Scope = EVERYTHING) -> int:
    """How many minutes of the scope are neither a candle nor explained, as far as can be said without the exchange."""
    until_ms = _settled_without_exchange()
    return 0 if until_ms is None else sum(hole.minutes for hole in _holes(scope, until_ms))


def _spot_door() -> AbstractContextManager[Door]:
    # Half a second and 25 MB, which only a process that fills gaps should pay.
    from ingestion.binance import SpotDoor

    return SpotDoor()


def _settled_without_exchange() -> int | None:
    """Up to when minutes are missing at most, told without the exchange; None before there is a market."""
    now = market_now() if is_recording() else timezone.now() - timedelta(milliseconds=SETTLED_AFTER_MS)
    return None if now is None else _minute(to_ms(now))


def _minute(ms: int) -> int:
    return ms // MINUTE_MS * MINUTE_MS


def _holes(scope: Scope, until_ms: int) -> list[Hole]:
    names = scope.symbols if scope.symbols is not None else Symbol.objects.values_list("name", flat=True)
    until_ms = until_ms if scope.until_ms is None else min(until_ms, scope.until_ms)
    return unexplained_gaps(names, scope.since_ms, until_ms) if scope.since_ms < until_ms else []


class _Check:
    """One check, by the holder of the lock."""

    def __init__(self, door: Door, seconds: float | None, scope: Scope, progress: Callable[[int], None]) -> None:
        began, lasts = time.monotonic(), float("inf") if seconds is None else seconds
        self._door, self._scope, self._progress = door, scope, progress
        self._fill_ends, self._ends = began + SHARE_TO_FILL * lasts, began + lasts
        self._door.patience = min(LONGEST_WAIT, lasts)
        self._listed = dict(Symbol.objects.values_list("name", "listed_at"))
        self._reasons: Counter[str] = Counter()

    def run(self, stack: ExitStack) -> GapCheck:
        end_broken_off_runs()
        try:
            now_ms = self._door.server_time_ms()
        except ExchangeError as error:
            return self._without_exchange(error)
        # Before any page is stored: without a stream nobody else says which candles have closed.
        note_exchange_clock(to_datetime(_minute(now_ms)))
        settled_ms = _minute(now_ms - SETTLED_AFTER_MS)
        run = self._backfill(settled_ms, stack)
        holes = _holes(self._scope, settled_ms)
        self._note(holes, is_new_look=True)
        run.fill(holes)
        _refresh_statistics(run.candles)
        left = _holes(self._scope, settled_ms) if run.candles else holes
        stopped = self._explain(run, left) or run.stopped
        if self._reasons:
            left = _holes(self._scope, settled_ms)
        mended = 0 if stopped else self._recheck(settled_ms)
        self._settle(left, settled_ms)
        market_clock.advance(to_datetime(_minute(now_ms)))
        return self._report(left, filled=run.candles + mended, is_unfinished=run.is_unfinished, stopped=stopped)

    def _without_exchange(self, stopped: ExchangeError) -> GapCheck:
        until_ms = _settled_without_exchange()
        if until_ms is None:
            return self._report([], stopped=stopped)
        left = _holes(self._scope, until_ms)
        self._note(left, is_new_look=True)
        self._settle(left, until_ms)
        return self._report(left, stopped=stopped)

    def _backfill(self, until_ms: int, stack: ExitStack) -> Backfill:
        archive = archive_of_settings()
        return Backfill(
            self._door,
            until_ms=until_ms,
            ends=self._fill_ends,
            archive=None if archive is None else stack.enter_context(archive),
            progress=self._progress,
        )

    def _explain(self, run: Backfill, left: list[Hole]) -> ExchangeError | None:
        """Put on record what is proven; returns why no more could be asked, if so."""
        explaining = Explaining(run, left, ends=self._ends)
        found = list(explaining.explanations())
        record_explanations(found)
        for explanation in found:
            self._reasons[explanation.reason.value] += explanation.hole.minutes
        return explaining.stopped

    def _recheck(self, until_ms: int) -> int:
        """Ask again for a few gaps that people want, or explained long ago, since the exchange mends its history.

        Returns the candles found.
        """
        now = timezone.now()
        old = CandleGap.objects.filter(
            Q(last_checked__lt=now - RECHECK_AFTER) | WANTED,
            status=EXPLAINED,
            symbol__in=Symbol.objects.filter(delisted_at=None),
        ).order_by(F("wanted_at").asc(nulls_last=True), "last_checked")[:RECHECKS]
        gaps = sorted(old, key=lambda gap: (gap.symbol, gap.start)) if time.monotonic() < self._ends else []
        run = Backfill(self._door, until_ms=until_ms, ends=self._ends)
        run.fill(Hole(gap.symbol, to_ms(gap.start), to_ms(gap.end)) for gap in gaps)
        asked = [gap.pk for gap in gaps if gap.symbol in run.heard]
        CandleGap.objects.filter(pk__in=asked).update(last_checked=now, checks=F("checks") + 1)
        cut_filled_gaps(now - LATE_CANDLES)
        return run.candles

    def _note(self, holes: list[Hole], *, is_new_look: bool) -> None:
        if self._scope == EVERYTHING:
            note_filling(holes, is_new_look=is_new_look)

    def _settle(self, left: list[Hole], until_ms: int) -> None:
        """Leave on record what is still missing, and up to where each symbol is complete."""
        self._note(left, is_new_look=False)
        if self._scope == EVERYTHING:
            _move_complete_until(self._listed, left, until_ms)

    def _report(
        self,
        left: Iterable[Hole],
        *,
        filled: int = 0,
        is_unfinished: bool = False,
        stopped: ExchangeError | None = None,
    ) -> GapCheck:
        return GapCheck(
            filled=filled,
            explained=self._reasons.total(),
            open=sum(hole.minutes for hole in left),
            requests=self._door.spent.requests,
            weight=self._door.spent.weight,
            is_unfinished=is_unfinished,
            error="" if stopped is None else str(stopped),
            busy_until=stopped.until if isinstance(stopped, ExchangeBusyError) else None,
            reasons=dict(self._reasons),
        )


def _refresh_statistics(candles: int) -> None:
    """After much that is new: whoever reads it next should not wait for autovacuum to notice."""
    if candles >= MANY_CANDLES:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE candles")


# Not if an import has just moved the listing back: then there is older history to look at first.
MOVE_COMPLETE_UNTIL = """
UPDATE symbols SET complete_until = given.until
FROM unnest(%s::text[], %s::timestamptz[], %s::timestamptz[]) AS given (name, listed_at, until)
WHERE symbols.name = given.name AND symbols.listed_at IS NOT DISTINCT FROM given.listed_at
  AND symbols.complete_until IS DISTINCT FROM given.until"""


def _move_complete_until(listed: Mapping[str, datetime | None], left: Iterable[Hole], until_ms: int) -> None:
    """Everything before a symbol's first hole is known from now on."""
    known = dict.fromkeys(listed, until_ms)
    for hole in left:
        known[hole.symbol] = min(known.get(hole.symbol, until_ms), hole.start_ms)
    names = list(listed)
    with connection.cursor() as cursor:
        cursor.execute(
            MOVE_COMPLETE_UNTIL,
            [names, [listed[name] for name in names], [to_datetime(known[name]) for name in names]],
        )
