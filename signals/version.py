"""What a close decides under: weights and thresholds with the numbers of their versions. Pure."""

from dataclasses import dataclass

from signals.consensus import Weights
from signals.gates import Thresholds


@dataclass(frozen=True)
class Version:
    """`waited_too_long`: the night's job was not done by the deadline, so an older version decides, on record."""

    weights: Weights
    thresholds: Thresholds
    weight_version: int
    threshold_version: int
    waited_too_long: bool = False
