"""Head I: against the crowd beyond the edges that are documented, with the flow otherwise, silent without feeds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from signals.frame import Frame
from signals.heads.crypto_metrics import (
    ALT_SEASON,
    BASIS,
    CROWD_PROBABILITY,
    FEEDS,
    FLOW_PROBABILITY,
    FUNDING,
    LONG_SHORT,
    OPEN_INTEREST_CHANGE,
    PRICE_CHANGE,
    TAKER_RATIO,
    UTMOST_PROBABILITY,
    CryptoMetrics,
)
from signals.window import Window
from tests.signals.frames import QUARTER, bars

READY = QUARTER.block
FRAME = Frame(QUARTER, bars(np.full(READY, 10.0)))
REST = {FUNDING: 0.0001, BASIS: 0.0, LONG_SHORT: 1.0, TAKER_RATIO: 1.0, ALT_SEASON: 0.5, OPEN_INTEREST_CHANGE: 0.0}


def seen(feeds: dict[str, float]) -> Window:
    return Window(FRAME, {}, {name: np.full(READY, value) for name, value in feeds.items()})


def vote(feeds: dict[str, float]) -> tuple[int, float, float]:
    votes = CryptoMetrics().vote(seen(feeds))
    return int(votes.direction[-1]), float(votes.probability[-1]), float(votes.confidence[-1])


@pytest.mark.parametrize(
    ("funding", "expected"),
    [(0.00051, -1), (0.0005, 1), (0.0024, -1), (-0.00031, 1), (-0.0003, -1), (-0.002, 1), (0.0001, 0), (0.0002, 0)],
)
def test_funding_is_a_crowd_beyond_its_edges_and_flow_within(funding: float, expected: int) -> None:
    assert vote({FUNDING: funding})[0] == expected


@pytest.mark.parametrize(
    ("ratio", "expected"), [(3.01, -1), (3.0, 0), (12.0, -1), (0.333, 1), (1 / 3, 0), (0.1, 1), (1.0, 0), (2.9, 0)]
)
def test_accounts_are_a_crowd_beyond_three_to_one(ratio: float, expected: int) -> None:
    assert vote({LONG_SHORT: ratio})[0] == expected


def test_a_crowd_silences_the_flow() -> None:
    flow = {**REST, BASIS: 0.001, TAKER_RATIO: 1.5, OPEN_INTEREST_CHANGE: 0.2, PRICE_CHANGE: 0.05}

    assert vote(flow)[0] == 1
    assert vote({**flow, FUNDING: 0.001})[0] == -1


def test_the_deeper_the_crowd_the_surer_the_vote() -> None:
    edge, deep, deeper = (vote({FUNDING: funding})[1] for funding in (0.00051, 0.0007, 0.0009))

    assert CROWD_PROBABILITY < edge < deep < deeper == UTMOST_PROBABILITY


def test_two_crowds_that_contradict_each_other_are_unsure() -> None:
    _, _, agreed = vote({FUNDING: 0.001, LONG_SHORT: 4.0})
    _, _, torn = vote({FUNDING: 0.001, LONG_SHORT: 0.2})

    assert agreed == 1.0
    assert torn < 0.3


def test_growing_open_interest_goes_with_the_price_and_shrinking_with_nobody() -> None:
    grown = {OPEN_INTEREST_CHANGE: 0.10, PRICE_CHANGE: 0.02}

    assert vote(grown) == (1, FLOW_PROBABILITY, 0.25)
    assert vote({**grown, PRICE_CHANGE: -0.02})[0] == -1
    assert vote({**grown, OPEN_INTEREST_CHANGE: -0.10})[0] == 0


def test_flow_that_is_weak_as_a_whole_says_nothing() -> None:
    assert vote({TAKER_RATIO: 1.2})[0] == 1
    assert vote({**REST, TAKER_RATIO: 1.2, PRICE_CHANGE: 0.0})[0] == 0


def test_alts_ahead_of_bitcoin_are_flow() -> None:
    assert vote({ALT_SEASON: 0.9})[0] == 1
    assert vote({ALT_SEASON: 0.1})[0] == -1


def test_the_head_is_silent_without_a_fresh_feed() -> None:
    assert vote({})[0] == 0
    assert vote(dict.fromkeys(FEEDS, np.nan))[0] == 0


@pytest.mark.parametrize("name", FEEDS)
def test_an_absent_feed_is_the_same_as_one_that_is_not_fresh(name: str) -> None:
    feeds = {**REST, PRICE_CHANGE: 0.03, OPEN_INTEREST_CHANGE: 0.2, BASIS: 0.001}

    without = {each: value for each, value in feeds.items() if each != name}

    np.testing.assert_array_equal(vote(without), vote({**feeds, name: np.nan}))


@pytest.mark.parametrize("name", [LONG_SHORT, TAKER_RATIO])
def test_a_ratio_of_nothing_says_nothing(name: str) -> None:
    assert vote({name: 0.0})[0] == 0


def test_no_vote_before_the_bars_are_ready() -> None:
    young = Window(FRAME, {}, {FUNDING: np.full(READY, 0.001)})

    assert CryptoMetrics().vote(young).awake.tolist() == [False] * (READY - 1) + [True]


eighths = st.integers(-24, 24).map(lambda number: number / 8)


@given(funding=eighths, accounts=eighths, basis=eighths, taken=eighths, season=st.integers(-4, 4))
def test_the_opposite_market_has_the_opposite_vote(
    funding: float, accounts: float, basis: float, taken: float, season: int
) -> None:
    def mirrored(turn: float) -> dict[str, float]:
        return {
            FUNDING: 0.0001 + turn * funding * 0.0003,
            LONG_SHORT: 3.0 ** (turn * accounts),
            BASIS: turn * basis * 0.0003,
            TAKER_RATIO: 1.2 ** (turn * taken),
            ALT_SEASON: 0.5 + turn * season / 8,
        }

    straight, turned = vote(mirrored(1.0)), vote(mirrored(-1.0))

    if abs(abs(funding) * 0.75 - 1.0) > 0.01 and abs(abs(accounts) - 1.0) > 0.01:
        assert turned[0] == -straight[0]
        np.testing.assert_allclose(turned[1:], straight[1:], rtol=1e-9)


def test_reasons_name_the_feeds_that_pull() -> None:
    reasons = CryptoMetrics().explain(seen({**REST, FUNDING: 0.001, BASIS: 0.002}), READY - 1)

    assert (reasons[0].name, reasons[0].value) == ("funding", 0.001)
    assert reasons[0].pull < 0
    assert all(reason.pull == 0 for reason in reasons[1:])
    assert {reason.name for reason in reasons} <= set(CryptoMetrics.inputs)


def test_reasons_add_up_to_the_score_of_the_vote() -> None:
    flow = seen({TAKER_RATIO: 1.1, BASIS: 0.0004, ALT_SEASON: 0.8})

    assert sum(reason.pull for reason in CryptoMetrics().explain(flow, READY - 1)) > 1 / 3
    assert CryptoMetrics().vote(flow).direction[-1] == 1


def test_feeds_are_left_as_they_were() -> None:
    window_seen = seen({**REST, PRICE_CHANGE: 0.01})
    before = {name: values.tobytes() for name, values in window_seen.feeds.items()}

    CryptoMetrics().vote(replace(window_seen))

    assert {name: values.tobytes() for name, values in window_seen.feeds.items()} == before
