"""Statistics of the futures exchange, /futures/data/: of thirty days, on a grid of periods; drawn as in `readings`."""

from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from ingestion.exchange import errors, readings
from ingestion.exchange.answers import answer, refusal
from ingestion.exchange.contracts import contracts, index_price, open_coins
from ingestion.exchange.intervals import DAY_MS, INTERVALS
from ingestion.exchange.parameters import Query
from ingestion.exchange.state import Exchange, exchange_of

PERIODS = ("5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d")
KEPT_MS = 30 * DAY_MS
# Requests of one address in five minutes, which stand in place of weights here.
RATE_SECONDS, STATISTICS_RATE = 300, 1000

Row = dict[str, Any]
RowOf = Callable[[Exchange, str, int, int], Row]


@dataclass
class Rates:
    """Requests of the last five minutes by address and what they share a limit for."""

    made: dict[tuple[str, str], deque[float]] = field(default_factory=lambda: defaultdict(deque))

    def wait(self, ip: str, shared: str, most: int) -> float:
        """Count one request; seconds to wait if it is one too many, else 0."""
        now, made = monotonic(), self.made[ip, shared]
        while made and made[0] <= now - RATE_SECONDS:
            made.popleft()
        if len(made) >= most:
            return made[0] + RATE_SECONDS - now
        made.append(now)
        return 0.0


RATES: web.AppKey[Rates] = web.AppKey("rates", Rates)


def limited(shared: str, most: int, handler: Handler) -> Handler:
    """The handler behind a limit of requests, which those of one name share."""

    async def counted(request: web.Request) -> web.StreamResponse:
        seconds = request.app[RATES].wait(request.remote or "", shared, most)
        if seconds:
            limits = exchange_of(request).futures_limits
            return refusal(limits.tell(request.remote or "", seconds), limits)
        return await handler(request)

    return counted


def _statistic(row_of: RowOf, *, needs_whole_period: bool = False) -> Handler:
    """Rows on the grid of a period, of the last 30 days. With too many to send it is the latest that are sent."""

    async def handler(request: web.Request) -> web.StreamResponse:
        exchange, query = exchange_of(request), Query(request.query)
        symbol, period = query.symbol(), query.mandatory("period")
        now_ms = exchange.clock.now_ms()
        start_ms, end_ms, limit = _asked(query, period, now_ms)
        step = INTERVALS[period].ms
        newest = now_ms - step if needs_whole_period else now_ms
        last = min(newest if end_ms is None else end_ms, newest) // step * step
        since = max(now_ms - KEPT_MS, 0 if start_ms is None else start_ms, last - (limit - 1) * step)
        stamps = range(-(-since // step) * step, last + 1, step)
        is_known = symbol in contracts(exchange, now_ms)
        return answer([row_of(exchange, symbol, stamp, step) for stamp in stamps] if is_known else [])

    return handler


def _asked(query: Query, period: str, now_ms: int) -> tuple[int | None, int | None, int]:
    """Start, end and limit; these endpoints word their refusals in their own way."""
    start_ms, end_ms, limit = query.number("startTime"), query.number("endTime"), query.number("limit", 30)
    faults = {
        "period": period not in PERIODS,
        "limit": limit is None or not 1 <= limit <= 500,
        "startTime": start_ms is not None and start_ms < now_ms - KEPT_MS,
        "endTime": end_ms is not None and (end_ms < now_ms - KEPT_MS or end_ms < (start_ms or 0)),
    }
    for name, is_at_fault in faults.items():
        if is_at_fault:
            raise errors.ExchangeRefusal(-1130, f"parameter '{name}' is invalid.")
    return start_ms, end_ms, limit or 0


def _interest_row(exchange: Exchange, symbol: str, stamp: int, step: int) -> Row:
    coins = open_coins(exchange, symbol, stamp)
    return {
        "symbol": symbol,
        "sumOpenInterest": f"{coins:.8f}",
        "sumOpenInterestValue": f"{coins * index_price(exchange, symbol, stamp):.8f}",
        "CMCCirculatingSupply": f"{coins * 250:.8f}",
        "timestamp": stamp,
    }


def _accounts_row(exchange: Exchange, symbol: str, stamp: int, step: int) -> Row:
    share = round(readings.long_share(symbol, stamp), 4)
    return {
        "symbol": symbol,
        "longAccount": f"{share:.4f}",
        "longShortRatio": f"{share / (1 - share):.4f}",
        "shortAccount": f"{1 - share:.4f}",
        "timestamp": stamp,
    }


def _takers_row(exchange: Exchange, symbol: str, stamp: int, step: int) -> Row:
    coins = readings.turnover(symbol, stamp, step) / index_price(exchange, symbol, stamp)
    bought = coins * readings.buyers_share(symbol, stamp)
    return {
        "buySellRatio": f"{bought / (coins - bought):.4f}",
        "sellVol": f"{coins - bought:.4f}",
        "buyVol": f"{bought:.4f}",
        "timestamp": stamp,
    }


def add_to(app: web.Application) -> None:
    """Routes of this module, and the count of requests that others share."""
    app[RATES] = Rates()
    rows = {
        "openInterestHist": _statistic(_interest_row),
        "globalLongShortAccountRatio": _statistic(_accounts_row),
        "takerlongshortRatio": _statistic(_takers_row, needs_whole_period=True),
    }
    for name, handler in rows.items():
        app.router.add_get(f"/futures/data/{name}", limited("statistics", STATISTICS_RATE, handler))
