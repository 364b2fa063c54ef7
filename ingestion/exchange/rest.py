"""Spot REST, /api/v3/."""

from collections.abc import Callable, Mapping

from aiohttp import web

from ingestion.exchange.state import exchange_of

Weight = Callable[[Mapping[str, str]], int]


async def ping(request: web.Request) -> web.Response:
    return web.json_response({})


async def server_time(request: web.Request) -> web.Response:
    return web.json_response({"serverTime": exchange_of(request).clock.now_ms()})


# Request weight by path, as the documentation gives it today; what is not named here weighs 1.
WEIGHTS: dict[str, Weight] = {}


def add_to(app: web.Application) -> None:
    """Routes of this module."""
    app.router.add_get("/api/v3/ping", ping)
    app.router.add_get("/api/v3/time", server_time)
