"""The zigzag is the line one draws swing by swing with a pencil, and never knows a swing before it is confirmed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import TIMEFRAMES, Candles, FloatArray
from signals.frame import Frame, end_to_end
from signals.heads.zigzag import PIVOTS, Pivots, pivots_of
from signals.window import Span, Window, stacked
from tests.signals.head_windows import recorded
from tests.signals.test_swings import tops_by_hand

QUARTER = TIMEFRAMES["15m"]
Pivot = tuple[int, float, int]  # side, price, bar

# Few distinct values, so that ties and bars that are high and low at once are common.
bar_ranges = st.lists(st.tuples(st.integers(1, 9), st.integers(0, 6)), min_size=0, max_size=70)
sides = st.integers(1, 3)


def frame_of(high: FloatArray, low: FloatArray) -> Frame:
    count = len(high)
    unknown = np.full(count, np.nan)
    open_ms = np.arange(count, dtype=np.int64) * QUARTER.ms
    minutes = np.full(count, QUARTER.minutes, np.int64)
    return Frame(QUARTER, Candles(open_ms, high, high, low, low, unknown, unknown, unknown, unknown, unknown, minutes))


def frame_from(ranges: list[tuple[int, int]]) -> Frame:
    low = np.array([float(bottom) for bottom, _ in ranges])
    return frame_of(low + np.array([float(height) for _, height in ranges]), low)


def drawn_by_hand(high: list[float], low: list[float], left: int, right: int) -> list[list[Pivot]]:
    """The pivots after each bar, drawn swing by swing."""
    tops, bottoms = tops_by_hand(high, left, right), tops_by_hand([-price for price in low], left, right)
    chart = ((1, high, set(tops)), (-1, low, set(bottoms)))
    line: list[Pivot] = []
    seen = []
    for now in range(len(high)):
        bar = now - right
        found = [(side, prices[bar], bar) for side, prices, swings in chart if bar in swings]
        if len(found) == 2:  # the side of the last pivot first; without one there is no telling
            found = sorted(found, key=lambda pivot: pivot[0] != line[-1][0]) if line else []
        for pivot in found:
            draw(line, pivot)
        seen.append(list(line))
    return seen


def draw(line: list[Pivot], pivot: Pivot) -> None:
    if not line or line[-1][0] != pivot[0]:
        line.append(pivot)
    elif pivot[0] * (pivot[1] - line[-1][1]) > 0:
        line[-1] = pivot


def by_hand(high: FloatArray, low: FloatArray, left: int, right: int) -> Pivots:
    prices, age, side = np.full((PIVOTS, len(high)), np.nan), np.full(len(high), np.nan), np.full(len(high), np.nan)
    for now, line in enumerate(drawn_by_hand(high.tolist(), low.tolist(), left, right)):
        for rank, pivot in enumerate(line[::-1][:PIVOTS]):
            prices[rank, now] = pivot[1]
        if line:
            side[now], age[now] = line[-1][0], now - line[-1][2]
    return Pivots(prices, age, side)


def assert_same(found: Pivots, expected: Pivots) -> None:
    np.testing.assert_array_equal(found.prices, expected.prices)
    np.testing.assert_array_equal(found.age, expected.age)
    np.testing.assert_array_equal(found.side, expected.side)


@settings(max_examples=300)
@given(ranges=bar_ranges, left=sides, right=sides)
def test_the_zigzag_is_the_one_drawn_swing_by_swing(ranges: list[tuple[int, int]], left: int, right: int) -> None:
    frame = frame_from(ranges)

    assert_same(pivots_of(frame, left, right), by_hand(frame["high"], frame["low"], left, right))


def test_the_zigzag_of_real_candles_is_the_one_drawn_swing_by_swing() -> None:
    candles = recorded()

    assert_same(pivots_of(Frame(QUARTER, candles), 5, 5), by_hand(candles.high, candles.low, 5, 5))


def test_a_pivot_is_unknown_until_its_swing_is_confirmed() -> None:
    close = np.array([3.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 2.0])

    seen = pivots_of(frame_of(close, close), 2, 2)

    assert np.isnan(seen.side[:4]).all()
    assert (seen.side[4], seen.prices[0, 4], seen.age[4]) == (-1.0, 1.0, 2.0)
    assert (seen.side[6], seen.prices[0, 6]) == (-1.0, 1.0)
    assert (seen.side[7], seen.prices[:2, 7].tolist(), seen.age[7]) == (1.0, [4.0, 1.0], 2.0)


def test_of_two_highs_without_a_low_between_the_higher_one_counts() -> None:
    # The dip between the highs is no swing low: a bar on its left is as low.
    high = np.array([1.0, 5.0, 2.0, 7.0, 3.0, 6.0, 1.0])
    low = np.zeros(7)

    seen = pivots_of(frame_of(high, low), 1, 1)

    assert seen.prices[0].tolist()[2:] == [5.0, 5.0, 7.0, 7.0, 7.0]
    assert np.isnan(seen.prices[1]).all()
    assert seen.age.tolist()[2:] == [1.0, 2.0, 1.0, 2.0, 3.0]


def test_a_bar_that_is_both_ends_the_leg_that_ran_and_begins_the_next() -> None:
    # After a swing low comes a bar that is lower still and higher than all around it.
    high = np.array([5.0, 4.0, 5.0, 9.0, 5.0, 5.0])
    low = np.array([3.0, 2.0, 3.0, 1.0, 3.0, 3.0])

    seen = pivots_of(frame_of(high, low), 1, 1)

    assert (seen.side[4], seen.prices[:2, 4].tolist()) == (1.0, [9.0, 1.0])


def test_a_chart_that_begins_with_a_bar_that_is_both_has_no_pivot_there() -> None:
    high, low = np.array([5.0, 9.0, 5.0, 5.0]), np.array([3.0, 1.0, 3.0, 3.0])

    assert np.isnan(pivots_of(frame_of(high, low), 1, 1).side).all()


def test_a_chart_that_begins_with_a_bar_that_is_both_has_no_pivot_there_beside_another_chart_either() -> None:
    rise = frame_of(np.array([1.0, 2.0, 3.0, 2.0, 1.0]), np.zeros(5))
    both = frame_of(np.array([5.0, 9.0, 5.0, 5.0]), np.array([3.0, 1.0, 3.0, 3.0]))

    seen = pivots_of(end_to_end([rise, both]), 1, 1)

    assert (seen.side[4], np.isnan(seen.side[5:]).all()) == (1.0, True)


@settings(max_examples=100)
@given(ranges=bar_ranges, left=sides, right=sides)
def test_the_zigzag_upside_down_is_the_same_line(ranges: list[tuple[int, int]], left: int, right: int) -> None:
    frame = frame_from(ranges)

    straight = pivots_of(frame, left, right)
    turned = pivots_of(frame_of(-frame["low"], -frame["high"]), left, right)

    assert_same(turned, Pivots(-straight.prices, straight.age, -straight.side))


@settings(max_examples=100)
@given(ranges=bar_ranges, left=sides, right=sides, data=st.data())
def test_a_prefix_gives_the_same_zigzag(
    ranges: list[tuple[int, int]], left: int, right: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, len(ranges)))

    whole, part = pivots_of(frame_from(ranges), left, right), pivots_of(frame_from(ranges[:cut]), left, right)

    assert_same(Pivots(whole.prices[:, :cut], whole.age[:cut], whole.side[:cut]), part)


@pytest.mark.parametrize("bars", [0, 1, 3])
def test_too_few_bars_have_no_pivot(bars: int) -> None:
    assert np.isnan(pivots_of(frame_of(np.ones(bars), np.zeros(bars)), 2, 2).prices).all()


def test_parts_of_several_charts_know_their_own_zigzag() -> None:
    frames = [Frame(QUARTER, recorded().rows(slice(start, start + 400))) for start in (0, 700)]
    window, rows = stacked([Span(Window(frame, {}, {}), 380, 400) for frame in frames], 10)

    together = pivots_of(window.base, 3, 3)

    alone = [pivots_of(frame, 3, 3) for frame in frames]
    expected = np.concatenate([each.prices[:, 380:] for each in alone], axis=1)
    np.testing.assert_array_equal(together.prices[:, rows], expected)
    np.testing.assert_array_equal(together.age[rows], np.concatenate([each.age[380:] for each in alone]))


@settings(max_examples=200)
@given(charts=st.lists(bar_ranges.filter(bool), min_size=1, max_size=4), left=sides, right=sides)
def test_charts_one_after_the_other_have_the_zigzags_of_each(
    charts: list[list[tuple[int, int]]], left: int, right: int
) -> None:
    frames = [frame_from(ranges) for ranges in charts]

    together = pivots_of(end_to_end(frames), left, right)

    alone = [by_hand(frame["high"], frame["low"], left, right) for frame in frames]
    assert_same(together, Pivots(*(np.concatenate(each, axis=-1) for each in zip(*map(members, alone), strict=True))))


def members(pivots: Pivots) -> tuple[FloatArray, ...]:
    return pivots.prices, pivots.age, pivots.side
