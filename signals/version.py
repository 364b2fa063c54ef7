"""What a close decides under: weights, thresholds and calibration with the numbers of their versions. Pure."""

from dataclasses import dataclass, field

from signals.consensus import Calibration, Weights, calibrated
from signals.gates import Thresholds


@dataclass(frozen=True)
class Version:
    """`waited_too_long`: the night's job was not done by the deadline, so an older version decides, on record.

    `calibration_version` is None where a close was decided before there were calibrations.
    """

    weights: Weights
    thresholds: Thresholds
    weight_version: int
    threshold_version: int
    waited_too_long: bool = False
    calibration: Calibration = field(default_factory=Calibration)
    calibration_version: int | None = None

    @property
    def deciding(self) -> Weights:
        """The weights that decide: those of the version, calibrated."""
        return calibrated(self.weights, self.calibration)
