"""Alt season: the share of coins ahead of bitcoin over a month, from prices that were there."""

import numpy as np
import pytest

from ingestion.timeframes import MINUTE_MS, Candles
from signals.alt_season import SEASON_MS, prices_at, seasons

NOW = 100 * SEASON_MS


def coin(then: float, now: float, *, late_minutes: int = 0) -> Candles:
    """Two candles: the one that closed a month before NOW (or some minutes earlier) and the one that closes then."""
    opened = np.array([NOW - SEASON_MS - (1 + late_minutes) * MINUTE_MS, NOW - MINUTE_MS])
    closes = np.array([then, now])
    columns = dict.fromkeys(("open", "high", "low", "close", "volume"), closes)
    rest = {name: closes for name in Candles.__dataclass_fields__ if name not in {"open_ms", "minutes", *columns}}
    return Candles(open_ms=opened, minutes=np.ones(2, np.int64), **columns, **rest)


def share(**coins: Candles) -> float:
    return float(seasons(coins, np.array([NOW]))[0])


UP, FLAT, DOWN = coin(1.0, 1.3), coin(1.0, 1.1), coin(1.0, 0.9)


def test_it_is_the_share_of_alts_that_beat_bitcoin() -> None:
    assert share(BTCUSDT=FLAT, A=UP, B=UP, C=UP, D=DOWN) == 0.75
    assert share(BTCUSDT=UP, A=DOWN, B=DOWN, C=FLAT, D=DOWN) == 0.0


def test_an_alt_that_equals_bitcoin_is_half_a_win() -> None:
    assert share(BTCUSDT=FLAT, A=FLAT, B=FLAT, C=UP, D=DOWN) == 0.5


def test_without_bitcoin_or_with_few_alts_there_is_none() -> None:
    assert np.isnan(share(A=UP, B=UP, C=UP, D=UP, E=UP))
    assert np.isnan(share(BTCUSDT=FLAT, A=UP, B=UP, C=UP))


def test_a_coin_that_was_not_there_a_month_ago_does_not_count() -> None:
    assert np.isnan(share(BTCUSDT=FLAT, A=UP, B=UP, C=UP, D=coin(1.0, 2.0, late_minutes=60)))
    assert share(BTCUSDT=FLAT, A=UP, B=UP, C=UP, D=coin(1.0, 2.0, late_minutes=59)) == 1.0


def test_the_order_of_coins_changes_nothing() -> None:
    coins = {"A": UP, "B": DOWN, "BTCUSDT": FLAT, "C": UP, "D": UP}
    turned = dict(reversed(coins.items()))

    assert seasons(coins, np.array([NOW])) == seasons(turned, np.array([NOW]))


@pytest.mark.parametrize(("minutes", "known"), [(-1, False), (0, True), (59, True), (60, False)])
def test_a_price_counts_from_its_close_for_an_hour(minutes: int, known: bool) -> None:
    prices = prices_at(coin(1.0, 7.0), np.array([NOW + minutes * MINUTE_MS]))

    assert (prices[0] == 7.0) is np.bool_(known)


def test_no_candles_are_no_prices() -> None:
    assert np.isnan(prices_at(coin(1.0, 1.0).rows(slice(0, 0)), np.array([NOW]))).all()
