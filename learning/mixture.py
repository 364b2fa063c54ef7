"""Layer 2 of the learner: shares over the candidates, and the certificate that holds in every run. Pure numpy.

Fixed share (Herbster & Warmuth 1998) with delayed feedback (Joulani et al. 2013): a candidate is charged for a scan
with the coefficients it had when the scan was decided.
"""

import math
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import FloatArray
from learning.config import Config


def first_shares(config: Config) -> FloatArray:
    """ZERO starts at 0.02, the others share the rest."""
    count = len(config.half_lives) + 2
    shares = np.full(count, (1.0 - config.zero_share) / (count - 1))
    shares[count - 1] = config.zero_share
    return shares


def ordered_sum(values: FloatArray) -> float:
    """Sum from left to right."""
    total = 0.0
    for value in values.tolist():
        total += value
    return total


def mix(shares: FloatArray, coefficients: FloatArray) -> FloatArray:
    """sum_k v_k b_k in candidate order: (K,), (K, 2 + H) to (2 + H,)."""
    mixed = np.zeros(coefficients.shape[1])
    for share, row in zip(shares.tolist(), coefficients, strict=True):
        mixed = mixed + share * row
    return mixed


@dataclass(frozen=True)
class Charge:
    """One night's bill: what the mixture and each candidate lost (means over the night's events), and its mass u n."""

    mass: float
    mixture_loss: float
    candidate_losses: FloatArray
    shares_used_loss: float  # sum_k v_k l_k with the shares in force when each event was decided


def charged(shares: FloatArray, charge: Charge, config: Config) -> FloatArray:
    """Tomorrow's shares: exponential weights on the night's loss, then a little flows back to every candidate."""
    paid = shares * np.exp(-charge.mass * (charge.candidate_losses - charge.candidate_losses.min()))
    count = len(shares)
    shared: FloatArray = (1.0 - config.restart) * paid / ordered_sum(paid) + config.restart / count
    return shared


@dataclass(frozen=True)
class Certificate:
    """Running sums that prove, whatever the market did, that no candidate was much better than the mixture.

    For every candidate k: `excess`_k = sum_d u n_d [l_d(beta*) - l_dk] <= ln(1 / v_0k) + (nights - 1) ln(1 / (1 - alpha
    + alpha / K)) + `gap` + `drift`. `gap` >= 0 is learning.md's sum of delta_d. `drift` corrects for outcomes that
    arrive later than the next night: beta* is the mixture that was in force, its shares a few charges older than those
    charged (zero when every outcome arrives the night after its decision; it may have either sign).
    """

    excess: FloatArray
    gap: float = 0.0
    drift: float = 0.0
    nights: int = 0

    def bounds(self, config: Config) -> FloatArray:
        """The right side of the inequality for each candidate, in nats."""
        count = len(self.excess)
        restarts = max(self.nights - 1, 0) * -math.log(1.0 - config.restart + config.restart / count)
        return -np.log(first_shares(config)) + (restarts + self.gap + self.drift)

    def holds(self, config: Config) -> bool:
        bounds = self.bounds(config)
        return bool((self.excess <= bounds + 1e-9 * (1.0 + np.abs(bounds))).all())


def certify(certificate: Certificate, shares: FloatArray, charge: Charge) -> Certificate:
    """The certificate with one more night, `shares` being those the night's charge was applied to."""
    losses, mass = charge.candidate_losses, charge.mass
    best = float(losses.min())
    average = ordered_sum(shares * losses)
    # ln sum_k v_k exp(-m l_k), from the smallest loss up: no underflow however bad the worst candidate is.
    mixability = -mass * best + math.log(ordered_sum(shares * np.exp(-mass * (losses - best))))
    return Certificate(
        excess=certificate.excess + mass * (charge.mixture_loss - losses),
        gap=certificate.gap + max(mass * average + mixability, 0.0),
        drift=certificate.drift + mass * (charge.shares_used_loss - average),
        nights=certificate.nights + 1,
    )
