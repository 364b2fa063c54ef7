"""What weights are worth in a planted market, from its exact posterior and not from seven trades a day. Pure numpy."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from learning.logistic import log_odds
from learning.planted.world import World
from signals.consensus import EQUAL_BETA

ACCEPTED = 0.015
REFERENCE = 60_000
LOSSES = 20_000  # scans that a log-loss is averaged over: it has none of the noise of a top 1.5 %


@dataclass(frozen=True)
class Worth:
    """Weights on the reference scans: chance that an accepted lean is right, expected log-loss of both brackets in
    nats, share of the oracle's gain over equal weights, and the |log-odds| from which a scan is accepted."""

    win_rate: float
    log_loss: float
    share: float
    threshold: float


@dataclass(frozen=True)
class Yardstick:
    """One regime of a world: reference votes (H, n), P(up wins) of each (n,), and the marks of equal weights and of the
    oracle, the weights fitted to the posteriors themselves."""

    votes: FloatArray
    posterior: FloatArray
    oracle_weights: FloatArray
    equal: float
    oracle: float

    @classmethod
    def of(cls, world: World, regime: int, count: int = REFERENCE) -> "Yardstick":
        scans, posterior = world.reference(regime, count)
        votes = np.ascontiguousarray(scans.evidence.T)
        best = best_weights(scans.evidence, posterior)
        rates = [_win_rate(log_odds(beta, votes), posterior) for beta in (np.full(len(votes), EQUAL_BETA), best)]
        return cls(votes, posterior, best, *rates)

    def worth(self, beta: FloatArray, bias: FloatArray) -> Worth:
        """What the weights (H,) with intercepts (2,) are worth."""
        pooled = log_odds(beta, self.votes)
        top = accepted_rows(pooled)
        rate = _mean_right(pooled[top], self.posterior[top])
        gain = self.oracle - self.equal
        share = (rate - self.equal) / gain if gain > 0 else float("nan")
        loss = expected_loss(bias, pooled[:LOSSES], self.posterior[:LOSSES])
        return Worth(rate, loss, share, float(np.abs(pooled[top]).min()))


def accepted_rows(pooled: FloatArray) -> IntArray:
    """The rows with the largest |log-odds|: the top 1.5 %, at least one."""
    count = max(1, int(ACCEPTED * len(pooled)))
    return np.argpartition(-np.abs(pooled), count - 1)[:count]


def _win_rate(pooled: FloatArray, posterior: FloatArray) -> float:
    top = accepted_rows(pooled)
    return _mean_right(pooled[top], posterior[top])


def _mean_right(pooled: FloatArray, posterior: FloatArray) -> float:
    """Chance that the leans are right; where nothing is leant to either side is as good."""
    right = np.where(pooled > 0, posterior, np.where(pooled < 0, 1 - posterior, 0.5))
    return float(right.mean())


def expected_loss(bias: FloatArray, pooled: FloatArray, posterior: FloatArray) -> float:
    """Mean expected log-loss of the long and the short bracket, as the learner's own events are scored."""
    long, short = bias[0] + pooled, bias[1] - pooled
    # E[log(1 + e^m) - y m] with y's expectation for y.
    losses = np.logaddexp(0.0, long) - posterior * long + np.logaddexp(0.0, short) - (1 - posterior) * short
    return 0.5 * float(losses.mean())


def best_weights(evidence: FloatArray, posterior: FloatArray) -> FloatArray:
    """The weights (H,) that say the posteriors best, fitted to them by Newton's method."""
    beta = np.zeros(evidence.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-(evidence @ beta)))
        curve = (evidence * (chance * (1 - chance))[:, None]).T @ evidence
        step = np.linalg.solve(curve + 1e-9 * np.eye(len(beta)), evidence.T @ (posterior - chance))
        beta = beta + step
        if float(np.abs(step).max()) < 1e-10:
            break
    return beta
