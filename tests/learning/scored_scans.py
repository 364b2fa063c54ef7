"""Made-up scans of a path, as a walk would leave them."""

import numpy as np

from learning.calendar import DAY_MS
from learning.evaluating.paths import Scans

QUARTER_MS = DAY_MS // 96
LIMIT_MS = DAY_MS
FIRST_DAY = 18_800


def made_scans(count: int = 600, *, days: int = 15, heads: int = 3, seed: int = 0, skill: float = 0.0) -> Scans:
    """Scans of one symbol spread over whole days; some do not lean, some have no result, one in ten is a signal.

    Either side's bracket makes 2 R or loses 1 R, a few end in between; head 0 leans to the better side by `skill`.
    """
    draw = np.random.default_rng(seed)
    truth = np.where(draw.uniform(size=count) < 0.5, 1, -1)
    votes = draw.normal(size=(count, heads))
    votes[:, 0] += skill * truth
    votes[draw.uniform(size=votes.shape) < 0.2] = 0.0
    side = np.where(draw.uniform(size=count) < 0.1, 0, np.sign(votes.sum(axis=1))).astype(np.int8)
    void = (draw.uniform(size=count) < 0.05) | (side == 0)
    both_lost = draw.uniform(size=count) < 0.3
    made = np.where((side == truth) & ~both_lost, 2.0, -1.0) - 0.1
    mirror = np.where((side != truth) & ~both_lost, 2.0, -1.0) - 0.1
    timed_out = draw.uniform(size=count) < 0.05
    made, mirror = np.where(timed_out, 0.04, made), np.where(timed_out, -0.24, mirror)
    refused = draw.choice(["low_quality", "cooldown", ""], size=count, p=[0.7, 0.2, 0.1])
    return Scans(
        symbol=np.full(count, "BTCUSDT"),
        close_ms=FIRST_DAY * DAY_MS + np.arange(count) * (days * 96 // count) * QUARTER_MS + QUARTER_MS,
        evidence=votes,
        side=side,
        chance=np.where(side == 0, np.nan, 1 / (1 + np.exp(0.7 - 0.4 * np.abs(votes.sum(axis=1))))),
        reason=np.where(side == 0, "no_consensus", refused),
        net_r=np.where(void, np.nan, made),
        mirror_r=np.where(void, np.nan, mirror),
    )
