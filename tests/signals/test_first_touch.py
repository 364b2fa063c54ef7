"""Which barrier came first, against hand-made paths and a plain loop over the minutes."""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.timeframes import MINUTE_MS, Candles, IntArray
from signals import first_touch as first_touch_module
from signals.bracket import Costs
from signals.first_touch import OUTCOMES, FirstTouch, Order, Orders, Outcome, first_touch, first_touches
from tests.signals.market import START_MS, Row, candles, random_walk

FREE = Costs(fee=0.0, slippage=0.0)
LONG = Order(1, stop_loss=99.0, take_profit=102.0, risk=1.0, opened_ms=START_MS, expires_ms=START_MS + 5 * MINUTE_MS)
SHORT = LONG.mirror(reference=100.0, target_r=2.0)
FLAT = (100.0, 100.2, 99.8, 100.0)
ALL_KNOWN = START_MS + 100 * MINUTE_MS


def touch(order: Order, rows: Sequence[Row], costs: Costs = FREE, missing: tuple[int, ...] = ()) -> FirstTouch:
    """How the bracket ended; these tests hand in paths that end it."""
    found = first_touch(order, candles(rows, missing=missing), ALL_KNOWN, costs)
    assert found is not None
    return found


def test_a_wick_to_the_target_wins_two_r() -> None:
    found = touch(LONG, [FLAT, (100, 102.5, 99.5, 100.1), FLAT])

    assert (found.outcome, found.net_r, found.exit_price) == (Outcome.TARGET, 2.0, 102.0)
    assert found.exit_ms == START_MS + 2 * MINUTE_MS


def test_a_wick_to_the_stop_loses_one_r_though_the_close_recovers() -> None:
    found = touch(LONG, [FLAT, (100, 100.5, 98.9, 100.4)])

    assert (found.outcome, found.net_r) == (Outcome.STOP, -1.0)


def test_the_stop_comes_first_when_one_minute_touches_both_and_says_so() -> None:
    found = touch(LONG, [FLAT, (100, 102.5, 98.5, 101)])

    assert (found.outcome, found.ambiguous) == (Outcome.STOP, True)


def test_a_gap_through_the_stop_fills_at_the_open() -> None:
    found = touch(LONG, [FLAT, (97.5, 98.0, 97.0, 97.8)])

    assert (found.outcome, found.exit_price, found.net_r) == (Outcome.STOP, 97.5, -2.5)


def test_a_gap_through_the_target_fills_at_the_open() -> None:
    found = touch(LONG, [FLAT, (103.0, 103.5, 98.0, 103.1)])

    assert (found.outcome, found.exit_price, found.ambiguous) == (Outcome.TARGET, 103.0, False)


def test_time_runs_out_at_the_last_close_before_the_limit() -> None:
    found = touch(LONG, [FLAT, FLAT, FLAT, FLAT, (100, 100.6, 99.9, 100.5), (100, 110, 90, 100)])

    assert (found.outcome, found.exit_price) == (Outcome.TIME, 100.5)
    assert found.exit_ms == LONG.expires_ms


def test_nothing_is_decided_before_its_time() -> None:
    assert first_touch(LONG, candles([FLAT, FLAT]), START_MS + 2 * MINUTE_MS, FREE) is None
    assert first_touch(LONG, candles([]), START_MS, FREE) is None


def test_without_the_minute_after_the_decision_the_bracket_is_void() -> None:
    found = touch(LONG, [FLAT, (100, 103, 99.5, 102)], missing=(0,))

    assert found.outcome is Outcome.VOID
    assert math.isnan(found.net_r)


def test_missing_minutes_on_the_way_are_counted() -> None:
    found = touch(LONG, [FLAT, FLAT, FLAT, (100, 102.1, 99.9, 102)], missing=(1, 2))

    assert (found.outcome, found.missing_minutes) == (Outcome.TARGET, 2)


def test_costs_are_paid_on_both_sides() -> None:
    costs = Costs(fee=0.001, slippage=0.0002)
    found = touch(LONG, [FLAT, (100, 102.5, 99.5, 102)], costs)

    entry, exit_price = 100 * 1.0002, 102 * 0.9998
    assert found.entry == entry
    assert found.net_r == pytest.approx(exit_price - entry - 0.001 * (entry + exit_price), rel=1e-12)
    assert found.net_pct == pytest.approx(100 * found.net_r / entry, rel=1e-12)


