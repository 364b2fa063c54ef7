"""Feeds fetched as far as they are due: what is new, and what lacks, in pages; to be run every few minutes."""

import logging
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

from django.conf import settings
from django.utils import timezone

from alphapulse_site.jobs import advisory_lock
from ingestion.candles import to_datetime, to_ms
from ingestion.feed_gaps import Asked, note_holes, note_not_listed, quarantine_rows, store_page, wanted
from ingestion.feed_plan import Span, pages
from ingestion.feed_rows import RefusedReading, sort_rows
from ingestion.feeds import DAY_MS, FEAR_GREED_FEED, FUTURES_FEEDS, SOURCES, FeedSource
from ingestion.models import FeedGap, FeedSeries
from ingestion.pauses import pause_in_force
from ingestion.rest import (
    Answer,
    Clock,
    ExchangeBusyError,
    ExchangeDownError,
    MalformedAnswerError,
    RequestRefusedError,
    UnknownSymbolError,
)
from ingestion.selectors import active_symbols, feed_holes, feeds_are_fetched

logger = logging.getLogger(__name__)

LOCK = "feeds"
# Seconds after which a run leaves the rest to the next one: others wait for the same worker.
LONGEST_RUN = 45.0
# A symbol without a contract may get one any day.
NOT_LISTED_FOR = timedelta(days=1)


class Door(Protocol):
    """A source of market data; its pages are rows of one feed and symbol around a span of moments."""

    host: str

    def page(self, source: FeedSource, symbol: str, start_ms: int, end_ms: int) -> Answer: ...


@dataclass
class FeedFetch:
    """What one run did. `why_not` says why nothing was fetched; `paused` until when each host is left alone."""

    why_not: str = ""
    requests: int = 0
    stored: int = 0
    explained: int = 0
    refused_rows: int = 0
    useless_answers: int = 0
    not_listed: int = 0
    still_due: int = 0
    open_gaps: int = 0
    paused: dict[str, str] = field(default_factory=dict)
    down: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, Any]:
        """For the sign of life; of a run that did nothing, only why."""
        return {"why_not": self.why_not} if self.why_not else dict(vars(self))

    def raise_if_down(self) -> None:
        """Raise ExchangeDownError if a source did not answer: a later try may find it well again."""
        if self.down:
            raise ExchangeDownError("; ".join(self.down))


def fetch_feeds(*, clock: Clock = timezone.now) -> FeedFetch:
    """Fetch every feed that is due, as far as the limits of one run go. Safe to run twice, or twice at once.

    Nothing is asked of the exchange while the market is a recording: of those years it keeps no feeds.
    """
    if not feeds_are_fetched():
        return FeedFetch(why_not=_why_not())
    with advisory_lock(LOCK) as is_ours:
        if not is_ours:
            return FeedFetch(why_not="another process is fetching")
        return _Run(clock).all()


def _why_not() -> str:
    return "feeds are switched off" if settings.ALPHAPULSE_FEEDS == "off" else "the market is a recording"


