"""What each gate was worth: what it let through against what it held back. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.evaluating.paths import Scans
from learning.evaluating.scores import drawn, mean
from learning.evaluation import Estimate, difference
from learning.head_measures import Yardstick
from learning.labels import NEUTRAL_R

ALL = "all gates"


@dataclass(frozen=True)
class GateFigures:
    """One gate, by the shadows of the leans it was the first to refuse.

    `value_r`: mean R of signals minus mean R of its shadows; above zero it held back worse than it let through.
    `rejected_r`: what its shadows would have made, the opportunity cost where above zero. `accuracy`: shadows that
    lost more than 0.1 R among those beyond 0.1 R either way: a statement about base rates, to be read beside value_r.
    """

    rejected: int
    value_r: Estimate
    rejected_r: Estimate
    accuracy: Estimate


def gates_of(scans: Scans, stick: Yardstick) -> Mapping[str, GateFigures]:
    """Each reason that refused a lean with a result, and all together."""
    shadows = scans.scored & ~scans.signals
    found = {ALL: _gate(scans, shadows, stick)} if shadows.any() else {}
    for reason in np.unique(scans.reason[shadows]).tolist():
        found[reason] = _gate(scans, shadows & (scans.reason == reason), stick)
    return found


def _gate(scans: Scans, shadows: BoolArray, stick: Yardstick) -> GateFigures:
    result = np.where(scans.scored, scans.net_r, 0.0)
    clear = shadows & (np.abs(result) > NEUTRAL_R)
    return GateFigures(
        rejected=int(shadows.sum()),
        value_r=_value(result, scans.signals, shadows, stick),
        rejected_r=mean(stick, result, shadows),
        accuracy=mean(stick, (result < 0).astype(np.float64), clear),
    )


def _value(result: FloatArray, signals: BoolArray, shadows: BoolArray, stick: Yardstick) -> Estimate:
    count = int(signals.sum() + shadows.sum())
    if not signals.any():
        return Estimate(None, count)
    took, held = signals.astype(np.float64), shadows.astype(np.float64)
    return drawn(stick, difference, [signals, shadows], result * took, took, result * held, held)
