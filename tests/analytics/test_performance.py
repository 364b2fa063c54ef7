"""Figures of performance, head-weights and improvements against sums done by hand."""

import math
from datetime import timedelta
from statistics import mean, stdev
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.analytics import rows

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
near = pytest.approx


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    rows.market_clock()
    rows.symbol()
    rows.symbol("ETHUSDT")
    rows.version()


def performance(client: APIClient, **query: str) -> dict[str, Any]:
    answer = client.get("/api/learning/performance", query)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


@pytest.fixture
def closed() -> None:
    """Four trades on four days, one still open, one void, one that closed before the period."""
    for days, net_r in ((5, 2.0), (4, -1.0), (3, -1.0), (2, 1.0)):
        rows.signal(net_r, rows.NOW - days * DAY)
    rows.signal(None, rows.NOW - HOUR)
    rows.signal(None, rows.NOW - DAY, outcome="void", exit_at=rows.NOW - DAY + timedelta(minutes=1))
    rows.signal(5.0, rows.NOW - 8 * DAY)


def test_overall_counts_what_closed_in_the_period(anonymous: APIClient, closed: None) -> None:
    overall = performance(anonymous)["overall"]

    assert (overall["total_signals"], overall["closed_signals"]) == (6, 4)
    assert (overall["win_count"], overall["loss_count"], overall["win_rate"], overall["n"]) == (2, 2, 0.5, 4)
    # Wilson 1927 for 2 of 4, from the formula.
    assert (overall["ci_low"], overall["ci_high"]) == (near(0.15004, abs=1e-5), near(0.84996, abs=1e-5))
    assert overall["period"] == "7d"


def test_overall_weighs_the_trades(anonymous: APIClient, closed: None) -> None:
    overall = performance(anonymous)["overall"]

    assert (overall["avg_profit_per_trade"], overall["total_profit"]) == (0.125, 0.5)  # of 1, -0.5, -0.5 and 0.5 %
    assert overall["profit_factor"] == 1.5  # 2 + 1 won, 1 + 1 lost
    assert overall["expectancy_r"] == 0.25
    assert overall["expectancy_r_ci_low"] <= 0.25 <= overall["expectancy_r_ci_high"]
    assert overall["max_drawdown"] == 1.0  # from 1 % down to 0
    assert (overall["best_streak"], overall["worst_streak"]) == (1, 2)
    daily = [2.0, -1.0, -1.0, 1.0, 0.0, 0.0, 0.0]
    assert overall["sharpe_ratio"] == near(mean(daily) / stdev(daily) * math.sqrt(365))


def test_a_longer_period_reaches_further_back(anonymous: APIClient, closed: None) -> None:
    assert performance(anonymous, period="9d")["overall"]["win_count"] == 3


def test_a_trade_counts_where_it_closed_and_a_signal_where_it_was_published(anonymous: APIClient) -> None:
    rows.signal(1.0, rows.NOW - 7 * DAY - HOUR / 2)

    overall = performance(anonymous)["overall"]

    assert (overall["total_signals"], overall["closed_signals"]) == (0, 1)


def test_symbol_and_timeframe_choose(anonymous: APIClient, closed: None) -> None:
    rows.signal(1.0, rows.NOW - DAY, symbol="ETHUSDT")

    assert performance(anonymous, symbol="ETHUSDT")["overall"]["win_count"] == 1
    assert performance(anonymous, timeframe="1h")["overall"]["closed_signals"] == 0


def test_a_profit_factor_needs_a_loss(anonymous: APIClient) -> None:
    rows.signal(1.0)

    assert performance(anonymous)["overall"]["profit_factor"] is None


@pytest.fixture
def outcomes() -> None:
    """Three leans the technical head voted long on: won, lost, and one whose lean was short and lost, so long won."""
    long = rows.evidence(technical=0.5)
    rows.event(2.0, long, mirror_net_r=-1.0, is_signal=True)
    rows.event(-1.0, long, rows.NOW - 4 * DAY, mirror_net_r=2.0)
    rows.event(-1.0, long, rows.NOW - 5 * DAY, side=-1, mirror_net_r=2.0)


