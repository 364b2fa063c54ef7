"""Feeds of the futures market: right in value, and never known before the readings they are made of."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.feeds import DAY_MS, HOUR_MS
from ingestion.timeframes import MINUTE_MS
from signals.derivatives import READ_BACK, symbol_feeds
from signals.feeds import Feed, Feeds, Readings

FIVE = 5 * MINUTE_MS
QUARTER = 15 * MINUTE_MS


def readings(rows: Sequence[tuple[int, int, Sequence[float]]]) -> Readings:
    """Readings from (as of, arrival, values)."""
    return Readings.of(rows)


def derivative_feeds(given_readings: dict[str, Readings]) -> Feeds:
    """The feeds of one symbol alone, whose times stay as they are."""
    return symbol_feeds(["AAA"], {name: {"AAA": rows} for name, rows in given_readings.items()}).feeds


def at(name: str, given_readings: dict[str, Readings], close_ms: int) -> float:
    return float(derivative_feeds(given_readings)[name].seen_at(np.array([close_ms]), QUARTER)[0])


def grid(count: int, value: float = 1.0, other: float = 1.0) -> list[tuple[int, int, tuple[float, ...]]]:
    """Readings every five minutes, each there a minute later."""
    return [(step * FIVE, step * FIVE + MINUTE_MS, (value, other)) for step in range(count)]


@pytest.mark.parametrize("hours", [8, 4, 2, 1])
def test_funding_is_told_per_eight_hours(hours: int) -> None:
    paid = readings([(n * hours * HOUR_MS, n * hours * HOUR_MS + MINUTE_MS, (0.0001,)) for n in range(1, 4)])

    assert at("crypto.funding", {"crypto.funding": paid}, 3 * hours * HOUR_MS + MINUTE_MS) == pytest.approx(
        0.0001 * 8 / hours
    )


def test_a_missing_payment_does_not_shrink_the_rate() -> None:
    paid = readings([(n * 8 * HOUR_MS, n * 8 * HOUR_MS, (0.0003,)) for n in (1, 2, 5)])

    assert at("crypto.funding", {"crypto.funding": paid}, 40 * HOUR_MS) == 0.0003


def test_open_interest_is_compared_with_the_day_before() -> None:
    rows = [(0, 0, (100.0, 1000.0)), (DAY_MS, DAY_MS, (110.0, 990.0))]
    stored = {"crypto.open_interest": readings(rows)}

    assert at("crypto.open_interest_change", stored, DAY_MS) == pytest.approx(0.10)
    assert at("crypto.price_change", stored, DAY_MS) == pytest.approx(-0.10)


def test_without_the_day_before_there_is_no_change() -> None:
    rows = [(0, 0, (100.0, 1000.0)), (DAY_MS + HOUR_MS, DAY_MS + HOUR_MS, (110.0, 990.0))]

    assert np.isnan(at("crypto.open_interest_change", {"crypto.open_interest": readings(rows)}, DAY_MS + HOUR_MS))


def test_taker_volume_is_added_up_over_an_hour() -> None:
    rows = [(step * FIVE, step * FIVE, (2.0 if step == 12 else 1.0, 1.0)) for step in range(1, 13)]

    assert at("crypto.taker_ratio", {"crypto.taker_ratio": readings(rows)}, HOUR_MS) == pytest.approx(13 / 12)


def test_an_hour_with_a_hole_has_no_taker_ratio_of_its_own() -> None:
    rows = [row for row in grid(26) if row[0] != 15 * FIVE]
    seen = derivative_feeds({"crypto.taker_ratio": readings(rows)})["crypto.taker_ratio"]

    assert not set(seen.as_of_ms.tolist()) & {step * FIVE for step in range(15, 27)} - {27 * FIVE}
    assert 14 * FIVE in seen.as_of_ms


def test_no_sales_are_no_ratio() -> None:
    assert len(derivative_feeds({"crypto.taker_ratio": readings(grid(20, 1.0, 0.0))})["crypto.taker_ratio"].values) == 0


def test_readings_that_never_came_leave_no_feed() -> None:
    empty = Readings(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 2)))

    assert derivative_feeds({}) == {}
    assert np.isnan(at("crypto.funding", {"crypto.funding": empty}, DAY_MS))


NAMES = ("crypto.funding", "crypto.premium", "crypto.open_interest", "crypto.long_short", "crypto.taker_ratio")


@given(data=st.data())
def test_what_arrives_later_changes_nothing_that_was_seen_before(data: st.DataObject) -> None:
    """Late readings, readings that come twice, holes: at any moment the feeds are those of the readings known then."""
    name = data.draw(st.sampled_from(NAMES))
    step = HOUR_MS if name == "crypto.funding" else FIVE
    rows = []
    for number in data.draw(st.lists(st.integers(0, 320), min_size=1, max_size=60)):
        late = data.draw(st.sampled_from([0, 1, 1, 1, 40, 400])) * FIVE
        figure = float(data.draw(st.integers(1, 9)))
        rows.append((number * step, number * step + late, (figure, 10.0 - figure)))
    now = data.draw(st.integers(0, 330)) * step
    closes = np.arange(0, now + 1, QUARTER)

    whole = derivative_feeds({name: readings(rows)})
    known = [row for row in rows if row[1] <= now]
    then = derivative_feeds({name: readings(known)}) if known else {}

    for feed in whole:
        later = whole[feed].seen_at(closes, QUARTER)
        early = then[feed].seen_at(closes, QUARTER) if feed in then else np.full(len(closes), np.nan)
        np.testing.assert_array_equal(later, early)


def many(data: st.DataObject) -> dict[str, Readings]:
    """Readings of three symbols, each a few, some of them late."""
    found = {}
    for symbol in ("AAA", "BTCUSDT", "CCC"):
        numbers = data.draw(st.lists(st.integers(0, 320), max_size=30))
        rows = [
            (n * FIVE, n * FIVE + data.draw(st.sampled_from([1, 9])) * FIVE, (float(n % 7 + 1), 2.0)) for n in numbers
        ]
        if rows:
            found[symbol] = readings(rows)
    return found


@given(data=st.data(), name=st.sampled_from(NAMES))
def test_symbols_looked_up_together_see_what_each_sees_alone(data: st.DataObject, name: str) -> None:
    stored = {name: many(data)}
    season = Feed(np.array([0]), np.array([0]), np.array([0.8]), 10 * DAY_MS)
    symbols = np.array(["CCC", "AAA", "BTCUSDT", "DDD", "AAA"])
    closes = np.array([40, 300, 300, 300, 320]) * FIVE

    together = symbol_feeds(["AAA", "BTCUSDT", "CCC"], stored, season).seen_at(symbols, closes, QUARTER)

    for row, (symbol, close) in enumerate(zip(symbols.tolist(), closes.tolist(), strict=True)):
        known = [symbol] if symbol != "DDD" else []
        alone = symbol_feeds(known, stored, season).seen_at(np.array([symbol]), np.array([close]), QUARTER)
        for feed in together:
            np.testing.assert_array_equal(together[feed][row], alone.get(feed, np.array([np.nan]))[0])


def test_bitcoin_has_no_alt_season() -> None:
    season = Feed(np.array([0]), np.array([0]), np.array([0.8]), 10 * DAY_MS)
    feeds = symbol_feeds(["BTCUSDT", "ETHUSDT"], {}, season)

    seen = feeds.seen_at(np.array(["BTCUSDT", "ETHUSDT"]), np.array([FIVE, FIVE]), QUARTER)

    np.testing.assert_array_equal(seen["crypto.alt_season"], [np.nan, 0.8])


@given(data=st.data(), name=st.sampled_from(NAMES), step=st.integers(0, 340))
def test_a_close_needs_no_reading_from_further_back_than_is_read(data: st.DataObject, name: str, step: int) -> None:
    stored, close = many(data), step * FIVE
    near = {}
    for symbol, each in stored.items():
        back = close - each.as_of_ms
        kept = np.logical_or.reduce([(back <= since) & (back >= until) for since, until in READ_BACK[name]])
        kept &= each.available_ms <= close
        if kept.any():
            near[symbol] = Readings(each.as_of_ms[kept], each.available_ms[kept], each.values[kept])

    names = np.array(["AAA", "BTCUSDT", "CCC"])
    all_read, few_read = (
        symbol_feeds(names.tolist(), {name: which}).seen_at(names, np.full(3, close), QUARTER)
        for which in (stored, near)
    )

    for feed, seen in all_read.items():
        np.testing.assert_array_equal(seen, few_read.get(feed, np.full(3, np.nan)))