class _Run:
    """One run: what is due, from each door, until the run's requests or seconds are spent."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._now = clock()
        self._ends = time.monotonic() + LONGEST_RUN
        self._done = FeedFetch()
        self._strangers: set[str] = set()

    def all(self) -> FeedFetch:
        open_series(self._now)
        due = due_series(self._now)
        self._note_holes(due)
        self._fetch_from(_futures_door(self._clock), [series for series in due if series.name != FEAR_GREED_FEED.name])
        if settings.ALPHAPULSE_FEAR_GREED_URL:
            self._fetch_from(_fear_greed_door(self._clock), [s for s in due if s.name == FEAR_GREED_FEED.name])
        self._done.open_gaps = FeedGap.objects.filter(status=FeedGap.Status.FILLING).count()
        return self._done

    def _note_holes(self, due: list[FeedSeries]) -> None:
        """Before anything is asked, so that holes are on record also while nobody answers."""
        now_ms = to_ms(self._now)
        holes = feed_holes(wanted(series, SOURCES[series.name].expected_until(now_ms)) for series in due)
        for series in due:
            if (series.name, series.symbol) in holes:
                self._done.explained += note_holes(series, now=self._now)

    def _fetch_from(self, opened: AbstractContextManager[Door], due: list[FeedSeries]) -> None:
        """All due series of one door; if its host is down or wants quiet, the rest of them wait for the next run."""
        with opened as door:
            left = len(due)
            try:
                self._refuse_paused(door.host)
                for series in due:
                    if self._is_spent():
                        break
                    left -= self._fetch(door, series)
            except ExchangeBusyError as error:
                self._done.paused[door.host] = error.until.isoformat()
            except ExchangeDownError as error:
                self._done.down.append(str(error))
            self._done.still_due += left

    def _refuse_paused(self, host: str) -> None:
        pause = pause_in_force(host, self._clock())
        if pause is not None:
            raise ExchangeBusyError(pause.reason, pause.until)

    def _is_spent(self) -> bool:
        return self._done.requests >= settings.ALPHAPULSE_FEED_REQUESTS or time.monotonic() > self._ends

    def _fetch(self, door: Door, series: FeedSeries) -> bool:
        """Ask for all that a series lacks; False if the run's limits end it before."""
        if series.symbol in self._strangers:
            return True
        # Before the request: a series that fails every time then does not stand in the way of the others.
        FeedSeries.objects.filter(pk=series.pk).update(asked_at=self._now)
        try:
            for span in pages(SOURCES[series.name], spans_to_ask(series, self._now)):
                if self._is_spent():
                    return False
                self._fetch_page(door, series, span)
        except UnknownSymbolError:
            self._note_not_listed(series.symbol)
        except RequestRefusedError as error:
            self._note_useless(series, str(error))
        except MalformedAnswerError as error:
            quarantine_rows(series, [RefusedReading(error.body, str(error), None)])
            self._note_useless(series, str(error))
        return True

    def _fetch_page(self, door: Door, series: FeedSeries, span: Span) -> None:
        source = SOURCES[series.name]
        self._done.requests += 1
        answer = door.page(source, series.symbol, *span)
        if not isinstance(answer.body, list):
            raise MalformedAnswerError("the answer is no list", answer.text)
        # Clocks may be wrong. What the slower one has not reached may still run, and what the faster one says is
        # never too early for a reading to be used.
        closed_by, available_at = sorted((answer.received_at, answer.source_at))
        rows = sort_rows(source, answer.body, series.symbol, to_ms(closed_by))
        done = store_page(series, Asked(span, rows, available_at), now=self._now)
        self._done.stored += done.stored
        self._done.explained += done.explained
        self._done.refused_rows += len(rows.refused)

    def _note_not_listed(self, symbol: str) -> None:
        """What one endpoint says of a symbol holds for all of them; some answer with an empty list instead."""
        self._done.not_listed += 1
        self._strangers.add(symbol)
        for series in FeedSeries.objects.filter(symbol=symbol):
            note_not_listed(series, now=self._now, again_at=self._now + NOT_LISTED_FOR)

    def _note_useless(self, series: FeedSeries, reason: str) -> None:
        logger.warning("%s: %s", series, reason)
        self._done.useless_answers += 1
        FeedSeries.objects.filter(pk=series.pk).update(error=reason)


# --- what is due ------------------------------------------------------------------------------------------------------


def open_series(now: datetime) -> None:
    """A series for every feed of every active symbol, and for the index from outside if there is one."""
    back_ms, now_ms = settings.ALPHAPULSE_FEED_HISTORY_DAYS * DAY_MS, to_ms(now)
    known = set(FeedSeries.objects.values_list("name", "symbol"))
    missing = [
        FeedSeries(name=source.name, symbol=symbol, wanted_since=to_datetime(source.first_moment(now_ms, back_ms)))
        for source, symbol in _fetched_feeds()
        if (source.name, symbol) not in known
    ]
    FeedSeries.objects.bulk_create(missing, ignore_conflicts=True)


def _fetched_feeds() -> Iterator[tuple[FeedSource, str]]:
    symbols = active_symbols()
    yield from ((source, symbol) for source in FUTURES_FEEDS for symbol in symbols)
    if settings.ALPHAPULSE_FEAR_GREED_URL:
        yield FEAR_GREED_FEED, ""


def due_series(now: datetime) -> list[FeedSeries]:
    """The series that may have something new, those that have waited longest first."""
    order = {(source.name, symbol): place for place, (source, symbol) in enumerate(_fetched_feeds())}
    fetched = [series for series in FeedSeries.objects.all() if (series.name, series.symbol) in order]
    due = [series for series in fetched if _is_due(series, now)]
    return sorted(due, key=lambda each: (_ms(each.asked_at) or 0, order[each.name, each.symbol]))


def _is_due(series: FeedSeries, now: datetime) -> bool:
    is_listed = series.not_listed_until is None or series.not_listed_until <= now
    return is_listed and SOURCES[series.name].is_due(_ms(series.asked_at), to_ms(now))


def spans_to_ask(series: FeedSeries, now: datetime) -> list[Span]:
    """The moments up to now whose readings are not there; of a feed that keeps no fixed rhythm all that may be."""
    source, now_ms = SOURCES[series.name], to_ms(now)
    series.refresh_from_db()
    want = wanted(series, source.moments_until(now_ms))
    if source.is_regular:
        return feed_holes([want]).get((series.name, series.symbol), [])
    return [(want.since_ms, want.until_ms)] if want.since_ms < want.until_ms else []


def _ms(moment: datetime | None) -> int | None:
    return None if moment is None else to_ms(moment)


# --- doors ------------------------------------------------------------------------------------------------------------


def _futures_door(clock: Clock) -> AbstractContextManager[Door]:
    # Half a second and 25 MB, which only a process that fetches should pay.
    from ingestion.binance import FuturesDoor

    return FuturesDoor(clock=clock)


def _fear_greed_door(clock: Clock) -> AbstractContextManager[Door]:
    from ingestion.fear_greed import FearGreedDoor

    return FearGreedDoor(clock=clock)
