"""Every constant of the learner and its guards in one frozen record: a version says what it was made with."""

import math
from dataclasses import dataclass
from hashlib import sha256

# Bump when the arithmetic of a night changes: the same ledger then makes other versions, and their hashes must say so.
CODE_VERSION = "night-2"


@dataclass(frozen=True)
class Config:
    """Defaults are those of the study; days are nights of the market clock."""

    # Layer 1: the candidates.
    half_lives: tuple[float, ...] = (3.0, 7.0, 14.0, 28.0, math.inf)
    ridge: float = 11.0  # precision of the prior around equal betas; 11 = a prior sd of 0.30
    negative_score: float = -3.0  # a beta may be negative from this z-score on ...
    negative_events: float = 300.0  # ... with this many effective events behind it
    window_half_lives: float = 20.0  # an event older than this weighs less than 1e-6 and is left out
    sample_size: int = 1_000_000
    # Layer 2: the mixture.
    zero_share: float = 0.02
    restart: float = 0.02  # alpha of the fixed share
    remembered_nights: int = 14  # states kept, to score a late outcome with the one it was decided under
    # The live step.
    step_share: float = 0.20
    step_floor: float = 0.50
    beta_limit: float = 3.0
    sharpness_limit: float = 6.0
    # Opening gate and live guard.
    betting_clip: float = 0.03
    betting_trial_nights: int = 7  # nights that the learner must lead before one bets that it knows something
    betting_threshold: float = 20.0
    opening_days: int = 5
    # Drift: a cumulative sum of standard deviations above the nights before.
    drift_reference_nights: int = 28
    drift_least_nights: int = 14
    drift_allowance: float = 0.25
    drift_limit: float = 4.0
    # Nightly veto.
    veto_days_min: int = 7
    veto_days_max: int = 14
    accept_rate: tuple[float, float] = (0.005, 0.03)
    calibration_slope: tuple[float, float] = (0.7, 1.4)
    minimum_events: float = 150.0
    twin_difference_r: float = 0.05
    twin_agreement: float = 0.95

    # Structure: what a calibration needs before it may go live.
    calibration_events: float = 1000.0
    shadow_days: int = 14
    embargo_days: int = 1

    @property
    def digest(self) -> str:
        """sha256 of every value; a dataclass prints its floats exactly."""
        return sha256(repr(self).encode()).hexdigest()
