"""Spot REST of the exchange simulator, request by request: parameters, errors, order and figures of the answers."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import numpy as np
import pytest
import requests

from ingestion.candles import to_ms
from ingestion.exchange.intervals import DAY_MS, HOUR_MS
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import MARCH_24, made_candles

MINUTES = 4000
LATER = MARCH_24 + 3999 * MINUTE_MS
# Twenty seconds into the last minute.
NOW = LATER + 20_000
CANDLES = {
    "BTCUSDT": made_candles(count=MINUTES, without=range(1000, 1080)),
    "ETHUSDT": made_candles(count=MINUTES, seed=8, full=False),
    "NEWUSDT": made_candles(count=10, start_ms=LATER + MINUTE_MS),
}


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    """One for the file: nothing here changes it, except by its clock, which stands still."""
    with running_exchange(CANDLES, start_ms=NOW, frozen=True) as running:
        yield running


@pytest.fixture(autouse=True)
def now(exchange: RunningExchange) -> Iterator[None]:
    yield
    exchange.exchange.clock.set(NOW)
    exchange.exchange.limits.forget()


def get(exchange: RunningExchange, path: str, **query: Any) -> requests.Response:
    return requests.get(f"{exchange.rest_url}/api/v3/{path}", params=query, timeout=10)


def rows(exchange: RunningExchange, **query: Any) -> list[list[Any]]:
    return get(exchange, "klines", **({"symbol": "BTCUSDT", "interval": "1m"} | query)).json()


def opens(found: list[list[Any]]) -> list[int]:
    return [(row[0] - MARCH_24) // MINUTE_MS for row in found]


# --- which candles ----------------------------------------------------------------------------------------------------


def test_without_times_the_latest_are_given_the_running_one_last(exchange: RunningExchange) -> None:
    assert opens(rows(exchange)) == list(range(3500, 4000))
    assert opens(rows(exchange, limit=2)) == [3998, 3999]


def test_from_a_start_the_first_are_given(exchange: RunningExchange) -> None:
    assert opens(rows(exchange, startTime=MARCH_24 + 5 * MINUTE_MS, limit=3)) == [5, 6, 7]
    assert opens(rows(exchange, startTime=MARCH_24 + 5 * MINUTE_MS + 1, limit=3)) == [6, 7, 8]


def test_up_to_an_end_the_last_are_given_and_both_ends_count(exchange: RunningExchange) -> None:
    end = MARCH_24 + 50 * MINUTE_MS

    assert opens(rows(exchange, endTime=end, limit=2)) == [49, 50]
    assert opens(rows(exchange, endTime=end - 1, limit=2)) == [48, 49]
    assert opens(rows(exchange, startTime=end, endTime=end)) == [50]


def test_a_page_holds_no_more_than_a_thousand(exchange: RunningExchange) -> None:
    assert opens(rows(exchange, startTime=0, limit=5000)) == list(range(1000))


def test_minutes_of_an_outage_are_absent(exchange: RunningExchange) -> None:
    found = rows(exchange, startTime=MARCH_24 + 998 * MINUTE_MS, limit=4)

    assert opens(found) == [998, 999, 1080, 1081]


def test_nothing_is_found_after_the_clock_before_the_listing_or_where_the_end_comes_first(
    exchange: RunningExchange,
) -> None:
    assert rows(exchange, startTime=NOW) == []
    assert rows(exchange, endTime=MARCH_24 - 1) == []
    assert rows(exchange, startTime=NOW, endTime=MARCH_24) == []


def test_ui_klines_are_the_same(exchange: RunningExchange) -> None:
    query = {"symbol": "BTCUSDT", "interval": "15m", "limit": 7}

    assert get(exchange, "uiKlines", **query).json() == get(exchange, "klines", **query).json()


@pytest.mark.parametrize(
    ("interval", "zone", "first", "length"),
    [
        ("3m", None, 0, 3 * MINUTE_MS),
        ("1h", None, 0, HOUR_MS),
        ("1d", None, 0, DAY_MS),
        ("1d", "8", -8 * HOUR_MS, DAY_MS),
        ("1d", "-3:30", 3.5 * HOUR_MS - DAY_MS, DAY_MS),
        ("1d", "+14:00", -14 * HOUR_MS, DAY_MS),
        ("4h", "05:45", -1.75 * HOUR_MS, 4 * HOUR_MS),
        # 24 March 2023 was a Friday; the three days are those of the exchange's archive.
        ("1w", None, -4 * DAY_MS, 7 * DAY_MS),
        ("3d", None, -2 * DAY_MS, 3 * DAY_MS),
        ("1M", None, -23 * DAY_MS, 31 * DAY_MS),
        ("1M", "2", -23 * DAY_MS - 2 * HOUR_MS, 31 * DAY_MS),
    ],
)
def test_longer_candles_lie_on_the_clock_of_the_time_zone(
    exchange: RunningExchange, interval: str, zone: str | None, first: float, length: int
) -> None:
    query = {} if zone is None else {"timeZone": zone}
    found = rows(exchange, interval=interval, startTime=MARCH_24 - 40 * DAY_MS, **query)

    assert found[0][0] == MARCH_24 + first
    assert found[0][6] == found[0][0] + length - 1


def test_a_longer_candle_is_the_sum_of_its_minutes(exchange: RunningExchange) -> None:
    hour, minutes = CANDLES["BTCUSDT"].between(MARCH_24, MARCH_24 + HOUR_MS), rows(exchange, interval="1h", startTime=0)
    row = [float(text) for text in minutes[0]]

    assert row[1:5] == pytest.approx([hour.open[0], hour.high.max(), hour.low.min(), hour.close[-1]], abs=1e-8)
    sums = [hour.volume, hour.quote_volume, hour.trades, hour.taker_base, hour.taker_quote]
    assert [row[5], *row[7:11]] == pytest.approx([np.sum(column) for column in sums], abs=1e-7)


# --- the running candle -----------------------------------------------------------------------------------------------


def test_the_running_candle_grows_into_the_finished_one(exchange: RunningExchange) -> None:
    clock, seen = exchange.exchange.clock, []
    for second in range(61):
        clock.set(LATER + second * 1000)
        seen.append([float(text) for text in rows(exchange, startTime=LATER)[0]])
    opened, high, low, volume, trades = (np.array([row[place] for row in seen]) for place in (1, 2, 3, 5, 8))
    final = CANDLES["BTCUSDT"].rows(slice(-1, None))

    assert set(opened) == {opened[0]}
    assert all(np.diff(high) >= 0)
    assert all(np.diff(low) <= 0)
    assert all(np.diff(volume) > 0)
    assert all(np.diff(trades) >= 0)
    assert all(low <= [row[4] for row in seen])
    assert all(high >= [row[4] for row in seen])
    assert volume[0] == 0
    expected = [final.open, final.high, final.low, final.close, final.volume]
    assert seen[-1][1:6] == pytest.approx([float(column[0]) for column in expected], abs=1e-8)


def test_asked_twice_at_one_moment_the_running_candle_is_the_same(exchange: RunningExchange) -> None:
    assert rows(exchange, limit=1) == rows(exchange, limit=1)


def test_the_running_minute_runs_in_the_longer_candles_too(exchange: RunningExchange) -> None:
    minute, hour = rows(exchange, limit=1)[0], rows(exchange, interval="1h", limit=1)[0]

    assert minute[4] == hour[4]
    exchange.exchange.clock.set(LATER + MINUTE_MS)
    assert hour[4] != rows(exchange, interval="1h", limit=1)[0][4]


# --- figures ----------------------------------------------------------------------------------------------------------


def test_what_the_source_lacks_is_sent_as_zero(exchange: RunningExchange) -> None:
    row = rows(exchange, symbol="ETHUSDT", limit=2)[0]

    assert float(row[5]) > 0
    assert row[7:] == ["0.00000000", 0, "0.00000000", "0.00000000", "0"]


def test_figures_are_texts_of_eight_decimals(exchange: RunningExchange) -> None:
    texts = [row[place] for row in rows(exchange) for place in (1, 2, 3, 4, 5, 7, 9, 10)]

    assert all(re.fullmatch(r"\d+\.\d{8}", text) for text in texts)


def test_the_clock_of_the_answers_is_the_markets(exchange: RunningExchange) -> None:
    answer = get(exchange, "time")

    assert answer.json() == {"serverTime": NOW}
    assert to_ms(parsedate_to_datetime(answer.headers["Date"])) == NOW // 1000 * 1000
    assert answer.headers["Content-Type"] == "application/json;charset=UTF-8"


# --- errors -----------------------------------------------------------------------------------------------------------

MANDATORY = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
ILLEGAL = "Illegal characters found in parameter '{}'; legal range is '{}'."
NUMBERS, NAMES = "^[0-9]{1,20}$", r"^[\w\-._&&[^a-z]]{1,50}$"
NOT_VALID = "Data sent for parameter '{}' is not valid."
UNREAD = "Not all sent parameters were read; read '2' parameter(s) but was sent '4'."
OTHER_STATUS = "The symbol's status does not match the requested symbolStatus."
SOME = "symbol=BTCUSDT&interval=1m"
REFUSED = [
    ("klines", -1102, MANDATORY.format("symbol")),
    ("klines?symbol=&interval=1m", -1102, MANDATORY.format("symbol")),
    ("klines?symbol=BTCUSDT", -1102, MANDATORY.format("interval")),
    ("klines?symbol=btcusdt&interval=1m", -1100, ILLEGAL.format("symbol", NAMES)),
    ("klines?symbol=BTC/USDT&interval=1m", -1100, ILLEGAL.format("symbol", NAMES)),
    ("klines?symbol=NONE&interval=1m", -1121, "Invalid symbol."),
    ("klines?symbol=NEWUSDT&interval=1m", -1121, "Invalid symbol."),
    ("klines?symbol=BTCUSDT&interval=2m", -1120, "Invalid interval."),
    ("klines?symbol=BTCUSDT&interval=1s", -1120, "Invalid interval."),
    (f"klines?{SOME}&limit=abc", -1100, ILLEGAL.format("limit", NUMBERS)),
    (f"klines?{SOME}&limit=-1", -1100, ILLEGAL.format("limit", NUMBERS)),
    (f"klines?{SOME}&limit=0", -1130, NOT_VALID.format("limit")),
    (f"klines?{SOME}&limit=", -1105, "Parameter 'limit' was empty."),
    (f"klines?{SOME}&startTime=2021-01-01", -1100, ILLEGAL.format("startTime", NUMBERS)),
    (f"klines?{SOME}&endTime=1.5", -1100, ILLEGAL.format("endTime", NUMBERS)),
    (f"klines?{SOME}&endTime=99999999999999999999", -1130, NOT_VALID.format("endTime")),
    (f"klines?{SOME}&timeZone=14:01", -1130, NOT_VALID.format("timeZone")),
    (f"klines?{SOME}&timeZone=-12:01", -1130, NOT_VALID.format("timeZone")),
    (f"klines?{SOME}&timeZone=UTC", -1130, NOT_VALID.format("timeZone")),
    (f"klines?{SOME}&start_time=1&x=2", -1104, UNREAD),
    (f"klines?{SOME}&symbol=ETHUSDT", -1101, "Duplicate values for a parameter detected."),
    ("ping?x=1", -1101, "Too many parameters; expected '0' and received '1'."),
    ("exchangeInfo?symbol=NONE", -1121, "Invalid symbol."),
    ("exchangeInfo?symbols=[%22BTCUSDT%22,%22NONE%22]", -1121, "Invalid symbol."),
    ("exchangeInfo?symbol=BTCUSDT&symbols=[%22BTCUSDT%22]", -1128, "Combination of optional parameters invalid."),
    ("exchangeInfo?symbol=BTCUSDT&symbolStatus=TRADING", -1128, "Combination of optional parameters invalid."),
    ("exchangeInfo?symbol=BTCUSDT&permissions=SPOT", -1128, "Combination of optional parameters invalid."),
    ("exchangeInfo?symbolStatus=OPEN", -1122, "Invalid symbolStatus."),
    ("exchangeInfo?showPermissionSets=yes", -1130, NOT_VALID.format("showPermissionSets")),
    ("ticker/24hr?symbols=[%22BTCUSDT%22,%22BTCUSDT%22]", -1151, "Symbol is present multiple times in the list."),
    ("ticker/24hr?symbol=BTCUSDT&type=TINY", -1139, "Invalid ticker type."),
    ("ticker/price?symbol=BTCUSDT&symbolStatus=BREAK", -1220, OTHER_STATUS),
]


@pytest.mark.parametrize(("path", "code", "message"), REFUSED, ids=[path for path, _, _ in REFUSED])
def test_a_faulty_request_is_answered_in_the_exchanges_words(
    exchange: RunningExchange, path: str, code: int, message: str
) -> None:
    answer = get(exchange, path)

    assert (answer.status_code, answer.json()) == (400, {"code": code, "msg": message})


@pytest.mark.parametrize("listed", ["BTCUSDT", "[BTCUSDT]", '["BTCUSDT", "ETHUSDT"]', '["btcusdt"]', "[]", "[1]"])
def test_a_list_of_symbols_has_to_be_written_as_the_exchange_wants_it(exchange: RunningExchange, listed: str) -> None:
    answer = get(exchange, "ticker/price", symbols=listed)

    assert answer.json()["code"] == -1100
    assert answer.json()["msg"].startswith("Illegal characters found in parameter 'symbols'; legal range is '^\\[(\"")


@pytest.mark.parametrize("path", ["/api/v3/nothing", "/api/v3/", "/nothing", "/"])
def test_a_path_that_is_not_there_is_answered_with_a_web_page(exchange: RunningExchange, path: str) -> None:
    answer = requests.get(exchange.rest_url + path, timeout=5)

    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert answer.text == "<html><body><h2>404 Not found</h2></body></html>"


# --- exchangeInfo and tickers -----------------------------------------------------------------------------------------


def listed(exchange: RunningExchange, **query: Any) -> list[str]:
    return [symbol["symbol"] for symbol in get(exchange, "exchangeInfo", **query).json()["symbols"]]


def test_a_symbol_is_listed_from_its_first_candle_on(exchange: RunningExchange) -> None:
    assert listed(exchange) == ["BTCUSDT", "ETHUSDT"]

    exchange.exchange.clock.set(LATER + MINUTE_MS)

    assert listed(exchange) == ["BTCUSDT", "ETHUSDT", "NEWUSDT"]


def test_exchange_info_is_about_what_is_asked_for(exchange: RunningExchange) -> None:
    assert listed(exchange, symbol="ETHUSDT") == ["ETHUSDT"]
    assert listed(exchange, symbols='["ETHUSDT","BTCUSDT"]') == ["ETHUSDT", "BTCUSDT"]
    assert listed(exchange, permissions="SPOT") == ["BTCUSDT", "ETHUSDT"]
    assert listed(exchange, permissions='["LEVERAGED"]') == []
    assert listed(exchange, symbolStatus="TRADING") == ["BTCUSDT", "ETHUSDT"]
    assert listed(exchange, symbolStatus="BREAK") == []


def test_permission_sets_can_be_left_out(exchange: RunningExchange) -> None:
    shown, hidden = (
        get(exchange, "exchangeInfo", symbol="BTCUSDT", showPermissionSets=flag).json()["symbols"][0]["permissionSets"]
        for flag in ("true", "false")
    )

    assert (shown, hidden) == ([["SPOT", "MARGIN"]], [])


def test_prices_are_those_of_the_running_candles(exchange: RunningExchange) -> None:
    last = rows(exchange, limit=1)[0][4]

    assert get(exchange, "ticker/price", symbol="BTCUSDT").json() == {"symbol": "BTCUSDT", "price": last}
    assert get(exchange, "ticker/price").json()[0] == {"symbol": "BTCUSDT", "price": last}
    assert len(get(exchange, "ticker/price", symbols='["ETHUSDT"]').json()) == 1


def test_the_day_is_made_of_the_minutes_of_the_last_24_hours(exchange: RunningExchange) -> None:
    exchange.exchange.clock.set(LATER + MINUTE_MS)
    day, told = CANDLES["BTCUSDT"].rows(slice(-1439, None)), get(exchange, "ticker/24hr", symbol="BTCUSDT").json()
    figures = {name: float(value) for name, value in told.items() if name != "symbol"}

    assert (told["openTime"], told["closeTime"]) == (LATER + MINUTE_MS - DAY_MS, LATER + MINUTE_MS)
    assert figures["volume"] == pytest.approx(day.volume.sum())
    assert figures["quoteVolume"] == pytest.approx(day.quote_volume.sum())
    assert figures["weightedAvgPrice"] == pytest.approx(day.quote_volume.sum() / day.volume.sum())
    assert (figures["highPrice"], figures["lowPrice"]) == pytest.approx((day.high.max(), day.low.min()))
    assert figures["priceChange"] == pytest.approx(day.close[-1] - day.open[0], abs=1e-7)
    assert told["count"] == day.trades.sum()
    # Numbered as in the streams: ten thousand a minute since the epoch.
    assert (told["firstId"], told["lastId"]) == (
        day.open_ms[0] // MINUTE_MS * 10_000,
        LATER // MINUTE_MS * 10_000 + day.trades[-1] - 1,
    )


def test_quote_volume_that_the_source_lacks_is_estimated_so_that_markets_can_be_ranked(
    exchange: RunningExchange,
) -> None:
    told = get(exchange, "ticker/24hr", symbol="ETHUSDT").json()

    assert float(told["quoteVolume"]) / float(told["volume"]) == pytest.approx(100, rel=0.3)
    assert (told["count"], told["firstId"], told["lastId"]) == (0, -1, -1)


def test_the_mini_ticker_is_a_part_of_the_full_one(exchange: RunningExchange) -> None:
    full, mini = (get(exchange, "ticker/24hr", symbol="BTCUSDT", type=kind).json() for kind in ("FULL", "MINI"))

    assert mini.items() < full.items()
    assert [symbol["symbol"] for symbol in get(exchange, "ticker/24hr").json()] == ["BTCUSDT", "ETHUSDT"]


def test_the_date_of_the_test_market_is_what_the_comments_say() -> None:
    assert datetime.fromtimestamp(MARCH_24 / 1000, UTC).strftime("%A %d %B %Y") == "Friday 24 March 2023"
