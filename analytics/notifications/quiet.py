"""Quiet hours: nights between two times of day in somebody's own time zone. Pure.

A night lies between two instants, so that a clock set back does not make it quiet twice. A time that a clock set
forward skips counts as the same time before the jump, and one that comes twice as the first of the two.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

DAY = timedelta(days=1)


@dataclass(frozen=True)
class QuietHours:
    """From one time of day until another, past midnight where that is earlier; never where they are the same."""

    since: time
    until: time
    zone: ZoneInfo

    def end_at(self, moment: datetime) -> datetime | None:
        """When the quiet that holds at a moment ends (UTC); None where it is not quiet."""
        day = moment.astimezone(self.zone).date()
        for begun in (day - DAY, day):
            start, end = self.night(begun)
            if start <= moment < end:
                return end
        return None

    def night(self, day: date) -> tuple[datetime, datetime]:
        """The two instants of the night that begins on a day."""
        last = day if self.since <= self.until else day + DAY
        return self._instant(day, self.since), self._instant(last, self.until)

    def _instant(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at.replace(fold=0), tzinfo=self.zone).astimezone(UTC)
