"""Which markets are scanned, by a rule over what the exchange lists; read from bodies that were recorded at Binance."""

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.universe import Listed, Rule, UnreadableListingError, chosen, listed_in, turnover_in
from tests.ingestion.market import SHARED

BODIES = SHARED / "data" / "binance_api"
IN_2021, IN_2025 = "cryptofeed/binance_api_v3_exchangeInfo.json", "gocryptotrader/26_api_v3_exchangeInfo.json"
RULE = Rule("USDT", minimum=100.0, top=10)


def recorded(name: str) -> Any:
    path = BODIES / name
    if not path.exists():
        pytest.skip("the bodies recorded at Binance are not here")
    return json.loads(path.read_text())


def market(symbol: str, *, status: str = "TRADING", is_spot: bool = True) -> Listed:
    base, quote = (symbol[:-4], symbol[-4:]) if symbol.endswith("USDT") else (symbol[:-3], symbol[-3:])
    return Listed(symbol, base, quote, status, is_spot, 0.01, 0.1, 5.0)


def markets(*symbols: str, **details: Any) -> dict[str, Listed]:
    return {symbol: market(symbol, **details) for symbol in symbols}


def entry(**changes: Any) -> dict[str, Any]:
    found = {
        "symbol": "BTCUSDT",
        "status": "TRADING",
        "baseAsset": "BTC",
        "quoteAsset": "USDT",
        "isSpotTradingAllowed": True,
        "permissions": [],
        "permissionSets": [["SPOT", "MARGIN"]],
        "filters": [
            {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
            {"filterType": "LOT_SIZE", "stepSize": "0.00001000"},
            {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
        ],
    }
    return found | changes


def one(**changes: Any) -> Listed:
    (found,) = listed_in({"symbols": [entry(**changes)]}).values()
    return found


# --- the rule ---------------------------------------------------------------------------------------------------------


def test_enough_turnover_in_the_right_asset_is_in() -> None:
    listed = markets("BTCUSDT", "ADAUSDT", "ETHBTC")

    assert chosen(listed, {"BTCUSDT": 100.0, "ADAUSDT": 99.0, "ETHBTC": 1e9}, RULE, ()) == {"BTCUSDT"}


def test_of_those_the_ones_with_most_turnover_are_in() -> None:
    listed = markets(*(f"N{number:02}USDT" for number in range(20)))
    turnover = {symbol: 1000.0 + number for number, symbol in enumerate(listed)}

    assert chosen(listed, turnover, RULE, ()) == {f"N{number:02}USDT" for number in range(10, 20)}


@pytest.mark.parametrize("details", [{"status": "BREAK"}, {"status": "HALT"}, {"is_spot": False}])
def test_what_is_halted_or_no_spot_market_is_out_even_if_it_is_named(details: dict[str, Any]) -> None:
    rule = Rule("USDT", 100.0, 10, included=frozenset({"BTCUSDT"}))

    assert chosen(markets("BTCUSDT", **details), {"BTCUSDT": 1e9}, rule, {"BTCUSDT"}) == frozenset()


def test_the_lists_have_the_last_word() -> None:
    listed = markets("BTCUSDT", "ETHBTC", "USDCUSDT", "ADAUSDT")
    rule = Rule("USDT", 100.0, 10, frozenset({"ETHBTC", "ADAUSDT", "GONEUSDT"}), frozenset({"USDCUSDT", "ADAUSDT"}))

    assert chosen(listed, dict.fromkeys(listed, 1e9), rule, ()) == {"BTCUSDT", "ETHBTC"}


def test_with_no_places_the_named_ones_are_alone() -> None:
    listed = markets("BTCUSDT", "ETHUSDT")
    rule = Rule("USDT", 0.0, 0, included=frozenset({"ETHUSDT"}))

    assert chosen(listed, {"BTCUSDT": 1e9}, rule, {"BTCUSDT"}) == {"ETHUSDT"}


def test_at_the_edge_of_turnover_nothing_flaps() -> None:
    listed, scanned = markets("BTCUSDT"), set[str]()
    seen = []
    for volume in (99.0, 100.0, 95.0, 80.0, 79.0, 95.0, 100.0):
        scanned = set(chosen(listed, {"BTCUSDT": volume}, RULE, scanned))
        seen.append(bool(scanned))

    assert seen == [False, True, True, True, False, False, True]


def test_at_the_edge_of_the_ranks_nothing_flaps() -> None:
    listed = markets(*(f"N{number:02}USDT" for number in range(13)))
    turnover = {symbol: 1000.0 - number for number, symbol in enumerate(listed)}
    names = list(listed)

    assert names[11] in chosen(listed, turnover, RULE, {names[11]})
    assert names[12] not in chosen(listed, turnover, RULE, {names[12]})
    assert names[11] not in chosen(listed, turnover, RULE, ())


@given(
    volumes=st.lists(st.floats(0, 1e12), min_size=1, max_size=30),
    top=st.integers(0, 20),
    minimum=st.floats(0, 1e10),
    held=st.sets(st.integers(0, 29)),
)
def test_a_second_look_at_the_same_market_changes_nothing(
    volumes: list[float], top: int, minimum: float, held: set[int]
) -> None:
    names = [f"N{number:02}USDT" for number in range(len(volumes))]
    rule = Rule("USDT", minimum, top)
    scanned = {names[number] for number in held if number < len(names)}
    turnover = dict(zip(names, volumes, strict=True))

    first = chosen(markets(*names), turnover, rule, scanned)

    assert chosen(markets(*names), turnover, rule, first) == first
    assert len(first) <= max(top, 1.2 * top)
    assert all(turnover[symbol] >= 0.8 * minimum for symbol in first)


# --- what the exchange says -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "count", "traded", "ether"),
    [(IN_2021, 1695, 1222, (1e-06, 0.0001, 0.0001)), (IN_2025, 25, 12, (1e-05, 0.0001, 0.0001))],
)
def test_bodies_of_2021_and_2025_are_read(
    name: str, count: int, traded: int, ether: tuple[float, float, float]
) -> None:
    found = listed_in(recorded(name))

    assert (len(found), sum(each.is_traded for each in found.values())) == (count, traded)
    eth = found["ETHBTC"]
    assert (eth.base_asset, eth.quote_asset, eth.tick_size, eth.step_size, eth.min_notional) == ("ETH", "BTC", *ether)
    assert all(each.tick_size and each.step_size and each.min_notional for each in found.values())


def test_tokens_with_leverage_are_no_spot_markets() -> None:
    found = listed_in(recorded(IN_2021))

    assert Counter(each.is_spot for each in found.values()) == {True: 1655, False: 40}
    assert not any(found[symbol].is_traded for symbol in ("BTCUPUSDT", "BTCDOWNUSDT", "ETHUPUSDT"))


def test_turnover_is_read_from_recorded_tickers() -> None:
    found = turnover_in(recorded("gocryptotrader/43_api_v3_ticker_24hr.json"))

    assert found["ETHBTC"] == 1211.29369168
    assert len(found) == 6


@pytest.mark.parametrize(
    ("notional", "expected"),
    [
        ([{"filterType": "NOTIONAL", "minNotional": "5.0"}], 5.0),
        ([{"filterType": "MIN_NOTIONAL", "minNotional": "10.0", "applyToMarket": True}], 10.0),
        ([{"filterType": "NOTIONAL", "minNotional": "0.00000000"}], None),
        ([], None),
    ],
)
def test_the_least_order_is_read_in_both_shapes(notional: list[dict[str, Any]], expected: float | None) -> None:
    assert one(filters=notional).min_notional == expected


@pytest.mark.parametrize(
    ("changes", "is_spot"),
    [
        ({}, True),
        ({"permissions": ["SPOT"], "permissionSets": None}, True),
        ({"permissionSets": []}, True),
        ({"permissions": ["LEVERAGED"], "permissionSets": []}, False),
        ({"permissionSets": [["TRD_GRP_004"]]}, False),
        ({"isSpotTradingAllowed": False}, False),
    ],
)
def test_what_may_be_traded_on_the_spot_market(changes: dict[str, Any], is_spot: bool) -> None:
    assert one(**changes).is_spot is is_spot


@pytest.mark.parametrize(
    "changes",
    [
        {"symbol": None},
        {"status": 7},
        {"baseAsset": ""},
        {"filters": "none"},
        {"filters": [7]},
        {"filters": [{"filterType": "PRICE_FILTER", "tickSize": "NaN"}]},
        {"filters": [{"filterType": "LOT_SIZE", "stepSize": "-1"}]},
        {"filters": [{"filterType": "NOTIONAL", "minNotional": "1e400"}]},
        {"permissionSets": [["SPOT"], "MARGIN"]},
        {"permissions": [{}]},
    ],
    ids=str,
)
def test_an_entry_that_cannot_be_read_spoils_the_answer(changes: dict[str, Any]) -> None:
    with pytest.raises(UnreadableListingError):
        listed_in({"symbols": [entry(), entry(**changes)]})


@pytest.mark.parametrize("body", [None, [], {}, {"symbols": None}, {"symbols": [None]}])
def test_what_is_no_listing_is_refused(body: object) -> None:
    with pytest.raises(UnreadableListingError, match="symbols is no list"):
        listed_in(body)


@pytest.mark.parametrize("body", [None, {}, [7], [{"symbol": "BTCUSDT"}], [{"symbol": "BTCUSDT", "quoteVolume": 7.0}]])
def test_what_are_no_tickers_is_refused(body: object) -> None:
    with pytest.raises(UnreadableListingError):
        turnover_in(body)
