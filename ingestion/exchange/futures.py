"""Futures REST, /fapi/v1/: the public endpoints that the feeds come from.

Their readings are a stand-in (see `readings`); parameters, limits and errors are those of the exchange.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from aiohttp import web

from ingestion.exchange import errors, futures_statistics, readings
from ingestion.exchange.answers import answer
from ingestion.exchange.contracts import ONBOARD_MS, contracts, index_price, information, mark_price
from ingestion.exchange.futures_statistics import limited
from ingestion.exchange.intervals import DAY_MS, HOUR_MS, INTERVALS, Interval
from ingestion.exchange.parameters import Query
from ingestion.exchange.state import Exchange, exchange_of

FUNDING_MS = 8 * HOUR_MS
LONGEST_MONTH_MS = 31 * DAY_MS
# Requests of one address in five minutes.
FUNDING_RATE = 500
# Parts of a candle at which its premium is looked at.
LOOKS = 10

Row = dict[str, Any]


# --- the exchange and its prices --------------------------------------------------------------------------------------


async def ping(request: web.Request) -> web.Response:
    return answer({})


async def server_time(request: web.Request) -> web.Response:
    return answer({"serverTime": exchange_of(request).clock.now_ms()})


async def exchange_info(request: web.Request) -> web.Response:
    exchange = exchange_of(request)
    now_ms = exchange.clock.now_ms()
    listings = [exchange.market.listing(symbol) for symbol in contracts(exchange, now_ms)]
    return answer(information(listings, now_ms=now_ms, weight_limit=exchange.futures_limits.weight))


async def premium_index(request: web.Request) -> web.Response:
    """Prices and the next funding of one contract, or of all."""
    exchange, query = exchange_of(request), Query(request.query)
    now_ms = exchange.clock.now_ms()
    if query.has("symbol"):
        return answer(_prices(exchange, _contract(exchange, query, now_ms), now_ms))
    return answer([_prices(exchange, symbol, now_ms) for symbol in contracts(exchange, now_ms)])


def _prices(exchange: Exchange, symbol: str, now_ms: int) -> Row:
    mark, index = mark_price(exchange, symbol, now_ms), index_price(exchange, symbol, now_ms)
    return {
        "symbol": symbol,
        "markPrice": f"{mark:.8f}",
        "indexPrice": f"{index:.8f}",
        "estimatedSettlePrice": f"{index:.8f}",
        "lastFundingRate": f"{readings.funding_rate(symbol, now_ms):.8f}",
        "interestRate": f"{readings.INTEREST_RATE:.8f}",
        "nextFundingTime": (now_ms // FUNDING_MS + 1) * FUNDING_MS,
        "time": now_ms,
    }


def _contract(exchange: Exchange, query: Query, now_ms: int) -> str:
    symbol = query.symbol()
    if symbol not in contracts(exchange, now_ms):
        raise errors.invalid_symbol()
    return symbol


def _ends(query: Query) -> tuple[int | None, int | None]:
    start_ms, end_ms = query.number("startTime"), query.number("endTime")
    if start_ms is not None and end_ms is not None and start_ms > end_ms:
        raise errors.ExchangeRefusal(-1023, "Start time is greater than end time.")
    return start_ms, end_ms


# --- premium index ----------------------------------------------------------------------------------------------------


async def premium_klines(request: web.Request) -> web.Response:
    """Candles of the premium index, the running one last: the first `limit` from a start, else the last."""
    exchange, query = exchange_of(request), Query(request.query)
    now_ms = exchange.clock.now_ms()
    symbol, interval = _contract(exchange, query, now_ms), query.mandatory("interval")
    if interval not in INTERVALS:
        raise errors.invalid_interval()
    (start_ms, end_ms), limit = _ends(query), query.number("limit", 500)
    if limit is None or not 1 <= limit <= 1500:
        raise errors.invalid_value("limit")
    opens = _opens(INTERVALS[interval], start_ms, min(end_ms or now_ms, now_ms), limit)
    closes = INTERVALS[interval].closes(np.array(opens, np.int64)).tolist()
    return answer([_premium_row(symbol, *times, now_ms) for times in zip(opens, closes, strict=True)])


def _opens(interval: Interval, start_ms: int | None, end_ms: int, limit: int) -> list[int]:
    step, longest = interval.ms or DAY_MS, interval.ms or LONGEST_MONTH_MS
    first = max(ONBOARD_MS, end_ms - limit * longest if start_ms is None else start_ms)
    last = end_ms if start_ms is None else min(end_ms, first + limit * longest)
    opens = np.unique(interval.opens(np.append(np.arange(first, last, step), last)))
    opens = opens[(opens >= first) & (opens <= last)]
    chosen: list[int] = (opens[-limit:] if start_ms is None else opens[:limit]).tolist()
    return chosen


def _premium_row(symbol: str, open_ms: int, close_ms: int, now_ms: int) -> list[Any]:
    until_ms = min(close_ms + 1, now_ms)
    looks = [readings.premium(symbol, open_ms + (until_ms - open_ms) * part // LOOKS) for part in range(LOOKS + 1)]
    prices = [f"{value:.8f}" for value in (looks[0], max(looks), min(looks), looks[-1])]
    # The index is computed every five seconds, which is what the row counts.
    count = (until_ms - open_ms) // 5000
    return [open_ms, *prices, "0", close_ms, "0", count, "0", "0", "0"]


# --- funding ----------------------------------------------------------------------------------------------------------


async def funding_rates(request: web.Request) -> web.Response:
    """Payments in order of time, of one contract or of all: the first `limit` from a start, else the last."""
    exchange, query = exchange_of(request), Query(request.query)
    now_ms = exchange.clock.now_ms()
    (start_ms, end_ms), limit = _ends(query), query.limit(default=100, most=1000)
    asked, known = query.symbol() if query.has("symbol") else None, contracts(exchange, now_ms)
    paid = _payments(start_ms, min(end_ms or now_ms, now_ms), limit)
    # Unlike the klines, this endpoint does not mind a symbol that it does not know.
    rows = [_payment(exchange, symbol, stamp) for stamp in paid for symbol in known if asked in (None, symbol)]
    return answer(rows[-limit:] if start_ms is None else rows[:limit])


def _payments(start_ms: int | None, end_ms: int, limit: int) -> list[int]:
    last = end_ms // FUNDING_MS * FUNDING_MS
    first = max(ONBOARD_MS, last - limit * FUNDING_MS if start_ms is None else start_ms // FUNDING_MS * FUNDING_MS)
    if start_ms is not None:
        last = min(last, first + limit * FUNDING_MS)
    paid = range(-(-first // FUNDING_MS) * FUNDING_MS, last + 1, FUNDING_MS)
    stamps = map(readings.funding_stamp, paid)
    return [stamp for stamp in stamps if (start_ms or 0) <= stamp <= end_ms]


def _payment(exchange: Exchange, symbol: str, stamp: int) -> Row:
    return {
        "symbol": symbol,
        "fundingTime": stamp,
        "fundingRate": f"{readings.funding_rate(symbol, stamp):.8f}",
        "markPrice": f"{mark_price(exchange, symbol, stamp):.8f}",
    }


# --- routes -----------------------------------------------------------------------------------------------------------


def _weight_of_klines(query: Mapping[str, str]) -> int:
    limit = query.get("limit", "500")
    rows = int(limit) if limit.isdecimal() and len(limit) < 10 else 500
    return 1 if rows < 100 else 2 if rows < 500 else 5 if rows <= 1000 else 10


WEIGHTS: dict[str, Callable[[Mapping[str, str]], int]] = {
    "/fapi/v1/ping": lambda query: 1,
    "/fapi/v1/time": lambda query: 1,
    "/fapi/v1/exchangeInfo": lambda query: 1,
    "/fapi/v1/premiumIndex": lambda query: 1 if "symbol" in query else 10,
    "/fapi/v1/premiumIndexKlines": _weight_of_klines,
    # Counted by the number of requests instead.
    "/fapi/v1/fundingRate": lambda query: 0,
}


def add_to(app: web.Application) -> None:
    """Routes of this module."""
    app.router.add_get("/fapi/v1/ping", ping)
    app.router.add_get("/fapi/v1/time", server_time)
    app.router.add_get("/fapi/v1/exchangeInfo", exchange_info)
    app.router.add_get("/fapi/v1/premiumIndex", premium_index)
    app.router.add_get("/fapi/v1/premiumIndexKlines", premium_klines)
    app.router.add_get("/fapi/v1/fundingRate", limited("funding", FUNDING_RATE, funding_rates))
    futures_statistics.add_to(app)
