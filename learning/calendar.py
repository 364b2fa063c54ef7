"""When jobs are due and when their versions take effect, on the market clock. Pure; times in ms since the epoch."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

DAILY, WEEKLY = "daily_learning", "weekly_retraining"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
WEEK_MS = 7 * DAY_MS
# A version decides from a quarter of an hour after its cut-off on: the time its job may take.
EFFECTIVE_AFTER_MS = HOUR_MS // 4
# 1970-01-04 was the first Sunday; weekly retraining is at 02:00.
FIRST_WEEKLY_MS = 3 * DAY_MS + 2 * HOUR_MS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, order=True)
class DueJob:
    """A job's cut-off: outcomes known by then are what it learns from."""

    cut_off_ms: int
    job: str

    @property
    def effective_ms(self) -> int:
        return self.cut_off_ms + EFFECTIVE_AFTER_MS

    @property
    def next_night_ms(self) -> int:
        """When the version of the night after this job takes effect."""
        return (self.cut_off_ms // DAY_MS + 1) * DAY_MS + EFFECTIVE_AFTER_MS

    @property
    def period(self) -> str:
        """The day that ended (`2021-07-02`), or the ISO week that ends with this Sunday (`2021-W26`)."""
        cut_off = EPOCH + timedelta(milliseconds=self.cut_off_ms)
        return f"{cut_off - timedelta(days=1):%Y-%m-%d}" if self.job == DAILY else f"{cut_off:%G-W%V}"


def first_whole_day(effective_ms: int) -> int:
    """The first learning day (days since the epoch, from one night's effective time to the next) ruled from its start
    by a version of this effective time."""
    return -(-(effective_ms - EFFECTIVE_AFTER_MS) // DAY_MS)


def jobs_between(began_ms: int, until_ms: int) -> list[DueJob]:
    """Every nightly and weekly cut-off in [began, until], in order of time."""
    nights = range(-(-began_ms // DAY_MS) * DAY_MS, until_ms + 1, DAY_MS)
    first_week = -(-(began_ms - FIRST_WEEKLY_MS) // WEEK_MS) * WEEK_MS + FIRST_WEEKLY_MS
    weeks = range(first_week, until_ms + 1, WEEK_MS)
    return sorted([*(DueJob(at, DAILY) for at in nights), *(DueJob(at, WEEKLY) for at in weeks)])


def job_at(cut_off_ms: int) -> DueJob | None:
    """The job whose cut-off this is; None where no job has one."""
    if cut_off_ms % DAY_MS == 0:
        return DueJob(cut_off_ms, DAILY)
    return DueJob(cut_off_ms, WEEKLY) if (cut_off_ms - FIRST_WEEKLY_MS) % WEEK_MS == 0 else None


def in_effect_by(began_ms: int, close_ms: int) -> list[DueJob]:
    """The jobs whose versions a close at `close_ms` must know of."""
    return jobs_between(began_ms, close_ms - EFFECTIVE_AFTER_MS)


def next_effective_ms(close_ms: int) -> int:
    """When, after this close, the next job's version takes effect."""
    cut_off_ms = close_ms - EFFECTIVE_AFTER_MS
    return next(job.effective_ms for job in jobs_between(cut_off_ms + 1, cut_off_ms + DAY_MS))
