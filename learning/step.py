"""The live step: how far one night may move the weights, and the bounds they never leave. Pure numpy."""

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.config import Config
from learning.mixture import ordered_sum

# Keeps a scaled step inside its cap in spite of rounding.
INSIDE = 1.0 - 1e-12


def length(values: FloatArray) -> float:
    """The L1 norm, summed in head order."""
    return ordered_sum(np.abs(values))


def step_cap(beta: FloatArray, config: Config) -> float:
    """The most one night may change the betas, in L1."""
    return config.step_share * max(length(beta), config.step_floor)


def capped_step(current: FloatArray, target: FloatArray, awake: BoolArray, config: Config) -> FloatArray:
    """From `current` toward `target` (H,), at most the cap; heads not awake keep their coordinate to the bit.

    The target is first brought inside the bounds (each beta, then the sharpness of the awake ones); the step then runs
    along the line to it, so that start and end inside the bounds mean that every point between is.
    """
    limit = config.beta_limit
    bounded = np.where(awake, np.clip(target, -limit, limit), current)
    asleep_length = length(np.where(awake, 0.0, bounded))
    awake_length = length(np.where(awake, bounded, 0.0))
    if asleep_length + awake_length > config.sharpness_limit:
        room = max(config.sharpness_limit - asleep_length, 0.0) * INSIDE
        bounded = np.where(awake, bounded * (room / awake_length), bounded)
    change = bounded - current
    wanted, cap = length(change), step_cap(current, config)
    if wanted <= cap:
        return bounded
    return np.where(awake, current + change * (cap / wanted * INSIDE), current)
