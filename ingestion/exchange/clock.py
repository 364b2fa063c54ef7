"""The exchange's own clock: it starts where it is told and runs as many times as fast as the wall's."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

LONGEST_NAP = 0.05


@dataclass(frozen=True)
class _Setting:
    """From the monotonic moment `since` (seconds) on, the clock shows `shows_ms` and runs at `speed`."""

    since: float
    shows_ms: float
    speed: float


class ExchangeClock:
    """Milliseconds since the epoch. It stands still at `end_ms`; frozen, it moves by `set` only.

    May be read and set from any thread.
    """

    def __init__(
        self,
        start_ms: int,
        speed: float = 1.0,
        *,
        end_ms: int | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self.end_ms = end_ms
        self.speed = speed
        self.is_frozen = False
        # Replaced as a whole, so that a reader in another thread never sees half of a change.
        self._setting = _Setting(monotonic(), float(start_ms), speed)

    def now_ms(self) -> int:
        return int(self._exact_ms())

    def wall_seconds_until(self, ms: int) -> float:
        """How long until the clock shows `ms`; 0 if it has, infinity if it will not."""
        left = ms - self._exact_ms()
        if left <= 0:
            return 0.0
        is_beyond = self.end_ms is not None and ms > self.end_ms
        return float("inf") if is_beyond or not self._setting.speed else left / 1000 / self._setting.speed

    async def sleep_until(self, ms: int) -> None:
        """Return once the clock shows `ms`, also when it is set or changes its speed meanwhile."""
        while (left := self.wall_seconds_until(ms)) > 0:
            await asyncio.sleep(min(left, LONGEST_NAP))

    def set(self, ms: int) -> None:
        self._change(ms, self._setting.speed)

    def set_speed(self, speed: float) -> None:
        self.speed = speed
        if not self.is_frozen:
            self._change(self._exact_ms(), speed)

    def freeze(self) -> None:
        self.is_frozen = True
        self._change(self._exact_ms(), 0.0)

    def thaw(self) -> None:
        self.is_frozen = False
        self._change(self._exact_ms(), self.speed)

    def _change(self, shows_ms: float, speed: float) -> None:
        self._setting = _Setting(self._monotonic(), float(shows_ms), speed)

    def _exact_ms(self) -> float:
        setting = self._setting
        shows = setting.shows_ms + (self._monotonic() - setting.since) * 1000 * setting.speed
        return shows if self.end_ms is None else min(shows, float(self.end_ms))
