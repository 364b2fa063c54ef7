"""Bets that one set of weights has less log-loss than another, each scan under what was in force when decided. Pure."""

import numpy as np

from ingestion.timeframes import FloatArray
from learning.betting import Bets
from learning.config import Config
from learning.logistic import event_losses
from learning.planted.course import Batch


class Contest:
    """The e-process of the opening gate for any two: call `settle` with a night's outcomes, then `enter` what is in
    force from that night on. `value` at 20 or more proves, at any time it is looked at, that the first is better."""

    def __init__(self, config: Config) -> None:
        self.config, self.bets, self.most = config, Bets(), 1.0
        self._entered: dict[int, tuple[FloatArray, FloatArray]] = {}

    def enter(self, day: int, first: FloatArray, second: FloatArray) -> None:
        """(a_long, a_short, b) of both from the night of `day` on."""
        self._entered[day] = (first, second)

    def settle(self, batch: Batch) -> None:
        if len(batch.won) == 0:
            return
        differences = np.empty(len(batch.won))
        for day in np.unique(batch.decided_day).tolist():
            rows = batch.decided_day == day
            votes, up = np.ascontiguousarray(batch.evidence[rows].T), batch.won[rows].astype(np.float64)
            first, second = (event_losses(theta, votes, up, 1.0 - up) for theta in self._entered[day])
            differences[rows] = second - first
        self.bets = self.bets.after(float(differences.mean()), self.config)
        self.most = max(self.most, self.bets.value)

    @property
    def proven(self) -> bool:
        return self.bets.value >= self.config.betting_threshold

    @property
    def opens(self) -> bool:
        """Proven, and after as many days as the opening gate asks for."""
        return self.proven and self.bets.days >= self.config.opening_days
