"""A futures exchange at the wire: an HTTP server on loopback that answers as Binance documents it, or as told."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ingestion.candles import to_datetime, to_ms
from ingestion.feeds import DAY_MS, FIVE_MINUTES_MS, HOUR_MS
from ingestion.timeframes import MINUTE_MS

NOON = datetime(2025, 3, 10, 12, 1, tzinfo=UTC)
NOON_MS = to_ms(NOON.replace(minute=0))

PREMIUM, FUNDING = "/fapi/v1/premiumIndexKlines", "/fapi/v1/fundingRate"
INTEREST, RATIO = "/futures/data/openInterestHist", "/futures/data/globalLongShortAccountRatio"
TAKER, FNG = "/futures/data/takerlongshortRatio", "/fng/"
PATHS = (PREMIUM, FUNDING, INTEREST, RATIO, TAKER)

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Clock:
    """The wall clock of a test, which stands still until it is moved."""

    now: datetime = NOON

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Exchange:
    """What the exchange has, by path and symbol, then stamp; every request it got; and answers that go first."""

    clock: Clock
    url: str = ""
    rows: dict[tuple[str, str], dict[int, Any]] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    instead: Callable[[str, dict[str, str]], Answer | None] = lambda path, query: None
    date: str | None = None
    counts_start_in: bool = True

    def answer(self, path: str, query: dict[str, str]) -> Answer:
        self.requests.append((path, query))
        told = self.instead(path, query)
        if told is not None:
            return told
        if path == FNG:
            return self._index(int(query["limit"]))
        if (path, query["symbol"]) not in self.rows:
            # As on Binance, not every endpoint says that it does not know a symbol.
            return as_json({"code": -1121, "msg": "Invalid symbol."}, 400) if path == PREMIUM else as_json([])
        return as_json(self._asked(path, query))

    def _asked(self, path: str, query: dict[str, str]) -> list[Any]:
        known, until = self.rows[path, query["symbol"]], to_ms(self.clock())
        start, end, limit = (int(query[name]) for name in ("startTime", "endTime", "limit"))
        start += not self.counts_start_in
        found = [known[stamp] for stamp in sorted(known) if start <= stamp <= min(end, until)]
        return found[:limit]

    def _index(self, limit: int) -> Answer:
        known = self.rows.get((FNG, ""), {})
        newest = [known[stamp] for stamp in sorted(known, reverse=True) if stamp <= to_ms(self.clock())][:limit]
        return as_json({"name": "Fear and Greed Index", "data": newest, "metadata": {"error": None}})

    def asked(self, path: str) -> list[dict[str, str]]:
        return [query for got, query in self.requests if got == path]

    def trade(self, symbol: str, since_ms: int, until_ms: int, *, every_hours: int = 8) -> None:
        """Rows of all feeds whose stamps lie in [since, until)."""
        grid = range(since_ms // FIVE_MINUTES_MS * FIVE_MINUTES_MS, until_ms, FIVE_MINUTES_MS)
        for path, row in ROWS.items():
            self.rows.setdefault((path, symbol), {}).update({stamp: row(stamp, symbol) for stamp in grid})
        step = every_hours * HOUR_MS
        paid = range(-(-since_ms // step) * step, until_ms, step)
        self.rows.setdefault((FUNDING, symbol), {}).update({each + 3: funding(each + 3, symbol) for each in paid})

    def lose(self, path: str, symbol: str, stamp: int) -> Any:
        return self.rows[path, symbol].pop(stamp)


def number_of(stamp: int) -> int:
    """A figure from 1 to 97 that tells moments apart."""
    return stamp // MINUTE_MS % 97 + 1


def funding(stamp: int, symbol: str) -> dict[str, Any]:
    rate = f"0.000{number_of(stamp):02d}"
    return {"symbol": symbol, "fundingRate": rate, "fundingTime": stamp, "markPrice": "34287.54619963"}


def premium(stamp: int, symbol: str) -> list[Any]:
    close = f"0.000{number_of(stamp):02d}000"
    prices = ["-0.00003000", "0.00090000", "-0.00090000", close]
    return [stamp, *prices, "0", stamp + FIVE_MINUTES_MS - 1, "0", 60, "0", "0", "0"]


def open_interest(stamp: int, symbol: str) -> dict[str, Any]:
    coins = 20_000 + number_of(stamp)
    return {
        "symbol": symbol,
        "sumOpenInterest": f"{coins}.50000000",
        "sumOpenInterestValue": f"{coins * 7000}.25",
        "CMCCirculatingSupply": "165880.538",
        "timestamp": stamp,
    }


def long_short(stamp: int, symbol: str) -> dict[str, Any]:
    ratio = f"1.{number_of(stamp):02d}"
    # The documentation shows times as texts here, the exchange sends numbers: both must do.
    return {
        "symbol": symbol,
        "longShortRatio": ratio,
        "longAccount": "0.6",
        "shortAccount": "0.4",
        "timestamp": str(stamp),
    }


def taker(stamp: int, symbol: str) -> dict[str, Any]:
    return {"buySellRatio": "1.5", "buyVol": f"{number_of(stamp)}.25", "sellVol": "0.0000", "timestamp": stamp}


ROWS = {PREMIUM: premium, INTEREST: open_interest, RATIO: long_short, TAKER: taker}


def fear_greed(days: int, last: datetime = NOON) -> dict[int, Any]:
    """An index of the last days, its values 40, 41 and so on."""
    midnight = to_ms(last) // DAY_MS * DAY_MS
    stamps = [midnight - back * DAY_MS for back in range(days)][::-1]
    return {
        stamp: {"value": str(40 + number), "value_classification": "Fear", "timestamp": str(stamp // 1000)}
        for number, stamp in enumerate(stamps)
    }


def as_json(body: Any, status: int = 200, **headers: str) -> Answer:
    return status, headers, json.dumps(body).encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    exchange: Exchange

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        status, headers, body = self.exchange.answer(address.path, dict(parse_qsl(address.query)))
        self.send_response_only(status)
        date = self.exchange.date
        self.send_header("Date", format_datetime(self.exchange.clock(), usegmt=True) if date is None else date)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        if int(headers.get("Content_Length", 0)) > len(body):
            self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the tests look at `requests`."""


@contextmanager
def futures_exchange(clock: Clock) -> Iterator[Exchange]:
    """The exchange at `url` for the length of the block."""
    exchange = Exchange(clock)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"exchange": exchange}))
    server.daemon_threads = True
    exchange.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield exchange
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def moment(ms: int) -> datetime:
    return to_datetime(ms)
