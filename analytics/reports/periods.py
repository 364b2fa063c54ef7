"""The days and weeks that reports are about, in market time. Pure."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

DAILY, WEEKLY = "daily", "weekly"
KINDS = (DAILY, WEEKLY)
LENGTHS = {DAILY: timedelta(days=1), WEEKLY: timedelta(days=7)}
FORMS = {DAILY: "a day such as 2021-07-02", WEEKLY: "an ISO week such as 2021-W26"}
PATTERNS = {DAILY: re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII), WEEKLY: re.compile(r"\d{4}-W\d{2}", re.ASCII)}
FIRST, LAST = datetime(2009, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


class NoPeriodError(ValueError):
    """What was asked for is no period; the message says what to write instead."""


@dataclass(frozen=True)
class Period:
    """A UTC day, or an ISO week from Monday on: market time (since, until], as closes are counted."""

    kind: str
    since: datetime

    @property
    def until(self) -> datetime:
        return self.since + LENGTHS[self.kind]

    @property
    def name(self) -> str:
        return f"{self.since:%Y-%m-%d}" if self.kind == DAILY else f"{self.since:%G-W%V}"

    @property
    def before(self) -> "Period":
        return Period(self.kind, self.since - LENGTHS[self.kind])

    @property
    def after(self) -> "Period":
        return Period(self.kind, self.until)


def period_named(kind: str, name: str) -> Period:
    """The period of that name. Raises NoPeriodError where it is none."""
    try:
        if not PATTERNS[kind].fullmatch(name):
            raise ValueError
        day = date.fromisoformat(name) if kind == DAILY else date.fromisocalendar(int(name[:4]), int(name[6:]), 1)
    except (KeyError, ValueError) as error:
        raise NoPeriodError(f"{name!r} is no period; write {FORMS.get(kind, 'daily or weekly')}.") from error
    found = Period(kind, datetime.combine(day, time(), tzinfo=UTC))
    if not FIRST <= found.since < LAST:
        raise NoPeriodError(f"{name!r} is out of reach; write {FORMS[kind]}.")
    return found


def period_at(kind: str, at: datetime) -> Period:
    """The period that a close at this moment belongs to: midnight ends one."""
    inside = at - timedelta(microseconds=1)
    midnight = inside.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Period(kind, midnight if kind == DAILY else midnight - timedelta(days=midnight.weekday()))


def last_ended(kind: str, at: datetime) -> Period:
    """The newest period that is over at a moment."""
    now = period_at(kind, at)
    return now if now.until <= at else now.before
