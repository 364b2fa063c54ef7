"""Proposals come from intervals that exclude no change, however many questions were asked."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import stats

from learning.gate_days import REASON_CODES, GateDays, cube
from learning.proposals import LEAST_DAYS, day_interval, propose
from learning.student import student_reach
from signals.gates import GateRules
from signals.regime import Regime

LIMITS = GateRules().regime_limits
SYMBOLS = tuple(f"S{number}USDT" for number in range(8))


def market(seed: int, days: int = 30, leans: int = 150) -> dict[str, Any]:
    """Leans of brackets that pay nothing on average, with a shock that all leans of a day share; as columns."""
    draw = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), leans)
    chance = np.clip(0.35 + 0.08 * draw.normal(size=days), 0.05, 0.95)[day]
    won = draw.uniform(size=len(day)) < chance
    return {
        "day": day,
        "reason": draw.choice(len(REASON_CODES), len(day), p=[0.05, 0.05, 0.3, 0.3, 0.1, 0.1, 0.1]),
        "regime": draw.choice(5, len(day)),
        "symbol": draw.choice(len(SYMBOLS), len(day)),
        "net_r": np.where(won, 1.85, -0.35 * 1.85 / 0.65) + 0.05 * draw.normal(size=len(day)),
    }


def figures_of(columns: dict[str, Any]) -> GateDays:
    ones = np.ones(len(columns["day"]))
    keys = {name: columns[name] for name in ("day", "reason", "regime", "symbol")}
    return GateDays(**keys, symbols=SYMBOLS, figures={"shadows": ones, "void": 0 * ones, "sum_net_r": columns["net_r"]})


def proposed(columns: dict[str, Any]) -> list[tuple[str, str, str | None, str]]:
    found = [proposal.described() for proposal in propose(figures_of(columns), LIMITS)]
    return [(row["kind"], row["reason"], row["regime"], row["symbol"]) for row in found]


@given(st.integers(1, 400), st.floats(0.01, 0.9999999))
@example(1, 0.9999998999999999)
def test_students_t_is_that_of_scipy(freedom: int, level: float) -> None:
    """Scipy's by the tail, which is exact; near a level of 1 a probability has fewer digits left than its tail."""
    tolerance = max(1e-9, 1e-15 / (1 - level))
    assert student_reach(level, freedom) == pytest.approx(stats.t.isf((1 - level) / 2, freedom), rel=tolerance)


def test_students_t_needs_a_level_and_a_degree_of_freedom() -> None:
    for level, freedom in ((0.0, 3), (1.0, 3), (0.9, 0)):
        with pytest.raises(ValueError, match="needs a level"):
            student_reach(level, freedom)


def test_with_one_case_a_day_the_interval_is_the_t_interval_of_a_mean() -> None:
    values = np.random.default_rng(3).normal(0.2, 1.0, 25)

    mean, reach = day_interval(values, np.ones(25), 0.99)

    low, high = stats.t.interval(0.99, 24, loc=values.mean(), scale=stats.sem(values))
    assert (mean - reach, mean + reach) == (pytest.approx(low), pytest.approx(high))


def test_sums_by_day_and_group_are_those_of_a_loop() -> None:
    figures = figures_of(market(1, days=5, leans=40))
    days = np.unique(figures.day)
    place = np.where(figures.regime < 3, figures.regime, -1)

    found = cube(days, figures, place, 3, ("sum_net_r", "valued"))

    for row, day in enumerate(days):
        for group in range(3):
            mine = [
                r for r, d, g in zip(figures["sum_net_r"], figures.day, place, strict=True) if d == day and g == group
            ]
            assert found[row, group].tolist() == pytest.approx([sum(mine), len(mine)])


def test_a_gate_that_costs_money_is_proposed_where_it_does() -> None:
    columns = market(7)
    columns["net_r"][columns["reason"] == REASON_CODES.index("cooldown")] += 0.8

    found = proposed(columns)

    assert ("gate", "cooldown", None, "") in found
    assert {reason for _, reason, _, _ in found} == {"cooldown"}


def test_a_gate_that_costs_money_for_one_symbol_is_proposed_for_that_one() -> None:
    columns = market(8)
    chosen = (columns["reason"] == REASON_CODES.index("low_quality")) & (columns["symbol"] == 3)
    columns["net_r"][chosen] += 1.0

    assert proposed(columns)[-1] == ("gate_for_symbol", "low_quality", None, "S3USDT")
    assert {symbol for kind, _, _, symbol in proposed(columns) if kind == "gate_for_symbol"} == {"S3USDT"}


def test_a_regime_whose_refused_leans_pay_gets_a_looser_limit_and_one_that_loses_a_tighter() -> None:
    columns = market(9)
    refused = (columns["reason"] == REASON_CODES.index("regime_limit")) & (columns["regime"] == Regime.RANGING)
    published = (columns["reason"] == 0) & (columns["regime"] == Regime.TRENDING)
    columns["net_r"][refused] += 1.2
    columns["net_r"][published] -= 1.2

    limits = [proposal for proposal in propose(figures_of(columns), LIMITS) if proposal.kind == "regime_limit"]

    assert [(row.regime, row.reason, row.limit, row.proposed) for row in limits] == [
        (Regime.RANGING, "regime_limit", 1, 2),
        (Regime.TRENDING, "", 2, 1),
    ]
    assert limits[0].ci_low > 0 > limits[1].ci_high
    assert all(0.99 < row.level < 1 and 20 < row.days <= 30 <= row.n for row in limits)


def test_a_limit_is_never_proposed_below_zero() -> None:
    columns = market(9)
    columns["net_r"][columns["reason"] == 0] -= 1.5

    found = [row for row in propose(figures_of(columns), dict.fromkeys(LIMITS, 0)) if row.kind == "regime_limit"]

    assert found
    assert {row.proposed for row in found} == {0}


def test_a_question_about_the_same_leans_is_asked_once() -> None:
    columns = market(7)
    columns["regime"][:], columns["symbol"][:] = 0, 0
    columns["net_r"][columns["reason"] == REASON_CODES.index("cooldown")] += 0.8

    assert proposed(columns) == [("gate", "cooldown", None, "")]


def test_a_few_days_prove_nothing() -> None:
    columns = market(5, days=LEAST_DAYS - 1)
    columns["net_r"] += 3.0

    assert proposed(columns) == []
    assert proposed({name: column[:0] for name, column in columns.items()}) == []


def test_noise_is_told_apart_from_news() -> None:
    """At most 5 % of looks may alarm: in twenty, four or more would happen once in 63 times."""
    alarms = sum(bool(proposed(market(seed))) for seed in range(20))

    assert alarms <= 3
