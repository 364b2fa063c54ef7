"""What messages say: what, why, at what stake, and no promise."""

from typing import Any

import pytest

from analytics.notifications.kinds import Kind
from analytics.notifications.sending import shortened
from analytics.notifications.words import WORDS, message_of

SIGNAL: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "timeframe": "15m",
    "direction": -1,
    "reference_price": 34_567.1,
    "stop": 35_000.0,
    "target": 33_701.3,
    "expires_at": "2021-07-11T12:00:00Z",
    "expected_r": 0.123,
    "win_probability": 0.41,
    "decided_at": "2021-07-10T12:00:00Z",
    "record": {"mean_r": -0.02, "ci_low": -0.1, "ci_high": 0.06, "n": 140, "days": 30},
    "reasons": [
        {
            "head": "smart_money",
            "direction": "short",
            "contribution": -0.31,
            "inputs": [{"name": "order_block", "value": 1.25}],
        }
    ],
}


def test_a_signal_says_what_it_risks_expects_and_why() -> None:
    message = message_of("signal", SIGNAL)

    assert message.title == "short signal: BTCUSDT 15m, decided 2021-07-10 12:00 UTC"
    for words in (
        "stop 35,000.00, target 33,701.30, closed at the latest 2021-07-11 12:00 UTC",
        "Expected +0.12 R net of costs; the bracket wins with probability 41.0 %",
        "No interval is known for a single signal",
        "earned -0.02 R each (95 % interval -0.10 R to +0.06 R)",
        "- smart money votes short (-0.31 to the pool): order block 1.25",
        "no promise of profit",
    ):
        assert words in message.text


def test_what_is_not_known_is_said_and_not_invented() -> None:
    nothing = {"mean_r": None, "ci_low": None, "ci_high": None, "n": 0, "days": 30}
    message = message_of("signal", SIGNAL | {"record": nothing, "reasons": []})

    assert "No signal has closed lately" in message.text
    assert "Why:" not in message.text


@pytest.mark.parametrize(
    ("outcome", "net_r", "title"),
    [
        ("target", 1.86, "BTCUSDT long met its target: +1.86 R"),
        ("stop", -1.07, "BTCUSDT long met its stop: -1.07 R"),
        ("void", None, "BTCUSDT long is void: it was never entered, and counts for nothing"),
    ],
)
def test_an_outcome_says_what_became_of_it(outcome: str, net_r: float | None, title: str) -> None:
    facts = {
        **{"symbol": "BTCUSDT", "direction": 1, "outcome": outcome, "net_r": net_r, "net_pct": net_r, "entry": 100.0},
        **{"exit_price": 102.0, "expected_r": 0.1, "ambiguous": outcome == "stop"},
        **{"ended_at": "2021-07-10T13:00:00Z", "decided_at": "2021-07-10T12:00:00Z"},
    }

    message = message_of("outcome", facts)

    assert message.title == title
    assert ("counts as the stop" in message.text) == (outcome == "stop")


def test_every_kind_has_words() -> None:
    assert set(WORDS) == set(Kind)


def test_a_long_message_is_cut_between_lines_as_telegram_counts() -> None:
    text = "\n".join(["a title", *("\U0001f600" * 99 for _ in range(30))])

    cut = shortened(text, 4096)

    assert len(cut.encode("utf-16-le")) // 2 <= 4096
    assert cut.endswith("\n\u2026")
    assert set(cut.split("\n")[1:-1]) == {"\U0001f600" * 99}
    assert len(shortened("x" * 5000, 4096)) <= 4096
    assert shortened("short", 4096) == "short"
