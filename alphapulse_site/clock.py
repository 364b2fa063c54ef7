"""The market clock, which is the wall clock live, and in a recording the close of the last minute played."""

from datetime import UTC, datetime

from django.db.models import Q

from alphapulse_site.models import MarketClock


def market_now() -> datetime | None:
    """The close of the latest complete minute; None in a recording of which nothing has been imported yet."""
    clock = MarketClock.objects.filter(mode=MarketClock.Mode.RECORDING).first()
    if clock is not None:
        return clock.closed_until
    return datetime.now(UTC).replace(second=0, microsecond=0)


def is_recording() -> bool:
    """Whether the market is a recording that is played."""
    return MarketClock.objects.filter(mode=MarketClock.Mode.RECORDING).exists()


def set_market_clock(*, mode: MarketClock.Mode, speed: float = 1.0, detail: str = "") -> None:
    """Choose the clock. Time already played stays, so that a second start resumes where the first stopped."""
    MarketClock.objects.update_or_create(
        pk=MarketClock.ONLY_ROW, defaults={"mode": mode, "speed": speed, "detail": detail}
    )


def advance_market_clock(to: datetime) -> bool:
    """Move the recording's clock forward, never back; False if it already stands there or later."""
    behind = Q(closed_until__isnull=True) | Q(closed_until__lt=to)
    return bool(MarketClock.objects.filter(behind, mode=MarketClock.Mode.RECORDING).update(closed_until=to))
