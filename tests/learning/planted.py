"""Simulated markets whose truth is known (learning.md 6): what a learner could reach, and what one does reach.

Nine heads give signed evidence s = y (skill + the hour's shock) + noise about y, the side whose target comes first.
The shock makes the calls of an hour right or wrong together; .10 of the variance over 20 scans an hour is a design
effect of 1 + 19 x .10 = 2.9. Skills, places, rates, confidence and the day of the switch are drawn by seed.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]

HEADS = ("strong", "medium", "trio_1", "trio_2", "trio_3", "noise", "loud_noise", "adversary", "switcher")
SKILLS = 0.8 * np.array([0.16, 0.10, 0.09, 0.07, 0.06, 0.0, 0.0, -0.10, 0.18])
SWITCHED = 0.8 * -0.12
TRIO, RHO = (2, 3, 4), 0.8
SHOCK_VARIANCE = 0.10
HOURS_A_DAY, SCANS_AN_HOUR = 25, 20
SCANS_A_DAY = HOURS_A_DAY * SCANS_AN_HOUR
EVIDENCE_CAP = float(np.log(19.0))
# World B: what a stated log-odds is rounded to, and what is too little to say.
WORDS, WORD_WIDTH, DEAD_ZONE = np.array([0.3, 0.7, 1.2, 2.0]), 0.5, 0.10
# World C: how much a trend or a chop multiplies every skill.
CONTEXTS = (1.6, 0.4)
ACCEPTED = 0.015


class Learner(Protocol):
    """Whatever can be run over a world."""

    @property
    def weights(self) -> FloatArray: ...

    def night(
        self, today: int, decided_day: IntArray, evidence: FloatArray, won: BoolArray, *, hour_block: IntArray
    ) -> object: ...


@dataclass(frozen=True)
class Scans:
    """Scans in order of time: evidence (n, H) toward up, whether up won, and P(up wins) given all that was heard."""

    evidence: FloatArray
    won: BoolArray
    posterior: FloatArray


def noise_covariance() -> FloatArray:
    """Covariance of the evidence given y: a trio of near copies, and the hour's shock common to all heads."""
    own = np.eye(len(HEADS))
    for left in TRIO:
        for right in TRIO:
            own[left, right] = 1.0 if left == right else RHO
    return (1 - SHOCK_VARIANCE) * own + SHOCK_VARIANCE


@dataclass
class World:
    """A market drawn from a seed. Kinds: A, B (four words and a dead zone), C (hidden trend or chop), N (all noise)."""

    seed: int
    kind: str = "A"
    switches: bool = True
    skills: FloatArray = field(init=False)
    order: IntArray = field(init=False)
    kappa: FloatArray = field(init=False)
    awake: FloatArray = field(init=False)
    switch_day: int = field(init=False)

    def __post_init__(self) -> None:
        draw = np.random.default_rng([self.seed, 0])
        self.order = draw.permutation(len(HEADS))
        self.kappa = draw.uniform(0.6, 1.4, len(HEADS))
        self.kappa[HEADS.index("loud_noise")] = 1.4
        self.awake = draw.uniform(0.7, 1.0, len(HEADS))
        self.skills = SKILLS * (0.0 if self.kind == "N" else 1.0)
        self.switch_day = 42

    def skills_on(self, day: int) -> FloatArray:
        skills = self.skills.copy()
        if self.switches and day >= self.switch_day and self.kind != "N":
            skills[HEADS.index("switcher")] = SWITCHED
        return skills

    def day(self, day: int) -> Scans:
        """The scans of one day, 25 hours of 20."""
        draw = np.random.default_rng([self.seed, 1, day + 10_000])
        hour = np.repeat(np.arange(HOURS_A_DAY), SCANS_AN_HOUR)
        return self.scans(draw, self.skills_on(day), hour)

    def reference(self, day: int, count: int) -> Scans:
        """A fixed set on which weights are scored, without the noise of seven trades a day; every scan its own hour."""
        return self.scans(np.random.default_rng([self.seed, 2]), self.skills_on(day), np.arange(count))

    def scans(self, draw: np.random.Generator, skills: FloatArray, hour: IntArray) -> Scans:
        count, heads = len(hour), len(HEADS)
        truth = np.where(draw.uniform(size=count) < 0.5, 1.0, -1.0)
        shock = draw.normal(0, np.sqrt(SHOCK_VARIANCE), int(hour.max()) + 1)[hour]
        own = np.linalg.cholesky(noise_covariance() - SHOCK_VARIANCE)
        context = np.ones(count)
        if self.kind == "C":
            context = np.where(draw.uniform(size=count) < 0.5, *CONTEXTS)
        calls = truth[:, None] * (context[:, None] * skills + shock[:, None])
        signal = calls + draw.normal(size=(count, heads)) @ own.T
        awake = draw.uniform(size=signal.shape) < self.awake
        posterior = self._posterior(signal, awake, skills)
        stated = np.where(awake, self._stated(signal), 0.0)
        return Scans(stated[:, self.order], truth > 0, posterior)

    def _stated(self, signal: FloatArray) -> FloatArray:
        stated = np.clip(self.kappa * signal, -EVIDENCE_CAP, EVIDENCE_CAP)
        if self.kind != "B":
            return stated
        size = np.abs(stated)
        word = WORDS[np.minimum((size / WORD_WIDTH).astype(int), len(WORDS) - 1)]
        return np.where(size < DEAD_ZONE, 0.0, np.sign(stated) * word)

    def _posterior(self, signal: FloatArray, awake: BoolArray, skills: FloatArray) -> FloatArray:
        """P(y = +1 | the signals of the heads awake): Gaussian, so exact; for C summed over the hidden context."""
        covariance, log_odds = noise_covariance(), np.zeros(len(signal))
        pattern = awake @ (1 << np.arange(len(HEADS)))
        for value in np.unique(pattern):
            heads = np.flatnonzero([(value >> head) & 1 for head in range(len(HEADS))])
            rows = np.flatnonzero(pattern == value)
            if len(heads) == 0:
                continue
            direction = np.linalg.solve(covariance[np.ix_(heads, heads)], skills[heads])
            pull, power = signal[np.ix_(rows, heads)] @ direction, float(direction @ skills[heads])
            log_odds[rows] = 2 * pull if self.kind != "C" else _hidden(pull, power)
        chance: FloatArray = 1 / (1 + np.exp(-log_odds))
        return chance


