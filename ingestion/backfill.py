"""Holes filled with the exchange's own candles: long ones from its archive, the rest over REST, page by page.

Symbols take turns, each with its oldest minutes first. A page and the account of it are one transaction, so whoever
is killed between two pages loses nothing, and the next run finds from the candles what is left.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import groupby
from typing import Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from ingestion.archive import Archive, ArchiveDownError, ArchiveError, Period, days, months
from ingestion.candles import store_candles, to_datetime, to_ms
from ingestion.csv_format import CandleFile
from ingestion.holes import Hole
from ingestion.kline import candles
from ingestion.kline_pages import Heard, Page, Question, Span, next_question, read_page
from ingestion.models import BackfillRun, CandleSource
from ingestion.quarantine import quarantine
from ingestion.refused import Refused
from ingestion.rest import (
    Answer,
    ExchangeBusyError,
    ExchangeDownError,
    MalformedAnswerError,
    RequestRefusedError,
    Spent,
    UnknownSymbolError,
)
from ingestion.selectors import unexplained_gaps

logger = logging.getLogger(__name__)

# Seconds that a request may wait for weight, or for the exchange to be asked again, however long the run may last.
LONGEST_WAIT = 120.0
# Seconds before an exchange that is down is asked once more, and then for the last time.
RETRY_AFTER = (0.5, 2.0)
# An archive that lacks so many days in a row has nothing of that time.
DAYS_WITHOUT_A_FILE = 3

RUNNING, DONE, FAILED = BackfillRun.Status.RUNNING, BackfillRun.Status.DONE, BackfillRun.Status.FAILED


class Door(Protocol):
    """The spot exchange, one request at a time."""

    host: str
    patience: float
    spent: Spent

    def server_time_ms(self) -> int: ...

    def klines(self, symbol: str, start_ms: int, end_ms: int, limit: int) -> Answer: ...


class Backfill:
    """One run over many holes, until they are asked for or the monotonic moment `ends` has come.

    `heard` is what the exchange said of each symbol it was asked about; `stopped` the error that ended the run, if one
    did; `is_unfinished`: time was up before all was asked for.
    """

    def __init__(
        self,
        door: Door,
        *,
        until_ms: int,
        ends: float,
        archive: Archive | None = None,
        progress: Callable[[int], None] = lambda candles: None,
    ) -> None:
        self.heard: dict[str, Heard] = {}
        self.candles = 0
        self.stopped: ExchangeDownError | ExchangeBusyError | None = None
        self.is_unfinished = False
        self._door, self._until_ms, self._ends = door, until_ms, ends
        self._archive, self._progress = archive, progress
        self._open_runs: set[int] = set()

    def fill(self, holes: Iterable[Hole]) -> None:
        """Bring in what there is for the holes (by symbol and time). Errors that concern all symbols end it early."""
        by_symbol = [list(group) for _, group in groupby(holes, key=lambda hole: hole.symbol)]
        by_symbol.sort(key=lambda group: group[0].start_ms)
        turns = deque(self._steps(group[0].symbol, group) for group in by_symbol)
        try:
            while turns and not self.is_unfinished:
                steps = turns.popleft()
                if _goes_on(steps):
                    turns.append(steps)
                self._progress(self.candles)
                self.is_unfinished = bool(turns) and time.monotonic() >= self._ends
        except (ExchangeDownError, ExchangeBusyError) as error:
            self.stopped = error
        finally:
            self._close(self._open_runs, "" if self.stopped is None else str(self.stopped))

    def _steps(self, symbol: str, holes: list[Hole]) -> Iterator[None]:
        long = [hole for hole in holes if self._archive is not None and hole.minutes > _archive_after_minutes()]
        for hole in long:
            yield from self._from_archive(hole)
        if long:
            holes = unexplained_gaps([symbol], holes[0].start_ms, holes[-1].end_ms)
        yield from self._from_rest(symbol, [(hole.start_ms, hole.end_ms) for hole in holes])

    # --- over REST ----------------------------------------------------------------------------------------------------

    def _from_rest(self, symbol: str, spans: list[Span]) -> Iterator[None]:
        """Page after page. What only concerns this symbol ends only this."""
        question = next_question(spans, 0)
        if question is None:
            return
        whole = (spans[0][0], spans[-1][1])
        run = self._open(symbol, whole)
        heard = self.heard.setdefault(symbol, Heard())
        error = ""
        try:
            while question is not None:
                page = self._next_page(symbol, question, whole, run)
                heard.note(page, question.start_ms)
                # Rows without a time lead nowhere; asked again they would be the same.
                question = next_question(spans, page.end_ms) if page.end_ms > question.start_ms else None
                if question is not None:
                    yield
        except UnknownSymbolError as unknown:
            error = heard.unknown = str(unknown)
        except RequestRefusedError as refusal:
            error = str(refusal)
            logger.warning("%s: %s", symbol, refusal)
        except MalformedAnswerError as malformed:
            error = str(malformed)
            quarantine(CandleSource.REST, [Refused.of(f"{symbol} {malformed.body}", error)])
        self._close({run}, error)

    def _next_page(self, symbol: str, question: Question, whole: Span, run: int) -> Page:
        before = (self._door.spent.requests, self._door.spent.weight)
        page = self.ask(symbol, question)
        with transaction.atomic():
            quarantine(CandleSource.REST, page.refused)
            # Nothing beyond the last hole: the symbol may be delisted there.
            wanted = (kline for kline in page.klines if kline.open_ms < whole[1])
            inserted = store_candles(candles(wanted), source=CandleSource.REST).inserted
            progress = {"progress_at": timezone.now()} if inserted else {}
            BackfillRun.objects.filter(pk=run).update(
                candles=F("candles") + inserted,
                requests=F("requests") + self._door.spent.requests - before[0],
                weight=F("weight") + self._door.spent.weight - before[1],
                **progress,
            )
        self.candles += inserted
        return page

    def ask(self, symbol: str, question: Question) -> Page:
        """What the exchange says to a question. Stores nothing."""
        answer = self._answer(symbol, question)
        if not isinstance(answer.body, list):
            raise MalformedAnswerError("the answer is no list", answer.text)
        return read_page(symbol, answer.body, question.start_ms, self._until_ms)

    def _answer(self, symbol: str, question: Question) -> Answer:
        """A single hiccup of the exchange does not end a run of hours."""
        for wait in RETRY_AFTER:
            try:
                return self._answer_once(symbol, question)
            except ExchangeDownError:
                if time.monotonic() + wait > self._ends:
                    raise
                time.sleep(wait)
        return self._answer_once(symbol, question)

    def _answer_once(self, symbol: str, question: Question) -> Answer:
        self._door.patience = min(LONGEST_WAIT, max(0.0, self._ends - time.monotonic()))
        return self._door.klines(symbol, question.start_ms, self._until_ms, question.limit)

    # --- from the archive ---------------------------------------------------------------------------------------------

    def _from_archive(self, hole: Hole) -> Iterator[None]:
        """Whole months first; where there is no usable file, days; what then lacks is left to REST."""
        for month in months(hole.start_ms, hole.end_ms):
            if self._has_passed(month):
                is_used = self._use_file(hole, month)
                yield
                if is_used:
                    continue
            missing = 0
            for day in days(max(hole.start_ms, to_ms(month.start)), min(hole.end_ms, to_ms(month.end))):
                if missing == DAYS_WITHOUT_A_FILE or not self._has_passed(day):
                    break
                missing = 0 if self._use_file(hole, day) else missing + 1
                yield

    def _has_passed(self, period: Period) -> bool:
        return to_ms(period.end) <= self._until_ms

    def _use_file(self, hole: Hole, period: Period) -> bool:
        """Store what a file has for the hole; False if there is none, or none to be trusted, which is put on record."""
        if self._archive is None:
            return False
        place = period.place(hole.symbol)
        part = Hole(hole.symbol, max(hole.start_ms, to_ms(period.start)), min(hole.end_ms, to_ms(period.end)))
        try:
            file = self._archive.read(hole.symbol, period)
        except ArchiveError as error:
            if isinstance(error, ArchiveDownError):
                self._archive = None
            logger.warning("the archive is not used: %s", error)
            _account_for_file(part, FAILED, error=str(error))
            return False
        if file is None:
            return False
        self.candles += _store_file(part, file, place)
        return True

    # --- the account --------------------------------------------------------------------------------------------------

    def _open(self, symbol: str, whole: Span) -> int:
        run = BackfillRun.objects.create(
            symbol=symbol,
            start=to_datetime(whole[0]),
            end=to_datetime(whole[1]),
            status=RUNNING,
            started_at=timezone.now(),
        )
        self._open_runs.add(run.pk)
        return run.pk

    def _close(self, runs: set[int], error: str) -> None:
        if runs:
            ended = {"status": FAILED if error else DONE, "error": error, "finished_at": timezone.now()}
            BackfillRun.objects.filter(pk__in=runs).update(**ended)
            self._open_runs = self._open_runs - runs


def _goes_on(steps: Iterator[None]) -> bool:
    try:
        next(steps)
    except StopIteration:
        return False
    return True


def _archive_after_minutes() -> float:
    return timedelta(days=settings.ALPHAPULSE_ARCHIVE_AFTER_DAYS) / timedelta(minutes=1)


def _store_file(part: Hole, file: CandleFile, place: str) -> int:
    with transaction.atomic():
        bad = (Refused.of(row.text, row.reason, file=place, line=row.line) for row in file.bad_rows)
        quarantine(CandleSource.ARCHIVE, bad)
        found = file.candles.between(part.start_ms, part.end_ms)
        inserted = store_candles({part.symbol: found}, source=CandleSource.ARCHIVE).inserted
        _account_for_file(part, DONE, candles=inserted)
    return inserted


def _account_for_file(part: Hole, status: BackfillRun.Status, *, candles: int = 0, error: str = "") -> None:
    now = timezone.now()
    BackfillRun.objects.create(
        symbol=part.symbol,
        start=to_datetime(part.start_ms),
        end=to_datetime(part.end_ms),
        source=CandleSource.ARCHIVE,
        status=status,
        candles=candles,
        error=error,
        started_at=now,
        progress_at=now if candles else None,
        finished_at=now,
    )


def end_broken_off_runs() -> None:
    """Runs that nobody is at any more; to be called by whoever holds the gap keeper's lock."""
    broken_off = BackfillRun.objects.filter(status=RUNNING)
    broken_off.update(status=FAILED, error="broken off", finished_at=timezone.now())
