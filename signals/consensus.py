"""The pool: the heads' votes as one probability, in log-odds (learning.md 1; Genest & Zidek 1986). Pure."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
SideArray = npt.NDArray[np.int8]

EQUAL_BETA = 0.20
EVIDENCE_CAP = float(np.log(0.95 / 0.05))
# A driftless walk meets a stop 1 R away before a target 2 R away twice in three times.
BIRTH_BIAS = float(np.log(1 / 2))


@dataclass(frozen=True)
class Weights:
    """How much each head counts: `beta` (H,) in head order, signed; `bias` (2,) the intercepts of long and short."""

    heads: tuple[str, ...]
    beta: FloatArray
    bias: FloatArray

    def __post_init__(self) -> None:
        if self.beta.shape != (len(self.heads),) or self.bias.shape != (2,):
            raise ValueError(f"weights for {len(self.heads)} heads need beta ({len(self.heads)},) and bias (2,)")
        if not (np.isfinite(self.beta).all() and np.isfinite(self.bias).all()):
            raise ValueError("weights must be finite")

    @classmethod
    def at_birth(cls, heads: tuple[str, ...]) -> "Weights":
        return cls(heads, np.full(len(heads), EQUAL_BETA), np.full(2, BIRTH_BIAS))

    @property
    def shares(self) -> FloatArray:
        """|beta| on the simplex, as published; all zero when no head counts."""
        sharpness = self.sharpness
        return np.abs(self.beta) / sharpness if sharpness else np.zeros(len(self.heads))

    @property
    def sharpness(self) -> float:
        return float(sum(abs(value) for value in self.beta.tolist()))

    @property
    def polarity(self) -> SideArray:
        return np.sign(self.beta).astype(np.int8)


@dataclass(frozen=True)
class Calibration:
    """What the pooled log-odds of a win are corrected by: logit P = intercept + slope x (a_side + side x g).

    (1, 0) changes nothing. The slope is positive: what the pool leans to, and each head's share, stay what they are.
    """

    slope: float = 1.0
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and np.isfinite(self.intercept)):
            raise ValueError("a calibration must be finite")
        if self.slope <= 0:
            raise ValueError(f"a slope of {self.slope} would turn the pool around; only the weights may do that")

    @property
    def is_identity(self) -> bool:
        return self.slope == 1 and self.intercept == 0

    def applied(self, margin: FloatArray) -> FloatArray:
        """Calibrated log-odds of a win, from those of the pool (n,)."""
        return margin if self.is_identity else self.intercept + self.slope * margin


def calibrated(weights: Weights, calibration: Calibration) -> Weights:
    """The weights whose pool is the calibrated one; the very same ones where the calibration changes nothing."""
    if calibration.is_identity:
        return weights
    return Weights(weights.heads, calibration.slope * weights.beta, calibration.applied(weights.bias))


def evidence(direction: SideArray, probability: FloatArray, confidence: FloatArray) -> FloatArray:
    """Log-odds toward "up" of votes (any shape): direction x confidence x logit(p), capped; 0 where direction is 0."""
    awake = direction != 0
    stated = np.where(awake, probability, 0.5)
    log_odds = np.log(stated / (1 - stated))
    weighed = direction * np.where(awake, confidence, 0.0) * log_odds
    capped: FloatArray = np.clip(weighed, -EVIDENCE_CAP, EVIDENCE_CAP)
    return capped


@dataclass(frozen=True)
class Pooled:
    """The pool's answer for n scans; arrays (n,). `probability` and `lean` are NaN and 0 where no head moves it."""

    log_odds: FloatArray
    lean: SideArray
    probability: FloatArray


def win_probability(weights: Weights, log_odds: FloatArray, side: SideArray) -> FloatArray:
    """P(the side's bracket wins net of costs) = sigmoid(a_side + side g); shapes (n,)."""
    intercept = np.where(side > 0, weights.bias[0], weights.bias[1])
    chance: FloatArray = 1 / (1 + np.exp(-(intercept + side * log_odds)))
    return chance


def pool(weights: Weights, votes: FloatArray) -> Pooled:
    """Pool evidence (n, H) toward "up" into a side and the probability that its bracket wins."""
    if votes.shape[1] != len(weights.heads):
        raise ValueError(
            f"weights of {len(weights.heads)} heads cannot pool {votes.shape[1]} votes; use those made for these heads"
        )
    log_odds = np.zeros(len(votes))
    for column, beta in enumerate(weights.beta):  # in head order: a matrix product sums differently by shape
        log_odds = log_odds + beta * votes[:, column]
    lean = np.sign(log_odds).astype(np.int8)
    probability = np.where(lean != 0, win_probability(weights, log_odds, lean), np.nan)
    return Pooled(log_odds, lean, probability)
