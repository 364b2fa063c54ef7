"""Each gate refuses what it should, with a margin that says by how much."""

import numpy as np
import pytest

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
    return Book(past, NOON, RULES).margins(symbol, side, regime)


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

    assert Book([later], NOON, RULES).open == [later]
    assert margins([later], "ETHUSDT")[2] > 0


def test_a_vote_for_the_other_side_is_not_agreement() -> None:
    direction = np.array([[1, 1, -1, -1, 0], [1, 1, -1, -1, 0]], dtype=np.int8)

    assert agreeing_heads(direction, np.array([1, -1], dtype=np.int8)).tolist() == [2, 2]
    assert agreeing_heads(direction, np.array([0, 0], dtype=np.int8)).tolist() == [0, 0]


def test_too_few_agreeing_heads_refuse_whatever_the_probability() -> None:
    margin = consensus_margin(np.array([2, 3, 3]), np.array([0.9, 0.9, 0.2]), RULES)

    assert (margin >= 0).tolist() == [False, True, False]


def test_the_reason_is_the_first_gate_that_refused() -> None:
    passed = np.ones((len(GATES) + 1, len(GATES)), dtype=bool)
    for gate in range(len(GATES)):
        passed[gate, gate:] = False

    assert rejection_reasons(passed) == [*REASONS, ""]


def test_an_unpriced_lean_is_refused_and_not_let_through() -> None:
    unknown = np.full((1, len(GATES)), np.nan)

    assert not verdicts(unknown)[0, :4].any()
    assert not verdicts(unknown)[0, 5]
