"""What a close sees of the stored feeds: what had arrived by then, and of each symbol its own."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pytest

from ingestion.candles import store_candles
from ingestion.models import CandleSource, MarketFeed
from ingestion.timeframes import Candles
from signals.alt_season import SEASON_MS
from signals.derivatives import ALT_SEASON
from signals.heads.crypto_metrics import BASIS
from signals.rows import to_ms
from signals.windows import feeds_at
from tests.signals.decided import QUARTER, store_market
from tests.signals.market import candles
from tests.signals.test_services import looked_at, market

QUARTER_HOUR = timedelta(minutes=15)
COINS = ("AAVEUSDT", "ADAUSDT", "BTCUSDT", "DOGEUSDT", "ETHUSDT")


def with_a_month_ago(recent: Mapping[str, Candles]) -> dict[str, float]:
    """Store one candle that closed 30 days before the last close of each; returns the growth since."""
    before, growth = {}, {}
    for place, (symbol, walk) in enumerate(recent.items()):
        price = float(walk.close[-1]) / (1.0 + 0.1 * place)
        opened = int(walk.open_ms[-1]) - SEASON_MS
        before[symbol], growth[symbol] = candles([(price, price, price, price)], opened), 1.0 + 0.1 * place
    store_candles(before, source=CandleSource.IMPORT)
    return growth


@pytest.mark.django_db
def test_the_alt_season_of_a_close_is_stored_and_seen_by_alts_only() -> None:
    walks = market(symbols=COINS)
    close = store_market(walks)
    growth = with_a_month_ago(walks)

    looked_at(close)

    row = MarketFeed.objects.get(name=ALT_SEASON)
    ahead = sum(growth[coin] > growth["BTCUSDT"] for coin in COINS)
    assert (row.as_of, row.available_at, row.values) == (close, close, [ahead / 4])
    _, own = feeds_at(QUARTER, close, COINS)
    seen = own.seen_at(np.array(COINS), np.full(len(COINS), to_ms(close)), QUARTER.ms)[ALT_SEASON]
    assert [bool(np.isnan(value)) for value in seen] == [coin == "BTCUSDT" for coin in COINS]


@pytest.mark.django_db
def test_without_prices_of_a_month_ago_there_is_no_alt_season() -> None:
    looked_at(store_market(market(symbols=COINS)))

    assert not MarketFeed.objects.filter(name=ALT_SEASON).exists()


@pytest.mark.django_db
def test_a_close_sees_what_had_arrived_by_then_and_the_first_of_two() -> None:
    close = store_market(market())
    early, at = close - timedelta(minutes=30), close - timedelta(minutes=20)
    for as_of, available, rate in ((early, early, 0.001), (at, close, 0.002), (close, close + QUARTER_HOUR, 0.003)):
        MarketFeed.objects.create(
            name="crypto.premium", symbol="BTCUSDT", as_of=as_of, available_at=available, values=[rate]
        )

    assert [basis_seen(moment) for moment in (close - timedelta(minutes=1), close, close + QUARTER_HOUR)] == [
        *(0.001, 0.002, 0.003)
    ]


def basis_seen(moment: datetime) -> float:
    _, own = feeds_at(QUARTER, moment, ["BTCUSDT"])
    return float(own.seen_at(np.array(["BTCUSDT"]), np.array([to_ms(moment)]), QUARTER.ms)[BASIS][0])
