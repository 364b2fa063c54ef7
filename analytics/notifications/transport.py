"""One HTTP POST to an address that somebody typed in: bounded in time and size, and not led anywhere else."""

import socket
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from celery.exceptions import SoftTimeLimitExceeded
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from analytics.notifications.addresses import is_public

CONNECT_SECONDS, READ_SECONDS = 3.0, 5.0
MOST_BYTES = 4096


class RefusedAddressError(Exception):
    """An address that nothing is sent to; the message says why."""


class UnreachableError(Exception):
    """No answer; the message says how it failed and holds neither address nor secret."""


@dataclass(frozen=True)
class Reply:
    """What a receiver answered; of the body only the beginning."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


class _Guard:
    """Looks at the peer that a connection reached before anything is said: a name may mean another host each time."""

    def _new_conn(self) -> socket.socket:
        found: socket.socket = super()._new_conn()  # type: ignore[misc]
        peer = str(found.getpeername()[0])
        if not is_public(peer):
            found.close()
            raise RefusedAddressError(f"it leads to {peer}, which is not on the public internet")
        return found


class _GuardedHTTP(_Guard, HTTPConnection):
    pass


class _GuardedHTTPS(_Guard, HTTPSConnection):
    pass


class _GuardedHTTPPool(HTTPConnectionPool):
    ConnectionCls = _GuardedHTTP


class _GuardedHTTPSPool(HTTPSConnectionPool):
    ConnectionCls = _GuardedHTTPS


class _PublicOnly(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _GuardedHTTPPool, "https": _GuardedHTTPSPool}


def post(url: str, body: bytes, headers: dict[str, str], *, private_allowed: bool) -> Reply:
    """Send the body once. Redirects are answers, not followed; proxies and .netrc of the machine are not used.

    Raises RefusedAddressError or UnreachableError.
    """
    check_url(url)
    with requests.Session() as session:
        session.trust_env = False
        if not private_allowed:
            session.mount("http://", _PublicOnly())
            session.mount("https://", _PublicOnly())
        try:
            return _posted(session, url, body, headers)
        except SoftTimeLimitExceeded as error:
            raise UnreachableError("the answer took longer than a whole run may") from error
        except (requests.RequestException, OSError) as error:
            # Their words repeat the address, which may hold a token.
            raise UnreachableError(f"no answer ({type(error).__name__})") from error


def _posted(session: requests.Session, url: str, body: bytes, headers: dict[str, str]) -> Reply:
    plain = {"Content-Type": "application/json", "User-Agent": "AlphaPulse", "Accept-Encoding": "identity"}
    timeout = (CONNECT_SECONDS, READ_SECONDS)
    with session.post(
        url, data=body, headers=plain | headers, timeout=timeout, allow_redirects=False, stream=True
    ) as answer:
        beginning = answer.raw.read(MOST_BYTES, decode_content=False)
        return Reply(answer.status_code, {name.lower(): value for name, value in answer.headers.items()}, beginning)


def check_url(url: str) -> None:
    """Raise RefusedAddressError unless it is a plain http or https address."""
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise RefusedAddressError("it is no http or https address")