def _hidden(pull: FloatArray, power: float) -> FloatArray:
    """Log-odds of y when either context is as likely: log of the summed likelihoods for each y."""

    def total(sign: float) -> FloatArray:
        return np.logaddexp(*(sign * factor * pull - 0.5 * factor**2 * power for factor in CONTEXTS))

    odds: FloatArray = total(1.0) - total(-1.0)
    return odds


def top_win_rate(score: FloatArray, posterior: FloatArray) -> float:
    """Chance that the leans with the largest |score| (the top 1.5 %) are right."""
    count = max(1, int(ACCEPTED * len(score)))
    top = np.argpartition(-np.abs(score), count)[:count]
    return float(np.where(score[top] > 0, posterior[top], 1 - posterior[top]).mean())


@dataclass
class Yardstick:
    """Win rates of equal weights and of the oracle (the best possible weights) in one regime of a world."""

    scans: Scans
    equal: float
    oracle: float

    @classmethod
    def of(cls, world: World, day: int, count: int) -> "Yardstick":
        scans = world.reference(day, count)
        equal = top_win_rate(scans.evidence.sum(axis=1), scans.posterior)
        best = top_win_rate(scans.evidence @ best_weights(scans), scans.posterior)
        return cls(scans, equal, best)

    def win_rate(self, beta: FloatArray) -> float:
        return top_win_rate(self.scans.evidence @ beta, self.scans.posterior)

    def share(self, beta: FloatArray) -> float:
        """Share of the oracle's gain over equal weights that these weights reach; NaN where there is none to gain."""
        if self.oracle == self.equal:
            return float("nan")
        return (self.win_rate(beta) - self.equal) / (self.oracle - self.equal)

    def log_loss(self, beta: FloatArray, bias: float) -> float:
        """Expected log-loss of P(up) = sigmoid(bias + g) under the true posterior."""
        margin, chance = bias + self.scans.evidence @ beta, self.scans.posterior
        return float((chance * np.logaddexp(0, -margin) + (1 - chance) * np.logaddexp(0, margin)).mean())


def best_weights(scans: Scans) -> FloatArray:
    """The weights fitted to the true posteriors themselves, by Newton's method."""
    beta = np.zeros(scans.evidence.shape[1])
    for _ in range(25):
        chance = 1 / (1 + np.exp(-(scans.evidence @ beta)))
        curve = (scans.evidence * (chance * (1 - chance))[:, None]).T @ scans.evidence
        beta = beta + np.linalg.solve(curve, scans.evidence.T @ (scans.posterior - chance))
    return beta


@dataclass
class Walk:
    """What a learner did in a world, one value a night."""

    shares: list[float] = field(default_factory=list)
    win_rates: list[float] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    oracle: float = 0.0
    equal: float = 0.0


def walk(world: World, learner: Learner, days: int, *, history: int = 0, count: int = 60_000) -> Walk:
    """Run a learner over a world: at each midnight it learns the scans decided at least 12 hours before.

    `history` days before day 0 are learned from first (a warm start). Day d is scored with the weights in force on it.
    """
    yardsticks = {False: Yardstick.of(world, 0, count)}
    if world.switches and days > world.switch_day and world.kind != "N":
        yardsticks[True] = Yardstick.of(world, world.switch_day, count)
    found = Walk(oracle=yardsticks[False].oracle, equal=yardsticks[False].equal)
    drawn = {day: world.day(day) for day in range(-history, days)}
    for day in range(-history, days):
        arrived = [(day - 1, slice(0, SCANS_A_DAY // 2)), (day - 2, slice(SCANS_A_DAY // 2, SCANS_A_DAY))]
        parts = [(when, rows) for when, rows in arrived if when in drawn]
        if parts:
            _teach(learner, drawn, parts, day)
        if day >= 0:
            yardstick = yardsticks[world.switches and day >= world.switch_day and True in yardsticks]
            found.shares.append(yardstick.share(learner.weights))
            found.win_rates.append(yardstick.win_rate(learner.weights))
            bias = float(getattr(learner, "bias", np.zeros(2))[0])
            found.losses.append(yardstick.log_loss(learner.weights, bias))
    return found


def _teach(learner: Learner, drawn: dict[int, Scans], parts: list[tuple[int, slice]], today: int) -> None:
    hours = np.repeat(np.arange(HOURS_A_DAY), SCANS_AN_HOUR)
    learner.night(
        today,
        np.concatenate([np.full(len(drawn[day].won[rows]), day) for day, rows in parts]),
        np.concatenate([drawn[day].evidence[rows] for day, rows in parts]),
        np.concatenate([drawn[day].won[rows] for day, rows in parts]),
        hour_block=np.concatenate([day * HOURS_A_DAY + hours[rows] for day, rows in parts]),
    )
