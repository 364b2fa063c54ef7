"""The only door to python-binance: public endpoints of the futures exchange, one request at a time."""

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from binance.base_client import BaseClient
from binance.client import Client
from django.conf import settings
from django.utils import timezone

from ingestion.feeds import FeedSource
from ingestion.rest import Answer, Clock, ask

# The client wants an event loop for websockets, which are not its business here, and would leave one open a thread.
NO_LOOP = object()


class _PublicClient(Client):
    """python-binance's client without ping and event loop, that hands over the whole response and judges nothing."""

    def __init__(self, *, timeout: float) -> None:
        BaseClient.__init__(self, requests_params={"timeout": timeout}, loop=NO_LOOP)

    @staticmethod
    def _handle_response(response: requests.Response) -> requests.Response:
        """The library's own reading hides headers, and breaks on an error that is JSON and no object."""
        return response


class FuturesDoor:
    """The USD-margined futures exchange at the address of the settings; to be used in a `with` block."""

    def __init__(self, *, clock: Clock = timezone.now) -> None:
        base = settings.ALPHAPULSE_FUTURES_URL.rstrip("/")
        self.host = urlsplit(base).netloc
        self._clock = clock
        self._client = _PublicClient(timeout=settings.ALPHAPULSE_EXCHANGE_TIMEOUT)
        self._client.FUTURES_URL = f"{base}/fapi"
        self._client.FUTURES_DATA_URL = f"{base}/futures/data"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.session.close()

    def page(self, source: FeedSource, symbol: str, start_ms: int, end_ms: int) -> Answer:
        """The feed's rows whose moments lie in [start_ms, end_ms), and perhaps some beside them."""
        call = getattr(self._client, source.endpoint)
        # Stamps are asked for, which may lie before the moments. Whether the exchange counts the start in is not
        # documented, so the reading before is asked for too.
        span = {
            "startTime": start_ms - source.lasts_ms - source.grid_ms,
            "endTime": end_ms - source.lasts_ms - 1,
            "limit": source.rows_in(start_ms, end_ms),
        }
        return ask(self.host, lambda: call(symbol=symbol, **source.parameters, **span), self._clock)
