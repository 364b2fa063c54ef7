"""The bad days of REST: each kind of fault answers in place of the exchange, or spoils its answer."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from ingestion.exchange.answers import answer, page, refusal
from ingestion.exchange.faults import Fault
from ingestion.exchange.limits import Limits
from ingestion.exchange.state import Exchange

PAGE = (
    "<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n</body>\r\n"
    "</html>\r\n"
)
MAINTENANCE = {"code": 1, "msg": "System is under maintenance."}
RESTRICTED = {
    "code": 0,
    "msg": "Service unavailable from a restricted location according to 'b. Eligibility' in"
    " https://www.binance.com/en/terms. Please contact customer service if you believe you received this message in"
    " error.",
}
SERVER_ERROR = {"code": -1000, "msg": "An unknown error occurred while processing the request."}
DEFAULT_WAIT_SECONDS, NAP_SECONDS = 60, 0.02

Answering = Callable[[], Awaitable[web.StreamResponse]]


@dataclass(frozen=True)
class Visit:
    """One request that meets a fault; `honestly` gives the answer that it would have got."""

    fault: Fault
    limits: Limits
    request: web.Request
    honestly: Answering

    @property
    def ip(self) -> str:
        return self.request.remote or ""

    def parameter(self, name: str, default: Any = None) -> Any:
        return self.fault.parameters.get(name, default)


async def misbehave(
    exchange: Exchange, limits: Limits, request: web.Request, honestly: Answering
) -> web.StreamResponse:
    """The answer, spoilt by the first fault that is in force for this path and symbol."""
    symbol = request.query.get("symbol", "")
    for kind, spoil in KINDS.items():
        fault = exchange.faults.first(kind, path=request.path, symbol=symbol)
        if fault is not None:
            return await spoil(Visit(fault, limits, request, honestly))
    return await honestly()


async def _too_many(visit: Visit) -> web.StreamResponse:
    seconds = float(visit.parameter("seconds", DEFAULT_WAIT_SECONDS))
    return refusal(visit.limits.tell(visit.ip, seconds), visit.limits)


async def _ban(visit: Visit) -> web.StreamResponse:
    return refusal(visit.limits.ban(visit.ip, visit.parameter("seconds")), visit.limits)


async def _firewall(visit: Visit) -> web.StreamResponse:
    return page(PAGE.format(title="403 Forbidden"), status=403)


async def _restricted(visit: Visit) -> web.StreamResponse:
    return answer(RESTRICTED, status=451)


async def _server_error(visit: Visit) -> web.StreamResponse:
    return answer(visit.parameter("body", SERVER_ERROR), status=int(visit.parameter("status", 500)))


async def _maintenance(visit: Visit) -> web.StreamResponse:
    return answer(MAINTENANCE, status=503)


async def _web_page(visit: Visit) -> web.StreamResponse:
    status = int(visit.parameter("status", 200))
    return page(PAGE.format(title="502 Bad Gateway" if status == 200 else status), status=status)


async def _silence(visit: Visit) -> web.StreamResponse:
    """No answer, until the client has had enough."""
    while visit.request.transport is not None and not visit.request.transport.is_closing():
        await asyncio.sleep(NAP_SECONDS)
    return web.Response(status=504)


async def _hang_up(visit: Visit) -> web.StreamResponse:
    """As if nobody were there: the connection is reset."""
    if visit.request.transport is not None:
        visit.request.transport.abort()
    return web.Response(status=504)


async def _slowness(visit: Visit) -> web.StreamResponse:
    await asyncio.sleep(float(visit.parameter("seconds", 1.0)))
    return await visit.honestly()


async def _cut_short(visit: Visit) -> web.StreamResponse:
    """Half of the JSON; the length says that this is all."""
    whole = await visit.honestly()
    body = whole.body if isinstance(whole, web.Response) and isinstance(whole.body, bytes) else b"{}"
    return web.Response(body=body[: len(body) // 2], status=whole.status, content_type="application/json")


KINDS: dict[str, Callable[[Visit], Awaitable[web.StreamResponse]]] = {
    "refuse": _hang_up,
    "timeout": _silence,
    "418": _ban,
    "429": _too_many,
    "403": _firewall,
    "451": _restricted,
    "maintenance": _maintenance,
    "5xx": _server_error,
    "html": _web_page,
    "malformed": _cut_short,
    "slow": _slowness,
}
