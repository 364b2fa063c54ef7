"""The verdict on made-up intervals: an edge only where everything agrees, and never a figure without its interval."""

from dataclasses import replace

import pytest

from learning.evaluating.gates import GateFigures
from learning.evaluating.permuting import Permutation
from learning.evaluating.scores import PathFigures
from learning.evaluating.sharpe import Sharpe
from learning.evaluating.verdict import Kind, Verdict, learning_words, verdict
from learning.evaluation import Estimate

GOOD = Estimate(0.2, 300, 0.1, 0.3)
BETTER_LOSS = Estimate(-0.02, 9000, -0.03, -0.01)
FIGURES = PathFigures(
    scans=20_000,
    leans=9000,
    scored=9000,
    log_loss=GOOD,
    brier=GOOD,
    slope=GOOD,
    bins=(),
    accept_rate=GOOD,
    win_rate=GOOD,
    lean_win_rate=GOOD,
    expectancy_r=GOOD,
    lean_r=GOOD,
    total_r=GOOD,
    regret={"base rate": BETTER_LOSS},
    best_head=None,
)
GATE = GateFigures(8700, GOOD, GOOD, GOOD)
SHARPE = Sharpe(0.4, 60, 20, 0.01, 0.97)
LEARNED = Permutation(0.02, (-0.001,) * 39, (0.001, -0.002) * 20, 9000)


def judged(
    figures: PathFigures = FIGURES,
    gate: GateFigures | None = GATE,
    sharpe: Sharpe = SHARPE,
    permutation: Permutation = LEARNED,
    blocks: int = 60,
) -> Verdict:
    return verdict(figures, gate, sharpe, permutation, blocks)


def test_an_edge_is_found_where_every_interval_and_both_tests_agree() -> None:
    found = judged()

    assert found.kind is Kind.EDGE
    assert found.words.startswith("edge found on this data: signals' mean net R +0.20 [+0.10, +0.30] is above zero; ")
    assert "p = 0.025, 39 shuffles" in found.words
    assert "0.970 after 20 trials is at least 0.95" in found.words


def test_a_mean_that_may_be_zero_is_no_edge_and_says_so_with_its_interval() -> None:
    found = judged(replace(FIGURES, expectancy_r=Estimate(-0.05, 220, -0.26, 0.15)))

    assert found.kind is Kind.NONE
    assert found.words.startswith("no edge found: signals' mean net R -0.05 [-0.26, +0.15] cannot be told from zero; ")


@pytest.mark.parametrize(
    ("verdict_", "said"),
    [
        (judged(replace(FIGURES, expectancy_r=Estimate(-0.2, 220, -0.3, -0.1))), "is below zero: they lose"),
        (
            judged(gate=replace(GATE, value_r=Estimate(0.1, 9000, -0.1, 0.3))),
            "rejected leans, in R, +0.10 [-0.10, +0.30]",
        ),
        (judged(gate=replace(GATE, value_r=Estimate(-0.2, 9000, -0.3, -0.1))), "what was rejected did better"),
        (judged(gate=None), "rejected leans, in R, is not known"),
        (judged(replace(FIGURES, regret={"base rate": Estimate(0.02, 9000, 0.01, 0.03)})), "they are worse"),
        (
            judged(replace(FIGURES, regret={"base rate": Estimate(-0.02, 9000)})),
            "has no interval, so nothing is claimed",
        ),
        (judged(permutation=replace(LEARNED, gain=-0.001)), "is not shown (p = 1.000, 39 shuffles)"),
        (judged(permutation=replace(LEARNED, shuffled=(-0.001,) * 9)), "is not shown (p = 0.100, 9 shuffles)"),
        (judged(permutation=Permutation(0.02, (), (), 9000)), "shuffled outcomes were not tried"),
        (judged(sharpe=replace(SHARPE, deflated=0.949)), "0.949 after 20 trials is below 0.95"),
        (judged(sharpe=replace(SHARPE, deflated=None)), "there is no deflated Sharpe ratio"),
    ],
)
def test_one_condition_that_fails_is_enough(verdict_: Verdict, said: str) -> None:
    assert verdict_.kind is Kind.NONE
    assert said in verdict_.words
    assert [met for _, met in verdict_.findings].count(False) == 1


def test_few_days_allow_no_verdict_and_leaking_outcomes_no_figure() -> None:
    assert judged(blocks=11).kind is Kind.TOO_SHORT
    leak = judged(permutation=replace(LEARNED, fits=(0.05, 0.06) * 20))

    assert leak.kind is Kind.INVALID
    assert "by +0.0550 nats on average: outcomes are known before their time" in leak.words


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-0.004, -0.001, "learning helped"),
        (-0.004, 0.001, "cannot be told from zero"),
        (0.001, 0.004, "cost something"),
    ],
)
def test_whether_learning_helped_is_said_from_the_interval(low: float, high: float, said: str) -> None:
    words = learning_words(Estimate((low + high) / 2, 9000, low, high))

    assert said in words
    assert f"[{low:+.4f}, {high:+.4f}]" in words
