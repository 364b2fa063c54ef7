"""Futures data of the exchange simulator: parameters, limits, errors of the exchange; readings that are a stand-in."""

import json
from collections.abc import Iterator
from datetime import datetime
from itertools import pairwise
from typing import Any

import pytest
import requests

from ingestion import feeds
from ingestion.candles import to_datetime
from ingestion.exchange import futures_statistics
from ingestion.exchange.limits import Limits
from ingestion.feed_fetch import fetch_feeds
from ingestion.feeds import DAY_MS, FIVE_MINUTES_MS, HOUR_MS
from ingestion.models import FeedGap, MarketFeed, QuarantinedMessage, Symbol
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import MARCH_24, SHARED, made_candles

BTC = "BTCUSDT"
START_MS = MARCH_24 - DAY_MS
NOW_MS = MARCH_24 + 12 * HOUR_MS + 90_000
STATISTICS = ("openInterestHist", "globalLongShortAccountRatio", "takerlongshortRatio")
RECORDED = SHARED / "data" / "binance_api"


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    """Two markets in dollars, which have contracts, and one in coins, which has none."""
    candles = {symbol: made_candles(count=2 * 1440, start_ms=START_MS) for symbol in (BTC, "ETHUSDT", "ETHBTC")}
    with running_exchange(candles, start_ms=NOW_MS, frozen=True) as exchange:
        yield exchange


def asked(running: RunningExchange, path: str, **query: Any) -> Any:
    return requests.get(running.rest_url + path, params=query, timeout=10).json()


def premium(running: RunningExchange, **query: Any) -> Any:
    return asked(running, "/fapi/v1/premiumIndexKlines", **{"symbol": BTC, "interval": "5m"} | query)


def statistic(running: RunningExchange, name: str, **query: Any) -> Any:
    return asked(running, f"/futures/data/{name}", **{"symbol": BTC, "period": "5m"} | query)


# --- the feeds --------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_feed_is_filled_from_it_without_a_gap(running: RunningExchange, settings: Any) -> None:
    settings.ALPHAPULSE_FEEDS, settings.ALPHAPULSE_FUTURES_URL = "on", running.rest_url
    settings.ALPHAPULSE_FEAR_GREED_URL = ""
    Symbol.objects.bulk_create(Symbol(name=name, base_asset=name[:3], quote_asset="USDT") for name in (BTC, "ETHUSDT"))

    done = fetch_feeds(clock=lambda: to_datetime(running.exchange.clock.now_ms()))
    running.exchange.clock.set(NOW_MS + FIVE_MINUTES_MS)
    again = fetch_feeds(clock=lambda: to_datetime(running.exchange.clock.now_ms()))

    assert (done.useless_answers, done.refused_rows, done.open_gaps, done.not_listed, done.down) == (0, 0, 0, 0, [])
    assert again.stored == 4 * 2
    assert not FeedGap.objects.exists()
    assert not QuarantinedMessage.objects.exists()
    for source in feeds.FUTURES_FEEDS:
        rows = MarketFeed.objects.filter(name=source.name, symbol=BTC)
        assert rows.count() >= 2 * DAY_MS // source.longest_ms, source.name


def test_a_symbol_without_a_contract_is_told_so_where_the_exchange_does(running: RunningExchange) -> None:
    assert premium(running, symbol="ETHBTC") == {"code": -1121, "msg": "Invalid symbol."}
    assert asked(running, "/fapi/v1/premiumIndex", symbol="XUSDT") == {"code": -1121, "msg": "Invalid symbol."}
    assert asked(running, "/fapi/v1/fundingRate", symbol="ETHBTC") == []
    assert [statistic(running, name, symbol="ETHBTC") for name in STATISTICS] == [[], [], []]


# --- premium ----------------------------------------------------------------------------------------------------------


def test_premium_candles_lie_on_the_grid_and_the_last_one_is_running(running: RunningExchange) -> None:
    rows = premium(running, limit=3)

    assert [row[0] for row in rows] == [MARCH_24 + 12 * HOUR_MS + back * FIVE_MINUTES_MS for back in (-2, -1, 0)]
    assert [row[6] - row[0] for row in rows] == [FIVE_MINUTES_MS - 1] * 3
    assert [row[8] for row in rows] == [60, 60, 18]
    for _, opened, high, low, close, *rest in rows:
        assert float(low) <= min(float(opened), float(close)) <= max(float(opened), float(close)) <= float(high)
        assert max(abs(float(low)), abs(float(high))) < 0.0015
        assert [rest[i] for i in (0, 2, 4, 5, 6)] == ["0"] * 5


def test_premium_candles_follow_on_each_other_and_do_not_change(running: RunningExchange) -> None:
    first = premium(running, limit=5)
    running.exchange.clock.set(NOW_MS + HOUR_MS)

    again = premium(running, startTime=first[0][0], limit=5)

    assert again[:4] == first[:4]
    assert again[4] != first[4]
    assert [row[4] for row in again[:-1]] == [row[1] for row in again[1:]]
    assert premium(running, symbol="ETHUSDT", startTime=first[0][0], limit=5) != again


