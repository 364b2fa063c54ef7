"""What can be told, how old it may be when it is found, and what may wake somebody. Pure."""

from datetime import timedelta
from enum import StrEnum


class Kind(StrEnum):
    """`data_stale` and `job_late` are told a second time when they are over."""

    SIGNAL = "signal"
    OUTCOME = "outcome"
    VERSION_PROMOTED = "version_promoted"
    VERSION_ROLLED_BACK = "version_rolled_back"
    DATA_STALE = "data_stale"
    JOB_LATE = "job_late"
    DAILY_REPORT = "daily_report"
    WEEKLY_REPORT = "weekly_report"
    # Made by the outbox itself: what was too old, what was held back in quiet hours, and a try.
    SUMMARY = "summary"
    DIGEST = "digest"
    TEST = "test"


# Wall time after which an event is not told by itself any more, but counted in a summary.
OLDEST = {
    Kind.SIGNAL: timedelta(hours=1),
    Kind.OUTCOME: timedelta(hours=24),
    Kind.VERSION_PROMOTED: timedelta(hours=24),
    Kind.VERSION_ROLLED_BACK: timedelta(hours=24),
    Kind.DATA_STALE: timedelta(hours=24),
    Kind.JOB_LATE: timedelta(hours=24),
    Kind.DAILY_REPORT: timedelta(hours=36),
    Kind.WEEKLY_REPORT: timedelta(days=7),
}
REPORTS = (Kind.DAILY_REPORT, Kind.WEEKLY_REPORT)
CHOICES = tuple(OLDEST)
USUAL = tuple(kind for kind in CHOICES if kind not in REPORTS)
URGENT = frozenset({Kind.DATA_STALE, Kind.JOB_LATE, Kind.VERSION_ROLLED_BACK})
