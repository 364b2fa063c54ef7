"""Each gate refuses what it should, with a margin that says by how much."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.timeframes import MINUTE_MS
from signals.gates import (
    GATES,
    REASONS,
    Book,
    GateRules,
    PastSignal,
    agreeing_heads,
    consensus_margin,
    rejection_reasons,
    verdicts,
)
from signals.regime import Regime

RULES = GateRules()
NOON = 1_625_140_800_000
HOUR = 60 * MINUTE_MS


def signal(
    symbol: str = "BTCUSDT", side: int = 1, ago: int = 600, *, lost: float | None = None, regime: int = Regime.QUIET
) -> PastSignal:
    """A signal of so many minutes ago; open, or closed a minute ago with so many R lost."""
    exit_ms = None if lost is None else NOON - MINUTE_MS
    return PastSignal(symbol, side, regime, NOON - ago * MINUTE_MS, exit_ms, None if lost is None else -lost)


def margins(
    past: list[PastSignal], symbol: str = "BTCUSDT", side: int = 1, regime: int = Regime.TRENDING
) -> tuple[float, float, float]:
    found = book_at(NOON, past).margins(np.array([symbol]), np.array([side], np.int8), np.array([regime], np.int8))
    first, second, third = found[0].tolist()
    return first, second, third


def book_at(at_ms: int, past: list[PastSignal]) -> Book:
    book = Book(past, RULES)
    book.turn_to(at_ms)
    return book


@pytest.mark.parametrize(("regime", "limit"), RULES.regime_limits.items())
def test_a_regime_takes_as_many_open_signals_as_its_limit(regime: Regime, limit: int) -> None:
    room = [margins([signal(regime=regime)] * open_now, "ETHUSDT", regime=regime)[0] for open_now in range(limit + 1)]

    assert [margin >= 0 for margin in room] == [True] * limit + [False]


def test_an_unknown_regime_takes_none() -> None:
    assert margins([], regime=Regime.UNKNOWN)[0] < 0


@pytest.mark.parametrize(
    ("past", "passes"),
    [
        (signal("ETHUSDT", ago=14), False),
        (signal("ETHUSDT", ago=15), True),
        (signal("BTCUSDT", side=-1, ago=59), False),
        (signal("BTCUSDT", side=-1, ago=60), True),
    ],
)
def test_cooldowns_end_to_the_minute(past: PastSignal, passes: bool) -> None:
    margin = margins([past])[1]

    assert bool(np.isnan(margin) or margin >= 0) is passes


def test_without_a_recent_signal_there_is_nothing_to_cool_down_from() -> None:
    margin = margins([signal(ago=61)])[1]

    assert np.isnan(margin)
    assert verdicts(np.array([[0, 0, 0, 0, margin, 1.0]]))[0, 4]


def test_losses_of_the_day_close_the_risk_gate() -> None:
    assert margins([signal(lost=9.9)])[2] > 0
    assert margins([signal(lost=10.0)])[2] <= 0


def test_a_drawdown_of_the_week_closes_the_risk_gate() -> None:
    two_days_ago = [PastSignal("BTCUSDT", 1, 0, NOON - 50 * HOUR, NOON - 48 * HOUR, -40.0)]

    assert margins(two_days_ago)[2] <= 0


def test_too_many_on_one_side_close_the_risk_gate_for_that_side_only() -> None:
    crowded = [signal(f"S{number}", side=1) for number in range(RULES.max_same_side)]

    assert margins(crowded, "ETHUSDT", side=1)[2] <= 0
    assert margins(crowded, "ETHUSDT", side=-1)[2] > 0


def test_an_outcome_after_this_close_is_not_known_yet() -> None:
    later = PastSignal("BTCUSDT", 1, 0, NOON - HOUR * 2, NOON + 1, -30.0)

    assert book_at(NOON, [later]).open == [later]
    assert margins([later], "ETHUSDT")[2] > 0


PAST = st.lists(
    st.builds(
        lambda symbol, side, regime, ago, lasts, net_r: PastSignal(
            symbol,
            side,
            regime,
            NOON - ago * MINUTE_MS,
            None if lasts is None else NOON + (lasts - ago) * MINUTE_MS,
            None if lasts is None else net_r,
        ),
        st.sampled_from(["A", "B", "C"]),
        st.sampled_from([-1, 1]),
        st.sampled_from(list(RULES.regime_limits)),
        st.integers(0, 12_000),
        st.none() | st.integers(1, 2_000),
        st.none() | st.floats(-3, 3),
    ),
    max_size=30,
)
LEANS = (np.array(["A", "B", "D"]), np.array([1, -1, 1], np.int8), np.array([-1, 0, 3], np.int8))


@given(past=PAST, closes=st.lists(st.integers(0, 12_000), max_size=8))
def test_a_book_turned_close_by_close_says_what_a_new_one_says(past: list[PastSignal], closes: list[int]) -> None:
    turned = Book(past, RULES)

    for ago in [*sorted(closes, reverse=True), 0]:
        turned.turn_to(NOON - ago * MINUTE_MS)
        np.testing.assert_array_equal(
            turned.margins(*LEANS), book_at(NOON - ago * MINUTE_MS, past).margins(*LEANS), strict=True
        )


@given(past=PAST)
def test_the_margins_are_those_counted_signal_by_signal(past: list[PastSignal]) -> None:
    found = book_at(NOON, past).margins(*LEANS)

    for margin, symbol, side, regime in zip(found, *LEANS, strict=True):
        np.testing.assert_array_equal(margin, counted(past, str(symbol), int(side), int(regime)))


def counted(past: list[PastSignal], symbol: str, side: int, regime: int) -> list[float]:
    """The three margins by plain loops over all signals."""
    held = [signal for signal in past if signal.is_open(NOON)]
    room = RULES.regime_limits.get(Regime(regime), 0) - 1 - sum(signal.regime == regime for signal in held)
    over = [float("nan")]
    for signal in past:
        waited = (NOON - signal.opened_ms) / MINUTE_MS
        same = signal.symbol == symbol
        limits = [RULES.any_cooldown, *[RULES.symbol_cooldown] * same]
        limits += [RULES.direction_cooldown] * (same and signal.side == side)
        over += [waited - limit for limit in limits if waited < RULES.symbol_cooldown]
    week = NOON - RULES.drawdown_days * 24 * HOUR
    closed = sorted(
        (signal.exit_ms, signal.net_r)
        for signal in past
        if signal.net_r is not None and signal.exit_ms is not None and week < signal.exit_ms <= NOON
    )
    equity = np.cumsum([0.0, *(net_r for _, net_r in closed)])
    lost = sum(net_r for exit_ms, net_r in closed if exit_ms > NOON // (24 * HOUR) * 24 * HOUR)
    same_side = sum(signal.side == side for signal in held)
    headroom = [
        (RULES.max_open - len(held)) / RULES.max_open,
        (RULES.max_same_side - same_side) / RULES.max_same_side,
        (RULES.daily_loss_r + lost) / RULES.daily_loss_r,
        (RULES.max_drawdown_r - float(np.max(np.maximum.accumulate(equity) - equity[-1:]))) / RULES.max_drawdown_r,
    ]
    return [float(room), float(np.fmin.reduce(over)), min(headroom)]


def test_a_book_does_not_turn_back() -> None:
    with pytest.raises(ValueError, match="does not turn back"):
        book_at(NOON, []).turn_to(NOON - 1)


def test_a_vote_for_the_other_side_is_not_agreement() -> None:
    direction = np.array([[1, 1, -1, -1, 0], [1, 1, -1, -1, 0]], dtype=np.int8)

    assert agreeing_heads(direction, np.array([1, -1], dtype=np.int8)).tolist() == [2, 2]
    assert agreeing_heads(direction, np.array([0, 0], dtype=np.int8)).tolist() == [0, 0]


def test_too_few_agreeing_heads_refuse_whatever_the_probability() -> None:
    margin = consensus_margin(RULES.min_heads + np.array([-1, 0, 0]), np.array([0.9, 0.9, 0.2]), RULES)

    assert (margin >= 0).tolist() == [False, True, False]


def test_the_reason_is_the_first_gate_that_refused() -> None:
    passed = np.ones((len(GATES) + 1, len(GATES)), dtype=bool)
    for gate in range(len(GATES)):
        passed[gate, gate:] = False

    assert rejection_reasons(passed).tolist() == [*REASONS, ""]


def test_an_unpriced_lean_is_refused_and_not_let_through() -> None:
    unknown = np.full((1, len(GATES)), np.nan)

    assert not verdicts(unknown)[0, :4].any()
    assert not verdicts(unknown)[0, 5]
