"""What stands around every page: the market's clock, and whether all is well."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from alphapulse_site.models import MarketClock
from analytics import health


@dataclass(frozen=True)
class Frame:
    """`at`: market time up to which everything is known. `speed`: of a recording, times life; None on the wall clock.

    `lag`: how far that is behind the exchange. `failed`: the checks that did not pass.
    """

    at: datetime | None
    speed: float | None
    lag: timedelta | None
    checks: tuple[health.Check, ...]

    @property
    def failed(self) -> tuple[health.Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    @property
    def is_well(self) -> bool:
        return not self.failed


def frame() -> Frame:
    """Read now; the checks are those of /healthz."""
    checks = tuple(health.checks())
    clock = MarketClock.objects.first()
    if clock is None or clock.closed_until is None:
        return Frame(None, None, None, checks)
    recording = clock.mode == MarketClock.Mode.RECORDING
    exchange = clock.exchange_until if recording else timezone.now()
    lag = max(exchange - clock.closed_until, timedelta(0)) if exchange else None
    return Frame(clock.closed_until, clock.speed if recording else None, lag, checks)
