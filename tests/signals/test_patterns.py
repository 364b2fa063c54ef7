"""The patterns head sides with patterns that a level and the volume confirm, from the bar that confirms them."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st
from talib import abstract

from ingestion.timeframes import BoolArray, Candles, FloatArray
from signals.frame import Frame
from signals.heads import chart_patterns
from signals.heads.base import MOST_REASONS
from signals.heads.chart_patterns import BULLISH, Chart
from signals.heads.patterns import (
    CANDLESTICK_BARS,
    CANDLESTICKS,
    DIRECTIONLESS,
    PATTERN_BARS,
    REPEATED,
    SWING_LEFT,
    SWING_RIGHT,
    VOLUME_BARS,
    Patterns,
    candlesticks,
    ticks_of,
    volume_backs,
)
from signals.heads.swings import confirmed_swings
from tests.signals.head_windows import (
    READY,
    Row,
    assert_inputs_untouched,
    assert_prefix_invariant,
    bars,
    recorded,
    share_voted,
    shared_bars,
    upside_down,
    window_of,
)

LEAD_IN = 540
QUIET, LOUD = 10.0, 20.0
# Two bars that repeat: no swing among equal highs, bodies of 0.4 and ranges of 1, so an ATR near 1.
RESTING: list[Row] = [(99.8, 100.5, 99.5, 100.2), (100.2, 100.5, 99.5, 99.8)]
COINS = ("ETH", "ADA", "DOGE")
BLOCK = recorded().rows(slice(0, 1024))


def drawn(path: Sequence[float]) -> list[Row]:
    """Bars that run from point to point of the path, with wicks of 0.3."""
    return [(a, max(a, b) + 0.3, min(a, b) - 0.3, b) for a, b in pairwise(path)]


def market(tail: list[Row], *, loud: int | None = -1) -> Candles:
    """A resting market, then the tail; `loud` is the one bar, counted from the end, with twice the usual volume."""
    rows = RESTING * (LEAD_IN // 2) + tail
    volumes = [QUIET] * len(rows)
    if loud is not None:
        volumes[loud] = LOUD
    return bars(rows, volumes)


def last_vote(candles: Candles) -> int:
    return int(Patterns().vote(window_of(candles)).direction[-1])


# Down to a low of 96.7 and back, then down again, in steps that make no pattern by themselves.
DIP = drawn([99.8, 99, 98, 97, 98.2, 99, 99.6, 100, 99.9, 99.2, 98.4, 97.6])
HAMMER: Row = (97.4, 97.52, 96.6, 97.5)
SHOOTING_STAR: Row = (102.6, 103.4, 102.48, 102.5)


def test_a_hammer_at_support_with_volume_is_a_long() -> None:
    candles = market([*DIP, HAMMER])

    assert talib.CDLHAMMER(candles.open, candles.high, candles.low, candles.close)[-1] == 100
    assert last_vote(candles) == 1


def test_its_mirror_at_resistance_is_a_short() -> None:
    assert last_vote(upside_down(market([*DIP, HAMMER]), around=200)) == -1


def test_the_same_hammer_without_volume_says_nothing() -> None:
    assert last_vote(market([*DIP, HAMMER], loud=None)) == 0


def test_the_same_hammer_away_from_any_level_says_nothing() -> None:
    shallow = drawn([99.8, 99, 98, 97, 96, 95, 94, 93, 92.2, 91.4])
    hammer: Row = (91.2, 91.32, 90.4, 91.3)
    candles = market([*shallow, hammer])

    assert talib.CDLHAMMER(candles.open, candles.high, candles.low, candles.close)[-1] == 100
    assert last_vote(candles) == 0


def test_a_pattern_votes_on_its_bar_and_the_two_after_it() -> None:
    calm: list[Row] = [(97.5, 97.9, 97.3, 97.7), (97.7, 98.0, 97.4, 97.6), (97.6, 97.9, 97.3, 97.7)]
    votes = Patterns().vote(window_of(market([*DIP, HAMMER, *calm], loud=-4)))

    np.testing.assert_array_equal(votes.direction[-4:], [1, 1, 1, 0])


TWO_BOTTOMS = [99.8, 98.8, 97.6, 96.4, 97.4, 98.6, 99.4, 100.2, 99.4, 98.6, 97.6, 96.5, 97.4, 98.4, 99.2, 99.8]


def test_a_double_bottom_is_a_long_once_a_close_is_above_the_peak_between() -> None:
    before = market(drawn(TWO_BOTTOMS))
    confirmed = market(drawn([*TWO_BOTTOMS, 101.4]))

    assert (last_vote(before), last_vote(confirmed)) == (0, 1)
    assert found(chart_patterns.double_bottom, confirmed)[-1]
    assert not found(chart_patterns.double_bottom, before).any()


def test_a_double_bottom_is_not_confirmed_by_a_wick() -> None:
    wick: Row = (99.8, 102.0, 99.5, 100.2)
    assert not found(chart_patterns.double_bottom, market([*drawn(TWO_BOTTOMS), wick])).any()


def test_a_double_bottom_is_confirmed_once() -> None:
    later = market(drawn([*TWO_BOTTOMS, 101.4, 101.6, 102.0]))
    np.testing.assert_array_equal(np.flatnonzero(found(chart_patterns.double_bottom, later)), [len(later) - 3])


def test_two_bottoms_at_different_levels_are_no_double_bottom() -> None:
    uneven = [value - 3 if 10 <= place <= 12 else value for place, value in enumerate(TWO_BOTTOMS)]
    assert not found(chart_patterns.double_bottom, market(drawn([*uneven, 101.4]))).any()


def test_a_double_top_is_the_mirror_of_a_double_bottom() -> None:
    assert last_vote(upside_down(market(drawn([*TWO_BOTTOMS, 101.4])), around=200)) == -1


LEFT_SHOULDER = [99.8, 99.2, 98.6, 98, 97.4, 98, 98.7, 99.4, 99.8]
HEAD = [98.6, 97.4, 96.2, 95, 96.2, 97.4, 98.6, 99.8]
RIGHT_SHOULDER = [99.2, 98.6, 98, 97.2, 98.2, 99, 99.6]


def test_an_inverse_head_and_shoulders_is_confirmed_by_the_close_above_its_neckline() -> None:
    shape = [*LEFT_SHOULDER, *HEAD, *RIGHT_SHOULDER]
    before, after = market(drawn(shape)), market(drawn([*shape, 101.0]))

    assert not found(chart_patterns.inverse_head_and_shoulders, before).any()
    np.testing.assert_array_equal(
        np.flatnonzero(found(chart_patterns.inverse_head_and_shoulders, after)), [len(after) - 1]
    )
    assert last_vote(after) == 1


def test_three_equal_lows_have_no_head() -> None:
    flat_head = [max(value, 97.4) for value in HEAD]
    shape = [*LEFT_SHOULDER, *flat_head, *RIGHT_SHOULDER, 101.0]
    assert not found(chart_patterns.inverse_head_and_shoulders, market(drawn(shape))).any()


NARROWING = [100, 102, 104, 106, 104, 102, 99, 96.5, 98.5, 100.5, 102.5, 104, 102.5, 101, 99.5, 98.2, 99.6, 101, 101.4]


def test_a_triangle_is_confirmed_by_the_close_beyond_its_side_on_either_side() -> None:
    up, inside = market(drawn([*NARROWING, 104.5])), market(drawn([*NARROWING, 101.2]))

    assert found(chart_patterns.triangle_break, up)[-1]
    assert not found(chart_patterns.triangle_break, inside).any()
    assert last_vote(up) == 1

    down = market(drawn([*NARROWING, 97.0]))
    assert found(chart_patterns.triangle_break, upside_down(down))[-1]
    assert last_vote(down) == -1


def test_widening_swings_are_no_triangle() -> None:
    widening = [100, 101, 102, 103, 102, 101, 100, 99, 100.5, 102, 104, 106, 104, 101, 98, 95, 98, 101, 104]
    assert not found(chart_patterns.triangle_break, market(drawn([*widening, 107]))).any()


def test_a_range_that_does_not_narrow_is_no_triangle() -> None:
    box = [100, 102, 104, 106, 104, 102, 100, 97, 99, 101, 103, 106, 104, 102, 100, 97, 99, 101, 103]
    assert not found(chart_patterns.triangle_break, market(drawn([*box, 107]))).any()


POLE_AND_FLAG = [100, 101.5, 103.5, 106, 108.5, 108, 107.6, 107.2, 107.4, 107.0, 107.5]


def test_a_flag_is_confirmed_by_the_close_above_its_pole() -> None:
    after, before = market(drawn([*POLE_AND_FLAG, 109.5])), market(drawn(POLE_AND_FLAG))

    assert found(chart_patterns.flag_break, after)[-1]
    assert not found(chart_patterns.flag_break, before).any()
    assert last_vote(after) == 1
    assert last_vote(upside_down(after, around=200)) == -1


def test_a_rest_that_gives_back_most_of_the_pole_is_no_flag() -> None:
    deep = [*POLE_AND_FLAG[:5], 106.5, 104.5, 102.5, 104.5, 106.5, 107.5, 109.5]
    assert not found(chart_patterns.flag_break, market(drawn(deep))).any()


def found(pattern: Callable[[Chart], BoolArray], candles: Candles) -> BoolArray:
    return pattern(chart_of(candles))


def chart_of(candles: Candles) -> Chart:
    frame = window_of(candles).base
    swings = confirmed_swings(candles.high, candles.low, left=SWING_LEFT, right=SWING_RIGHT)
    return Chart(candles.high, candles.low, candles.close, frame["atr_14"], swings)


@pytest.mark.parametrize("pattern", BULLISH, ids=lambda pattern: pattern.__name__)
def test_every_chart_pattern_is_found_on_real_candles_on_both_sides(pattern: Callable[[Chart], BoolArray]) -> None:
    candles = [recorded(), *(shared_bars(f"spot_1m/2021-06-10_2021-07-10/{coin}USDT-1m.csv.gz") for coin in COINS)]

    bullish = sum(int(pattern(chart_of(market)).sum()) for market in candles)
    bearish = sum(int(pattern(chart_of(market).upside_down()).sum()) for market in candles)

    assert min(bullish, bearish) > 0
    assert bullish + bearish < 0.05 * sum(map(len, candles))


def test_every_candlestick_function_of_the_library_is_used_or_left_out_for_a_reason() -> None:
    functions = [name for name in dir(talib) if name.startswith("CDL")]

    assert sorted(CANDLESTICKS + DIRECTIONLESS + REPEATED) == sorted(functions)


def test_a_repeated_function_is_the_mirror_of_one_that_is_read() -> None:
    columns = tuple(getattr(recorded(), name) for name in ("open", "high", "low", "close"))
    turned = tuple(-column for column in (columns[0], columns[2], columns[1], columns[3]))

    for repeated, read in (("CDLEVENINGSTAR", "CDLMORNINGSTAR"), ("CDLGRAVESTONEDOJI", "CDLDRAGONFLYDOJI")):
        left, right = getattr(talib, repeated)(*columns), getattr(talib, read)(*turned)
        assert (left != 0).any()
        np.testing.assert_array_equal(left != 0, right != 0)


def count_candlesticks(frame: Frame) -> tuple[FloatArray, FloatArray]:
    """Bullish and bearish candlestick patterns that end at each bar, a level near or not."""
    everywhere = np.ones(len(frame), np.bool_)
    bullish, bearish = np.zeros((2, len(frame)))
    for _, up, down in candlesticks(frame, everywhere, everywhere):
        bullish, bearish = bullish + up, bearish + down
    return bullish, bearish


def lookback_of(function: str) -> int:
    lookback: int = getattr(abstract, function).lookback
    return lookback


def test_no_candlestick_reaches_back_further_than_is_read() -> None:
    assert max(lookback_of(name) for name in CANDLESTICKS) + PATTERN_BARS <= CANDLESTICK_BARS


@pytest.mark.parametrize("coin", ["BTC", *COINS])
def test_candlesticks_are_the_same_wherever_the_series_starts(coin: str) -> None:
    name = f"spot_1m/2021-06-10_2021-07-10/{coin}USDT-1m.csv.gz"
    frame = window_of(recorded() if coin == "BTC" else shared_bars(name)).base
    whole = np.array(count_candlesticks(frame))

    for start in (1, 7, 100, 333):
        part = np.array(count_candlesticks(frame.since(start)))
        np.testing.assert_array_equal(part[:, CANDLESTICK_BARS:], whole[:, start + CANDLESTICK_BARS :])


@pytest.mark.parametrize(("first", "scale"), [(35_000.01, 1e8), (0.00000811, 1e8), (9e8, 1e5), (1.0, 1e8)])
def test_ticks_leave_room_for_exact_sums(first: float, scale: float) -> None:
    assert ticks_of(np.array([first])) == scale
    assert first * scale * CANDLESTICK_BARS < 2**53


def test_it_names_the_patterns_it_counted() -> None:
    window = window_of(BLOCK)
    votes = Patterns().vote(window)

    for row in np.flatnonzero(votes.awake)[:40].tolist():
        reasons = Patterns().explain(window, row)
        assert reasons
        assert {reason.name for reason in reasons} <= set(Patterns.inputs)
        if len(reasons) < MOST_REASONS:
            assert np.sign(sum(reason.pull for reason in reasons)) == votes.direction[row]


def test_candlesticks_upside_down_are_counted_for_the_other_side() -> None:
    straight = count_candlesticks(window_of(BLOCK).base)
    turned = count_candlesticks(window_of(upside_down(BLOCK)).base)

    np.testing.assert_array_equal(straight[0], turned[1])
    np.testing.assert_array_equal(straight[1], turned[0])
    assert min(straight[0].sum(), straight[1].sum()) > 100


def test_mirrored_prices_mirror_the_vote_to_the_bit() -> None:
    straight, turned = (Patterns().vote(window_of(candles)) for candles in (BLOCK, upside_down(BLOCK)))

    np.testing.assert_array_equal(straight.direction, -turned.direction)
    assert straight.probability.tobytes() == turned.probability.tobytes()
    assert straight.confidence.tobytes() == turned.confidence.tobytes()


def test_a_bullish_engulfing_is_counted_as_bullish() -> None:
    rows: list[Row] = [*RESTING * 20, (99.8, 100.0, 99.0, 99.2), (99.1, 100.6, 99.0, 100.4)]
    bullish, bearish = count_candlesticks(window_of(bars(rows, [QUIET] * len(rows))).base)

    assert bullish[-1] >= 1
    assert bearish[-1] == 0


def test_the_bar_itself_is_not_in_the_volume_it_is_compared_with() -> None:
    # The median of the twenty before is 15. With the bar in it, in the place of the oldest, it would be 20.
    volumes = np.array([10.0] * 10 + [20.0] * 10 + [22.6])

    assert volume_backs(volumes)[-1]


drawn_volumes = st.lists(st.one_of(st.just(0.0), st.floats(0.1, 1e5)), max_size=60)


@given(volumes=drawn_volumes)
def test_volume_is_compared_with_the_median_of_the_bars_before(volumes: list[float]) -> None:
    backed = volume_backs(np.array(volumes, np.float64))

    for row, traded in enumerate(volumes):
        enough = row >= VOLUME_BARS and traded > 0 and traded >= 1.5 * median_by_hand(volumes[row - VOLUME_BARS : row])
        assert backed[row] == enough


def median_by_hand(values: list[float]) -> float:
    ordered = sorted(values)
    return (ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2


def test_a_market_that_does_not_move_or_trade_has_no_vote() -> None:
    dead = bars([(100.0, 100.0, 100.0, 100.0)] * 700, [0.0] * 700)

    assert not Patterns().vote(window_of(dead)).awake.any()


def test_nothing_is_said_before_the_window_is_ready() -> None:
    votes = Patterns().vote(window_of(BLOCK))

    assert not votes.awake[: READY - 1].any()
    assert votes.awake[READY - 1 :].any()


def test_a_split_vote_is_less_confident_than_a_unanimous_one() -> None:
    votes = Patterns().vote(window_of(recorded()))

    assert set(np.sign(votes.direction[votes.awake])) == {-1, 1}
    assert 0 < votes.confidence[votes.awake].min() < votes.confidence[votes.awake].max() == 1
    assert votes.probability[votes.awake].min() == 0.55
    assert votes.probability[votes.awake].max() == pytest.approx(0.60)


def test_on_real_candles_the_head_speaks_on_some_bars_and_not_on_most() -> None:
    assert 0.0005 <= share_voted(Patterns(), recorded()) <= 0.60


@settings(max_examples=30)
@given(cut=st.integers(0, len(BLOCK)))
def test_a_prefix_gives_the_same_votes(cut: int) -> None:
    assert_prefix_invariant(Patterns(), BLOCK, cut)


def test_a_prefix_gives_the_same_votes_across_an_outage() -> None:
    candles = shared_bars("spot_1m/2023-03-16_2023-05-01/BTCUSDT-1m.csv.gz").rows(slice(0, 1024))
    for cut in (1, 20, 21, 511, 513, 700, 900, 1023):
        assert_prefix_invariant(Patterns(), candles, cut)


def test_the_candles_are_left_as_they_are() -> None:
    assert_inputs_untouched(Patterns(), BLOCK)


def lowest_by_hand(low: FloatArray, age: FloatArray, row: int) -> float:
    return float(low[row - int(age[row]) + 1 : row + 1].min())


@given(lows=st.lists(st.integers(1, 50), min_size=1, max_size=60), data=st.data())
def test_the_lowest_low_since_a_swing_is_the_one_found_by_hand(lows: list[int], data: st.DataObject) -> None:
    low = np.array(lows, np.float64)
    age = np.array([data.draw(st.integers(1, min(row + 1, 20))) for row in range(len(low))], np.float64)

    lowest = chart_patterns.lowest_since(low, age)

    assert lowest.tolist() == [lowest_by_hand(low, age, row) for row in range(len(low))]
