"""The endpoint that makes the exchange misbehave and tells what it was asked; on a port of its own, on loopback."""

import asyncio
import time
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ingestion.exchange.audience import GOING_AWAY
from ingestion.exchange.frames import shutdown_event
from ingestion.exchange.orders import BadOrderError, ClockOrder, clock_order, farewell_of, fault_of, given
from ingestion.exchange.state import Exchange, exchange_of


def add_to(app: web.Application) -> None:
    """Routes of this module."""
    app.middlewares.append(_explain)
    app.router.add_get("/faults", get_faults)
    app.router.add_post("/faults", add_fault)
    app.router.add_delete("/faults", clear_faults)
    app.router.add_get("/requests", get_requests)
    app.router.add_delete("/requests", forget_requests)
    app.router.add_get("/state", get_state)
    app.router.add_post("/clock", set_clock)
    app.router.add_post("/disconnect", disconnect)
    app.router.add_post("/shutdown_event", announce_shutdown)


@web.middleware
async def _explain(request: web.Request, handler: Handler) -> web.StreamResponse:
    """An order that cannot be carried out is answered with the reason."""
    try:
        return await handler(request)
    except BadOrderError as error:
        return web.json_response({"error": str(error)}, status=400)
    except web.HTTPException as error:
        return web.json_response({"error": error.reason}, status=error.status)


# --- faults -----------------------------------------------------------------------------------------------------------


async def get_faults(request: web.Request) -> web.Response:
    return web.json_response(_faults(exchange_of(request)))


async def add_fault(request: web.Request) -> web.Response:
    """One more fault; the answer lists all that are in force."""
    exchange = exchange_of(request)
    exchange.faults.add(fault_of(given(await request.text()), exchange.market.symbols(exchange.clock.now_ms())))
    return web.json_response(_faults(exchange), status=201)


async def clear_faults(request: web.Request) -> web.Response:
    """End all faults, or with ?kind= those of one kind."""
    exchange_of(request).faults.clear(request.query.get("kind"))
    return web.json_response(_faults(exchange_of(request)))


def _faults(exchange: Exchange) -> list[dict[str, Any]]:
    now = time.time()
    return [
        {
            "kind": fault.kind,
            "symbols": sorted(fault.symbols),
            "paths": sorted(fault.paths),
            "seconds": None if fault.until is None else round(fault.until - now, 3),
            "count": fault.count,
            "parameters": fault.parameters,
        }
        for fault in exchange.faults.active()
    ]


# --- what it was asked ------------------------------------------------------------------------------------------------


async def get_requests(request: web.Request) -> web.Response:
    """Figures of the log, with ?path= those of one path, and with ?lines=N its last lines."""
    log = exchange_of(request).log
    path, last = request.query.get("path", ""), request.query.get("lines", "0")
    if not last.isdecimal():
        raise BadOrderError(f"lines is {last!r} and should be a whole number")
    lines = log.lines(path)
    figures = {
        "requests": len(lines),
        "weight": sum(line.weight for line in lines),
        "during_ban": sum(line.defied == 418 for line in lines),
        "while_told_to_wait": sum(line.defied == 429 for line in lines),
        "paths": Counter(line.path for line in lines),
        "statuses": Counter(str(line.status) for line in lines),
    }
    return web.json_response(figures | {"lines": [asdict(line) for line in lines[-int(last) :]] if int(last) else []})


async def forget_requests(request: web.Request) -> web.Response:
    """Start counting afresh."""
    exchange_of(request).log.clear()
    return web.json_response({})


# --- the exchange -----------------------------------------------------------------------------------------------------


async def get_state(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    now_ms = exchange.clock.now_ms()
    connections = exchange.audience.connections
    return web.json_response(
        {
            "clock": _clock(exchange),
            "symbols": exchange.market.symbols(now_ms),
            "connections": [
                {"ip": each.ip, "streams": len(each.heard), "combined": each.subscriptions.combined}
                for each in connections
            ],
            "faults": _faults(exchange),
            "requests": len(exchange.log.lines()),
        }
    )


async def set_clock(request: web.Request) -> web.Response:
    """Set, speed up, freeze or thaw the exchange's clock; the answer says how it runs now."""
    exchange = exchange_of(request)
    _turn(exchange, clock_order(given(await request.text())))
    return web.json_response(_clock(exchange))


def _turn(exchange: Exchange, order: ClockOrder) -> None:
    clock = exchange.clock
    if order.freeze:
        clock.freeze()
    if order.set_ms is not None:
        clock.set(order.set_ms)
    if order.speed is not None:
        clock.set_speed(order.speed)
    if order.thaw:
        clock.thaw()


def _clock(exchange: Exchange) -> dict[str, Any]:
    clock = exchange.clock
    now_ms = clock.now_ms()
    shows = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds")
    return {"ms": now_ms, "utc": shows, "speed": clock.speed, "frozen": clock.is_frozen, "end_ms": clock.end_ms}


async def disconnect(request: web.Request) -> web.Response:
    """Close all websockets with `code`, or cut them off without a word if `abort`."""
    exchange, order = exchange_of(request), farewell_of(given(await request.text()))
    if order.abort:
        return web.json_response({"closed": exchange.audience.abort_all()})
    return web.json_response({"closed": exchange.audience.close_all(order.code, order.reason)})


async def announce_shutdown(request: web.Request) -> web.Response:
    """Tell every websocket that the server is about to go, and close them `after` so many seconds."""
    exchange, order = exchange_of(request), farewell_of(given(await request.text()))
    told = exchange.audience.announce("!serverShutdown", shutdown_event(exchange.clock.now_ms()))
    asyncio.get_running_loop().call_later(order.after, exchange.audience.close_some, told, GOING_AWAY)
    return web.json_response({"told": len(told)})
