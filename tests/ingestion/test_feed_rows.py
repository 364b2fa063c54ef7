"""Rows of a feed's answer: what is read, and what is refused with which words."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion import feeds
from ingestion.feed_rows import SortedRows, sort_rows
from ingestion.feeds import DAY_MS, FIVE_MINUTES_MS, HOUR_MS, SOURCES
from tests.ingestion.futures import NOON_MS, funding, long_short, open_interest, premium, taker

BTC = "BTCUSDT"
MADE = {
    feeds.PREMIUM: premium,
    feeds.FUNDING: funding,
    feeds.OPEN_INTEREST: open_interest,
    feeds.LONG_SHORT: long_short,
    feeds.TAKER_RATIO: taker,
}


def sorted_rows(name: str, *rows: Any, closed_by: int = NOON_MS) -> SortedRows:
    return sort_rows(SOURCES[name], rows, BTC, closed_by)


def reason(name: str, row: Any) -> str:
    (refused,) = sorted_rows(name, row).refused
    return refused.reason


def changed(name: str, **fields: Any) -> dict[str, Any]:
    row = MADE[name](NOON_MS - HOUR_MS, BTC)
    assert isinstance(row, dict)
    return row | fields


def test_a_row_of_a_period_speaks_of_its_end_and_a_snapshot_of_its_stamp() -> None:
    stamp = NOON_MS - HOUR_MS

    moments = {name: list(sorted_rows(name, make(stamp, BTC)).readings) for name, make in MADE.items()}

    assert moments == {
        feeds.PREMIUM: [stamp + FIVE_MINUTES_MS],
        feeds.FUNDING: [stamp],
        feeds.OPEN_INTEREST: [stamp],
        feeds.LONG_SHORT: [stamp],
        feeds.TAKER_RATIO: [stamp + FIVE_MINUTES_MS],
    }


def test_milliseconds_beside_the_hour_do_not_move_a_payment() -> None:
    assert list(sorted_rows(feeds.FUNDING, funding(NOON_MS - HOUR_MS + 12, BTC)).readings) == [NOON_MS - HOUR_MS]


def test_of_two_rows_of_one_moment_the_first_counts() -> None:
    first, second = changed(feeds.LONG_SHORT, longShortRatio="2"), changed(feeds.LONG_SHORT, longShortRatio="3")

    assert sorted_rows(feeds.LONG_SHORT, first, second).readings == {NOON_MS - HOUR_MS: (2.0,)}


def test_what_has_not_ended_is_neither_stored_nor_refused() -> None:
    done = sorted_rows(feeds.TAKER_RATIO, taker(NOON_MS - FIVE_MINUTES_MS, BTC), taker(NOON_MS, BTC))

    assert (list(done.readings), done.refused) == ([NOON_MS], ())


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        (feeds.FUNDING, {"fundingRate": "1.5"}, "fundingRate is not a fraction"),
        (feeds.FUNDING, {"fundingRate": "nan"}, "fundingRate is not a finite number"),
        (feeds.FUNDING, {"fundingTime": None}, "fundingTime is not a time"),
        (feeds.FUNDING, {"fundingTime": 1.7e12}, "fundingTime is not a time"),
        (feeds.FUNDING, {"fundingTime": True}, "fundingTime is not a time"),
        (feeds.FUNDING, {"fundingTime": -5}, "fundingTime is not a time"),
        (feeds.FUNDING, {"symbol": "ETHUSDT"}, "it is of another symbol"),
        (feeds.OPEN_INTEREST, {"sumOpenInterestValue": "0"}, "sumOpenInterestValue is zero or negative"),
        (feeds.OPEN_INTEREST, {"timestamp": NOON_MS - 1}, "its time lies off the grid"),
        (feeds.OPEN_INTEREST, {"timestamp": NOON_MS + 2 * DAY_MS}, "its time lies in the future"),
        (feeds.LONG_SHORT, {"longShortRatio": "-1"}, "longShortRatio is zero or negative"),
        (feeds.LONG_SHORT, {"longShortRatio": 1e999}, "longShortRatio is not a finite number"),
        (feeds.LONG_SHORT, {"longShortRatio": [1]}, "longShortRatio is not a finite number"),
        (feeds.TAKER_RATIO, {"sellVol": "-0.1"}, "sellVol is negative"),
        (feeds.TAKER_RATIO, {"buyVol": "٣"}, "buyVol is not a finite number"),
        (feeds.TAKER_RATIO, {"buyVol": " 3"}, "buyVol is not a finite number"),
    ],
)
def test_what_cannot_be_is_refused_in_words(name: str, fields: dict[str, Any], expected: str) -> None:
    assert reason(name, changed(name, **fields)) == expected


def test_a_kline_of_another_length_is_refused() -> None:
    row = premium(NOON_MS - HOUR_MS, BTC)
    row[6] += HOUR_MS

    assert reason(feeds.PREMIUM, row) == "it is not five minutes long"
    assert reason(feeds.PREMIUM, row[:5]) == "field 0 is not there"


@pytest.mark.parametrize("value", ["101", "-1", "NaN"])
def test_an_index_beyond_its_scale_is_refused(value: str) -> None:
    assert reason(feeds.EXTERNAL, {"value": value, "timestamp": str(NOON_MS // 1000)})


def test_a_refused_row_keeps_its_moment_if_it_can_be_read() -> None:
    (refused,) = sorted_rows(feeds.LONG_SHORT, changed(feeds.LONG_SHORT, longShortRatio="NaN")).refused

    assert refused.as_of_ms == NOON_MS - HOUR_MS
    assert json.loads(refused.payload)["longShortRatio"] == "NaN"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=9) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=12,
)


@given(rows=st.lists(ANYTHING, max_size=6), name=st.sampled_from(sorted(SOURCES)))
def test_whatever_comes_is_a_reading_or_refused_and_never_an_exception(rows: list[Any], name: str) -> None:
    done = sorted_rows(name, *rows)

    assert len(done.refused) == len(rows)


@given(
    name=st.sampled_from(sorted(MADE)),
    figure=ANYTHING | st.floats().map(str) | st.sampled_from(["1e400", "-1", "0", "Infinity"]),
)
def test_no_figure_that_is_not_finite_is_ever_stored(name: str, figure: Any) -> None:
    row: Any = MADE[name](NOON_MS - HOUR_MS, BTC)
    if isinstance(row, list):
        row[4] = figure
    else:
        row |= {field: figure for field in row if field not in ("symbol", "timestamp", "fundingTime")}

    for values in sorted_rows(name, row).readings.values():
        assert all(-1e300 < value < 1e300 for value in values)
