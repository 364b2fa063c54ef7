"""The futures exchange that tests of the feeds fetch from."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.ingestion.futures import Clock, Exchange, futures_exchange


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
