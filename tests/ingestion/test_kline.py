"""Rows and frames of the exchange become sound candles or are refused, whatever JSON they are made of."""

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from django.db.models import BigIntegerField, FloatField
from hypothesis import given
from hypothesis import strategies as st

from ingestion import kline
from ingestion.kline import BadKlineError, Kline, from_frame, from_rest, is_final
from ingestion.models import Candle
from ingestion.timeframes import FIGURES, MINUTE_MS
from tests.ingestion.market import SHARED

RECORDED = SHARED / "data" / "binance_api"
MARCH_24 = 1_679_616_000_000
ROW: list[Any] = [
    *(MARCH_24, "100.50", "101.00", "99.75", "100.00", "12.5", MARCH_24 + 59_999),
    *("1256.25", 42, "7.25", "728.5", "0"),
]
FRAME: dict[str, Any] = {
    **{"t": MARCH_24, "T": MARCH_24 + 59_999, "s": "BTCUSDT", "i": "1m", "f": 1, "L": 42, "o": "100.50", "c": "100.00"},
    **{"h": "101.00", "l": "99.75", "v": "12.5", "n": 42, "x": True, "q": "1256.25", "V": "7.25", "Q": "728.5"},
    **{"B": "0"},
}
EXPECTED = Kline("BTCUSDT", MARCH_24, MARCH_24 + 59_999, (100.5, 101, 99.75, 100, 12.5, 1256.25, 42, 7.25, 728.5))


def row_with(**changes: Any) -> list[Any]:
    names = ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")
    return [changes.get(name, cell) for name, cell in zip(names, ROW, strict=True)]


def test_figures_stand_in_the_order_of_the_candle_table() -> None:
    columns = [field.name for field in Candle._meta.concrete_fields if isinstance(field, FloatField | BigIntegerField)]
    assert tuple(columns) == FIGURES


def test_row_and_frame_of_one_minute_are_the_same_candle() -> None:
    assert from_rest("BTCUSDT", ROW) == EXPECTED
    assert from_frame(FRAME) == EXPECTED


