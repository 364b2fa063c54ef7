"""The parts of a report that no other page has: its signals, equity, nights, versions, data and jobs."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db.models import Count, F, Sum
from django.db.models.functions import Greatest, Least

from alphapulse_site.models import JobRun, ParkedTask
from analytics.selectors.estimates import share
from analytics.selectors.overview import START_EQUITY
from analytics.selectors.scope import Scope
from analytics.selectors.versions import TURNS
from ingestion.models import CandleGap, Symbol
from learning.calendar import jobs_between
from learning.models import LearningEvent, LearningState
from learning.story import story
from learning.why import account_of
from signals.models import Position, RejectedSignal, ScanClose, Signal
from signals.rows import to_ms

Row = dict[str, Any]
SIGNALS_TOLD, VERSIONS_TOLD, STORIES_TOLD = 50, 30, 3
MINUTE = timedelta(minutes=1)


def signals_of(scope: Scope) -> Row:
    """The signals that were decided in the scope, oldest first, with their outcomes as far as they are known now."""
    found = Signal.objects.filter(**scope.filters("opened_at"))
    columns = ("id", "symbol", "timeframe", "direction", "opened_at", "expected_r", "outcome", "exit_at", "net_r")
    return {
        "count": found.count(),
        "still_open": found.filter(outcome="").count(),
        "listed": list(found.order_by("opened_at", "symbol").values(*columns)[:SIGNALS_TOLD]),
    }


def equity_of(scope: Scope) -> Row:
    """The paper account: what it held before and after, and a point for each moment at which a position closed."""
    closed = Position.objects.filter(closed_at__lte=scope.until)
    before = closed.filter(closed_at__lte=scope.since).aggregate(paid=Sum("profit", default=0.0))["paid"]
    total, curve = START_EQUITY + before, []
    inside = closed.filter(closed_at__gt=scope.since).values("closed_at").annotate(paid=Sum("profit"))
    for at, paid in inside.order_by("closed_at").values_list("closed_at", "paid"):
        total += paid
        curve.append({"at": at, "equity": total})
    start = START_EQUITY + before
    return {"start": start, "end": total, "change": total / start - 1 if start else None, "curve": curve}


def nights_of(scope: Scope) -> list[Row]:
    """Every night and week whose cut-off lies in the scope, and what became of its job."""
    due = jobs_between(to_ms(scope.since) + 1, to_ms(scope.until))
    runs = JobRun.objects.filter(job__in={job.job for job in due}, period__in={job.period for job in due})
    known = {(run.job, run.period): run for run in runs}
    return [_night(job.job, job.period, known.get((job.job, job.period))) for job in due]


def _night(job: str, period: str, run: JobRun | None) -> Row:
    report = run.report if run else {}
    took = run.finished_at - run.started_at if run and run.finished_at else None
    return {
        "job": job,
        "period": period,
        "status": run.status if run else "not run",
        "outcomes": report.get("outcomes_processed", report.get("outcomes_analyzed")),
        "seconds": took.total_seconds() if took else None,
        "error": run.error if run else "",
    }


def versions_of(scope: Scope) -> list[Row]:
    """What became of versions in the scope, as the ledger has it, oldest first; the newest that took effect in words.

    The words are of what was known then: nothing is said of how a version did later.
    """
    events = LearningEvent.objects.filter(kind__in=[*TURNS, "job"], market_at__gt=scope.since)
    told = list(events.filter(market_at__lte=scope.until).order_by("-sequence")[:VERSIONS_TOLD])
    rows = [_turn(event) for event in reversed(told)]
    ruled = [row for row in rows if row["kind"] not in ("job", "rejection", "drift") and row["version"]]
    for row in sorted(ruled, key=lambda row: row["state_type"] != "head_weights")[:STORIES_TOLD]:
        row["words"] = _words(row["state_type"], row["version"])
    return rows


def _turn(event: LearningEvent) -> Row:
    detail = event.detail
    by = f"by {detail['by']}" if detail.get("by") else ""
    return {
        "kind": event.kind,
        "at": event.market_at,
        "state_type": detail.get("state_type", ""),
        "version": detail.get("version"),
        "reason": detail.get("reason") or detail.get("words") or by,
        "words": [],
    }


def _words(state_type: str, version: int) -> list[str]:
    row = LearningState.objects.filter(state_type=state_type, version=version).first()
    return story(replace(account_of(row), after=None, effective_until=None)) if row else []


def data_of(scope: Scope) -> Row:
    """How whole the candles of the scope are, why minutes are missing, and how long decisions took.

    Minutes before a symbol's `complete_until` are candles or explained gaps, so only gaps have to be counted.
    """
    symbols = list(Symbol.objects.values_list("listed_at", "delisted_at", "complete_until"))
    expected = sum(_minutes(scope, listed, delisted) for listed, delisted, _ in symbols)
    not_settled = sum(
        _minutes(scope, max(filter(None, (listed, known)), default=None), None)
        for listed, delisted, known in symbols
        if delisted is None
    )
    gaps, settled = _gaps(scope), max(expected - not_settled, 0)
    missing = sum(gap["minutes"] for gap in gaps if gap["reason"] not in ("not_listed", CandleGap.Status.FILLING))
    return {
        "symbols": len(symbols),
        "minutes_expected": expected,
        "minutes_missing": missing,
        "minutes_not_settled": not_settled,
        **share(max(settled - missing, 0), settled).beside("complete"),
        "gaps": gaps,
        **_decision_seconds(scope),
    }


def _minutes(scope: Scope, since: datetime | None, until: datetime | None) -> int:
    start, end = max(since or scope.since, scope.since), min(until or scope.until, scope.until)
    return max((end - start) // MINUTE, 0)


def _gaps(scope: Scope) -> list[Row]:
    inside = CandleGap.objects.filter(end__gt=scope.since, start__lt=scope.until)
    found = (
        inside.order_by()
        .values("status", "reason")
        .annotate(gaps=Count("pk"), length=Sum(Least("end", scope.until) - Greatest("start", scope.since)))
    )
    return [
        {"reason": row["reason"] or row["status"], "gaps": row["gaps"], "minutes": row["length"] // MINUTE}
        for row in found.order_by("status", "reason")
    ]


def _decision_seconds(scope: Scope) -> Row:
    """Wall seconds from the first try at a close to its decision."""
    # Closes of imported history were never waited for: they are written when they are decided.
    closes = ScanClose.objects.filter(**scope.filters("close_time"), decided_at__gt=F("first_tried_at"))
    moments = closes.values_list("first_tried_at", "decided_at")
    took = [(decided - tried).total_seconds() for tried, decided in moments if decided]
    median, high = (float(each) for each in np.percentile(took, [50, 95])) if took else (None, None)
    return {"decision_seconds_median": median, "decision_seconds_p95": high, "decisions_timed": len(took)}


def jobs_of(scope: Scope) -> Row:
    """Runs of market jobs that worked in the scope, and how many failed; parked tasks are of now."""
    runs = JobRun.objects.filter(market_at__gt=scope.since, market_at__lte=scope.until)
    failed = runs.filter(status=JobRun.Status.FAILED)
    return {
        "runs": runs.count(),
        "failed": [f"{run.job} {run.period}: {run.error[:300]}" for run in failed.order_by("started_at")],
        "parked_now": ParkedTask.objects.filter(retried_at=None).count(),
    }


def not_followed(scope: Scope) -> int:
    """Open decisions that have not been followed to the end of the scope: their outcome may yet fall into it."""
    models: Iterable[Any] = (Signal, RejectedSignal)
    open_then = {"outcome": "", "opened_at__lt": scope.until, "checked_until__lt": scope.until}
    return sum(model.objects.filter(**open_then).count() for model in models)
