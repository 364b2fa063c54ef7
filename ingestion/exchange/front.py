"""What every REST request passes before it is answered: the log, the wait of the wire, the limits, the bad days."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import format_datetime

from aiohttp import web

from ingestion.exchange import errors, futures, rest
from ingestion.exchange.answers import NOT_FOUND, answer, page, refusal
from ingestion.exchange.limits import Limits, Verdict
from ingestion.exchange.log import Logged
from ingestion.exchange.misbehaviour import misbehave
from ingestion.exchange.state import Exchange, exchange_of

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
SPOT, FUTURES, FUTURES_DATA = "/api/", "/fapi/", "/futures/"
WEIGHTS = {**rest.WEIGHTS, **futures.WEIGHTS}
USED_WEIGHT = "X-MBX-USED-WEIGHT"


@web.middleware
async def front(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Websockets go straight through: they have limits of their own."""
    if not request.path.startswith((SPOT, FUTURES, FUTURES_DATA)):
        return await _found(request, handler)
    exchange = exchange_of(request)
    limits = exchange.limits if request.path.startswith(SPOT) else exchange.futures_limits
    weight = WEIGHTS[request.path](request.query) if request.path in WEIGHTS else 0
    verdict = limits.charge(request.remote or "", weight)
    line = Logged(
        time.time(), request.remote or "", request.path, dict(request.query), weight, status=0, defied=verdict.defied
    )
    exchange.log.add(line)
    if exchange.latency:
        await asyncio.sleep(exchange.latency)
    response = await _answered(exchange, limits, verdict, request, handler)
    _count(response, request, verdict)
    line.status = 0 if request.transport is None or request.transport.is_closing() else response.status
    return response


async def _answered(
    exchange: Exchange, limits: Limits, verdict: Verdict, request: web.Request, handler: Handler
) -> web.StreamResponse:
    if verdict.status != 200:
        return refusal(verdict, limits)
    return await misbehave(exchange, limits, request, lambda: _found(request, handler))


async def _found(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except errors.ExchangeRefusal as error:
        return answer(error.body, status=error.status)
    except (web.HTTPNotFound, web.HTTPMethodNotAllowed):
        return page(NOT_FOUND, status=404)


def _count(response: web.StreamResponse, request: web.Request, verdict: Verdict) -> None:
    if not request.path.startswith(FUTURES_DATA):
        response.headers[f"{USED_WEIGHT}-1M"] = str(verdict.used)
    if request.path.startswith(SPOT):
        response.headers[USED_WEIGHT] = str(verdict.used)


async def stamp(request: web.Request, response: web.StreamResponse) -> None:
    """The date of an answer is that of the market."""
    moment = datetime.fromtimestamp(exchange_of(request).clock.now_ms() / 1000, UTC)
    response.headers["Date"] = format_datetime(moment, usegmt=True)


def add_to(app: web.Application) -> None:
    app.middlewares.append(front)
    app.on_response_prepare.append(stamp)
