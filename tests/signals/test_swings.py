"""Swing points are the ones a plain loop finds, and nobody sees them before the bar that confirms them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import FloatArray
from signals.heads.swings import KEPT, Side, confirmed_swings

# Few distinct values, so that ties and flat tops are common.
prices = st.lists(st.integers(1, 12), min_size=0, max_size=80).map(lambda values: np.array(values, np.float64))
sides = st.integers(1, 4)


def tops_by_hand(heights: list[float], left: int, right: int) -> list[int]:
    return [
        bar
        for bar in range(left, len(heights) - right)
        if all(heights[bar] > heights[other] for other in range(bar - left, bar))
        and all(heights[bar] >= heights[other] for other in range(bar + 1, bar + right + 1))
    ]


def seen_by_hand(values: FloatArray, sign: int, left: int, right: int) -> tuple[FloatArray, FloatArray]:
    found = tops_by_hand([sign * float(value) for value in values], left, right)
    seen_prices, seen_ages = np.full((2, KEPT, len(values)), np.nan)
    for now in range(len(values)):
        known = [bar for bar in found if bar + right <= now][::-1][:KEPT]
        for rank, bar in enumerate(known):
            seen_prices[rank, now], seen_ages[rank, now] = values[bar], now - bar
    return seen_prices, seen_ages


@given(high=prices, left=sides, right=sides)
def test_swings_are_the_ones_a_plain_loop_finds(high: FloatArray, left: int, right: int) -> None:
    low = high[::-1].copy()

    found = confirmed_swings(high, low, left=left, right=right)

    for side, values, sign in ((found.high, high, 1), (found.low, low, -1)):
        by_hand = seen_by_hand(values, sign, left, right)
        np.testing.assert_array_equal(side.prices, by_hand[0])
        np.testing.assert_array_equal(side.ages, by_hand[1])


def test_a_swing_is_unknown_until_its_last_bar_on_the_right_has_closed() -> None:
    high = np.array([1.0, 2.0, 5.0, 3.0, 2.0, 1.0])

    found = confirmed_swings(high, high, left=2, right=2).high

    np.testing.assert_array_equal(found.price, [np.nan, np.nan, np.nan, np.nan, 5.0, 5.0])
    np.testing.assert_array_equal(found.age, [np.nan, np.nan, np.nan, np.nan, 2.0, 3.0])
    np.testing.assert_array_equal(np.flatnonzero(found.confirmed), [4])


def test_the_swing_before_the_last_one_is_kept() -> None:
    high = np.array([1.0, 5.0, 1.0, 4.0, 1.0])

    found = confirmed_swings(high, high, left=1, right=1).high

    assert (found.price[-1], found.age[-1]) == (4.0, 1.0)
    assert (found.earlier_price[-1], found.earlier_age[-1]) == (5.0, 3.0)


def test_of_a_flat_top_the_first_bar_counts_and_a_flat_market_has_no_swing() -> None:
    flat_top = np.array([1.0, 3.0, 3.0, 1.0, 1.0])

    assert confirmed_swings(flat_top, flat_top, left=1, right=1).high.age[-1] == 3.0
    assert np.isnan(confirmed_swings(np.ones(20), np.ones(20), left=2, right=2).high.prices).all()


@given(high=prices, left=sides, right=sides)
def test_mirrored_prices_swap_highs_and_lows(high: FloatArray, left: int, right: int) -> None:
    low = high - 1

    straight = confirmed_swings(high, low, left=left, right=right)
    mirrored = confirmed_swings(20 - low, 20 - high, left=left, right=right)

    np.testing.assert_array_equal(mirrored.low.prices, 20 - straight.high.prices)
    np.testing.assert_array_equal(mirrored.high.ages, straight.low.ages)


@settings(max_examples=50)
@given(high=prices, left=sides, right=sides, data=st.data())
def test_a_prefix_gives_the_same_swings(high: FloatArray, left: int, right: int, data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(high)))

    whole = confirmed_swings(high, high - 1, left=left, right=right)
    part = confirmed_swings(high[:cut], high[:cut] - 1, left=left, right=right)

    def same(left_side: Side, right_side: Side) -> None:
        np.testing.assert_array_equal(left_side.prices[:, :cut], right_side.prices)
        np.testing.assert_array_equal(left_side.ages[:, :cut], right_side.ages)

    same(whole.high, part.high)
    same(whole.low, part.low)


def test_a_swing_without_a_neighbour_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        confirmed_swings(np.ones(5), np.ones(5), left=2, right=0)
