"""Request weight by address and minute, as Binance counts it: 429 first, a ban for whoever does not listen.

All of it on the wall clock, whatever the market's clock says: it protects a machine.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

MINUTE = 60
# How long the first ban lasts, the second and so on, in seconds; the last one for every further.
BANS = (120, 600, 3600, 6 * 3600, 24 * 3600, 3 * 24 * 3600)
# Requests of a client that were under way before it could read its first 429.
TOLERATED = 10


@dataclass
class _Address:
    minute: int = 0
    used: int = 0
    told_until: float = 0.0
    ignored: int = 0
    bans: int = 0
    banned_until: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """What becomes of a request: `status` 200, 429 or 418; `defied` as in the log; seconds to wait if refused."""

    status: int
    used: int
    defied: int = 0
    retry_after: int = 0
    banned_until_ms: int = 0


class Limits:
    """So much weight a minute for each address, in the wall's minutes."""

    def __init__(
        self, weight: int = 6000, *, tolerated: int = TOLERATED, wall: Callable[[], float] = time.time
    ) -> None:
        self.weight = weight
        self.tolerated = tolerated
        self._wall = wall
        self._addresses: dict[str, _Address] = {}

    def charge(self, ip: str, weight: int) -> Verdict:
        """Count a request, refused or not."""
        now, address = self._wall(), self._addresses.setdefault(ip, _Address())
        self._turn_minute(address, now)
        if now < address.banned_until:
            return self._banned(address, now, defied=418)
        address.used += weight
        if now < address.told_until:
            return self._ignored(address, now)
        if address.used > self.weight:
            address.told_until, address.ignored = float((address.minute + 1) * MINUTE), 0
            return self._told(address, now, defied=0)
        return Verdict(200, address.used)

    def tell(self, ip: str, seconds: float) -> Verdict:
        """Answer 429 for no reason of its weight; the address has to wait as after any other."""
        now, address = self._wall(), self._addresses.setdefault(ip, _Address())
        self._turn_minute(address, now)
        address.told_until, address.ignored = now + seconds, 0
        return self._told(address, now, defied=0)

    def ban(self, ip: str, seconds: float | None = None) -> Verdict:
        """Ban the address, by default for as long as it is its turn."""
        now, address = self._wall(), self._addresses.setdefault(ip, _Address())
        self._turn_minute(address, now)
        return self._ban(address, now, seconds, defied=0)

    def forget(self) -> None:
        """Every address starts afresh."""
        self._addresses.clear()

    def _turn_minute(self, address: _Address, now: float) -> None:
        minute = int(now // MINUTE)
        if minute != address.minute:
            address.minute, address.used = minute, 0

    def _ignored(self, address: _Address, now: float) -> Verdict:
        address.ignored += 1
        if address.ignored <= self.tolerated:
            return self._told(address, now, defied=429)
        return self._ban(address, now, None, defied=429)

    def _ban(self, address: _Address, now: float, seconds: float | None, *, defied: int) -> Verdict:
        lasts = BANS[min(address.bans, len(BANS) - 1)] if seconds is None else float(seconds)
        address.bans += 1
        address.banned_until, address.told_until, address.ignored = now + lasts, 0.0, 0
        return self._banned(address, now, defied=defied)

    def _told(self, address: _Address, now: float, *, defied: int) -> Verdict:
        return Verdict(429, address.used, defied, math.ceil(address.told_until - now))

    def _banned(self, address: _Address, now: float, *, defied: int) -> Verdict:
        until = address.banned_until
        return Verdict(418, address.used, defied, math.ceil(until - now), math.ceil(until * 1000))
