"""What is in force, and what is due: questions the scan and the jobs ask."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.conf import settings
from django.utils import timezone

from alphapulse_site.models import JobRun
from learning.models import LearningState
from signals.consensus import Weights
from signals.gates import Thresholds
from signals.models import ScanClose
from signals.selectors import decided_until, first_close
from signals.version import Version

DAILY, WEEKLY = "daily_learning", "weekly_retraining"
EFFECTIVE_AFTER = timedelta(minutes=15)
WEEKLY_HOUR = 2
SUNDAY = 6


def midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def last_midnight(close: datetime) -> datetime:
    return midnight(close)


def last_sunday_run(close: datetime) -> datetime:
    """The last Sunday 02:00 UTC up to a moment."""
    sunday = midnight(close) - timedelta(days=(close.weekday() - SUNDAY) % 7) + timedelta(hours=WEEKLY_HOUR)
    return sunday if sunday <= close else sunday - timedelta(days=7)


def daily_period(cut_off: datetime) -> str:
    """The day that ends at this midnight: `2021-07-02`."""
    return f"{cut_off - timedelta(days=1):%Y-%m-%d}"


def weekly_period(cut_off: datetime) -> str:
    """The ISO week of the Sunday: `2021-W26`."""
    return f"{cut_off:%G-W%V}"


def required_jobs(close: datetime) -> list[tuple[str, str]]:
    """The jobs whose versions a close decides with: the last night and week that took effect by then."""
    began = first_close(settings.ALPHAPULSE_SCAN_TIMEFRAME)
    if began is None:
        return []
    day, week = last_midnight(close - EFFECTIVE_AFTER), last_sunday_run(close - EFFECTIVE_AFTER)
    required = [(DAILY, daily_period(day))] if day >= began else []
    return required + ([(WEEKLY, weekly_period(week))] if week >= began else [])


def due_jobs() -> Iterator[tuple[str, str, datetime]]:
    """Job, period and cut-off of every night and week that has ended with all its closes decided, in order of time."""
    timeframe = settings.ALPHAPULSE_SCAN_TIMEFRAME
    began, until = first_close(timeframe), decided_until(timeframe)
    if began is None or until is None:
        return
    done = set(JobRun.objects.filter(job__in=(DAILY, WEEKLY), status="done").values_list("job", "period"))
    for job, period, cut_off in _periods(began, until):
        if (job, period) not in done:
            yield job, period, cut_off


def _periods(began: datetime, until: datetime) -> list[tuple[str, str, datetime]]:
    found, day = [], midnight(began)
    while day <= until:
        if day >= began:
            found.append((DAILY, daily_period(day), day))
        sunday = day + timedelta(hours=WEEKLY_HOUR)
        if day.weekday() == SUNDAY and began <= sunday <= until:
            found.append((WEEKLY, weekly_period(sunday), sunday))
        day += timedelta(days=1)
    return found


def in_force(state_type: str, close: datetime) -> LearningState | None:
    """The version that decides at a close: the last one whose effect began by then."""
    took_effect = LearningState.objects.filter(state_type=state_type, effective_from__lte=close)
    return took_effect.order_by("-effective_from", "-version").first()


def latest(state_type: str) -> LearningState | None:
    return LearningState.objects.filter(state_type=state_type).order_by("-version").first()


def weights_from(content: dict[str, Any]) -> Weights:
    return Weights(tuple(content["heads"]), np.array(content["beta"]), np.array(content["bias"]))


def thresholds_from(content: dict[str, Any]) -> Thresholds:
    return Thresholds(quality_r=content["quality_r"])


def version_for(close: datetime, *, tried_since: datetime) -> Version | None:
    """The version in force at a close; None while the job that may replace it is not done and the deadline not over."""
    late = [
        job
        for job in required_jobs(close)
        if not JobRun.objects.filter(job=job[0], period=job[1], status="done").exists()
    ]
    waited = timezone.now() - tried_since
    if late and waited < timedelta(seconds=settings.ALPHAPULSE_WEIGHTS_DEADLINE):
        return None
    weights, thresholds = in_force("head_weights", close), in_force("thresholds", close)
    if weights is None or thresholds is None:
        return None
    return _version(weights, thresholds, waited_too_long=bool(late))


def version_of(row: ScanClose) -> Version:
    """The version that was fixed when the close was opened."""
    weights = LearningState.objects.get(state_type="head_weights", version=row.weight_version)
    thresholds = LearningState.objects.get(state_type="thresholds", version=row.threshold_version)
    return _version(weights, thresholds, waited_too_long=row.waited_too_long)


def _version(weights: LearningState, thresholds: LearningState, *, waited_too_long: bool) -> Version:
    return Version(
        weights=weights_from(weights.content),
        thresholds=thresholds_from(thresholds.content),
        weight_version=weights.version,
        threshold_version=thresholds.version,
        waited_too_long=waited_too_long,
    )
