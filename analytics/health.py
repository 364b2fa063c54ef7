"""Whether the system is well right now: data fresh, closes decided, monitors alive, every queue moving."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import DatabaseError

from alphapulse_site.celery import QUEUES
from alphapulse_site.models import MarketClock
from analytics.selectors.kept import kept_for
from analytics.selectors.newest import newest_candles
from analytics.selectors.signs import (
    CANARY_INTERVAL,
    OUTCOME_INTERVAL,
    OUTCOME_MONITOR,
    SHADOW_INTERVAL,
    SHADOW_MONITOR,
    STREAM,
    Signs,
    canary,
)
from ingestion.timeframes import TIMEFRAMES
from signals.models import ScanClose

STREAM_INTERVAL = timedelta(minutes=1)
# How far (wall clock) the newest candle and the decisions may lie behind the market clock.
CANDLE_LAG = timedelta(minutes=3)
CLOCK_LAG = timedelta(minutes=3)
DECISION_LAG = timedelta(minutes=10)
# The learning queue has one worker, and a night may use its whole time limit.
LONGEST_TASK = timedelta(seconds=settings.CELERY_TASK_TIME_LIMIT)


@dataclass(frozen=True)
class Check:
    """One condition: what was seen, and what to do about it if it failed."""

    name: str
    passed: bool
    seen: str
    advice: str = ""

    @property
    def reason(self) -> str:
        return self.seen if self.passed else f"{self.seen}; {self.advice}"


@kept_for(2)
def checks() -> list[Check]:
    """Every condition of being healthy; only the first one while the database does not answer."""
    try:
        signs = Signs.read()
        clock = MarketClock.objects.first()
        return [Check("database", True, "answers"), *_freshness(signs, clock), *_monitors(signs), *queues(signs)]
    except DatabaseError as error:
        return [Check("database", False, f"does not answer ({type(error).__name__})", "start it, or look at its log")]


def _freshness(signs: Signs, clock: MarketClock | None) -> Iterator[Check]:
    at, speed = (clock.closed_until, clock.speed) if clock else (signs.now, 1.0)
    yield alive(signs, "stream", STREAM, STREAM_INTERVAL, "start the stream process, or look at its log")
    yield _market_clock(signs.now, clock)
    yield _candles(at, speed)
    yield _decisions(at, speed)


def _market_clock(now: datetime, clock: MarketClock | None) -> Check:
    """Live the wall says how late it is; of a recording only its exchange."""
    if clock is None or clock.closed_until is None:
        return Check("market clock", clock is None, "no market is followed", "run manage.py up or prepare")
    its_time = clock.exchange_until if clock.mode == MarketClock.Mode.RECORDING else now
    lag = max((its_time or clock.closed_until) - clock.closed_until, timedelta(0))
    advice = "look at the stream's log, at candle_gaps and at request_pauses"
    return Check("market clock", lag <= CLOCK_LAG * max(clock.speed, 1.0), f"{_words(lag)} behind the exchange", advice)


def _candles(at: datetime | None, speed: float) -> Check:
    newest = max((each.opened for each in newest_candles() if each.opened), default=None)
    if at is None or newest is None:
        return Check("candles", False, "none are stored", "import some or start the stream")
    lag = at - newest
    fresh = lag <= CANDLE_LAG * max(speed, 1.0)
    seen = f"the newest opened {_words(lag)} before the market clock"
    return Check("candles", fresh, seen, "run manage.py backfill, and look at the stream's log")


def _decisions(at: datetime | None, speed: float) -> Check:
    closes = ScanClose.objects.filter(decided_at__isnull=False, timeframe=settings.ALPHAPULSE_SCAN_TIMEFRAME)
    last = closes.order_by("-close_time").values_list("close_time", flat=True).first()
    advice = "look at the scan worker's log and at failed jobs"
    if at is None or last is None:
        return Check("decisions", False, "no close has been decided yet", advice)
    limit = timedelta(minutes=TIMEFRAMES[settings.ALPHAPULSE_SCAN_TIMEFRAME].minutes) + DECISION_LAG * max(speed, 1.0)
    return Check("decisions", at - last <= limit, f"the last is {_words(at - last)} behind the market clock", advice)


def _monitors(signs: Signs) -> Iterator[Check]:
    advice = "look at the tracking worker and at beat"
    yield alive(signs, "outcome monitor", OUTCOME_MONITOR, OUTCOME_INTERVAL, advice)
    yield alive(signs, "shadow monitor", SHADOW_MONITOR, SHADOW_INTERVAL, advice)


def queues(signs: Signs) -> Iterator[Check]:
    """One check a queue: its canary came through lately."""
    for queue in QUEUES:
        advice = f"no worker takes from it: start one for the queue {queue}, and check beat and the broker"
        patience = LONGEST_TASK if queue == "learning" else timedelta(0)
        yield alive(signs, f"queue {queue}", canary(queue), CANARY_INTERVAL, advice, patience)


def alive(
    signs: Signs, name: str, heartbeat: str, interval: timedelta, advice: str, patience: timedelta = timedelta(0)
) -> Check:
    """Whether the last beat is younger than two intervals (and what one long task may add)."""
    age = signs.age(heartbeat)
    if age is None:
        return Check(name, False, "has never given a sign of life", advice)
    return Check(name, age < 2 * interval + patience, f"last sign of life {_words(age)} ago", advice)


def _words(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if abs(seconds) < 120:
        return f"{seconds} s"
    return f"{seconds // 60} min" if abs(seconds) < 7200 else f"{seconds / 3600:.1f} h"
