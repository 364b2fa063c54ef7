"""The procedure: all that one night hands to the next, exact to the bit, and what a person may do to it. Pure."""

from dataclasses import astuple, dataclass, field, replace
from hashlib import sha256
from typing import Any, Literal

import numpy as np

from ingestion.timeframes import FloatArray
from learning.betting import Bets
from learning.config import Config
from learning.logistic import INTERCEPTS
from learning.state import BEFORE_HISTORY, LearnerState, canonical, read_canonical, theta_of, weights_of
from signals.consensus import BIRTH_BIAS, Calibration, Weights

Phase = Literal["shadow", "live"]
SCORES_KEPT = 60
FORMAT = 2  # 1 knew no calibration, no bets on knowing and no watch for drift: there is none in what it kept


@dataclass(frozen=True)
class InForce:
    """The weights (2 + H,) that are in force from 00:15 UTC of `day` on, and the calibration of their pool."""

    day: int
    theta: FloatArray
    calibration: Calibration = field(default_factory=Calibration)

    @property
    def deciding(self) -> FloatArray:
        """The weights (2 + H,) whose pool is the calibrated one: those that decide."""
        bias, beta = self.theta[:INTERCEPTS], self.theta[INTERCEPTS:]
        return np.concatenate([self.calibration.applied(bias), self.calibration.slope * beta])


@dataclass(frozen=True)
class Score:
    """A night's mean log-loss over the scans that matured then, each under the state in force when it was decided.

    `claimed` is what the live probabilities would have cost had they come true as often as they say, `base_rate` what
    the base rates of the two sides alone cost; None before they were kept.
    """

    day: int
    scans: int
    live: float
    champion: float
    learner: float
    claimed: float | None = None
    base_rate: float | None = None


@dataclass(frozen=True)
class Procedure:
    """Learner, guards and what is in force. In the phase `shadow` equal betas are live and the learner only proves
    itself; `champion` in a score means equal betas with the base rates learned by then.

    `opening` bets that the learner beats equal weights, `knowing` that it beats the base rates, `guard` that what is
    live is worse than equal weights. Drift is looked for in the nights after `watched_since`.
    """

    learner: LearnerState
    phase: Phase
    live: tuple[InForce, ...]
    opening: Bets
    knowing: Bets
    guard: Bets
    scores: tuple[Score, ...]
    pinned: bool
    watched_since: int = BEFORE_HISTORY

    @classmethod
    def at_birth(
        cls, heads: tuple[str, ...], config: Config, *, bias: FloatArray | None = None, phase: Phase = "shadow"
    ) -> "Procedure":
        """Before the first night: equal betas, and intercepts of a driftless walk unless given."""
        intercepts = np.full(2, BIRTH_BIAS) if bias is None else bias
        learner = LearnerState.at_birth(heads, intercepts, config)
        first = InForce(BEFORE_HISTORY, theta_of(learner.weights))
        return cls(learner, phase, (first,), Bets(), Bets(), Bets(), (), pinned=False)

    @property
    def heads(self) -> tuple[str, ...]:
        return self.learner.heads

    @property
    def weights(self) -> Weights:
        """The weights in force."""
        return weights_of(self.heads, self.live[-1].theta)

    @property
    def is_guarded(self) -> bool:
        """Whether what is in force must not be worse than equal weights: it was learned, or chosen by hand."""
        return self.phase == "live" or self.pinned

    def in_force(self, decided_day: int) -> InForce:
        """What ruled a decision of that day; the oldest one kept if it is older still."""
        for night in reversed(self.live):
            if night.day <= decided_day:
                return night
        return self.live[0]

    def pin(self, weights: Weights) -> "Procedure":
        """These weights stay in force until `release` or until the live guard puts equal weights back.

        The learner keeps learning beside them.
        """
        return replace(self._with_live(weights), guard=Bets(), pinned=True)

    def freeze(self) -> "Procedure":
        """What is in force stays in force until `release`; the live guard stays awake."""
        return replace(self, pinned=True)

    def release(self) -> "Procedure":
        return replace(self, pinned=False)

    def roll_back(self, weights: Weights) -> "Procedure":
        """An older version in force again, exactly; the next night steps on from it, and the guard starts afresh."""
        return replace(self._with_live(weights), guard=Bets())

    def _with_live(self, weights: Weights) -> "Procedure":
        if weights.heads != self.heads:
            raise ValueError(
                f"a version of the heads {weights.heads} cannot rule {self.heads}; choose one made for them"
            )
        live = (*self.live[:-1], replace(self.live[-1], theta=theta_of(weights)))
        return replace(self, live=live, watched_since=self.learner.day)

    def ruled_by(self, night: InForce, config: Config) -> "Procedure":
        """This in force from its night on."""
        live = (*self.live, night)[-config.remembered_nights :]
        return replace(self._judged_afresh(night), live=live)

    def _judged_afresh(self, night: InForce) -> "Procedure":
        """Guard and drift go on unless the calibration is another one: then they judge another path from here on."""
        if night.calibration == self.live[-1].calibration:
            return self
        return replace(self, guard=Bets(), watched_since=night.day)

    def recalibrated(self, calibration: Calibration) -> "Procedure":
        """This calibration in force since the last night: a person may have put another one there by day."""
        night = replace(self.live[-1], calibration=calibration)
        return replace(self._judged_afresh(night), live=(*self.live[:-1], night))

    def to_bytes(self) -> bytes:
        """Canonical: equal procedures have equal bytes, and every float comes back exactly."""
        document = {
            "kind": "procedure",
            "format": FORMAT,
            "learner": self.learner.document(),
            "phase": self.phase,
            "live": [
                [night.day, night.theta.tolist(), night.calibration.slope, night.calibration.intercept]
                for night in self.live
            ],
            "opening": [list(self.opening.log_capital), self.opening.days],
            "knowing": [list(self.knowing.log_capital), self.knowing.days],
            "guard": [list(self.guard.log_capital), self.guard.days],
            "scores": [list(astuple(score)) for score in self.scores],
            "pinned": self.pinned,
            "watched_since": self.watched_since,
        }
        return canonical(document)

    @classmethod
    def from_bytes(cls, payload: bytes) -> "Procedure":
        document = read_canonical(payload, "procedure", (1, FORMAT))
        return cls(
            learner=LearnerState.from_bytes(canonical(document["learner"])),
            phase=document["phase"],
            live=tuple(InForce(day, np.array(theta), Calibration(*rest)) for day, theta, *rest in document["live"]),
            opening=_bets(document["opening"]),
            knowing=_bets(document["knowing"]) if "knowing" in document else Bets(),
            guard=_bets(document["guard"]),
            scores=tuple(Score(*row) for row in document["scores"]),
            pinned=document["pinned"],
            watched_since=document.get("watched_since", BEFORE_HISTORY),
        )

    @property
    def digest(self) -> str:
        """sha256 of the bytes: equal only if every bit is."""
        return sha256(self.to_bytes()).hexdigest()


def _bets(row: list[Any]) -> Bets:
    return Bets(tuple(row[0]), row[1])
