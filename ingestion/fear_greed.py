"""The door to a fear-and-greed index from outside, in the format of alternative.me."""

from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

import requests
from django.conf import settings
from django.utils import timezone

from ingestion.candles import to_ms
from ingestion.feeds import DAY_MS, FeedSource
from ingestion.rest import Answer, Clock, MalformedAnswerError, ask


class FearGreedDoor:
    """The index at the address of the settings; to be used in a `with` block."""

    def __init__(self, *, clock: Clock = timezone.now) -> None:
        self._url = settings.ALPHAPULSE_FEAR_GREED_URL
        self.host = urlsplit(self._url).netloc
        self._clock = clock
        self._session = requests.Session()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._session.close()

    def page(self, source: FeedSource, symbol: str, start_ms: int, end_ms: int) -> Answer:
        """The latest days since `start_ms`; the service knows no other way to ask."""
        days = max(0, to_ms(self._clock()) - start_ms) // DAY_MS + 2
        answer = ask(self.host, lambda: self._send(days), self._clock)
        rows = answer.body.get("data") if isinstance(answer.body, dict) else None
        if rows is None:
            raise MalformedAnswerError("the answer has no data", answer.text)
        return Answer(rows, answer.text, answer.received_at, answer.source_at)

    def _send(self, days: int) -> requests.Response:
        return self._session.get(self._url, params={"limit": str(days)}, timeout=settings.ALPHAPULSE_EXCHANGE_TIMEOUT)
