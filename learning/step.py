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


def capped_step(
    current: FloatArray, aim: FloatArray, target: FloatArray, awake: BoolArray, config: Config
) -> FloatArray:
    """From `current` (H,) as far as the cap reaches on the way over `aim` to `target`; asleep heads stay to the bit.

    `target` is the mixture's beta*, `aim` the same without ZERO's share. The two differ in scale only: while the cap
    binds, the step is spent on which heads count before it is spent on how loudly, since shrinking every beta alike
    ranks scans as before. Both are first brought inside the bounds, so every point on the way lies inside them.
    """
    cap = step_cap(current, config) * INSIDE
    here = _part_way(current, bounded(current, aim, awake, config), awake, cap)
    left = cap - length(here - current)
    return _part_way(here, bounded(current, target, awake, config), awake, left)


def _part_way(start: FloatArray, end: FloatArray, awake: BoolArray, cap: float) -> FloatArray:
    """`end`, or the point toward it that lies `cap` away in L1."""
    change = end - start
    wanted = length(change)
    if wanted <= cap:
        return end
    return np.where(awake, start + change * (max(cap, 0.0) / wanted * INSIDE), start)


def bounded(current: FloatArray, target: FloatArray, awake: BoolArray, config: Config) -> FloatArray:
    """The target within the bounds: each beta, then the sharpness, for which only awake heads give way."""
    limit = config.beta_limit
    inside = np.where(awake, np.clip(target, -limit, limit), current)
    asleep_length = length(np.where(awake, 0.0, inside))
    awake_length = length(np.where(awake, inside, 0.0))
    if asleep_length + awake_length > config.sharpness_limit:
        room = max(config.sharpness_limit - asleep_length, 0.0) * INSIDE
        inside = np.where(awake, inside * (room / awake_length), inside)
    return inside
