"""Spot REST, /api/v3/: what Binance documents for market data, from the candles of the market."""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from ingestion.exchange import errors, tickers
from ingestion.exchange.answers import answer, klines_text
from ingestion.exchange.info import PERMISSIONS, figure, information
from ingestion.exchange.intervals import DAY_MS, INTERVALS
from ingestion.exchange.parameters import Query
from ingestion.exchange.series import CLOSE
from ingestion.exchange.state import Exchange, exchange_of

Weight = Callable[[Mapping[str, str]], int]
DEFAULT_ROWS, MOST_ROWS = 500, 1000
TICKER_TYPES = {"FULL": tickers.full, "MINI": tickers.mini}
MINUTES_A_DAY = 1440


async def ping(request: web.Request) -> web.Response:
    Query(request.query).finish()
    return answer({})


async def server_time(request: web.Request) -> web.Response:
    Query(request.query).finish()
    return answer({"serverTime": exchange_of(request).clock.now_ms()})


async def exchange_info(request: web.Request) -> web.Response:
    exchange, query = exchange_of(request), Query(request.query)
    symbols, status = query.symbols(), query.status()
    permissions = query.names("permissions")
    with_sets = query.flag("showPermissionSets", default=True)
    query.finish()
    if symbols is not None and (status is not None or permissions is not None):
        raise errors.bad_combination()
    now_ms = exchange.clock.now_ms()
    chosen = _listed(exchange, symbols, None, now_ms)
    is_open = permissions is None or not set(permissions).isdisjoint(PERMISSIONS)
    listings = [exchange.market.listing(symbol) for symbol in chosen if is_open]
    listings = [listing for listing in listings if status in (None, listing.status)]
    return answer(information(listings, now_ms=now_ms, weight_limit=exchange.limits.weight, with_permissions=with_sets))


async def klines(request: web.Request) -> web.Response:
    """Candles, the running one last. Of the intervals 1s is refused: the market holds minutes."""
    exchange, query = exchange_of(request), Query(request.query)
    symbol, interval = query.symbol(), query.mandatory("interval")
    start_ms, end_ms = query.number("startTime"), query.number("endTime")
    limit, zone_ms = query.limit(default=DEFAULT_ROWS, most=MOST_ROWS), query.zone_ms()
    query.finish()
    now_ms = exchange.clock.now_ms()
    if interval not in INTERVALS:
        raise errors.invalid_interval()
    if not exchange.market.is_listed(symbol, now_ms):
        raise errors.invalid_symbol()
    if (cut := exchange.faults.first("short", path=request.path, symbol=symbol)) is not None:
        limit = min(limit, int(cut.parameters.get("rows", 1)))
    bars = exchange.market.klines(
        symbol, interval, start_ms=start_ms, end_ms=end_ms, limit=limit, now_ms=now_ms, zone_ms=zone_ms
    )
    return answer(klines_text(bars))


async def ticker_price(request: web.Request) -> web.Response:
    exchange, query = exchange_of(request), Query(request.query)
    symbols, status = query.symbols(), query.status()
    query.finish()
    now_ms = exchange.clock.now_ms()
    prices = [_price(exchange, symbol, now_ms) for symbol in _listed(exchange, symbols, status, now_ms)]
    return answer(_one_or_all(request, prices))


async def ticker_24hr(request: web.Request) -> web.Response:
    exchange, query = exchange_of(request), Query(request.query)
    symbols, status, kind = query.symbols(), query.status(), query.text("type") or "FULL"
    query.finish()
    if kind not in TICKER_TYPES:
        raise errors.invalid_ticker_type()
    now_ms = exchange.clock.now_ms()
    told = []
    for symbol in _listed(exchange, symbols, status, now_ms):
        told.append(TICKER_TYPES[kind](_day(exchange, symbol, now_ms)))
        # Hundreds of symbols take a good part of a second, and the streams have to go on meanwhile.
        await asyncio.sleep(0)
    return answer(_one_or_all(request, told))


def _listed(exchange: Exchange, symbols: list[str] | None, status: str | None, now_ms: int) -> list[str]:
    """The symbols asked for, or all; one that is asked for by name has to be there, and be in the status asked for."""
    known = exchange.market.symbols(now_ms)
    if symbols is not None and not set(symbols) <= set(known):
        raise errors.invalid_symbol()
    asked = known if symbols is None else symbols
    chosen = [symbol for symbol in asked if status in (None, exchange.market.listing(symbol).status)]
    if symbols is not None and len(symbols) == 1 and not chosen:
        raise errors.other_status()
    return chosen


def _one_or_all(request: web.Request, found: list[dict[str, Any]]) -> Any:
    return found[0] if "symbol" in request.query else found


def _price(exchange: Exchange, symbol: str, now_ms: int) -> dict[str, str]:
    last = exchange.market.klines(symbol, limit=1, now_ms=now_ms)
    return {"symbol": symbol, "price": figure(float(last.figures[-1, CLOSE]) if len(last) else 0.0)}


def _day(exchange: Exchange, symbol: str, now_ms: int) -> tickers.Day:
    since_ms = now_ms - DAY_MS
    before = exchange.market.klines(symbol, end_ms=since_ms, limit=1, now_ms=now_ms)
    return tickers.Day(
        symbol=symbol,
        now_ms=now_ms,
        minutes=exchange.market.klines(symbol, start_ms=since_ms + 1, limit=MINUTES_A_DAY, now_ms=now_ms),
        close_before=float(before.figures[-1, CLOSE]) if len(before) else None,
    )


# --- request weight ---------------------------------------------------------------------------------------------------


def always(weight: int) -> Weight:
    return lambda query: weight


def _weight_of_price(query: Mapping[str, str]) -> int:
    return 2 if "symbol" in query else 4


def _weight_of_24hr(query: Mapping[str, str]) -> int:
    if "symbol" in query:
        return 2
    count = _count(query.get("symbols", ""))
    return 80 if count == 0 or count > 100 else 40 if count > 20 else 2


def _count(symbols: str) -> int:
    try:
        found = json.loads(symbols)
    except ValueError:
        return 0
    return len(found) if isinstance(found, list) else 0


HANDLERS = {
    "/api/v3/ping": (ping, always(1)),
    "/api/v3/time": (server_time, always(1)),
    "/api/v3/exchangeInfo": (exchange_info, always(20)),
    "/api/v3/klines": (klines, always(2)),
    "/api/v3/uiKlines": (klines, always(2)),
    "/api/v3/ticker/price": (ticker_price, _weight_of_price),
    "/api/v3/ticker/24hr": (ticker_24hr, _weight_of_24hr),
}
# As documented in 2025.
WEIGHTS: dict[str, Weight] = {path: weight for path, (_, weight) in HANDLERS.items()}


def add_to(app: web.Application) -> None:
    """Routes of this module."""
    for path, (handler, _) in HANDLERS.items():
        app.router.add_get(path, handler)