@pytest.mark.parametrize(
    ("query", "opens"),
    [
        ({"startTime": MARCH_24}, [0, 5, 10]),
        ({"startTime": MARCH_24 + 1}, [5, 10, 15]),
        ({"startTime": MARCH_24, "endTime": MARCH_24 + 5 * MINUTE_MS}, [0, 5]),
        ({"endTime": MARCH_24 + 4 * MINUTE_MS}, [-10, -5, 0]),
        ({"startTime": MARCH_24 + DAY_MS}, []),
        ({"interval": "1h"}, [600, 660, 720]),
        ({"interval": "1M"}, [-51 * 1440, -23 * 1440]),
    ],
)
def test_premium_candles_of_a_span_are_cut_as_klines_are(
    running: RunningExchange, query: dict[str, Any], opens: list[int]
) -> None:
    rows = premium(running, limit=3 if query.get("interval") != "1M" else 2, **query)

    assert [(row[0] - MARCH_24) // MINUTE_MS for row in rows] == opens


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"symbol": ""}, -1102),
        ({"interval": ""}, -1102),
        ({"interval": "7m"}, -1120),
        ({"limit": 1501}, -1130),
        ({"limit": 0}, -1130),
        ({"limit": "many"}, -1100),
        ({"startTime": 5, "endTime": 4}, -1023),
    ],
)
def test_premium_candles_are_refused_with_the_code_of_the_exchange(
    running: RunningExchange, query: dict[str, Any], code: int
) -> None:
    assert premium(running, **query)["code"] == code


# --- funding ----------------------------------------------------------------------------------------------------------