def softplus(x: float) -> float:
    return math.log1p(math.exp(x))


def test_a_head_is_scored_on_its_own_side(anonymous: APIClient, outcomes: None) -> None:
    heads = performance(anonymous)["head_performance"]["heads"]

    technical = heads["technical"]
    assert (technical["wins"], technical["losses"], technical["win_rate_when_agreed"], technical["n"]) == (1, 1, 0.5, 2)
    assert technical["signals_contributed"] == 1
    # It says log-odds -0.7 + 0.5 of its own trade, which won, lost and won.
    assert technical["log_loss"] == near((softplus(0.2) + softplus(-0.2) + softplus(0.2)) / 3)
    assert technical["log_loss_n"] == 3
    assert technical["skill"] == near(
        ((softplus(0.7) + softplus(-0.7) + softplus(0.7)) - (softplus(0.2) + softplus(-0.2) + softplus(0.2))) / 3
    )
    assert technical["current_weight"] == near(1 / len(rows.HEAD_NAMES))


def test_a_head_that_never_voted_has_no_figures(anonymous: APIClient, outcomes: None) -> None:
    silent = performance(anonymous)["head_performance"]["heads"]["sentiment"]

    assert (silent["win_rate_when_agreed"], silent["n"], silent["log_loss"], silent["skill"]) == (None, 0, None, None)
    assert silent["weight_adjustment_needed"] is None
    assert silent["performance_trend"] is None


def test_progress_scores_the_probabilities_that_were_given(anonymous: APIClient, outcomes: None) -> None:
    progress = performance(anonymous)["learning_progress"]

    given = [-math.log(0.4), -math.log(0.6), -math.log(0.6)]
    assert (progress["log_loss"], progress["n"]) == (near(sum(given) / 3), 3)
    assert progress["brier"] == near((0.36 + 0.16 + 0.16) / 3)
    equal = [softplus(0.6), softplus(-0.6), softplus(-0.8)]  # log-odds -0.7 and 0.2 x 0.5 along or against the lean
    assert progress["regret_vs_equal"] == near(sum(given) - sum(equal))
    technical = [softplus(0.2), softplus(-0.2), softplus(-1.2)]
    assert progress["best_head"] == "technical"
    assert progress["regret_vs_best_head"] == near(sum(given) - sum(technical))
    assert progress["base_rate_log_loss"] == near((softplus(0.7) + 2 * softplus(-0.7)) / 3)
    assert progress["regret_bound"] is None
    assert [part["n"] for part in progress["calibration"]["bins"]] == [3]


def test_each_outcome_keeps_the_intercepts_of_its_own_version(anonymous: APIClient) -> None:
    rows.version(weights=rows.weights(bias=(0.3, 0.3)))
    rows.event(1.0, rows.evidence(technical=0.5))
    rows.event(1.0, rows.evidence(technical=0.5), rows.NOW - 4 * DAY, weight_version=2)

    technical = performance(anonymous)["head_performance"]["heads"]["technical"]

    assert technical["log_loss"] == near((softplus(0.2) + softplus(-0.8)) / 2)


def test_what_has_not_matured_or_is_void_is_not_scored(anonymous: APIClient) -> None:
    rows.event(1.0, rows.evidence(technical=0.5), rows.NOW - HOUR)
    rows.event(1.0, rows.evidence(technical=0.5), is_void=True)

    assert performance(anonymous)["head_performance"]["signals_analyzed"] == 0


def test_fewer_heads_then_than_now_is_no_vote(anonymous: APIClient) -> None:
    rows.event(1.0, [0.5])
    rows.event(1.0, rows.evidence(technical=0.5))

    heads = performance(anonymous)["head_performance"]["heads"]

    assert heads["technical"]["n"] == 2
    assert heads["structure"]["n"] == 0


