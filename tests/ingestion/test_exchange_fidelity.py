"""The exchange simulator against what Binance itself has answered, and through two clients written by others."""

import json
import re
import warnings
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
import requests
from binance.client import Client
from binance.exceptions import BinanceAPIException

from ingestion.csv_format import load_recording
from ingestion.exchange.market import Market, Row
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import DATA, SHARED, made_candles
from tests.ingestion.test_exchange_rest import REFUSED

RECORDED = SHARED / "data" / "binance_api"
MINUTES = SHARED / "data" / "candles" / "spot_1m"
HAS_RECORDED = pytest.mark.skipif(not RECORDED.exists(), reason="the recorded bodies are not beside the project")
HAS_MINUTES = pytest.mark.skipif(not MINUTES.exists(), reason="the shared candle files are not beside the project")
OUTAGE_BEGAN = 1_679_659_200_000  # 2023-03-24 12:00 UTC


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """The outage of 24 March 2023, BTCUSDT and ETHUSDT, and a symbol with all twelve fields."""
    candles = load_recording(DATA / "outage_2023-03-24")
    start_ms = int(candles["BTCUSDT"].open_ms[0])
    full = {"DOGEUSDT": made_candles(count=2000, start_ms=start_ms)}
    with running_exchange(candles | full, frozen=True) as running:
        yield running


def get(exchange: RunningExchange, path: str, **query: Any) -> Any:
    return requests.get(f"{exchange.rest_url}/api/v3/{path}", params=query, timeout=10).json()


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


def kind(value: Any) -> Any:
    """The type of a value, all the way down; of a decimal in a text also how many places it has."""
    if isinstance(value, dict):
        return {name: kind(each) for name, each in value.items()}
    if isinstance(value, list):
        return [kind(each) for each in value]
    decimal = re.fullmatch(r"-?\d+(\.(\d+))?", value) if isinstance(value, str) else None
    return ("decimal", len(decimal[2] or "")) if decimal else type(value).__name__


# --- recorded bodies --------------------------------------------------------------------------------------------------


@HAS_RECORDED
def test_a_row_has_the_fields_of_a_recorded_row(exchange: RunningExchange) -> None:
    theirs = recorded("gocryptotrader/28_api_v3_klines.json")
    ours = get(exchange, "klines", symbol="DOGEUSDT", interval="1m")

    assert {json.dumps(kind(row)) for row in ours} == {json.dumps(kind(row)) for row in theirs}
    assert {row[6] - row[0] for row in ours} == {row[6] - row[0] for row in theirs} == {MINUTE_MS - 1}


@HAS_RECORDED
def test_exchange_info_has_the_keys_types_and_filters_of_a_recorded_one(exchange: RunningExchange) -> None:
    theirs, ours = recorded("gocryptotrader/26_api_v3_exchangeInfo.json"), get(exchange, "exchangeInfo")
    btc = next(symbol for symbol in theirs["symbols"] if symbol["symbol"] == "BTCUSDT")
    named = {rule["filterType"]: rule for rule in ours["symbols"][0]["filters"]}

    assert {name: kind(ours[name]) for name in theirs if name != "symbols"} == {
        name: kind(theirs[name]) for name in theirs if name != "symbols"
    }
    assert ours["rateLimits"] == theirs["rateLimits"]
    for_lists = {"filters", "permissionSets", "orderTypes", "allowedSelfTradePreventionModes"}
    assert {name: type(value) for name, value in ours["symbols"][0].items()} == {
        name: type(value) for name, value in btc.items()
    }
    assert {name: kind(btc[name]) for name in btc.keys() - for_lists} == {
        name: kind(ours["symbols"][0][name]) for name in btc.keys() - for_lists
    }
    for rule in btc["filters"]:
        if rule["filterType"] in named:
            assert kind(named[rule["filterType"]]) == kind(rule)
    assert named.keys() <= {rule["filterType"] for symbol in theirs["symbols"] for rule in symbol["filters"]}


