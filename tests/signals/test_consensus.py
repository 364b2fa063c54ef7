"""The pool: signs, abstention, and the weights that decide."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from signals.consensus import EVIDENCE_CAP, Calibration, Weights, calibrated, evidence, pool
from signals.digests import weights_digest
from signals.gates import Thresholds
from signals.version import Version

HEADS = ("technical", "sentiment", "volume", "patterns", "structure")
votes = st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.floats(0.5, 0.95), st.floats(0, 1)), min_size=5, max_size=5)


def arrays(rows: list[tuple[int, float, float]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    direction = np.array([[side for side, _, _ in rows]], dtype=np.int8)
    probability = np.array([[p if side else np.nan for side, p, _ in rows]])
    confidence = np.array([[c if side else np.nan for side, _, c in rows]])
    return direction, probability, confidence


@given(votes)
def test_evidence_is_the_signed_log_odds_of_scipy(rows: list[tuple[int, float, float]]) -> None:
    found = evidence(*arrays(rows))[0]

    expected = [side * c * logit(p) if side else 0.0 for side, p, c in rows]
    assert np.allclose(found, np.clip(expected, -EVIDENCE_CAP, EVIDENCE_CAP), rtol=1e-12)


@given(votes, st.lists(st.floats(-1, 1), min_size=5, max_size=5))
def test_the_pool_is_a_sigmoid_of_weighted_evidence(rows: list[tuple[int, float, float]], beta: list[float]) -> None:
    weights = Weights(HEADS, np.array(beta), np.array([-0.7, -0.6]))
    z = evidence(*arrays(rows))

    pooled = pool(weights, z)

    g = float(np.dot(z[0], beta))
    assert np.isclose(pooled.log_odds[0], g, atol=1e-12)
    if pooled.lean[0]:
        bias = -0.7 if pooled.lean[0] > 0 else -0.6
        assert np.isclose(pooled.probability[0], expit(bias + abs(pooled.log_odds[0])), rtol=1e-12)
    else:
        assert np.isnan(pooled.probability[0])


@given(votes)
def test_mirrored_votes_mirror_the_lean(rows: list[tuple[int, float, float]]) -> None:
    weights = Weights.at_birth(HEADS)
    there = pool(weights, evidence(*arrays(rows)))
    back = pool(weights, evidence(*arrays([(-side, p, c) for side, p, c in rows])))

    assert there.lean[0] == -back.lean[0]
    assert np.array_equal(there.probability, back.probability, equal_nan=True)


def test_an_abstaining_head_is_absent() -> None:
    weights = Weights.at_birth(HEADS)
    alone = evidence(*arrays([(1, 0.7, 0.5), (0, 0.5, 0), (0, 0.5, 0), (0, 0.5, 0), (0, 0.5, 0)]))

    assert np.count_nonzero(alone) == 1
    assert pool(weights, alone).lean[0] == 1


def test_a_head_with_a_negative_weight_counts_against_its_own_vote() -> None:
    one_vote = evidence(*arrays([(1, 0.7, 0.5), *[(0, 0.5, 0.0)] * 4]))
    weights = Weights(HEADS, np.array([-0.5, 0.2, 0.2, 0.2, 0.2]), np.zeros(2))

    assert pool(weights, one_vote).lean[0] == -1


def test_changing_the_weights_changes_the_side() -> None:
    disagreeing = evidence(*arrays([(1, 0.7, 0.8), (-1, 0.7, 0.5), *[(0, 0.5, 0.0)] * 3]))
    first = Weights(HEADS, np.array([0.3, 0.1, 0.2, 0.2, 0.2]), np.zeros(2))
    second = Weights(HEADS, np.array([0.1, 0.3, 0.2, 0.2, 0.2]), np.zeros(2))

    assert pool(first, disagreeing).lean[0] == 1
    assert pool(second, disagreeing).lean[0] == -1


def test_one_row_has_the_bits_of_the_same_row_among_many() -> None:
    random = np.random.default_rng(1)
    z = random.normal(0, 1, (1000, 5))
    weights = Weights(HEADS, random.normal(0, 0.3, 5), np.array([-0.7, -0.6]))

    together = pool(weights, z)

    for row in range(0, 1000, 37):
        alone = pool(weights, z[row : row + 1])
        assert alone.probability.tobytes() == together.probability[row : row + 1].tobytes()
        assert alone.log_odds.tobytes() == together.log_odds[row : row + 1].tobytes()


def test_published_shares_lie_on_the_simplex() -> None:
    weights = Weights(HEADS, np.array([0.4, -0.2, 0.0, 0.1, 0.3]), np.zeros(2))

    assert np.isclose(weights.shares.sum(), 1.0)
    assert (weights.shares >= 0).all()
    assert weights.polarity.tolist() == [1, -1, 0, 1, 1]


@given(
    votes,
    st.lists(st.floats(-1, 1), min_size=5, max_size=5),
    st.floats(0.05, 5),
    st.floats(-2, 2),
)
def test_a_calibrated_pool_is_the_corrected_log_odds_of_the_raw_one(
    rows: list[tuple[int, float, float]], beta: list[float], slope: float, intercept: float
) -> None:
    weights, z = Weights(HEADS, np.array(beta), np.array([-0.7, -0.6])), evidence(*arrays(rows))
    raw = pool(weights, z)

    found = pool(calibrated(weights, Calibration(slope, intercept)), z)

    if abs(raw.log_odds[0]) > 1e-9:
        assert found.lean[0] == raw.lean[0]
        expected = expit(intercept + slope * logit(raw.probability[0]))
        assert np.isclose(found.probability[0], expected, rtol=1e-9)


def test_a_calibration_by_hand() -> None:
    """Long with stated log-odds -0.7 + 0.2 x 2 = -0.3, halved and lowered by 0.1: -0.25."""
    weights = Weights(("one",), np.array([0.2]), np.array([-0.7, -0.6]))

    found = pool(calibrated(weights, Calibration(0.5, -0.1)), np.array([[2.0]]))

    assert found.probability[0] == pytest.approx(0.43782349911420193, rel=1e-12)


def test_shares_and_polarity_are_those_of_the_raw_weights() -> None:
    weights = Weights(HEADS, np.array([0.3, -0.2, 0.1, 0.0, 0.4]), np.zeros(2))

    corrected = calibrated(weights, Calibration(0.3, -0.2))

    assert np.allclose(corrected.shares, weights.shares, rtol=1e-12)
    assert (corrected.polarity == weights.polarity).all()


def test_no_calibration_leaves_the_very_weights_and_the_ids_of_what_they_decide() -> None:
    version = Version(Weights.at_birth(HEADS), Thresholds(0.05), 1, 1)

    assert version.deciding is version.weights
    # As it was before there were calibrations.
    assert weights_digest(version.deciding, version.thresholds).hex() == (
        "f3dc09da3e69178f186dc60f990f0a4bccefec4cf9ef5bd4a873de7ce909eaec"
    )


@pytest.mark.parametrize(
    ("slope", "intercept", "message"),
    [
        (0.0, 0.0, "turn the pool around"),
        (-0.4, 0.0, "turn the pool around"),
        (float("nan"), 0.0, "finite"),
        (1.0, float("inf"), "finite"),
    ],
)
def test_a_calibration_that_turns_the_pool_or_is_no_number_is_refused(
    slope: float, intercept: float, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration(slope, intercept)
