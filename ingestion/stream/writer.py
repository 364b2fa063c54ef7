"""The one thread that writes: takes batches from the inbox while the lock is ours, keeps what it cannot write yet."""

import logging
import random
import time
from collections.abc import Callable, Iterable
from threading import Event, Thread

from django.db import InterfaceError, OperationalError, connection, transaction

from alphapulse_site.clock import market_now, market_speed
from alphapulse_site.jobs import beat
from alphapulse_site.lease import Lease, lease
from ingestion.candles import to_datetime, to_ms
from ingestion.kline import Kline
from ingestion.market_clock import advance
from ingestion.models import Symbol
from ingestion.stream.exchange_time import ExchangeTime
from ingestion.stream.figures import Figures
from ingestion.stream.inbox import Inbox, Item
from ingestion.stream.storing import store_batch
from ingestion.timeframes import MINUTE_MS

logger = logging.getLogger(__name__)

HEARTBEAT = LOCK = "stream"
SECONDS_BETWEEN_BEATS = 5.0
SECONDS_TO_WAIT = 0.5
STANDBY_SECONDS = 1.0
LARGEST_BATCH = 5000
LONGEST_BACKOFF = 5.0
# The market clock is looked at so often; less often when it is far behind, since that is many minutes to look at.
SECONDS_BETWEEN_TRIES, FAR_BEHIND_MS = 1.0, 5 * MINUTE_MS
# How long a process that is told to stop goes on trying to write what it has.
SECONDS_TO_FLUSH = 5.0
# What ends a session or a statement and waiting can cure: a lost connection, a deadlock, a full disk.
CURABLE = (OperationalError, InterfaceError)


class Writer:
    """Works in a thread of its own. The three callbacks are called from it.

    `on_lead` tells whether we stream or another process does; while the database is away, that stays as it was.
    `on_symbols` has the names to be streamed, at once and every `symbols_every` seconds. `on_end` comes at the very
    end, with whether that was orderly.
    """

    def __init__(
        self,
        inbox: Inbox,
        clock: ExchangeTime,
        figures: Figures,
        *,
        symbols_every: float,
        on_lead: Callable[[bool], None],
        on_symbols: Callable[[frozenset[str]], None],
        on_end: Callable[[bool], None],
    ) -> None:
        self._inbox, self._clock, self._figures = inbox, clock, figures
        self._symbols_every = symbols_every
        self._on_lead, self._on_symbols, self._on_end = on_lead, on_symbols, on_end
        self._stopped = Event()
        self._give_up_at = float("inf")
        self._pending: list[Item] = []
        self._failures = 0
        self._stands_by = False
        self._beat_due = self._symbols_due = self._clock_due = 0.0

    def start(self) -> None:
        # A daemon: a session that hangs in the network must not keep the process from ending.
        Thread(target=self._run, name="stream writer", daemon=True).start()

    def stop(self) -> None:
        """Write what is in the inbox, then end; after some seconds without success end all the same."""
        self._give_up_at = time.monotonic() + SECONDS_TO_FLUSH
        self._inbox.close()
        self._stopped.set()

    def _run(self) -> None:
        is_orderly = False
        try:
            while not self._is_over():
                self._session()
            is_orderly = True
        finally:
            connection.close()
            self._on_end(is_orderly)
        if self._has_work():
            logger.warning("stopped with %d items not written; the gap check will fetch them", self._left())

    def _is_over(self) -> bool:
        return self._stopped.is_set() and (not self._has_work() or time.monotonic() > self._give_up_at)

    def _has_work(self) -> bool:
        return self._left() > 0

    def _left(self) -> int:
        return len(self._pending) + len(self._inbox)

    def _session(self) -> None:
        """Ask for the lock and write while we have it. What has been taken and not written outlives the session."""
        try:
            with lease(LOCK) as ours:
                if ours is not None:
                    self._lead(ours)
                    return
        except CURABLE as error:
            self._back_off(error)
            connection.close()
            return
        self._stand_by()

    def _stand_by(self) -> None:
        if not self._stands_by:
            logger.info("another process streams; standing by to take over")
            self._stands_by = True
            self._on_lead(False)
        self._stopped.wait(STANDBY_SECONDS)

    def _lead(self, ours: Lease) -> None:
        logger.info("the stream is ours")
        self._stands_by, self._beat_due, self._symbols_due = False, 0.0, 0.0
        self._on_lead(True)
        while not self._is_over():
            self._step(ours)

    def _step(self, ours: Lease) -> None:
        """Write one batch. After a failure that leaves the session whole, such as a deadlock, it is tried again."""
        try:
            if not self._pending:
                self._pending = self._inbox.take(LARGEST_BATCH, seconds=SECONDS_TO_WAIT)
            if self._pending:
                self._write(self._pending)
                self._pending = []
            self._keep_house()
            self._failures = 0
        except OperationalError as error:
            if not ours.is_held():
                raise
            self._back_off(error)

    def _back_off(self, error: Exception) -> None:
        """Wait, longer after each failure in a row; tell of the first, second, fourth, eighth."""
        self._failures += 1
        if self._failures & (self._failures - 1) == 0:
            logger.warning("PostgreSQL fails (%d in a row), trying again: %s", self._failures, str(error).strip())
        time.sleep(min(LONGEST_BACKOFF, 0.1 * 2.0 ** min(self._failures, 10)) * random.uniform(0.5, 1.0))

    def _write(self, items: list[Item]) -> None:
        klines = [item for item in items if isinstance(item, Kline)]
        stored = store_batch(items, until_ms=self._until_ms(kline.close_ms + 1 for kline in klines))
        self._figures.candles += stored.candles
        self._figures.disagreeing += stored.disagreeing
        self._figures.quarantined += stored.quarantined
        if stored.disagreeing:
            logger.warning("%d candles came again and say something else; the first word stays", stored.disagreeing)
        if (now_ms := self._clock.now_ms(time.monotonic())) is not None:
            self._figures.note_written(klines, lambda close_ms: max(self._clock.wall_seconds(now_ms - close_ms), 0.0))

    def _move_clock(self, until_ms: int | None) -> float:
        """Move the market clock past what is late, also while nothing comes; seconds until that is tried again."""
        now = market_now()
        owed_ms = 0 if now is None or until_ms is None else until_ms - to_ms(now)
        if owed_ms > 0 and until_ms is not None:
            with transaction.atomic():
                advance(to_datetime(until_ms))
        return SECONDS_BETWEEN_TRIES if owed_ms <= FAR_BEHIND_MS else SECONDS_BETWEEN_BEATS

    def _until_ms(self, closes: Iterable[int]) -> int | None:
        """Up to when minutes are over at the exchange: by its clock, or because it has closed one."""
        by_clock = self._clock.closed_until_ms(time.monotonic())
        return max([*closes, *([] if by_clock is None else [by_clock])], default=None)

    def _keep_house(self) -> None:
        """Symbols and speed now and then, and a sign of life often enough to keep the lock."""
        now = time.monotonic()
        if now >= self._symbols_due:
            self._clock.set_speed(market_speed())
            self._on_symbols(frozenset(Symbol.objects.filter(delisted_at=None).values_list("name", flat=True)))
            self._symbols_due = now + self._symbols_every
        if now >= self._clock_due:
            self._clock_due = now + self._move_clock(self._until_ms([]))
        if now >= self._beat_due:
            beat(HEARTBEAT, queue=len(self._inbox), **self._figures.as_json())
            self._beat_due = now + SECONDS_BETWEEN_BEATS