def test_funding_is_paid_every_eight_hours_some_milliseconds_after_the_hour(running: RunningExchange) -> None:
    rows = asked(running, "/fapi/v1/fundingRate", symbol=BTC)

    assert [list(row) for row in rows[:1]] == [["symbol", "fundingTime", "fundingRate", "markPrice"]]
    assert len(rows) == 100
    assert {row["fundingTime"] // 10 * 10 % (8 * HOUR_MS) for row in rows} == {0}
    assert rows[-1]["fundingTime"] // HOUR_MS * HOUR_MS == MARCH_24 + 8 * HOUR_MS
    assert {abs(float(row["fundingRate"])) < 0.003 for row in rows} == {True}
    assert len({row["fundingRate"] for row in rows}) > 50


def test_funding_of_a_span_starts_where_it_is_asked_to(running: RunningExchange) -> None:
    span = {"startTime": MARCH_24 - 8 * HOUR_MS, "endTime": MARCH_24 + 8 * HOUR_MS}
    rows = asked(running, "/fapi/v1/fundingRate", symbol=BTC, **span, limit=2)
    of_all = asked(running, "/fapi/v1/fundingRate", limit=2)

    assert [row["fundingTime"] // HOUR_MS * HOUR_MS - MARCH_24 for row in rows] == [-8 * HOUR_MS, 0]
    assert {row["symbol"] for row in of_all} == {BTC, "ETHUSDT"}
    assert asked(running, "/fapi/v1/fundingRate", symbol=BTC, startTime=2, endTime=1)["code"] == -1023


# --- statistics -------------------------------------------------------------------------------------------------------


def test_statistics_have_the_keys_and_types_of_the_exchange(running: RunningExchange) -> None:
    interest, accounts, takers = (statistic(running, name, limit=1)[0] for name in STATISTICS)

    coins = ["symbol", "sumOpenInterest", "sumOpenInterestValue", "CMCCirculatingSupply", "timestamp"]
    assert list(interest) == coins
    assert list(accounts) == ["symbol", "longAccount", "longShortRatio", "shortAccount", "timestamp"]
    assert list(takers) == ["buySellRatio", "sellVol", "buyVol", "timestamp"]
    for row in (interest, accounts, takers):
        assert {type(value) for name, value in row.items() if name != "timestamp"} == {str}
        assert row["timestamp"] % FIVE_MINUTES_MS == 0


def test_statistics_are_smooth_plausible_and_agree_with_themselves(running: RunningExchange) -> None:
    interest, accounts, takers = (statistic(running, name, limit=500) for name in STATISTICS)

    coins = [float(row["sumOpenInterest"]) for row in interest]
    assert max(abs(after / before - 1) for before, after in pairwise(coins)) < 0.03
    assert 4e7 / 2 < float(interest[-1]["sumOpenInterestValue"]) < 4e9 * 2
    for row in accounts:
        assert float(row["longAccount"]) + float(row["shortAccount"]) == pytest.approx(1)
        assert float(row["longShortRatio"]) == pytest.approx(
            float(row["longAccount"]) / float(row["shortAccount"]), abs=1e-3
        )
    for row in takers:
        assert float(row["buySellRatio"]) == pytest.approx(float(row["buyVol"]) / float(row["sellVol"]), abs=1e-3)


def test_takers_of_a_period_are_told_once_it_is_over(running: RunningExchange) -> None:
    newest = {name: statistic(running, name, limit=1)[0]["timestamp"] - MARCH_24 for name in STATISTICS}

    assert newest["openInterestHist"] == 12 * HOUR_MS
    assert newest["takerlongshortRatio"] == 12 * HOUR_MS - FIVE_MINUTES_MS


def test_statistics_are_kept_for_thirty_days(running: RunningExchange) -> None:
    since = NOW_MS - 30 * DAY_MS
    old = statistic(running, "openInterestHist", startTime=since, endTime=since + HOUR_MS, limit=500)

    assert [old[0]["timestamp"] >= since, len(old)] == [True, 12]
    too_old = statistic(running, "openInterestHist", startTime=since - 1)
    assert too_old == {"code": -1130, "msg": "parameter 'startTime' is invalid."}


@pytest.mark.parametrize(
    ("query", "code", "name"),
    [
        ({"period": "7m"}, -1130, "period"),
        ({"period": "1M"}, -1130, "period"),
        ({"period": ""}, -1102, "period"),
        ({"symbol": ""}, -1102, "symbol"),
        ({"limit": 501}, -1130, "limit"),
        ({"endTime": 1}, -1130, "endTime"),
    ],
)
def test_statistics_are_refused_in_their_own_words(
    running: RunningExchange, query: dict[str, Any], code: int, name: str
) -> None:
    refusal = statistic(running, "takerlongshortRatio", **query)

    assert refusal["code"] == code
    assert f"'{name}'" in refusal["msg"]


# --- limits -----------------------------------------------------------------------------------------------------------


def test_futures_have_a_budget_of_weight_of_their_own(running: RunningExchange) -> None:
    weights = []
    for limit in (99, 499, 1000, 1500):
        query: dict[str, Any] = {"symbol": BTC, "interval": "5m", "limit": limit}
        answer = requests.get(running.rest_url + "/fapi/v1/premiumIndexKlines", params=query, timeout=10)
        weights.append(int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
    spot = requests.get(running.rest_url + "/api/v3/ping", timeout=10)

    assert weights == [1, 3, 8, 18]
    assert spot.headers["X-MBX-USED-WEIGHT-1M"] == "1"


def test_requests_of_one_address_are_counted_over_five_minutes() -> None:
    rates = futures_statistics.Rates()
    assert [rates.wait("here", "statistics", 2) > 0 for _ in range(3)] == [False, False, True]
    assert 299 < rates.wait("here", "statistics", 2) <= 300
    assert rates.wait("there", "statistics", 2) == 0


def test_a_futures_ban_leaves_spot_alone() -> None:
    candles = {BTC: made_candles(count=10)}
    with running_exchange(candles, frozen=True, futures_limits=Limits(1, tolerated=0)) as running:
        statuses = [requests.get(running.rest_url + "/fapi/v1/time", timeout=5).status_code for _ in range(3)]
        spot = requests.get(running.rest_url + "/api/v3/time", timeout=5).status_code

    assert (statuses, spot) == ([200, 429, 418], 200)


# --- the exchange itself ----------------------------------------------------------------------------------------------


def test_the_exchange_tells_time_prices_and_contracts(running: RunningExchange) -> None:
    assert asked(running, "/fapi/v1/ping") == {}
    assert asked(running, "/fapi/v1/time") == {"serverTime": NOW_MS}
    one, all_of_them = asked(running, "/fapi/v1/premiumIndex", symbol=BTC), asked(running, "/fapi/v1/premiumIndex")
    assert [row["symbol"] for row in all_of_them] == [BTC, "ETHUSDT"]
    assert one == all_of_them[0]
    assert float(one["markPrice"]) == pytest.approx(float(one["indexPrice"]), rel=2e-3)
    assert datetime.fromtimestamp(one["nextFundingTime"] / 1000).minute == 0
    assert one["nextFundingTime"] == MARCH_24 + 16 * HOUR_MS
    info = asked(running, "/fapi/v1/exchangeInfo")
    assert [contract["symbol"] for contract in info["symbols"]] == [BTC, "ETHUSDT"]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers are not there")
def test_bodies_have_the_keys_and_types_of_recorded_ones(running: RunningExchange) -> None:
    recorded = json.loads((RECORDED / "cryptofeed" / "binance_futures_fapi_v1_exchangeInfo.json").read_text())
    newer = json.loads((RECORDED / "gocryptotrader" / "50_fapi_v1_exchangeInfo.json").read_text())
    ours = asked(running, "/fapi/v1/exchangeInfo")

    assert list(ours) == list(recorded)
    contract, like = ours["symbols"][0], recorded["symbols"][0]
    assert set(contract) == set(newer["symbols"][0])
    assert [name for name in contract if name in like] == [name for name in like if name in contract]
    assert {name: type(contract[name]) for name in like if name in contract} == {
        name: type(like[name]) for name in like if name in contract
    }
    assert [each["filterType"] for each in contract["filters"]] == [each["filterType"] for each in like["filters"]]
    price = json.loads((RECORDED / "gocryptotrader" / "57_fapi_v1_premiumIndex.json").read_text())
    told = asked(running, "/fapi/v1/premiumIndex", symbol=BTC)
    assert {name: type(value) for name, value in told.items()} == {name: type(value) for name, value in price.items()}
