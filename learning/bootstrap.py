"""The warm start: history is replayed and learned from, walking forward, and written as if live had lived it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from math import isfinite
from typing import Any

from django.db import transaction
from django.utils import timezone

from alphapulse_site.clock import market_now
from alphapulse_site.copying import copy_rows
from alphapulse_site.models import JobRun
from ingestion.candles import load_many
from ingestion.models import MarketFeed
from ingestion.partitions import ensure_partitions
from ingestion.selectors import active_symbols, delisted_at_ms
from ingestion.timeframes import Timeframe
from learning import ledger
from learning.calendar import DueJob
from learning.follow import Followed
from learning.metrics import store_rejection_metrics
from learning.replay import Replayed, replay
from learning.school import School
from learning.services import CONFIG, report_of, store_lesson
from learning.versions import ensure_birth
from learning.walk import Decided, Given
from signals.configuration import rules, scan_timeframe
from signals.derivatives import ALT_SEASON, READ_BACK, Stored
from signals.models import RejectedSignal, ScanClose, ScanHistory, Signal, TrackedDecision
from signals.mood_feed import EXTERNAL, feed_name
from signals.rows import scan_rows, set_mirror_outcome, set_outcome, to_ms, to_time, tracked_rows
from signals.selectors import decided_until
from signals.windows import all_readings, external_of

SOURCE = "bootstrap"


@dataclass(frozen=True)
class Bootstrapped:
    """What a bootstrap wrote; all zero when there was nothing to do."""

    closes: int = 0
    scans: int = 0
    signals: int = 0
    shadows: int = 0
    events: int = 0
    versions: int = 0


def bootstrap(
    *, since: datetime | None = None, progress: Callable[[str, float], None] = lambda step, share: None
) -> Bootstrapped:
    """Replay the stored candles up to the market clock, learn from them, and store it all in one transaction.

    Only an empty system is bootstrapped: once anything was scanned, this returns at once and changes nothing.
    """
    ensure_birth()
    timeframe, now = scan_timeframe(), market_now()
    if now is None or decided_until(timeframe.name) is not None:
        return Bootstrapped()
    minutes = {
        symbol: candles for symbol, candles in load_many(active_symbols(), 0, to_ms(now)).items() if len(candles)
    }
    if not minutes:
        return Bootstrapped()
    first_ms = min(int(candles.open_ms[0]) for candles in minutes.values())
    school = School(CONFIG)
    replayed = replay(
        minutes,
        timeframe=timeframe,
        rules=rules(),
        teacher=school,
        first_close_ms=max(first_ms, to_ms(since)) if since else first_ms,
        last_close_ms=to_ms(now) // timeframe.ms * timeframe.ms,
        progress=progress,
        given=given_by(all_readings((*READ_BACK, EXTERNAL))),
        delisted_ms=delisted_at_ms(minutes),
    )
    with transaction.atomic():
        return _store(replayed, school, timeframe)


def _store(replayed: Replayed, school: School, timeframe: Timeframe) -> Bootstrapped:
    closes = replayed.walk.closes
    if not closes:
        return Bootstrapped()
    ensure_partitions("scan_history", to_time(closes[0].close_ms), to_time(closes[-1].close_ms + 1))
    copy_rows(MarketFeed, _mood_rows(replayed, timeframe))
    copy_rows(ScanClose, (_close_row(decided, timeframe, replayed) for decided in closes))
    scans = copy_rows(ScanHistory, (row for decided in closes for row in _scan_rows(decided, timeframe)))
    tracked = list(_tracked(closes, timeframe, replayed.walk.known.until_ms))
    signals = copy_rows(Signal, [row for row in tracked if isinstance(row, Signal)])
    shadows = copy_rows(RejectedSignal, [row for row in tracked if isinstance(row, RejectedSignal)])
    store_rejection_metrics(until=to_time(closes[-1].close_ms))
    events = _store_lessons(school, timeframe)
    versions = sum(len(lesson.drafts) for lesson in school.lessons)
    return Bootstrapped(len(closes), scans, signals, shadows, events, versions)


def given_by(stored: Stored) -> Given:
    """What was fetched before, usable from when it was there."""
    return Given(external=external_of(stored), readings=stored)


def _mood_rows(replayed: Replayed, timeframe: Timeframe) -> Iterator[MarketFeed]:
    seen = replayed.seen
    for close_ms, values, season in zip(seen.mood_ms.tolist(), seen.mood, seen.season.tolist(), strict=True):
        at = to_time(close_ms)
        yield MarketFeed(name=feed_name(timeframe), as_of=at, available_at=at, values=values.tolist())
        if isfinite(season):
            yield MarketFeed(name=ALT_SEASON, as_of=at, available_at=at, values=[season])


def _close_row(decided: Decided, timeframe: Timeframe, replayed: Replayed) -> ScanClose:
    return ScanClose(
        timeframe=timeframe.name,
        close_time=to_time(decided.close_ms),
        chunks=[sorted(replayed.walk.minutes)],
        looked=[0],
        weight_version=decided.version.weight_version,
        threshold_version=decided.version.threshold_version,
        calibration_version=decided.version.calibration_version,
        scans=len(decided.decisions),
        signals=int((decided.decisions.reason == "").sum()),
        decided_at=timezone.now(),
    )


def _scan_rows(decided: Decided, timeframe: Timeframe) -> Iterator[ScanHistory]:
    version = decided.version.weight_version
    return scan_rows(decided.decisions, timeframe, version=version, waited_too_long=False, source=SOURCE)


def _tracked(closes: list[Decided], timeframe: Timeframe, known_until_ms: int) -> Iterator[TrackedDecision]:
    for decided in closes:
        rows = tracked_rows(
            decided.decisions, timeframe, rules(), version=decided.version.weight_version, source=SOURCE
        )
        leans = (followed for followed in decided.followed if followed is not None)
        for row, followed in zip(rows, leans, strict=True):
            yield _with_outcome(row, followed, known_until_ms)


def _with_outcome(row: TrackedDecision, followed: Followed, known_until_ms: int) -> TrackedDecision:
    row.checked_until = max(row.opened_at, to_time(known_until_ms))
    if followed.touch:
        set_outcome(row, followed.touch)
    if followed.mirror:
        set_mirror_outcome(row, followed.mirror)
    return row


def _store_lessons(school: School, timeframe: Timeframe) -> int:
    """The ledger and the versions in the order of time in which the nights made them."""
    ledger.take_ledger()
    events = 0
    for lesson in school.lessons:
        labels = school.told[lesson.job]
        events += ledger.append(
            ledger.outcome_row(label, timeframe, to_time(lesson.job.cut_off_ms)) for label in labels
        )
        store_lesson(lesson)
        JobRun.objects.create(**_job_columns(lesson.job, report_of(lesson)))
    return events


def _job_columns(job: DueJob, report: dict[str, Any]) -> dict[str, Any]:
    now = timezone.now()
    return {
        "job": job.job,
        "period": job.period,
        "status": JobRun.Status.DONE,
        "started_at": now,
        "finished_at": now,
        "attempts": 1,
        "market_at": to_time(job.cut_off_ms),
        "report": {**report, "source": SOURCE},
    }
