"""Each concept where a reader of the chart expects it, and not a bar earlier; its mirror on the other side."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from ingestion.timeframes import BoolArray, Candles, FloatArray
from signals.heads.kill_zones import in_kill_zone, new_york_ms
from signals.heads.smart_money import (
    BLOCK_BARS,
    CONCEPTS,
    CONFIDENCE,
    GAP_BARS,
    KILL_ZONE_CONFIDENCE,
    LEAST_WEIGHT,
    MEMORY,
    SWEEP_BARS,
    WEIGHTS,
    Chart,
    SmartMoney,
    chart_of,
    concepts,
    fair_value_gap,
    judas_swing,
    optimal_entry,
    order_block,
    retracement,
    sweep,
)
from signals.heads.swings import Side, Swings
from signals.window import Span, stacked
from tests.signals.head_windows import (
    assert_inputs_untouched,
    assert_prefix_invariant,
    bars,
    recorded,
    shared_bars,
    upside_down,
    window_of,
)

BLOCK = recorded().rows(slice(0, 1024))
Bar = tuple[float, float, float, float]


def chart(
    rows: list[Bar], *, high: float = 110.0, low: float = 90.0, high_age: float = 3.0, low_age: float = 9.0
) -> Chart:
    """A chart of these bars with an ATR of 1 and one swing high and low, known from the first bar on."""
    table = np.array(rows, np.float64)
    opened, highest, lowest, closed = (np.ascontiguousarray(table[:, column]) for column in range(4))
    since = np.full(len(rows), np.nan)
    return Chart(
        opened, highest, lowest, closed, np.ones(len(rows)), swings(len(rows), high, low, high_age, low_age), since
    )


def swings(bars_: int, high: float, low: float, high_age: float, low_age: float) -> Swings:
    def side(price: float, age: float) -> Side:
        prices, ages = np.full((2, 4, bars_), np.nan)
        prices[0], ages[0] = price, age + np.arange(bars_)
        return Side(prices, ages, np.zeros(bars_, np.bool_))

    return Swings(high=side(high, high_age), low=side(low, low_age))


def where(find: Callable[[Chart], BoolArray], made: Chart) -> list[int]:
    return np.flatnonzero(find(made)).tolist()


REST: Bar = (95.0, 95.5, 94.5, 95.0)


def test_a_sweep_is_a_low_below_the_swing_low_and_a_close_back_above_it() -> None:
    taken: Bar = (91.0, 91.5, 89.5, 90.5)

    assert where(sweep, chart([REST, REST, taken, REST, REST, REST])) == [2, 3, 4]
    assert SWEEP_BARS == 3


def test_a_close_below_the_swing_low_is_a_break_and_no_sweep() -> None:
    assert where(sweep, chart([REST, (91.0, 91.5, 89.0, 89.5), REST])) == []


def test_a_sweep_whose_level_is_lost_is_over() -> None:
    lost: Bar = (90.5, 90.6, 88.0, 89.0)

    assert where(sweep, chart([REST, (91.0, 91.5, 89.5, 90.5), lost, lost])) == [1]


GAPPED: list[Bar] = [(95.0, 95.5, 94.5, 95.2), (95.2, 97.4, 95.1, 97.2), (97.2, 98.0, 96.5, 97.8)]


def test_a_gap_is_come_back_to_when_a_later_low_reaches_into_it() -> None:
    # The gap lies between 95.5, the high before the displacement, and 96.5, the low after it.
    away: Bar = (98.0, 98.5, 97.5, 98.2)
    back: Bar = (97.0, 97.2, 96.2, 96.8)

    assert where(fair_value_gap, chart([*GAPPED, away, away, back])) == [5]


def test_a_gap_that_a_close_has_filled_is_none() -> None:
    assert where(fair_value_gap, chart([*GAPPED, (97.0, 97.0, 95.0, 95.2)])) == []


def test_a_gap_is_forgotten_after_a_while() -> None:
    away: Bar = (98.0, 98.5, 97.5, 98.2)
    back: Bar = (97.0, 97.2, 96.2, 96.8)
    apart = [away] * (GAP_BARS - 1)

    assert where(fair_value_gap, chart([*GAPPED, *apart, back])) == [2 + GAP_BARS]
    assert where(fair_value_gap, chart([*GAPPED, *apart, away, back])) == []


def test_without_a_displacement_a_gap_says_nothing() -> None:
    small: list[Bar] = [(95.0, 95.5, 94.5, 95.2), (95.6, 96.3, 95.4, 96.3), (96.6, 97.0, 96.5, 96.9)]

    assert where(fair_value_gap, chart([*small, (96.6, 96.8, 96.0, 96.4)])) == []


def test_an_order_block_is_the_last_down_bar_before_the_break_of_a_high() -> None:
    block: Bar = (109.0, 109.2, 108.0, 108.4)
    broke: Bar = (108.4, 111.5, 108.4, 111.2)
    away: Bar = (111.2, 112.0, 110.8, 111.8)
    back: Bar = (110.5, 110.6, 108.9, 109.4)

    assert where(order_block, chart([REST, block, broke, away, back])) == [4]
    assert where(order_block, chart([REST, block, broke, *[away] * BLOCK_BARS, back])) == []
    assert where(order_block, chart([REST, block, broke, away, (108.5, 108.6, 107.0, 107.5)])) == []


@pytest.mark.parametrize(("close", "inside"), [(97.7, False), (97.5, True), (94.3, True), (94.1, False)])
def test_the_optimal_entry_lies_between_62_and_79_percent_of_the_leg(close: float, inside: bool) -> None:
    assert bool(optimal_entry(chart([(close, close, close, close)]))[0]) is inside


def test_a_leg_down_has_no_entry_for_a_long() -> None:
    assert np.isnan(retracement(chart([(96.0, 96.0, 96.0, 96.0)], high_age=9.0, low_age=3.0))).all()


def judas(rows: list[Bar], first: int) -> Chart:
    """The session opens with row `first`."""
    since = np.where(np.arange(len(rows)) >= first, np.arange(len(rows)) - first, np.nan)
    return replace(chart(rows), since_open=since.astype(np.float64))


def test_a_judas_swing_is_a_false_move_at_the_open_that_is_taken_back() -> None:
    rows: list[Bar] = [REST, REST, (95.0, 95.2, 94.2, 94.4), (94.4, 94.8, 94.3, 94.7), (94.7, 95.6, 94.6, 95.4)]

    assert where(judas_swing, judas(rows, 2)) == [4]


def test_a_false_move_that_is_too_small_is_no_judas_swing() -> None:
    rows: list[Bar] = [REST, (95.0, 95.1, 94.7, 94.8), (94.8, 95.6, 94.8, 95.4)]

    assert where(judas_swing, judas(rows, 1)) == []


def test_what_came_before_the_open_is_no_part_of_the_judas_swing() -> None:
    rows: list[Bar] = [(95.0, 95.0, 90.0, 95.0), (95.0, 95.1, 94.9, 95.0), (95.0, 95.6, 94.9, 95.4)]

    assert where(judas_swing, judas(rows, 1)) == []


def test_a_sweep_counts_double() -> None:
    assert voted({"sweep": 1.0}) == 1
    for name in set(CONCEPTS) - {"sweep"}:
        assert voted({name: 1.0}) == 0
        assert voted({name: 1.0, "sweep": -1.0}) == 0


def voted(sides: dict[str, float]) -> int:
    """The side of the vote where the concepts have these sides."""
    weight = sum(WEIGHTS[name] * side for name, side in sides.items())
    return int(np.sign(weight)) if abs(weight) >= LEAST_WEIGHT else 0


def test_a_kill_zone_raises_confidence_and_never_flips() -> None:
    votes = SmartMoney().vote(window_of(BLOCK))
    zone = in_kill_zone(new_york_ms(BLOCK.open_ms))

    assert set(votes.confidence[votes.awake & zone].tolist()) == {KILL_ZONE_CONFIDENCE}
    assert set(votes.confidence[votes.awake & ~zone].tolist()) == {CONFIDENCE}
    assert KILL_ZONE_CONFIDENCE > CONFIDENCE
    for name, side in concepts(window_of(BLOCK).base).items():
        assert set(side.tolist()) <= {-1.0, 0.0, 1.0}, name


def test_every_concept_is_found_on_real_candles_on_both_sides() -> None:
    markets = [
        recorded(),
        *(shared_bars(f"spot_1m/2021-06-10_2021-07-10/{coin}USDT-1m.csv.gz") for coin in ("ADA", "ETH")),
    ]
    for name in CONCEPTS:
        sides = np.concatenate([concepts(window_of(market).base)[name] for market in markets])
        assert (sides > 0).any(), name
        assert (sides < 0).any(), name


def test_it_votes_neither_always_nor_never() -> None:
    votes = SmartMoney().vote(window_of(BLOCK))

    assert 0.0005 < votes.awake[window_of(BLOCK).base.ready].mean() < 0.6
    assert {-1, 1} <= set(votes.direction.tolist())


@pytest.mark.parametrize("cut", [600, 777, 1000, 1023])
def test_votes_on_a_prefix_are_the_first_votes_on_the_whole(cut: int) -> None:
    assert_prefix_invariant(SmartMoney(), BLOCK, cut)


def test_votes_on_stacked_rows_are_those_of_each_window() -> None:
    windows = [window_of(BLOCK), window_of(upside_down(BLOCK, 90_000.0))]
    window, rows = stacked([Span(windows[0], 700, 1024), Span(windows[1], 1023, 1024)], MEMORY)

    together = SmartMoney().vote(window).take(rows)

    alone = [SmartMoney().vote(each) for each in windows]
    for column in ("direction", "probability", "confidence"):
        first, second = (getattr(votes, column) for votes in alone)
        assert getattr(together, column).tobytes() == np.concatenate((first[700:], second[1023:])).tobytes()


def test_mirrored_prices_mirror_the_vote_to_the_bit() -> None:
    straight, turned = (SmartMoney().vote(window_of(candles)) for candles in (BLOCK, upside_down(BLOCK)))

    np.testing.assert_array_equal(straight.direction, -turned.direction)
    assert straight.probability.tobytes() == turned.probability.tobytes()
    assert straight.confidence.tobytes() == turned.confidence.tobytes()


def test_another_unit_of_price_changes_no_bit() -> None:
    columns = {name: 1024.0 * getattr(BLOCK, name) for name in ("open", "high", "low", "close")}

    straight, scaled = (SmartMoney().vote(window_of(candles)) for candles in (BLOCK, replace(BLOCK, **columns)))

    assert straight.direction.tobytes() == scaled.direction.tobytes()
    assert straight.probability.tobytes() == scaled.probability.tobytes()


def flat(volume: float) -> Candles:
    return bars([(100.0, 100.0, 100.0, 100.0)] * 700, [volume] * 700)


@pytest.mark.parametrize("candles", [flat(10.0), flat(0.0), bars([REST], [1.0])], ids=["flat", "untraded", "one bar"])
def test_a_market_that_does_not_move_has_no_vote(candles: Candles) -> None:
    assert not SmartMoney().vote(window_of(candles)).awake.any()


def test_inputs_stay_as_they_were() -> None:
    assert_inputs_untouched(SmartMoney(), BLOCK)


def test_reasons_are_the_concepts_behind_the_vote() -> None:
    window = window_of(BLOCK)
    votes = SmartMoney().vote(window)

    for row in np.flatnonzero(votes.awake)[:30].tolist():
        reasons = SmartMoney().explain(window, row)
        pull: FloatArray = np.array([reason.pull for reason in reasons])
        assert {reason.name for reason in reasons} <= set(SmartMoney.inputs)
        assert np.sign(pull.sum()) == votes.direction[row]
    assert len(chart_of(window.base).close) == len(window)