def test_the_challenger_is_the_suggestion_while_it_waits(anonymous: APIClient) -> None:
    count = len(rows.HEAD_NAMES)
    rows.version("challenger", effective_from=None, weights=rows.weights([0.4] + [0.1] * (count - 1)))

    heads = performance(anonymous)["head_performance"]["heads"]
    assert heads["technical"]["suggested_weight"] == near(0.4 / (0.4 + 0.1 * (count - 1)))

    rows.version()
    assert performance(anonymous)["head_performance"]["heads"]["technical"]["suggested_weight"] is None


def test_the_bound_is_that_of_the_latest_certificate(anonymous: APIClient) -> None:
    rows.version(certificate={"holds": True, "excess": {"equal": 0.5}, "bound": {"equal": 1.5, "zero": 2.0}})

    progress = performance(anonymous)["learning_progress"]

    assert progress["regret_bound"] == 1.5
    assert progress["certificate"]["holds"] is True


def test_head_weights_tells_what_ruled_and_what_was_refused(anonymous: APIClient) -> None:
    rows.version(effective_from=rows.NOW - 40 * DAY)
    rows.version(effective_from=rows.NOW - 20 * DAY)
    rows.version("rejected", effective_from=None, notes="vetoed")

    body = anonymous.get("/api/learning/head-weights", {"days": 30}).json()

    assert body["days_analyzed"] == 30
    assert [(row["version"], row["status"]) for row in body["weight_history"]] == [
        (4, "rejected"),
        (3, "active"),
        (2, "archived"),
    ]
    assert body["weight_history"][0]["notes"] == "vetoed"
    assert sum(body["current_weights"].values()) == near(1.0)


def test_a_version_of_tomorrow_is_not_in_force_today(anonymous: APIClient) -> None:
    count = len(rows.HEAD_NAMES)
    rows.version(effective_from=rows.NOW + DAY, weights=rows.weights([1.0] + [0.0] * (count - 1)))

    assert anonymous.get("/api/learning/head-weights").json()["current_weights"]["technical"] == near(1 / count)


def test_improvements_counts_by_iso_week(anonymous: APIClient) -> None:
    rows.signal(1.0, rows.NOW - 9 * DAY)  # Thursday of the week before
    rows.signal(2.0, rows.NOW - 3 * DAY)
    rows.signal(-1.0, rows.NOW - 4 * DAY)
    rows.shadow(-1.0, rows.NOW - 3 * DAY)
    rows.shadow(2.0, rows.NOW - 4 * DAY)

    trends = anonymous.get("/api/learning/improvements").json()["weekly_trends"]

    last, this = trends["weekly_data"]
    assert (last["week"], last["signals"], last["win_rate"], last["n"]) == ("2021-W26", 1, 1.0, 1)
    assert (last["rejection_accuracy"], last["rejection_accuracy_n"]) == (None, 0)
    assert (this["week"], this["start_date"], this["end_date"]) == ("2021-W27", "2021-07-05", "2021-07-11")
    assert (this["signals"], this["win_rate"], this["avg_profit"]) == (2, 0.5, 0.25)
    assert (this["rejection_accuracy"], this["rejection_accuracy_n"]) == (0.5, 2)


def test_no_trend_is_told_from_a_handful_of_trades(anonymous: APIClient) -> None:
    for days in (2, 3, 4, 5):
        rows.signal(1.0 if days % 2 else -1.0, rows.NOW - days * DAY)

    trends = anonymous.get("/api/learning/improvements").json()["weekly_trends"]

    assert trends["trend"] == "no change shown"
    assert trends["ci_low"] < 0 < trends["ci_high"]


def test_heads_are_ranked_by_what_their_votes_saved(anonymous: APIClient) -> None:
    for days in (2, 3, 4):
        votes = rows.evidence(technical=0.5, sentiment=-0.5, volume=0.1)
        rows.event(1.0, votes, rows.NOW - days * DAY)

    body = anonymous.get("/api/learning/improvements").json()

    assert [row["head"] for row in body["best_performing_heads"]] == ["technical", "volume", "sentiment"]
    assert [row["head"] for row in body["worst_performing_heads"]] == ["sentiment", "volume", "technical"]
