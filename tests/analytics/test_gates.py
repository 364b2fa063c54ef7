"""What gates cost, on the page: the same from the daily table, from the decisions themselves, and from plain loops."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from rest_framework.test import APIClient

from analytics.selectors.gates import FIGURES, gate_days, held_in, worths
from analytics.selectors.scope import Scope
from learning.evaluation import day_bootstrap, day_bootstraps, difference, ratio, seed_of
from learning.metrics import store_rejection_metrics
from learning.models import RejectionLearningMetrics
from signals.gates import REASONS
from signals.models import RejectedSignal, TrackedDecision
from signals.regime import Regime
from tests.analytics import refusals, rows

DAY = timedelta(days=1)
PERIOD = 6 * DAY
SCOPE = Scope.last(PERIOD, until=rows.NOW)


@pytest.fixture(autouse=True)
def decided(db: None) -> None:
    """Ten days of decisions, of which the table holds those that the last midnight knew."""
    rows.market_clock()
    for symbol in refusals.SYMBOLS:
        rows.symbol(symbol)
    refusals.random_decisions(seed=11, days=10, count=700, until=rows.NOW)
    store_rejection_metrics(until=rows.NOW.replace(hour=0))


def page(client: APIClient, **query: str) -> dict[str, Any]:
    body: dict[str, Any] = client.get("/api/learning/rejection-analysis", {"period": "6d", **query}).json()
    return body


def mean(decisions: Iterable[TrackedDecision]) -> float:
    return float(np.mean([row.net_r for row in decisions if row.net_r is not None]))


@pytest.mark.parametrize("only", [{}, {"symbol": "ETHUSDT"}, {"timeframe": "15m"}, {"timeframe": "1h"}])
def test_the_figures_are_those_of_plain_loops(only: dict[str, str]) -> None:
    scope = Scope.last(PERIOD, until=rows.NOW, **only)
    figures = gate_days(scope, held_in(scope))

    decisions = refusals.matured(scope.since, scope.until, **only)
    for part, mine in (
        (figures.refused, [row for row in decisions if refusals.reason_of(row)]),
        (figures.published, [row for row in decisions if not refusals.reason_of(row)]),
    ):
        known = refusals.figures(mine)
        assert {name: part.total(name) for name in FIGURES} == pytest.approx({name: known[name] for name in FIGURES})


def test_most_days_come_from_the_table_and_the_edges_from_the_decisions() -> None:
    held = held_in(SCOPE)

    assert [day.isoformat() for day in held.inside] == ["2021-07-05", "2021-07-06", "2021-07-07", "2021-07-08"]
    edges = RejectedSignal.objects.filter(held.elsewhere)
    assert not edges.filter(opened_at__date__in=held.inside).exists()
    assert 0 < edges.count() < RejectedSignal.objects.count() / 2


@pytest.mark.parametrize("query", [{}, {"symbol": "ADAUSDT"}])
def test_the_page_is_the_same_without_the_table(anonymous: APIClient, query: dict[str, str]) -> None:
    with_table = page(anonymous, **query)
    RejectionLearningMetrics.objects.all().delete()

    without = page(anonymous, **query)

    assert rounded(with_table) == rounded(without)
    assert with_table["rejection_statistics"]["matured"] > 50


def rounded(value: Any) -> Any:
    """Sums of parts differ in their last bits, and so does the seed that is made of them: intervals are left out."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items() if not key.endswith(("ci", "ci_low", "ci_high"))}
    return round(value, 9) if isinstance(value, float) else value


def test_each_gate_is_weighed_anywhere_in_each_regime_and_for_each_symbol(anonymous: APIClient) -> None:
    body, decisions = page(anonymous), refusals.matured(SCOPE.since, SCOPE.until)

    for reason in REASONS:
        mine = [row for row in decisions if refusals.reason_of(row) == reason]
        weighed(body["by_reason"][reason], mine, [row for row in decisions if not refusals.reason_of(row)])
        for regime in Regime:
            here = [row for row in decisions if row.regime == regime]
            _nested(body["by_regime"].get(regime.name.lower(), {}), reason, here)
        for symbol in refusals.SYMBOLS:
            _nested(body["by_symbol"].get(symbol, {}), reason, [row for row in decisions if row.symbol == symbol])


def _nested(found: dict[str, Any], reason: str, here: list[TrackedDecision]) -> None:
    mine = [row for row in here if refusals.reason_of(row) == reason]
    assert (reason in found) == bool(mine)
    if mine:
        weighed(found[reason], mine, [row for row in here if not refusals.reason_of(row)])


def weighed(said: dict[str, Any], mine: list[TrackedDecision], published: list[TrackedDecision]) -> None:
    known = refusals.figures(mine)
    valued = int(known["shadows"] - known["void"])
    assert (said["count"], said["good"], said["missed"], said["n"]) == (
        known["shadows"], known["good"], known["missed"], valued,
    )  # fmt: skip
    if not valued:
        assert said["gate_value_r"] is said["opportunity_cost_r"] is None
        return
    assert said["gate_value_r"] == pytest.approx(-mean(mine))
    assert said["opportunity_cost_r"] == pytest.approx(known["opportunity_cost_r"])
    assert said["avoided_loss_r_per_day"] == pytest.approx(known["avoided_loss_r"] / 7)
    judged = known["good"] + known["missed"]
    assert said["rejection_accuracy"] == (pytest.approx(known["good"] / judged) if judged else None)
    if [row for row in published if row.net_r is not None]:
        assert said["against_published_r"] == pytest.approx(mean(published) - mean(mine))
    else:
        assert said["against_published_r"] is None
    assert said["ci_low"] is None or said["ci_low"] <= said["gate_value_r"] <= said["ci_high"]


def test_intervals_of_many_groups_are_those_of_each_alone() -> None:
    draw = np.random.default_rng(4)
    counts = draw.poisson(2.0, (30, 70, 2)).astype(float)
    sums = draw.normal(size=counts.shape) * counts
    totals = np.concatenate([sums[..., :1], counts[..., :1], sums[..., 1:], counts[..., 1:]], axis=2)
    seed = seed_of(totals)

    found = day_bootstraps(((0, 1), (2, 3, 0, 1)), totals, seed=seed, level=0.9)

    for group in range(70):
        alone = day_bootstrap(ratio, totals[:, group, :2], n=1, seed=seed, level=0.9)
        both = day_bootstrap(difference, totals[:, group][:, (2, 3, 0, 1)], n=1, seed=seed, level=0.9)
        for row, known in zip(found[:, group], (alone, both), strict=True):
            assert row.tolist() == pytest.approx([known.value, known.ci_low, known.ci_high])


def test_a_case_on_one_day_alone_has_no_interval() -> None:
    totals = np.zeros((20, 3, 2))
    totals[4, 0], totals[3:6, 1] = (3.0, 2.0), (1.0, 1.0)

    found = day_bootstraps(((0, 1),), totals, seed=1, level=0.95)[0]

    assert found[0].tolist() == pytest.approx([1.5, np.nan, np.nan], nan_ok=True)
    assert found[1].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert np.isnan(found[2]).all()


def test_a_reason_that_no_gate_gives_any_more_counts_in_the_whole_alone() -> None:
    RejectedSignal.objects.filter(rejection="cooldown").update(rejection="former_gate")
    RejectionLearningMetrics.objects.filter(reason="cooldown").update(reason="former_gate")

    found = worths(gate_days(SCOPE, held_in(SCOPE)))

    assert found.by_reason["cooldown"].count == 0
    assert found.overall.count > sum(worth.count for worth in found.by_reason.values())
