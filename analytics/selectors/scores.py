"""Log-losses of the consensus and of each head alone, an outcome a row. Arithmetic on columns only."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analytics.selectors.outcomes import Outcomes
from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.evaluation import log_losses
from signals.consensus import EQUAL_BETA, Weights


def loss(log_odds: FloatArray, won: BoolArray) -> FloatArray:
    """Log-loss of stated log-odds, in nats; shapes broadcast."""
    return log_losses(1 / (1 + np.exp(-log_odds)), won)


@dataclass(frozen=True)
class LeanLosses:
    """What several forecasts of "the lean wins" lose on the same outcomes; arrays (n,), `heads` (H, n), in nats."""

    consensus: FloatArray
    equal: FloatArray
    base_rate: FloatArray
    heads: FloatArray


def lean_losses(outcomes: Outcomes, versions: Mapping[int, Weights]) -> LeanLosses:
    """Each forecast has the intercepts of the version in force then; a head alone counts its evidence in full."""
    bias = outcomes.intercepts(versions)
    intercept = np.where(outcomes.side > 0, bias[:, 0], bias[:, 1])
    toward = outcomes.side[:, None] * outcomes.evidence
    return LeanLosses(
        consensus=log_losses(outcomes.win_probability, outcomes.won),
        equal=loss(intercept + EQUAL_BETA * toward.sum(axis=1), outcomes.won),
        base_rate=loss(intercept, outcomes.won),
        heads=loss(intercept[:, None] + toward, outcomes.won[:, None]).T,
    )


@dataclass(frozen=True)
class HeadVotes:
    """One head's votes and what became of the trade each of them asked for; arrays (m,) over the leans it voted on."""

    day: IntArray
    agreed: BoolArray
    is_signal: BoolArray
    lean_won: BoolArray
    own_loss: FloatArray
    base_loss: FloatArray


def head_votes(outcomes: Outcomes, head: int, bias: FloatArray) -> HeadVotes:
    """A head is scored on the trade of its own side: where it voted against the lean, on the mirror."""
    votes = outcomes.evidence[:, head]
    awake = votes != 0
    stated = votes[awake]
    agreed = np.sign(stated) == outcomes.side[awake]
    won = np.where(agreed, outcomes.net_r[awake], outcomes.mirror_net_r[awake]) > 0
    intercept = np.where(stated > 0, bias[awake, 0], bias[awake, 1])
    return HeadVotes(
        day=outcomes.day[awake],
        agreed=agreed,
        is_signal=outcomes.is_signal[awake],
        lean_won=outcomes.won[awake],
        own_loss=loss(intercept + np.abs(stated), won),
        base_loss=loss(intercept, won),
    )
