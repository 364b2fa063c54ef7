"""The production learner under watch: what its certificate, vetoes and live guard said in every night. Pure."""

from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.learner import NightlyLearner
from learning.nightly import Night
from learning.planted.world import HEADS
from learning.procedure import Phase, Procedure


@dataclass(frozen=True)
class Watch:
    """A run's nights: how many, those without a valid certificate, those that vetoed or rolled back.

    `regret` is the excess loss over the best candidate in hindsight, `bound` what the certificate allows against that
    one, both in nats an effective event; None before any outcome.
    """

    nights: int = 0
    broken: int = 0
    vetoed: int = 0
    rolled_back: int = 0
    mass: float = 0.0
    regret: float | None = None
    bound: float | None = None

    def after(self, night: Night) -> "Watch":
        certificate, evidence = night.draft.certificate, night.draft.evidence
        effect: float | None = evidence["design_effect"]
        mass = self.mass + (evidence["tonight"] / effect if effect else 0.0)
        noted = replace(
            self,
            nights=self.nights + 1,
            broken=self.broken + (not certificate["holds"]),
            vetoed=self.vetoed + (night.draft.status == "rejected"),
            rolled_back=self.rolled_back + night.rolled_back,
            mass=mass,
        )
        if mass == 0:
            return noted
        excess: dict[str, float] = certificate["excess"]
        best = max(excess, key=excess.__getitem__)
        return replace(noted, regret=excess[best] / mass, bound=certificate["bound"][best] / mass)


class Watched:
    """`NightlyLearner` with its watch. In the phase "shadow" the opening gate stands before it, as in the job.

    By its interface a night's rows are independent; with `hours` it is told the hours, estimates the design effect of
    their shocks as the job does, and trusts each row that much less.
    """

    def __init__(self, phase: Phase = "live", *, hours: bool = False) -> None:
        self.hours = hours
        self.learner = NightlyLearner(HEADS)
        self.learner.procedure = Procedure.at_birth(HEADS, self.learner.config, bias=np.zeros(2), phase=phase)
        self.watch = Watch()

    @property
    def weights(self) -> FloatArray:
        return self.learner.weights

    @property
    def bias(self) -> FloatArray:
        return self.learner.bias

    def night(
        self, today: int, decided_day: IntArray, evidence: FloatArray, won: BoolArray, *, hour_block: IntArray
    ) -> Night:
        known_hours = hour_block if self.hours else None
        found = self.learner.night(today, decided_day, evidence, won, hour_block=known_hours)
        self.watch = self.watch.after(found)
        return found