@HAS_RECORDED
def test_the_keys_of_exchange_info_come_in_the_recorded_order(exchange: RunningExchange) -> None:
    """The recording of 2021 is verbatim; that of 2025 was sorted by those who kept it."""
    theirs, ours = recorded("cryptofeed/binance_api_v3_exchangeInfo.json"), get(exchange, "exchangeInfo")

    def in_order(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
        shared = [name for name in theirs if name in ours]
        return [name for name in ours if name in theirs] == shared and len(shared) >= len(theirs) - 1

    assert list(ours) == list(theirs)
    assert in_order(ours["symbols"][0], theirs["symbols"][0])
    price, their_price = (body["symbols"][0]["filters"][0] for body in (ours, theirs))
    assert list(price) == list(their_price)


@HAS_RECORDED
@pytest.mark.parametrize(
    ("name", "path", "query"),
    [
        ("42_api_v3_ticker_24hr", "ticker/24hr", {"symbol": "DOGEUSDT"}),
        ("44_api_v3_ticker_24hr", "ticker/24hr", {"symbols": '["DOGEUSDT","BTCUSDT"]'}),
        ("46_api_v3_ticker_price", "ticker/price", {"symbol": "DOGEUSDT"}),
    ],
)
def test_a_ticker_has_the_keys_and_types_of_a_recorded_one(
    exchange: RunningExchange, name: str, path: str, query: dict[str, str]
) -> None:
    assert kind(get(exchange, path, **query)) == kind(recorded(f"gocryptotrader/{name}.json"))


@HAS_RECORDED
@pytest.mark.parametrize(
    ("code", "path"),
    [
        (-1121, "exchangeInfo?symbol=NONE"),
        (-1120, "klines?symbol=BTCUSDT&interval=7m"),
        (-1102, "klines?interval=1m"),
    ],
)
def test_an_error_is_worded_as_it_was_quoted(exchange: RunningExchange, code: int, path: str) -> None:
    quoted = [json.loads(line) for line in (RECORDED / "wild" / "rest_error_bodies.jsonl").read_text().splitlines()]
    bodies = [(each["http_status"], each["body"]) for each in quoted]
    answer = requests.get(f"{exchange.rest_url}/api/v3/{path}", timeout=5)

    assert (answer.status_code, answer.text) in bodies
    assert answer.json()["code"] == code


@HAS_RECORDED
def test_every_error_is_one_that_the_documentation_knows(exchange: RunningExchange) -> None:
    documented = {each["code"]: each["messages"] for each in recorded("binance-spot-api-docs/error_codes.json")}

    def is_documented(code: int, message: str) -> bool:
        patterns = (re.escape(each).replace("%s", ".*") for each in documented[code])
        return any(re.fullmatch(pattern, message) for pattern in patterns)

    assert [(code, message) for _, code, message in REFUSED if not is_documented(code, message)] == []


# --- longer candles against recorded ones -----------------------------------------------------------------------------


def differing(market: Market, symbol: str, interval: str, file: str) -> tuple[int, list[tuple[Any, Row]]]:
    """How many whole candles are in both, and those that are not the same."""
    theirs = {row[0]: row for row in recorded(f"static-klines/{file}.json")}
    ours = market.klines(symbol, interval, start_ms=market.start_ms, limit=5000, now_ms=market.end_ms).rows()
    both = [(theirs[row.open_ms], row) for row in ours if row.open_ms in theirs and row.close_ms < market.end_ms]
    return len(both), [(their, our) for their, our in both if not _agree(their, our)]


def _agree(theirs: list[Any], ours: Row) -> bool:
    prices = [float(text) for text in theirs[1:5]] == [ours.open, ours.high, ours.low, ours.close]
    return prices and abs(float(theirs[5]) - ours.volume) <= 1e-8 * max(1.0, ours.volume)


@pytest.fixture(scope="module")
def spring_2023() -> Market:
    return Market(load_recording(MINUTES / "2023-03-16_2023-05-01", ["BTCUSDT", "SOLUSDT"]))


@HAS_RECORDED
@HAS_MINUTES
@pytest.mark.parametrize(
    ("symbol", "interval", "file", "count"),
    [
        ("BTCUSDT", "1h", "BTCUSDT_1h_2023-03-01", 360),
        ("SOLUSDT", "1w", "SOLUSDT_1w_2020-01-01", 6),
        ("BTCUSDT", "1M", "BTCUSDT_1M_2010-01-01", 1),
    ],
)
def test_longer_candles_are_those_that_binance_recorded(
    spring_2023: Market, symbol: str, interval: str, file: str, count: int
) -> None:
    assert differing(spring_2023, symbol, interval, file) == (count, [])


@HAS_RECORDED
@HAS_MINUTES
def test_days_are_those_that_binance_recorded() -> None:
    market = Market(load_recording(MINUTES / "2021-06-10_2021-07-10", ["BTCUSDT"]))

    assert differing(market, "BTCUSDT", "1d", "BTCUSDT_1d_2020-01-01") == (29, [])


@HAS_RECORDED
@HAS_MINUTES
def test_the_hours_of_the_outage_are_present_and_absent_as_on_binance(spring_2023: Market) -> None:
    theirs = {row[0] for row in recorded("static-klines/BTCUSDT_1h_2023-03-01.json")}
    hours = spring_2023.klines("BTCUSDT", "1h", start_ms=OUTAGE_BEGAN, limit=3, now_ms=spring_2023.end_ms).open_ms

    assert [(int(ms) - OUTAGE_BEGAN) // 3_600_000 for ms in hours] == [0, 2, 3]
    assert set(hours.tolist()) <= theirs
    assert OUTAGE_BEGAN + 3_600_000 not in theirs


# --- python-binance ---------------------------------------------------------------------------------------------------


@pytest.fixture
def python_binance(exchange: RunningExchange, monkeypatch: pytest.MonkeyPatch) -> Iterator[Client]:
    """Its own client as it is, but for the address and the websocket half, which would leave an event loop open."""
    monkeypatch.setattr(Client, "API_URL", exchange.rest_url + "/api")
    monkeypatch.setattr("binance.base_client.WebsocketAPI", lambda **options: None)
    monkeypatch.setattr("binance.base_client.get_loop", lambda: None)
    client = Client()
    yield client
    client.session.close()


def test_python_binance_reads_everything(exchange: RunningExchange, python_binance: Client) -> None:
    clock_ms = exchange.exchange.clock.now_ms()
    newest = python_binance.get_klines(symbol="BTCUSDT", interval="1m", limit=5)

    assert python_binance.ping() == {}
    assert python_binance.get_server_time() == {"serverTime": clock_ms}
    assert [symbol["symbol"] for symbol in python_binance.get_exchange_info()["symbols"]] == [
        "BTCUSDT",
        "ETHUSDT",
        "DOGEUSDT",
    ]
    assert python_binance.get_symbol_info("ETHUSDT")["baseAsset"] == "ETH"
    assert newest == get(exchange, "klines", symbol="BTCUSDT", interval="1m", limit=5)
    assert python_binance.get_ticker(symbol="BTCUSDT")["lastPrice"] == newest[-1][4]
    assert {ticker["symbol"] for ticker in python_binance.get_ticker()} == {"BTCUSDT", "ETHUSDT", "DOGEUSDT"}


def test_python_binance_pages_through_the_outage(exchange: RunningExchange, python_binance: Client) -> None:
    start_ms = exchange.exchange.market.start_ms
    found = python_binance.get_historical_klines("BTCUSDT", "1m", start_ms, limit=1000)
    known = load_recording(DATA / "outage_2023-03-24")["BTCUSDT"]

    assert [row[0] for row in found] == known.open_ms.tolist()
    assert [float(row[4]) for row in found] == known.close.tolist()


def test_python_binance_understands_an_error(python_binance: Client) -> None:
    with pytest.raises(BinanceAPIException, match="Invalid symbol") as caught:
        python_binance.get_klines(symbol="NONE", interval="1m")

    assert (caught.value.status_code, caught.value.code) == (400, -1121)


# --- ccxt -------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ccxt() -> Any:
    """The library, which has no types; what it warns of while it is imported is its own affair."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("ccxt")


@pytest.fixture
def ccxt_binance(exchange: RunningExchange, ccxt: Any) -> Iterator[Any]:
    """ccxt's client, which asks for spot markets only when told to."""
    client = ccxt.binance({"options": {"fetchMarkets": {"types": ["spot"]}, "defaultType": "spot"}})
    client.urls["api"]["public"] = exchange.rest_url + "/api/v3"
    yield client
    client.session.close()


def test_ccxt_reads_markets_and_candles(exchange: RunningExchange, ccxt_binance: Any) -> None:
    markets = ccxt_binance.load_markets()
    btc, known = markets["BTC/USDT"], load_recording(DATA / "outage_2023-03-24")["BTCUSDT"]
    candles = ccxt_binance.fetch_ohlcv("BTC/USDT", "1m", since=int(known.open_ms[0]), limit=1000)

    assert set(markets) == {"BTC/USDT", "ETH/USDT", "DOGE/USDT"}
    assert (btc["active"], btc["spot"], btc["margin"], btc["limits"]["cost"]["min"]) == (True, True, True, 5.0)
    assert (btc["precision"]["price"], btc["precision"]["amount"]) == (0.01, 0.00001)
    assert [candle[0] for candle in candles] == known.open_ms[:1000].tolist()
    assert [candle[4] for candle in candles] == known.close[:1000].tolist()


def test_ccxt_reads_tickers_and_errors(exchange: RunningExchange, ccxt: Any, ccxt_binance: Any) -> None:
    ticker = ccxt_binance.fetch_ticker("DOGE/USDT")
    told = get(exchange, "ticker/24hr", symbol="DOGEUSDT")

    assert (ticker["last"], ticker["quoteVolume"]) == (float(told["lastPrice"]), float(told["quoteVolume"]))
    assert ccxt_binance.fetch_time() == exchange.exchange.clock.now_ms()
    with pytest.raises(ccxt.BadSymbol):
        ccxt_binance.public_get_klines({"symbol": "NONE", "interval": "1m"})
