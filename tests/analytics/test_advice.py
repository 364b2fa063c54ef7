"""A recommendation exists only where an interval excludes "no change"."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from rest_framework.test import APIClient

from tests.analytics import rows

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def market(db: None) -> None:
    rows.market_clock()
    rows.version()


def recommended(client: APIClient) -> list[dict[str, Any]]:
    body = client.get("/api/learning/recommendations").json()
    assert body["total_recommendations"] == len(body["recommendations"])
    assert body["high_priority_count"] == sum(row["priority"] == "high" for row in body["recommendations"])
    found: list[dict[str, Any]] = body["recommendations"]
    return found


def closes(count: int = 60) -> Iterator[Any]:
    """Moments of decisions, several a day over three weeks."""
    return (rows.NOW - 2 * DAY - step * 8 * 60 * MINUTE for step in range(count))


def test_heads_that_know_nothing_are_left_alone(anonymous: APIClient) -> None:
    for step, at in enumerate(closes()):
        # Two of five long leans win, as was said, whatever the head votes.
        rows.event(1.0 if step % 5 < 2 else -1.0, rows.evidence(technical=0.5 if step % 2 else -0.5), at)

    assert not [row for row in recommended(anonymous) if row["type"] in ("increase_weight", "decrease_weight")]


def test_a_head_that_is_right_deserves_more(anonymous: APIClient) -> None:
    for step, at in enumerate(closes()):
        wins = step % 5 < 2
        rows.event(1.0 if wins else -1.0, rows.evidence(technical=0.5 if wins else -0.5), at)

    row = next(row for row in recommended(anonymous) if row["head"] == "technical")

    assert row["type"] == "increase_weight"
    assert row["current_weight"] == pytest.approx(1 / len(rows.HEAD_NAMES))
    # The mean of (won - 0.4) x evidence: 2 of 5 pull by 0.6 x 0.5, 3 of 5 by -0.4 x -0.5.
    assert row["evidence"]["value"] == pytest.approx((2 * 0.3 + 3 * 0.2) / 5)
    assert row["evidence"]["ci_low"] > 0


def test_a_head_that_is_wrong_deserves_less_and_a_look(anonymous: APIClient) -> None:
    for step, at in enumerate(closes()):
        wins = step % 5 < 2
        rows.event(1.0 if wins else -1.0, rows.evidence(technical=-1.5 if wins else 1.5), at)

    kinds = {row["type"]: row for row in recommended(anonymous) if row["head"] == "technical"}

    assert kinds["decrease_weight"]["priority"] == "high"
    assert kinds["monitor_closely"]["evidence"]["ci_high"] < 0


def test_a_head_that_is_wrong_and_counted_against_its_vote_deserves_more(anonymous: APIClient) -> None:
    against = [-0.2] + [0.2] * (len(rows.HEAD_NAMES) - 1)
    rows.version(effective_from=rows.NOW - 100 * DAY, weights=rows.weights(against))
    for step, at in enumerate(closes()):
        wins = step % 5 < 2
        rows.event(1.0 if wins else -1.0, rows.evidence(technical=-1.5 if wins else 1.5), at, weight_version=2)

    assert "increase_weight" in {row["type"] for row in recommended(anonymous) if row["head"] == "technical"}


def test_a_gate_that_refuses_winners_is_named(anonymous: APIClient) -> None:
    for step, at in enumerate(closes(30)):
        rows.shadow(1.5 if step % 3 else -1.0, at, "cooldown")
        rows.shadow(-1.0 if step % 3 else 1.5, at, "low_quality")

    system = [row for row in recommended(anonymous) if row["type"] == "system_adjustment"]

    assert ["cooldown" in row["reason"] for row in system] == [True]
    assert system[0]["evidence"]["ci_high"] < 0
    assert system[0]["head"] is None


def test_a_regime_whose_signals_lose_is_proposed_a_tighter_limit(anonymous: APIClient) -> None:
    for step, at in enumerate(closes()):
        rows.signal(-1.0 if step % 6 else 1.0, at, regime=1)
        rows.signal(1.0 if step % 6 else -1.0, at, regime=3)

    (row,) = [row for row in recommended(anonymous) if row["type"] == "system_adjustment"]

    assert (
        row["reason"]
        == "signals published in ranging lose: consider lowering the regime limit from 1 to 0 signals at once"
    )
    assert row["evidence"]["figure"] == "mean net R of the signals in ranging"
    assert row["evidence"]["ci_high"] < 0
    assert row["evidence"]["level"] > 0.99


def test_a_regime_whose_refused_leans_pay_is_proposed_a_looser_limit(anonymous: APIClient) -> None:
    for step, at in enumerate(closes()):
        rows.shadow(1.5 if step % 6 else -1.0, at, "regime_limit", regime=2)

    reasons = [row["reason"] for row in recommended(anonymous) if row["type"] == "system_adjustment"]

    assert reasons == [
        "the gate behind regime_limit refuses leans that would have paid",
        "in volatile the regime limit refuses leans that would have paid: "
        "consider raising it from 1 to 2 signals at once",
    ]


def test_gates_of_a_regime_and_of_a_symbol_are_named(anonymous: APIClient) -> None:
    for step, at in enumerate(closes()):
        for regime, symbol in ((1, "BTCUSDT"), (2, "ETHUSDT")):
            pays = regime == 1 and step % 6
            rows.shadow(1.5 if pays else -1.0, at, "cooldown", regime=regime, symbol=symbol)

    reasons = [row["reason"] for row in recommended(anonymous) if row["type"] == "system_adjustment"]

    assert "in ranging the gate behind cooldown refuses leans that would have paid" in reasons
    assert "for BTCUSDT the gate behind cooldown refuses leans that would have paid" in reasons
    assert not [reason for reason in reasons if "volatile" in reason or "ETHUSDT" in reason]
