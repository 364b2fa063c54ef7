"""Readings stored page by page, and what lacks: kept as being filled, and explained once it is sure not to come."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from ingestion.candles import to_datetime, to_ms
from ingestion.feed_plan import OpenGap, Span, recounted
from ingestion.feed_rows import RefusedReading, SortedRows
from ingestion.feeds import SOURCES
from ingestion.models import CandleSource, FeedGap, FeedSeries, MarketFeed
from ingestion.quarantine import quarantine
from ingestion.refused import Refused
from ingestion.selectors import WantedFeed, feed_holes

EXPLAINED, FILLING = FeedGap.Status.EXPLAINED, FeedGap.Status.FILLING
# So often, on different occasions, must a source answer without a reading before that is taken for the truth.
CHECKS_TO_EXPLAIN = 3


@dataclass(frozen=True)
class Asked:
    """What a source answered when it was asked for a span: the rows, and when they were there."""

    span: Span
    rows: SortedRows
    available_at: datetime


@dataclass(frozen=True)
class Settled:
    """What came of it: new readings, gaps newly explained."""

    stored: int = 0
    explained: int = 0


@dataclass(frozen=True)
class _Verdict:
    """Why moments without a reading are looked for no more, and what speaks for it."""

    reason: FeedGap.Reason
    evidence: dict[str, Any] = field(default_factory=dict)


def wanted(series: FeedSeries, until_ms: int) -> WantedFeed:
    """What is not known yet of a series up to a moment."""
    since = series.complete_until or series.wanted_since
    return WantedFeed(series.name, series.symbol, to_ms(since), until_ms, SOURCES[series.name].longest_ms)


def store_page(series: FeedSeries, asked: Asked, *, now: datetime) -> Settled:
    """Store an answer's readings and settle the gaps they leave, in one transaction. Safe to run twice.

    Of two readings of one moment the first that was stored counts, since decisions were made with it.
    """
    with transaction.atomic():
        held = _held(series)
        quarantine_rows(series, asked.rows.refused)
        stored = _store(held, asked)
        explained = _settle(held, now, asked)
        FeedSeries.objects.filter(pk=held.pk).update(error="", not_listed_until=None)
    return Settled(stored, explained)


def note_holes(series: FeedSeries, *, now: datetime) -> int:
    """Keep what lacks on record before anybody is asked; how many gaps the source cannot fill any more."""
    with transaction.atomic():
        return _settle(_held(series), now, None)


def note_not_listed(series: FeedSeries, *, now: datetime, again_at: datetime) -> None:
    """The symbol has no contract: explain what lacks by that, and let nobody ask before `again_at`."""
    until = SOURCES[series.name].expected_until(to_ms(now))
    with transaction.atomic():
        held = _held(series)
        holes = feed_holes([wanted(held, until)]).get((held.name, held.symbol), [])
        _filling(held).delete()
        for span in holes:
            _explain(held, OpenGap(*span, checks=1, first_seen_ms=to_ms(now)), _Verdict(FeedGap.Reason.NOT_LISTED))
        FeedSeries.objects.filter(pk=held.pk).update(
            complete_until=_later(held.complete_until, until), not_listed_until=again_at, error=""
        )


def quarantine_rows(series: FeedSeries, rows: Iterable[RefusedReading]) -> None:
    """Keep rows that are no readings, under the name of their feed."""
    quarantine(CandleSource.REST, (Refused.of(row.payload, row.reason, file=str(series)) for row in rows))


def _held(series: FeedSeries) -> FeedSeries:
    """The series as it stands, locked: whoever settles its gaps at the same time waits."""
    return FeedSeries.objects.select_for_update().get(pk=series.pk)


def _store(series: FeedSeries, asked: Asked) -> int:
    readings = asked.rows.readings
    if not readings:
        return 0
    around = MarketFeed.objects.filter(
        name=series.name,
        symbol=series.symbol,
        as_of__range=(to_datetime(min(readings)), to_datetime(max(readings))),
    )
    before = around.count()
    MarketFeed.objects.bulk_create(
        [
            MarketFeed(
                name=series.name,
                symbol=series.symbol,
                as_of=to_datetime(as_of_ms),
                available_at=asked.available_at,
                values=list(values),
            )
            for as_of_ms, values in sorted(readings.items())
        ],
        ignore_conflicts=True,
    )
    return around.count() - before


# --- what lacks -------------------------------------------------------------------------------------------------------


def _settle(series: FeedSeries, now: datetime, asked: Asked | None) -> int:
    """Count this look at every hole, explain those that are sure, and move the end of what is known."""
    source, now_ms = SOURCES[series.name], to_ms(now)
    until, lost = source.expected_until(now_ms), source.lost_before(now_ms)
    known = [_as_open(row) for row in _filling(series).order_by("start")]
    gaps = recounted(
        feed_holes([wanted(series, until)]).get((series.name, series.symbol), []),
        known,
        now_ms=now_ms,
        asked=asked.span if asked else None,
        refused=_refused_spans(asked, source.grid_ms),
        cuts=[] if lost is None else [lost],
    )
    verdicts = {gap: _verdict(gap, lost) for gap in gaps}
    still_open = [gap for gap in gaps if verdicts[gap] is None]
    if asked or len(still_open) < len(gaps) or still_open != known:
        _rewrite(series, still_open, now)
    explained = [(gap, verdict) for gap, verdict in verdicts.items() if verdict is not None]
    for gap, verdict in explained:
        _explain(series, gap, verdict)
    known_until = min((gap.start_ms for gap in still_open), default=until)
    FeedSeries.objects.filter(pk=series.pk).update(complete_until=_later(series.complete_until, known_until))
    return len(explained)


def _verdict(gap: OpenGap, lost_before_ms: int | None) -> _Verdict | None:
    if lost_before_ms is not None and gap.end_ms <= lost_before_ms:
        return _Verdict(FeedGap.Reason.BEYOND_RETENTION, {"kept_from": to_datetime(lost_before_ms).isoformat()})
    if gap.checks < CHECKS_TO_EXPLAIN:
        return None
    reason = FeedGap.Reason.READING_QUARANTINED if gap.is_refused else FeedGap.Reason.SOURCE_HAS_NO_READING
    return _Verdict(reason)


def _refused_spans(asked: Asked | None, grid_ms: int) -> list[Span]:
    """Where the answer had a row that is no reading."""
    moments = [row.as_of_ms for row in asked.rows.refused if row.as_of_ms is not None] if asked else []
    return [(moment, moment + grid_ms) for moment in moments]


def _later(known: datetime | None, until_ms: int) -> datetime:
    until = to_datetime(until_ms)
    return until if known is None else max(known, until)


def _filling(series: FeedSeries) -> QuerySet[FeedGap]:
    return FeedGap.objects.filter(name=series.name, symbol=series.symbol, status=FILLING)


def _as_open(row: FeedGap) -> OpenGap:
    return OpenGap(to_ms(row.start), to_ms(row.end), row.checks, to_ms(row.first_seen))


def _rewrite(series: FeedSeries, gaps: Sequence[OpenGap], now: datetime) -> None:
    """These are the gaps being filled now, and no others."""
    _filling(series).delete()
    FeedGap.objects.bulk_create(
        FeedGap(
            name=series.name,
            symbol=series.symbol,
            start=to_datetime(gap.start_ms),
            end=to_datetime(gap.end_ms),
            status=FILLING,
            checks=gap.checks,
            first_seen=to_datetime(gap.first_seen_ms),
            last_checked=now,
        )
        for gap in gaps
    )


def _explain(series: FeedSeries, gap: OpenGap, verdict: _Verdict) -> None:
    """Write an explained gap, or lengthen the one before if it goes on for the same reason."""
    start, end, now = to_datetime(gap.start_ms), to_datetime(gap.end_ms), timezone.now()
    mine = FeedGap.objects.filter(name=series.name, symbol=series.symbol, status=EXPLAINED)
    evidence = _neighbours(series, start, end) | verdict.evidence
    before = mine.filter(reason=verdict.reason, end=start).first()
    if before is not None:
        mine.filter(pk=before.pk).update(
            end=end,
            evidence=before.evidence | {name: evidence[name] for name in evidence if name != "before"},
            checks=F("checks") + gap.checks,
            last_checked=now,
        )
        return
    FeedGap.objects.create(
        name=series.name,
        symbol=series.symbol,
        start=start,
        end=end,
        status=EXPLAINED,
        reason=verdict.reason,
        evidence=evidence,
        checks=gap.checks,
        first_seen=to_datetime(gap.first_seen_ms),
        last_checked=now,
    )


def _neighbours(series: FeedSeries, start: datetime, end: datetime) -> dict[str, Any]:
    """The readings on either side as evidence, and who was asked."""
    mine = MarketFeed.objects.filter(name=series.name, symbol=series.symbol)
    before = mine.filter(as_of__lt=start).order_by("-as_of").first()
    after = mine.filter(as_of__gte=end).order_by("as_of").first()
    return {"endpoint": SOURCES[series.name].endpoint, "before": _seen(before), "after": _seen(after)}


def _seen(reading: MarketFeed | None) -> dict[str, Any] | None:
    return None if reading is None else {"as_of": reading.as_of.isoformat(), "values": reading.values}
