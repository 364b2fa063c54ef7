"""How stated log-odds compare with what happened: the slope and intercept of a logistic fit on them. Pure numpy.

Cox 1958: slope 1 and intercept 0 are perfect; below 1 the probabilities are too bold, above 1 too timid.
"""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.logistic import INTERCEPT_LIMIT, Problem, Sample, fit, standard_errors

SLOPE_LIMIT = 20.0  # separable outcomes have no finite slope


@dataclass(frozen=True)
class CalibrationFit:
    """logit P(win) = intercept + slope x stated log-odds, with the slope's standard error and the weight behind it."""

    slope: float
    intercept: float
    slope_error: float
    weight: float

    def applied(self, margin: FloatArray) -> FloatArray:
        """Calibrated log-odds (Platt 1999)."""
        return self.intercept + self.slope * margin


def calibrate(margin: FloatArray, won: BoolArray, weight: FloatArray) -> CalibrationFit | None:
    """Fit by weighted maximum likelihood; arrays (n,). None without two different margins: there is no slope then."""
    if len(margin) == 0 or (margin == margin[0]).all():
        return None
    wins = won.astype(np.float64)
    # The short side is set to mirror the long one, so that the two halves of the shared objective are the same.
    sample = Sample(np.ascontiguousarray(margin[None, :]), wins, 1.0 - wins, weight)
    upper = np.array([INTERCEPT_LIMIT, INTERCEPT_LIMIT, SLOPE_LIMIT])
    found = fit(Problem(sample, 0.0, 1.0, -upper, upper), np.array([0.0, 0.0, 1.0]))
    error = standard_errors(found.hessian, np.full(3, True))[2]
    return CalibrationFit(float(found.theta[2]), float(found.theta[0]), float(error), float(weight.sum()))
