"""The volume head sides with the flow it can see, and knows what it cannot see."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import Candles, FloatArray
from signals.frame import Frame
from signals.heads import volume as parts
from signals.heads.base import MOST_REASONS
from signals.heads.parts import balance
from signals.heads.volume import PARTS, Volume
from signals.heads.volume_profile import BINS, VALUE_AREA, volume_by_bin, volume_profile
from signals.indicators import INDICATORS
from tests.signals.head_windows import (
    READY,
    assert_inputs_untouched,
    assert_prefix_invariant,
    bars,
    from_closes,
    ready_rows,
    recorded,
    share_voted,
    shared_bars,
    upside_down,
    window_of,
    with_takers,
)

Part = Callable[[Frame], FloatArray]
READS = [read for _, read in PARTS]
BLOCK = with_takers(recorded().rows(slice(0, 1024)))
WITH_TAKERS = "spot_1m/full_2021-07-01_2021-07-15/BTCUSDT-1m.csv.gz"
TAKERS_READ = (parts.cumulative_delta, parts.taker_flow)


def by_name(part: Part) -> str:
    return part.__name__


def test_the_weights_are_those_of_the_specification_and_sum_to_one() -> None:
    assert [weight for weight, _ in PARTS] == [0.20, 0.15, 0.15, 0.12, 0.10, 0.10, 0.08, 0.05, 0.05]
    assert sum(weight for weight, _ in PARTS) == pytest.approx(1)
    assert Volume.needs.indicators <= INDICATORS.keys()


@pytest.mark.parametrize("part", READS, ids=by_name)
def test_every_part_stays_between_minus_one_and_one_and_uses_the_range(part: Part) -> None:
    reading = part(window_of(BLOCK).base)[ready_rows(BLOCK)]

    assert np.isfinite(reading).all()
    assert np.abs(reading).max() <= 1
    assert reading.min() < -0.5 < 0.5 < reading.max()


@pytest.mark.parametrize("part", READS, ids=by_name)
def test_mirrored_prices_and_takers_mirror_every_part(part: Part) -> None:
    ready = ready_rows(BLOCK)

    straight = part(window_of(BLOCK).base)[ready]
    turned = part(window_of(upside_down(BLOCK, around=100_000)).base)[ready]

    np.testing.assert_allclose(turned, -straight, atol=1e-6)


def trending(step: float, *, takers: float) -> Candles:
    """Bars that move by `step` and close at the end they move to; takers buy the share `takers` of each."""
    closes = 500 + step * np.arange(700)
    rows = [(c - step, max(c, c - step), min(c, c - step), c) for c in closes]
    market = bars(rows, [10.0] * 700)
    return replace(market, taker_base=market.volume * takers)


@pytest.mark.parametrize("part", READS, ids=by_name)
def test_every_part_is_long_when_a_rise_is_bought_and_short_when_a_fall_is_sold(part: Part) -> None:
    assert part(window_of(trending(0.2, takers=0.6)).base)[-1] > 0
    assert part(window_of(trending(-0.2, takers=0.4)).base)[-1] < 0


def test_a_bought_rise_is_a_long_and_a_sold_fall_a_short() -> None:
    rise, fall = (Volume().vote(window_of(trending(step, takers=t))) for step, t in ((0.2, 0.6), (-0.2, 0.4)))

    assert (rise.direction[-1], fall.direction[-1]) == (1, -1)
    assert rise.confidence[-1] > 0.9


def test_a_rise_that_takers_sell_into_is_a_full_vote_for_the_short_side() -> None:
    quietly_sold, bought = trending(0.2, takers=0.48), trending(0.2, takers=0.52)

    assert parts.cumulative_delta(window_of(quietly_sold).base)[-1] == -1.0
    # The same imbalance with the move is no divergence and counts as far as it goes.
    assert parts.cumulative_delta(window_of(bought).base)[-1] == pytest.approx(0.04 / parts.CVD_SHARE)


def test_a_fall_that_takers_buy_into_is_a_full_vote_for_the_long_side() -> None:
    assert parts.cumulative_delta(window_of(trending(-0.2, takers=0.52)).base)[-1] == 1.0


def test_without_taker_columns_the_takers_parts_are_absent_and_not_guessed() -> None:
    frame = window_of(recorded()).base
    others = [(weight, read(frame)) for weight, read in PARTS if read not in TAKERS_READ]

    whole = balance([(weight, read(frame)) for weight, read in PARTS])

    for part in TAKERS_READ:
        assert np.isnan(part(frame)).all()
    np.testing.assert_allclose(whole.score, balance(others).score, rtol=1e-12)
    np.testing.assert_allclose(whole.present[ready_rows(recorded())], 0.75)


def test_confidence_is_lower_without_the_takers() -> None:
    rise = trending(0.2, takers=0.6)

    seen = Volume().vote(window_of(rise)).confidence[-1]
    unseen = Volume().vote(window_of(replace(rise, taker_base=np.full(700, np.nan)))).confidence[-1]

    assert unseen == pytest.approx(0.75 * seen)


def test_one_bar_without_taker_data_is_forgotten_after_the_span() -> None:
    market = trending(0.2, takers=0.6)
    market.taker_base[600] = np.nan

    share = parts.taker_share(window_of(market).base, parts.FLOW_BARS)

    np.testing.assert_array_equal(np.flatnonzero(np.isnan(share[READY:])) + READY, np.arange(600, 620))


def test_a_market_without_volume_has_no_vote() -> None:
    silent = replace(from_closes(np.linspace(100, 170, 700)), volume=np.zeros(700))

    assert not Volume().vote(window_of(silent)).awake.any()


def test_a_market_that_does_not_move_has_no_vote() -> None:
    assert not Volume().vote(window_of(from_closes([100.0] * 700, wick=0.0))).awake.any()


def test_nothing_is_said_before_the_window_is_ready() -> None:
    assert not Volume().vote(window_of(BLOCK)).awake[: READY - 1].any()


def test_on_real_candles_the_head_speaks_on_some_bars_and_not_on_most() -> None:
    assert 0.0005 <= share_voted(Volume(), recorded()) <= 0.60
    assert 0.0005 <= share_voted(Volume(), shared_bars(WITH_TAKERS)) <= 0.60


@settings(max_examples=30)
@given(cut=st.integers(0, len(BLOCK)))
def test_a_prefix_gives_the_same_votes(cut: int) -> None:
    assert_prefix_invariant(Volume(), BLOCK, cut)


@pytest.mark.parametrize("name", [WITH_TAKERS, "spot_1m/2023-03-16_2023-05-01/ETHUSDT-1m.csv.gz"])
def test_a_prefix_gives_the_same_votes_with_real_takers_and_across_an_outage(name: str) -> None:
    candles = shared_bars(name).rows(slice(0, 1024))
    for cut in (1, 95, 96, 511, 513, 700, 760, 1023):
        assert_prefix_invariant(Volume(), candles, cut)


def test_the_candles_are_left_as_they_are() -> None:
    assert_inputs_untouched(Volume(), BLOCK)


# Each line below is added up bar by bar in plain Python, with no rolling anything.


def test_the_change_of_the_cvd_is_that_of_the_line_added_up_by_hand() -> None:
    line, total = [], 0.0
    for bought, traded in zip(BLOCK.taker_base.tolist(), BLOCK.volume.tolist(), strict=True):
        total += bought - (traded - bought)
        line.append(total)

    share = parts.taker_share(window_of(BLOCK).base, 20)

    for row in (20, 500, 1023):
        traded = sum(BLOCK.volume[row - 19 : row + 1].tolist())
        assert share[row] == pytest.approx((line[row] - line[row - 20]) / traded, abs=1e-9)


def obv_line(candles: Candles) -> list[float]:
    line, total, before = [], 0.0, float(candles.close[0])
    for close, traded in zip(candles.close.tolist(), candles.volume.tolist(), strict=True):
        total += traded * ((close > before) - (close < before))
        line.append(total)
        before = close
    return line


def accumulation_line(candles: Candles) -> list[float]:
    line, total = [], 0.0
    for high, low, close, traded in zip(candles.high, candles.low, candles.close, candles.volume, strict=True):
        total += float(traded * ((close - low) - (high - close)) / (high - low)) if high > low else 0.0
        line.append(total)
    return line


@pytest.mark.parametrize(
    ("part", "line", "span", "full"),
    [
        (parts.obv_slope, obv_line, parts.FLOW_BARS, parts.OBV_SHARE),
        (parts.accumulation_slope, accumulation_line, parts.ACCUMULATION_BARS, parts.ACCUMULATION_SHARE),
    ],
)
def test_slopes_are_those_of_the_lines_added_up_by_hand(
    part: Part, line: Callable[[Candles], list[float]], span: int, full: float
) -> None:
    reading, by_hand = part(window_of(BLOCK).base), line(BLOCK)

    for row in range(span, len(BLOCK), 37):
        traded = sum(BLOCK.volume[row - span + 1 : row + 1].tolist())
        expected = (by_hand[row] - by_hand[row - span]) / traded / full
        assert reading[row] == pytest.approx(min(max(expected, -1), 1), abs=1e-8)


def profile_by_hand(candles: Candles, row: int, span: int) -> tuple[float, float, float]:
    recent = candles.rows(slice(row - span + 1, row + 1))
    top, bottom = max(recent.high.tolist()), min(recent.low.tolist())
    step, held = (top - bottom) / BINS, [0.0] * BINS
    if step == 0:
        return (np.nan,) * 3
    for high, low, close, traded in zip(recent.high, recent.low, recent.close, recent.volume, strict=True):
        held[min(int(((high + low + close) / 3 - bottom) / step), BINS - 1)] += float(traded)
    total = 0.0
    for traded in held:
        total += traded
    if total == 0:
        return (np.nan,) * 3
    fullest = held.index(max(held))
    lowest, highest, inside = fullest, fullest, held[fullest]
    while inside < VALUE_AREA * total:
        below = held[lowest - 1] if lowest > 0 else -1.0
        above = held[highest + 1] if highest < BINS - 1 else -1.0
        down, up = below >= above, above >= below
        inside = inside + (below if down else 0.0) + (above if up else 0.0)
        lowest, highest = lowest - down, highest + up
    return bottom + (fullest + 0.5) * step, bottom + lowest * step, bottom + (highest + 1) * step


def assert_profile_by_hand(candles: Candles, span: int) -> None:
    found = volume_profile(candles.high, candles.low, candles.close, candles.volume, span=span)
    prices = np.stack([found.point_of_control, found.value_low, found.value_high], axis=1)

    assert np.isnan(prices[: span - 1]).all()
    for row in range(span - 1, len(candles)):
        np.testing.assert_array_equal(prices[row], profile_by_hand(candles, row, span))


def test_the_profile_is_the_one_counted_by_hand_to_the_bit() -> None:
    assert_profile_by_hand(recorded().rows(slice(0, 300)), span=96)


def test_the_volume_in_each_bin_is_added_up_oldest_bar_first() -> None:
    price, traded = np.random.default_rng(4).uniform(0, 24, 96), np.random.default_rng(5).lognormal(3, 2, 96)
    by_hand = [0.0] * BINS
    for place, amount in zip(price.astype(int).tolist(), traded.tolist(), strict=True):
        by_hand[place] += amount

    held = volume_by_bin(price[None, :], traded[None, :], np.array([float(BINS)]), np.array([0.0]))

    assert held[0].tolist() == by_hand


volumes = st.one_of(st.just(0.0), st.floats(0.001, 1e6))
drawn_bars = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40), volumes), max_size=30)


@settings(max_examples=60)
@given(rows=drawn_bars, span=st.integers(2, 8))
def test_the_profile_of_any_bars_is_the_one_counted_by_hand(rows: list[tuple[int, int, int, float]], span: int) -> None:
    ordered = [(*sorted(row[:3]), row[3]) for row in rows]
    table = [(float(close), float(high), float(low), float(close)) for low, close, high, _ in ordered]
    candles = bars(table, [row[3] for row in ordered]) if rows else recorded().rows(slice(0, 0))

    assert_profile_by_hand(candles, span)


def test_a_profile_of_some_rows_has_the_bits_of_all() -> None:
    columns, rows = (BLOCK.high, BLOCK.low, BLOCK.close, BLOCK.volume), np.array([3, 95, 96, 511, len(BLOCK) - 1])

    every, some = (volume_profile(*columns, span=96, rows=asked) for asked in (None, rows))

    assert some.value_high[rows].tobytes() == every.value_high[rows].tobytes()
    assert np.isnan(np.delete(some.value_high, rows)).all()


def test_it_names_the_parts_that_moved_it() -> None:
    window = window_of(with_takers(BLOCK))
    votes = Volume().vote(window)

    for row in np.flatnonzero(votes.awake)[:30].tolist():
        reasons = Volume().explain(window, row)
        assert len(reasons) == MOST_REASONS
        assert {reason.name for reason in reasons} <= set(Volume.inputs) == {read.__name__ for _, read in PARTS}
        assert np.sign(reasons[0].pull) == np.sign(reasons[0].value)


def test_price_beyond_the_value_area_is_a_full_vote_and_inside_it_half_a_one_at_most() -> None:
    ready = ready_rows(BLOCK)
    profile = volume_profile(BLOCK.high, BLOCK.low, BLOCK.close, BLOCK.volume, span=parts.PROFILE_BARS)
    above, below = BLOCK.close > profile.value_high, BLOCK.close < profile.value_low

    reading = parts.profile_position(window_of(BLOCK).base)

    assert (reading[ready & above] == 1.0).all()
    assert (reading[ready & below] == -1.0).all()
    inside = ready & ~above & ~below
    assert np.abs(reading[inside]).max() <= 0.5
    assert (reading[inside] * (BLOCK.close - profile.point_of_control)[inside] >= 0).all()
    assert min(above[ready].sum(), below[ready].sum(), inside.sum()) > 20


@given(cut=st.integers(2, 60))
@settings(max_examples=10)
def test_ease_and_force_survive_bars_without_trades(cut: int) -> None:
    market = from_closes(100 + np.sin(np.arange(700)))
    market.volume[-cut:] = 0.0

    reading = Volume().vote(window_of(market))

    assert np.isfinite(reading.probability[reading.awake]).all()
