"""The running totals of the learning coordinator, the outcome monitor and the rejection monitor, counted from rows."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.db.models import Count, Exists, Min, OuterRef, Q
from django.db.models.functions import TruncDate

from alphapulse_site.models import JobRun, ParkedTask
from analytics.selectors.estimates import Daily, Estimate, daily_ratio, share
from analytics.selectors.kept import kept, kept_between_outcomes
from analytics.selectors.signs import OUTCOME_INTERVAL, OUTCOME_MONITOR, SHADOW_INTERVAL, SHADOW_MONITOR, Signs
from analytics.selectors.stamps import read_stamp
from analytics.selectors.versions import shares, versions_in_force, weights_in_force
from learning.config import Config
from learning.models import LearningEvent, LearningState
from learning.refusals import GOOD, MISSED
from signals.models import RejectedSignal, ScanHistory, Signal

COVERAGE_WINDOW = timedelta(days=7)


def coordinator(at: datetime | None) -> dict[str, Any]:
    """What the ledger and the versions add up to."""
    kinds = events_by_kind()
    took_effect = LearningState.objects.filter(effective_from__isnull=False, parent__isnull=False)
    updates = dict(took_effect.order_by().values_list("state_type").annotate(Count("pk")))
    last = LearningEvent.objects.order_by("-sequence").values_list("recorded_at", flat=True).first()
    return {
        "outcomes_processed": kinds.get("outcome", 0),
        "head_weight_updates": updates.get("head_weights", 0),
        "threshold_updates": updates.get("thresholds", 0),
        "calibration_updates": updates.get("calibration", 0),
        "learning_events_logged": sum(kinds.values()),
        "last_update_time": last,
        "current_head_weights": shares(weights_in_force(at)),
        "versions_in_force": versions_in_force(at) if at else {},
        "learning_config": learning_config(),
    }


def learning_config() -> dict[str, Any]:
    """The learner's constants; a half-life without end is written as null, which JSON has."""
    config = asdict(Config())
    config["half_lives"] = [days if days < float("inf") else None for days in config["half_lives"]]
    return config | {"digest": Config().digest, "scan_timeframe": settings.ALPHAPULSE_SCAN_TIMEFRAME}


def monitor(signs: Signs) -> dict[str, Any]:
    """The outcome monitor: what its poll found among the signals."""
    counted = Signal.objects.aggregate(
        tp_hits_detected=Count("pk", filter=Q(outcome="target")),
        sl_hits_detected=Count("pk", filter=Q(outcome="stop")),
        time_exits=Count("pk", filter=Q(outcome="time")),
        signals_monitored=Count("pk", filter=Q(outcome="")),
    )
    return {
        "checks_performed": signs.count(OUTCOME_MONITOR),
        **counted,
        "errors": errors("signals.track_signals"),
        "is_running": signs.is_alive(OUTCOME_MONITOR, OUTCOME_INTERVAL),
        "last_check_time": signs.last(OUTCOME_MONITOR),
        "check_interval_seconds": int(OUTCOME_INTERVAL.total_seconds()),
    }


def errors(task: str) -> int:
    """Times a task gave up for good, and runs of a job of that name that failed."""
    parked = ParkedTask.objects.filter(name=task).count()
    return parked + JobRun.objects.filter(job=task, status=JobRun.Status.FAILED).count()


def rejection_learning(signs: Signs, at: datetime | None) -> dict[str, Any]:
    """The shadow monitor: what was refused, what became of it, and how much of it the ledger holds."""
    days = rejection_days()
    missed, good, valued = (sum(day[name] for day in days) for name in ("missed", "good", "valued"))
    return {
        "rejections_tracked": sum(day["tracked"] for day in days),
        "missed_opportunities": missed,
        "good_rejections": good,
        "neutral_rejections": valued - missed - good,
        "learning_from_rejections": events_of_shadows(),
        "checks_performed": signs.count(SHADOW_MONITOR),
        "is_running": signs.is_alive(SHADOW_MONITOR, SHADOW_INTERVAL),
        "last_check_time": signs.last(SHADOW_MONITOR),
        "check_interval_seconds": int(SHADOW_INTERVAL.total_seconds()),
        "errors": errors("signals.track_shadows"),
        "monitoring_duration_hours": (at - days[0]["first"]) / timedelta(hours=1) if at and days else None,
        **missed_rate(days).beside("missed_opportunity_rate"),
        **coverage(read_stamp().until),
    }


@kept
def events_by_kind() -> dict[str, int]:
    """How many lines of each kind the ledger has."""
    return dict(LearningEvent.objects.order_by().values_list("kind").annotate(Count("pk")))


@kept
def events_of_shadows() -> int:
    """How many of them tell what became of a shadow."""
    return LearningEvent.objects.filter(kind="outcome", is_signal=False).count()


@kept_between_outcomes
def rejection_days() -> list[dict[str, Any]]:
    """Shadows counted by the day of their decision, oldest first."""
    by_day = RejectedSignal.objects.annotate(day=TruncDate("opened_at")).values("day")
    counted = by_day.annotate(
        tracked=Count("pk"),
        missed=Count("pk", filter=MISSED),
        good=Count("pk", filter=GOOD),
        valued=Count("net_r"),
        first=Min("opened_at"),
    )
    return [dict(day) for day in counted.order_by("day")]


def missed_rate(days: list[dict[str, Any]]) -> Estimate:
    """Missed opportunities among all shadows with a result, whole days resampled."""
    columns = (np.array([day[name] for day in days], dtype=np.float64) for name in ("missed", "valued"))
    return daily_ratio(Daily(np.arange(len(days)), *columns))


@kept
def coverage(at: datetime | None) -> dict[str, Any]:
    """Share of the rejected leans of the last seven days that are followed as a shadow."""
    if at is None:
        return share(0, 0).beside("coverage", prefix="coverage_")
    recent = ScanHistory.objects.filter(close_time__gt=at - COVERAGE_WINDOW, close_time__lte=at)
    refused = recent.exclude(lean=0).filter(rejection__isnull=False).exclude(rejection="")
    shadow = RejectedSignal.objects.filter(scan_id=OuterRef("scan_id"))
    counted = refused.aggregate(leans=Count("scan_id"), followed=Count("scan_id", filter=Exists(shadow)))
    return share(counted["followed"], counted["leans"]).beside("coverage", prefix="coverage_")
