"""Spot REST of the exchange simulator: as Binance answers, seen by plain requests and by two foreign clients."""

import requests

from tests.ingestion.exchanges import running_exchange
from tests.ingestion.market import MARCH_24, made_candles


def test_it_answers_and_stops() -> None:
    with running_exchange({"BTCUSDT": made_candles(count=10)}, frozen=True) as running:
        assert requests.get(running.rest_url + "/api/v3/ping", timeout=5).json() == {}
        told = requests.get(running.rest_url + "/api/v3/time", timeout=5).json()

    assert told == {"serverTime": MARCH_24 + 600_000}