def recorded_frames() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every recorded kline frame, combined and raw, with the file it is from."""
    for path in sorted(RECORDED.rglob("*kline*frames.jsonl")) + sorted(RECORDED.rglob("*ws_kline_*1m*.json")):
        for line in path.read_text(encoding="utf-8").splitlines():
            frame = json.loads(line)
            frame = json.loads(frame["frame"]) if "frame" in frame else frame
            yield path.name, frame.get("data", frame)["k"]


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of the exchange are not beside the project")
def test_recorded_frames_of_a_minute_are_read_and_others_are_refused() -> None:
    final, seen = 0, 0
    for name, k in recorded_frames():
        seen += 1
        if k["i"] != "1m":
            with pytest.raises(BadKlineError, match="not of 1m"):
                from_frame(k)
            continue
        read = from_frame(k)
        final += is_final(k)
        assert (read.symbol, read.open_ms, read.close_ms) == (k["s"], k["t"], k["T"]), name
        assert read.figures == tuple(float(k[key]) for key in "ohlcvqnVQ"), name

    assert (seen, final) == (83, 6)


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded answers of the exchange are not beside the project")
def test_recorded_rows_of_a_minute_are_read_and_others_are_refused() -> None:
    names = ("nautilus_trader/http_spot_market_klines.json", "nautilus_trader/http_futures_market_klines.json")
    pages = [RECORDED / name for name in names] + sorted(RECORDED.glob("python-binance/klines_*.json"))
    rows = [row for path in pages for row in json.loads(path.read_text(encoding="utf-8"))]
    minutes = [row for row in rows if row[6] - row[0] == MINUTE_MS - 1]

    for row in minutes:
        read = from_rest("BTCUSDT", row)
        assert read.figures == tuple(float(row[place]) for place in (1, 2, 3, 4, 5, 7, 8, 9, 10))
    assert len(minutes) >= 4
    for row in (row for row in rows if row not in minutes):
        with pytest.raises(BadKlineError, match="close time"):
            from_rest("BTCUSDT", row)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"o": "NaN"}, "open is no decimal"),
        ({"c": "inf"}, "close is no decimal"),
        ({"h": "1e400"}, "high is negative or infinite"),
        ({"l": "-1.0"}, "low is negative or infinite"),
        ({"l": "0.00000000"}, "a price is zero"),
        ({"l": ""}, "low is no decimal"),
        ({"o": 100.5}, "open is no decimal"),
        ({"o": "1_0.0"}, "open is no decimal"),
        ({"o": None}, "open is no decimal"),
        ({"h": "100.40"}, "high is below"),
        ({"l": "100.01"}, "low is above"),
        ({"v": "-0.1"}, "volume is negative"),
        ({"v": ["1"]}, "volume is no decimal"),
        ({"n": "42"}, "trades is no whole number"),
        ({"n": True}, "trades is no whole number"),
        ({"n": -1}, "trades is no whole number"),
        ({"n": 10**400}, "trades is no whole number"),
        ({"V": "nan"}, "taker_base is no decimal"),
        ({"T": MARCH_24 + 60_000}, "close time is not 59999 ms"),
        ({"T": MARCH_24 + 3_599_999}, "close time is not 59999 ms"),
        ({"t": str(MARCH_24)}, "open time is no whole number"),
        ({"t": float(MARCH_24)}, "open time is no whole number"),
        ({"t": 0, "T": 59_999}, "between 2009 and 2100"),
        ({"t": MARCH_24 * 1000, "T": MARCH_24 * 1000 + 59_999}, "open time is no whole number"),
    ],
)
def test_impossible_cells_are_refused_in_rows_and_frames(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadKlineError, match=complaint):
        from_rest("BTCUSDT", row_with(**changes))
    with pytest.raises(BadKlineError, match=complaint):
        from_frame(FRAME | changes)


@pytest.mark.parametrize(
    ("k", "complaint"),
    [
        (None, "no object"),
        ([FRAME], "no object"),
        ({key: value for key, value in FRAME.items() if key not in "oQ"}, "lacks o, Q"),
        ({key: value for key, value in FRAME.items() if key != "s"}, "symbol"),
        (FRAME | {"s": "btcusdt"}, "symbol"),
        (FRAME | {"s": "BTC\0USDT"}, "symbol"),
        (FRAME | {"s": "B" * 51}, "symbol"),
        (FRAME | {"i": "5m"}, "not of 1m"),
    ],
)
def test_frames_of_another_shape_are_refused(k: object, complaint: str) -> None:
    with pytest.raises(BadKlineError, match=complaint):
        from_frame(k)


@pytest.mark.parametrize("row", [None, {}, "row", ROW[:-1], [*ROW, "0"]])
def test_rows_of_another_shape_are_refused(row: object) -> None:
    with pytest.raises(BadKlineError, match="12 fields"):
        from_rest("BTCUSDT", row)


def test_off_grid_candle_is_marked_in_a_row_and_refused_in_a_frame() -> None:
    opens = {"t": MARCH_24 + 1_500, "T": MARCH_24 + 1_500 + 59_999}

    assert from_rest("BTCUSDT", row_with(**opens)).is_off_grid
    assert not from_rest("BTCUSDT", ROW).is_off_grid
    with pytest.raises(BadKlineError, match="minute grid"):
        from_frame(FRAME | opens)


def test_volume_without_trades_means_that_the_source_lacks_four_figures() -> None:
    read = from_frame(FRAME | {"n": 0, "q": "0", "V": "0", "Q": "0"})
    quiet = from_frame(FRAME | {"v": "0", "n": 0, "q": "0", "V": "0", "Q": "0"})

    assert read.figures[:5] == EXPECTED.figures[:5]
    assert all(math.isnan(value) for value in read.figures[5:])
    assert quiet.figures[4:] == (0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize("x", [False, None, 1, "true", [True]])
def test_only_true_itself_makes_a_candle_final(x: object) -> None:
    assert is_final(FRAME)
    assert not is_final(FRAME | {"x": x})
    assert not is_final({})
    assert not is_final("x")


def test_candles_are_sorted_and_the_later_word_on_a_minute_counts() -> None:
    def at(minute: int, symbol: str, close: float) -> Kline:
        opens = MARCH_24 + minute * MINUTE_MS
        return Kline(symbol, opens, opens + 59_999, (100.0, 101.0, 99.0, close, 1.0, 1.0, 1.0, 1.0, 1.0))

    found = kline.candles(
        [at(2, "BTCUSDT", 100.0), at(0, "ETHUSDT", 99.5), at(1, "BTCUSDT", 99.0), at(2, "BTCUSDT", 101)]
    )

    assert list(found) == ["BTCUSDT", "ETHUSDT"]
    assert found["BTCUSDT"].open_ms.tolist() == [MARCH_24 + MINUTE_MS, MARCH_24 + 2 * MINUTE_MS]
    assert found["BTCUSDT"].close.tolist() == [99.0, 101.0]
    assert found["ETHUSDT"].minutes.tolist() == [1]
    assert kline.candles([]) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=13) | st.dictionaries(st.text(max_size=3), inner, max_size=6),
    max_leaves=30,
)
NUMBERS = st.from_regex(r"-?[0-9]{1,4}(\.[0-9]{1,8})?(e-?[0-9]{1,3})?", fullmatch=True)
CELLS = JSON | NUMBERS | st.sampled_from(["NaN", "Infinity", "1e400", "-0", ""]) | st.integers(MARCH_24, MARCH_24 + 9)


def assert_sane(read: Kline) -> None:
    opened, high, low, close, *others = read.figures
    assert read.close_ms == read.open_ms + 59_999
    assert 0 < low <= min(opened, close) <= max(opened, close) <= high < math.inf
    assert all(math.isnan(value) or 0 <= value < math.inf for value in others)
    assert np.isfinite(others[0])


@given(JSON)
def test_any_json_is_a_sane_candle_or_refused(value: object) -> None:
    for read in (from_frame, lambda row: from_rest("BTCUSDT", row)):
        with pytest.raises(BadKlineError):
            read(value)


@given(st.dictionaries(st.sampled_from(list(FRAME)), CELLS, max_size=3))
def test_a_good_kline_with_any_cells_changed_is_sane_or_refused(changes: dict[str, Any]) -> None:
    for read in (lambda: from_frame(FRAME | changes), lambda: from_rest("BTCUSDT", row_with(**changes))):
        try:
            found = read()
        except BadKlineError:
            continue
        assert_sane(found)
