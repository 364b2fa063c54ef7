"""The exchanges that tests fetch from: of futures, for the feeds, and of spot, for candles."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.ingestion.futures import Clock, Exchange, futures_exchange
from tests.ingestion.spot import Spot, spot


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def exchange(clock: Clock, settings: Any) -> Iterator[Exchange]:
    """An exchange that knows nothing yet, at the address of the settings; the market follows the wall clock."""
    with futures_exchange(clock) as served:
        settings.ALPHAPULSE_FEEDS = "auto"
        settings.ALPHAPULSE_FUTURES_URL = served.url
        settings.ALPHAPULSE_FEAR_GREED_URL = ""
        settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 5.0
        yield served


@pytest.fixture
def market(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Spot]:
    """Open a spot exchange at the address of the settings, for the rest of the test."""
    with ExitStack() as stack:
        yield lambda candles, **parts: stack.enter_context(spot(settings, monkeypatch, candles, **parts))