def test_a_win_before_fees_can_be_a_loss_after_them() -> None:
    rows = [(100, 100.05, 99.9, 100.05)] * 5

    assert touch(LONG, rows).net_r > 0
    assert touch(LONG, rows, Costs()).net_r < 0


def test_the_short_side_mirrors_the_long_side() -> None:
    down = [FLAT, (100, 100.5, 97.5, 99)]

    assert touch(SHORT, down).outcome is Outcome.TARGET
    assert touch(SHORT, down).net_r == 2.0
    assert touch(LONG, down).outcome is Outcome.STOP


def minute_by_minute(order: Order, path: Candles) -> tuple[Outcome, float, int]:
    """The definition, as a loop."""
    for row in range(len(path)):
        if path.open_ms[row] >= order.expires_ms:
            break
        opening, high, low = path.open[row], path.high[row], path.low[row]
        adverse, favourable = (low, high) if order.side > 0 else (-high, -low)
        stop, target, first = (order.side * price for price in (order.stop_loss, order.take_profit, opening))
        if first <= stop or first >= target:
            return (Outcome.STOP if first <= stop else Outcome.TARGET), float(opening), row
        if adverse <= stop:
            return Outcome.STOP, order.stop_loss, row
        if favourable >= target:
            return Outcome.TARGET, order.take_profit, row
    return Outcome.TIME, float(path.close[row - 1] if path.open_ms[row] >= order.expires_ms else path.close[row]), row


@given(
    seed=st.integers(0, 10_000),
    side=st.sampled_from([-1, 1]),
    risk=st.floats(0.05, 1.5),
    limit=st.integers(1, 200),
)
def test_it_agrees_with_a_loop_over_the_minutes(seed: int, side: int, risk: float, limit: int) -> None:
    path = random_walk(240, seed)
    order = Order(side, 100 - side * risk, 100 + 2 * side * risk, risk, START_MS, START_MS + limit * MINUTE_MS)

    found = first_touch(order, path, ALL_KNOWN * 2, FREE)
    assert found is not None
    outcome, price, _ = minute_by_minute(order, path)

    assert (found.outcome, found.exit_price) == (outcome, price)
    assert found.worst_r <= found.net_r + 1e-9
    assert found.best_r >= found.net_r - 1e-9


@given(seed=st.integers(0, 10_000), known=st.integers(0, 240))
def test_an_outcome_once_known_never_changes_with_later_minutes(seed: int, known: int) -> None:
    path = random_walk(240, seed)
    order = Order(1, 99.6, 100.8, 0.4, START_MS, START_MS + 200 * MINUTE_MS)
    until = START_MS + known * MINUTE_MS

    early = first_touch(order, path.between(0, until), until, FREE)
    late = first_touch(order, path, START_MS + 240 * MINUTE_MS, FREE)

    assert late is not None
    assert early is None or early == late
    assert (early is not None) == (late.exit_ms <= until)


@given(
    seed=st.integers(0, 10_000),
    drawn=st.lists(
        st.tuples(st.sampled_from([-1, 1]), st.floats(0.05, 1.5), st.integers(0, 230), st.integers(1, 200)), max_size=12
    ),
    known=st.integers(0, 250),
    slab=st.sampled_from([1, 7, 64, first_touch_module.SLAB_ROWS]),
)
def test_many_brackets_asked_together_end_as_each_does_alone(
    seed: int, drawn: list[tuple[int, float, int, int]], known: int, slab: int
) -> None:
    path = random_walk(240, seed)
    orders = [
        Order(
            side,
            float(path.close[begin]) - side * risk,
            float(path.close[begin]) + 2 * side * risk,
            risk,
            START_MS + begin * MINUTE_MS,
            START_MS + (begin + limit) * MINUTE_MS,
        )
        for side, risk, begin, limit in drawn
    ]
    until = START_MS + known * MINUTE_MS

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(first_touch_module, "SLAB_ROWS", slab)
        together = first_touches(Orders.of(orders), path, until, Costs())

    found = [together.at(row) for row in range(len(orders))]
    assert repr(found) == repr([first_touch(order, path, until, Costs()) for order in orders])
    assert [together.at(row) for row in range(len(orders)) if orders[row].opened_ms >= until] == [
        None for order in orders if order.opened_ms >= until
    ]


# --- delisted ---------------------------------------------------------------------------------------------------------


def delisted(*after_minutes: int) -> IntArray:
    """A symbol whose last minutes before each delisting are these."""
    return START_MS + np.array(after_minutes, dtype=np.int64) * MINUTE_MS


