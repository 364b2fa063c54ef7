"""How many requests a minute: of an address without a name, of a reader, and of writes.

Counted in Redis, so that all web processes and hosts count together: one INCR a request, in windows of a minute by the
wall clock (so two windows side by side may see twice the limit within a minute). Where Redis is out of reach nothing
is refused: a limit protects the service, it must not become what stops it.
"""

import logging
import time
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from analytics.models import ApiToken

if TYPE_CHECKING:  # REST framework reads this class while that module is being imported
    from rest_framework.views import APIView

logger = logging.getLogger(__name__)

WINDOW = 60


class ByMinute(BaseThrottle):
    """`ALPHAPULSE_RATES` says how many a minute; 0 is no limit."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        kind = kind_of(request)
        limit = settings.ALPHAPULSE_RATES[kind]
        if not limit:
            return True
        now = time.time()
        self.seconds_left = WINDOW - now % WINDOW
        return counted(f"rate:{kind}:{self._who(request)}:{int(now // WINDOW)}") <= limit

    def wait(self) -> float:
        return self.seconds_left

    def _who(self, request: Request) -> str:
        """A token counts by itself, a session by its user, anybody else by the address they come from."""
        if isinstance(request.auth, ApiToken):
            return f"token:{request.auth.pk}"
        return f"user:{request.user.pk}" if request.user.is_authenticated else f"address:{self.get_ident(request)}"


def kind_of(request: Request) -> str:
    if request.method not in SAFE_METHODS:
        return "write"
    return "read" if request.user.is_authenticated else "anonymous"


def counted(key: str) -> int:
    """This request's number in the window; 0 where nobody can count."""
    try:
        cache.add(key, 0, 2 * WINDOW)
        return int(cache.incr(key))
    except RedisError as error:
        logger.warning("requests are not counted, Redis is out of reach: %s", error)
        return 0
