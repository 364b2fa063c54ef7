"""The market clock: the close of the latest minute that is stored or explained for every symbol, live and recorded."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import DurationField, ExpressionWrapper, F, Q
from django.db.models.functions import Now
from django.utils import timezone

from alphapulse_site.models import ClockStep, MarketClock

STEPS_KEPT = timedelta(days=2)


def market_now() -> datetime | None:
    """The close of the latest complete minute; None before the market's history is there.

    Where nobody has chosen a market the wall clock stands in.
    """
    clock = MarketClock.objects.first()
    if clock is not None:
        return clock.closed_until
    return datetime.now(UTC).replace(second=0, microsecond=0)


def is_recording() -> bool:
    """Whether the market is a recording that is played."""
    return MarketClock.objects.filter(mode=MarketClock.Mode.RECORDING).exists()


def market_speed() -> float:
    """How many times as fast as life the market goes."""
    clock = MarketClock.objects.first()
    return 1.0 if clock is None else clock.speed


def set_market_clock(*, mode: MarketClock.Mode, speed: float = 1.0, detail: str = "") -> None:
    """Choose the clock. Time already passed stays, so that a second start resumes where the first stopped."""
    MarketClock.objects.update_or_create(
        pk=MarketClock.ONLY_ROW, defaults={"mode": mode, "speed": speed, "detail": detail}
    )


def advance_market_clock(to: datetime) -> bool:
    """Move the clock forward, never back; False if it already stands there or later, or nobody has set one up."""
    moved = _move("closed_until", to)
    if moved:
        _note_step(to, timezone.now())
    return moved


def _note_step(to: datetime, at: datetime) -> None:
    ClockStep.objects.bulk_create([ClockStep(closed_until=to, stepped_at=at)], ignore_conflicts=True)
    ClockStep.objects.filter(stepped_at__lt=at - STEPS_KEPT).delete()


def reached_at(moment: datetime) -> datetime | None:
    """When (wall clock) the market clock came to a moment; None if it has not, or nobody remembers."""
    if not MarketClock.objects.filter(closed_until__gte=moment).exists():
        return None
    step = ClockStep.objects.filter(closed_until__gte=moment).order_by("closed_until").first()
    return step.stepped_at if step else None


def note_exchange_clock(to: datetime) -> bool:
    """Remember the close of the latest minute that the exchange itself has closed, and since when; never back."""
    return _move("exchange_until", to, exchange_noted_at=Now())


def overdue_until(patience: timedelta) -> datetime | None:
    """Up to when minutes closed at the exchange longer ago than that, in wall time, by PostgreSQL's clock."""
    since = ExpressionWrapper(Now() - F("exchange_noted_at"), output_field=DurationField())
    clock = MarketClock.objects.filter(exchange_until__isnull=False).annotate(since=since).first()
    if clock is None or clock.exchange_until is None or clock.since is None:
        return None
    return clock.exchange_until - (patience - clock.since) * clock.speed


def _move(hand: str, to: datetime, **beside: Any) -> bool:
    behind = Q(**{f"{hand}__isnull": True}) | Q(**{f"{hand}__lt": to})
    return bool(MarketClock.objects.filter(behind).update(**{hand: to}, **beside))