def test_a_bracket_that_met_no_barrier_before_the_delisting_is_void_at_it() -> None:
    found = first_touch(LONG, candles([FLAT, FLAT, FLAT]), ALL_KNOWN, FREE, delisted(3))

    assert found is not None
    assert (found.outcome, found.exit_ms, found.missing_minutes) == (Outcome.VOID, START_MS + 3 * MINUTE_MS, 0)
    assert math.isnan(found.net_r)
    assert math.isnan(found.entry)


def test_a_barrier_met_in_the_last_minute_counts() -> None:
    found = first_touch(LONG, candles([FLAT, FLAT, (100, 102.5, 99.5, 102)]), ALL_KNOWN, FREE, delisted(3))

    assert found is not None
    assert (found.outcome, found.net_r) == (Outcome.TARGET, 2.0)


def test_a_limit_that_ends_with_the_listing_is_a_time_out() -> None:
    found = first_touch(LONG, candles([FLAT] * 5), ALL_KNOWN, FREE, delisted(5))

    assert found is not None
    assert found.outcome is Outcome.TIME


def test_a_delisting_is_not_seen_before_its_time() -> None:
    assert first_touch(LONG, candles([FLAT, FLAT, FLAT]), START_MS + 2 * MINUTE_MS, FREE, delisted(3)) is None


def test_what_is_opened_after_a_symbol_came_back_knows_nothing_of_its_delisting() -> None:
    path = candles([FLAT] * 20, missing=tuple(range(3, 10)))
    late = replace(LONG, opened_ms=START_MS + 10 * MINUTE_MS, expires_ms=START_MS + 15 * MINUTE_MS)

    ends = first_touches(Orders.of([LONG, late]), path, ALL_KNOWN, FREE, delisted(3))

    assert [OUTCOMES[outcome] for outcome in ends.outcome] == [Outcome.VOID, Outcome.TIME]
    assert ends.exit_ms.tolist() == [START_MS + 3 * MINUTE_MS, START_MS + 15 * MINUTE_MS]


def test_no_bracket_ends_as_it_begins() -> None:
    found = first_touch(LONG, candles([FLAT] * 5), ALL_KNOWN, FREE, delisted(0))

    assert found is not None
    assert (found.outcome, found.exit_ms) == (Outcome.TIME, LONG.expires_ms)


@given(
    seed=st.integers(0, 10_000),
    side=st.sampled_from([-1, 1]),
    risk=st.floats(0.05, 1.5),
    begin=st.integers(0, 200),
    limit=st.integers(1, 200),
    listed=st.lists(st.integers(0, 260), max_size=3, unique=True).map(sorted),
    known=st.integers(0, 280),
)
def test_with_delistings_it_agrees_with_a_loop_over_the_minutes(
    seed: int, side: int, risk: float, begin: int, limit: int, listed: list[int], known: int
) -> None:
    path = random_walk(240, seed)
    opened_ms, price = START_MS + begin * MINUTE_MS, float(path.open[begin])
    order = Order(
        side, price - side * risk, price + 2 * side * risk, risk, opened_ms, opened_ms + limit * MINUTE_MS
    )  # fmt: skip
    until = START_MS + known * MINUTE_MS
    listed_until = next((int(at) for at in delisted(*listed) if at > opened_ms), None)
    if listed_until is not None:
        path = path.between(0, listed_until)

    found = first_touch(order, path, until, FREE, delisted(*listed))

    assert (found and (found.outcome, found.exit_ms)) == by_the_minute(order, path, until, listed_until)


def by_the_minute(order: Order, path: Candles, known_ms: int, listed_until: int | None) -> tuple[Outcome, int] | None:
    """The definition with a market that may close, as a loop; the clock goes on where the candles end."""
    for at_ms in range(order.opened_ms, known_ms + 1, MINUTE_MS):
        if at_ms == order.expires_ms:
            return Outcome.TIME, at_ms
        if at_ms == listed_until:
            return Outcome.VOID, at_ms
        minute = path.between(at_ms, min(at_ms + MINUTE_MS, known_ms))
        if len(minute):
            outcome, _, _ = minute_by_minute(order, minute)
            if outcome is not Outcome.TIME:
                return outcome, at_ms + MINUTE_MS
    return None


def test_inputs_stay_as_they_were() -> None:
    path = random_walk(100, 3)
    before = path.high.copy()

    first_touch(LONG, path, ALL_KNOWN, FREE)

    assert np.array_equal(path.high, before)
