"""The only door to python-binance: public endpoints of the spot and the futures exchange, one request at a time."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import requests
from binance.base_client import BaseClient
from binance.client import Client
from django.conf import settings
from django.utils import timezone

from ingestion.budget import FUTURES_WEIGHT, SPOT_WEIGHT, learn_limit
from ingestion.feeds import PREMIUM, FeedSource
from ingestion.rest import Answer, Clock, Cost, MalformedAnswerError, Spent, ask

# Request weights as documented. That of a premium index page grows with its limit: (below this limit, weight).
TIME_WEIGHT, KLINES_WEIGHT, INFO_WEIGHT, ALL_TICKERS_WEIGHT = 1, 2, 20, 80
PREMIUM_WEIGHTS = ((100, 1), (500, 2), (1001, 5), (10**9, 10))
# The limit of exchangeInfo that request weight is measured by.
WEIGHT_A_MINUTE = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}


class _PublicClient(Client):
    """python-binance's client without ping and event loop, that hands over the whole response and judges nothing."""

    def __init__(self, *, timeout: float) -> None:
        # It wants an event loop for websockets, which are not its business here, and would leave one open a thread.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        try:
            BaseClient.__init__(self, requests_params={"timeout": timeout}, loop=loop)
        finally:
            asyncio.set_event_loop(None)
            loop.close()

    @staticmethod
    def _handle_response(response: requests.Response) -> requests.Response:
        """The library's own reading hides headers, and breaks on an error that is JSON and no object."""
        return response


class _Door:
    """One host of the exchange; to be used in a `with` block.

    A request waits at most `patience` seconds for request weight or for the end of a pause.
    """

    def __init__(self, url: str, most: int, *, clock: Clock, patience: float) -> None:
        self.base = url.rstrip("/")
        self.host = urlsplit(self.base).netloc
        self.patience = patience
        self.spent = Spent()
        self._most, self._clock = most, clock
        self._client = _PublicClient(timeout=settings.ALPHAPULSE_EXCHANGE_TIMEOUT)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.session.close()

    def _ask(self, weight: int, send: Callable[[], requests.Response]) -> Answer:
        def counted() -> requests.Response:
            self.spent.requests += 1
            self.spent.weight += weight
            return send()

        return ask(self.host, counted, self._clock, cost=Cost(weight, self._most), patience=self.patience)


class SpotDoor(_Door):
    """The spot exchange at the address of the settings."""

    def __init__(self, *, clock: Clock = timezone.now, patience: float = 0.0) -> None:
        super().__init__(settings.ALPHAPULSE_SPOT_URL, SPOT_WEIGHT, clock=clock, patience=patience)
        self._client.API_URL = f"{self.base}/api"

    def server_time_ms(self) -> int:
        """The exchange's clock."""
        answer = self._ask(TIME_WEIGHT, self._client.get_server_time)
        told = answer.body.get("serverTime") if isinstance(answer.body, dict) else None
        if isinstance(told, bool) or not isinstance(told, int) or told <= 0:
            raise MalformedAnswerError("the answer tells no time", answer.text)
        return told

    def klines(self, symbol: str, start_ms: int, end_ms: int, limit: int) -> Answer:
        """The first `limit` (at most 1000) 1m rows that open in [start_ms, end_ms), perhaps with a running one."""
        span = {"startTime": start_ms, "endTime": end_ms - 1, "limit": limit}
        return self._ask(KLINES_WEIGHT, lambda: self._client.get_klines(symbol=symbol, interval="1m", **span))

    def exchange_info(self) -> Answer:
        """Everything that is listed. The limits it tells are kept for the budget."""
        answer = self._ask(INFO_WEIGHT, self._client.get_exchange_info)
        if (most := weight_limit(answer.body)) is not None:
            learn_limit(self.host, most)
        return answer

    def tickers_24h(self) -> Answer:
        """The last 24 hours of every symbol in figures."""
        return self._ask(ALL_TICKERS_WEIGHT, self._client.get_ticker)


def weight_limit(info: Any) -> int | None:
    """The request weight a minute that exchangeInfo allows; None if it does not say."""
    limits = info.get("rateLimits") if isinstance(info, dict) else None
    for each in limits if isinstance(limits, list) else ():
        if isinstance(each, dict) and WEIGHT_A_MINUTE.items() <= each.items():
            told = each.get("limit")
            return told if isinstance(told, int) and not isinstance(told, bool) else None
    return None


class FuturesDoor(_Door):
    """The USD-margined futures exchange at the address of the settings."""

    def __init__(self, *, clock: Clock = timezone.now, patience: float = 0.0) -> None:
        super().__init__(settings.ALPHAPULSE_FUTURES_URL, FUTURES_WEIGHT, clock=clock, patience=patience)
        self._client.FUTURES_URL = f"{self.base}/fapi"
        self._client.FUTURES_DATA_URL = f"{self.base}/futures/data"

    def page(self, source: FeedSource, symbol: str, start_ms: int, end_ms: int) -> Answer:
        """The feed's rows whose moments lie in [start_ms, end_ms), and perhaps some beside them."""
        call = getattr(self._client, source.endpoint)
        limit = source.rows_in(start_ms, end_ms)
        # Stamps are asked for, which may lie before the moments. Whether the exchange counts the start in is not
        # documented, so the reading before is asked for too.
        span = {
            "startTime": start_ms - source.lasts_ms - source.grid_ms,
            "endTime": end_ms - source.lasts_ms - 1,
            "limit": limit,
        }
        weight = premium_weight(limit) if source.name == PREMIUM else 1
        return self._ask(weight, lambda: call(symbol=symbol, **source.parameters, **span))


def premium_weight(limit: int) -> int:
    """What a page of so many rows of the premium index weighs."""
    return next(weight for below, weight in PREMIUM_WEIGHTS if limit < below)
