"""Planted markets: what nine heads say in them, and what is true (learning.md 6). Pure numpy.

Heads give signed evidence s = y (skill + the hour's shock) + noise about y, the side whose target comes first. The
shock makes the calls of an hour right or wrong together; .10 of the variance over 20 scans an hour is a design effect
of 1 + 19 x .10 = 2.9.
"""

from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.consensus import EVIDENCE_CAP

KINDS = {
    "A": "one head turns against its own skill on day 42",
    "B": "as A, but heads have a direction and four words for how sure they are",
    "C": "as A, but a hidden trend or chop multiplies every skill",
    "N": "no head knows anything",
    "steady": "as A, but nothing ever changes",
    "drawn": "as A, but skills, rates and the day of the switch are drawn by seed too",
}

HEADS = ("strong", "medium", "trio_1", "trio_2", "trio_3", "noise", "loud_noise", "adversary", "switcher")
SKILLS = 0.8 * np.array([0.16, 0.10, 0.09, 0.07, 0.06, 0.0, 0.0, -0.10, 0.18])
TURNED = 0.8 * -0.12
SWITCHER, LOUD, SWITCH_DAY = HEADS.index("switcher"), HEADS.index("loud_noise"), 42
TRIO, RHO = (2, 3, 4), 0.8
SHOCK_VARIANCE = 0.10
HOURS_A_DAY, SCANS_AN_HOUR = 25, 20
SCANS_A_DAY = HOURS_A_DAY * SCANS_AN_HOUR
# World B: what a stated log-odds is rounded to, and what is too little to say.
WORDS, WORD_WIDTH, DEAD_ZONE = np.array([0.3, 0.7, 1.2, 2.0]), 0.5, 0.10
# World C: how much a trend or a chop multiplies every skill.
CONTEXTS = (1.6, 0.4)


@dataclass(frozen=True)
class Scans:
    """Scans in order of time: evidence (n, H) toward "up", 0 where a head abstains, and whether up won (n,)."""

    evidence: FloatArray
    won: BoolArray


@dataclass(frozen=True)
class World:
    """One market. `order` says which head stands at which place, `kappa` how boldly each states what it knows.

    `turned` is the skill of the switcher from `switch_day` on; None where nothing ever changes.
    """

    seed: int
    kind: str
    skills: FloatArray
    turned: float
    switch_day: int | None
    order: IntArray
    kappa: FloatArray
    awake: FloatArray

    @classmethod
    def planted(cls, kind: str, seed: int) -> "World":
        """The world of that kind that the seed draws; raises ValueError for a kind there is not."""
        if kind not in KINDS:
            raise ValueError(f"there is no world {kind!r}; choose one of {', '.join(KINDS)}")
        draw = np.random.default_rng([seed, 0])
        order = draw.permutation(len(HEADS))
        kappa = draw.uniform(0.6, 1.4, len(HEADS))
        kappa[LOUD] = 1.4
        awake = draw.uniform(0.7, 1.0, len(HEADS))
        skills = SKILLS * (0.0 if kind == "N" else 1.0)
        switch_day = None if kind in ("N", "steady") else SWITCH_DAY
        world = cls(seed, kind, skills, TURNED, switch_day, order, kappa, awake)
        return _drawn(world) if kind == "drawn" else world

    def regime(self, day: int) -> int:
        """0 before the switch, 1 from it on."""
        return int(self.switch_day is not None and day >= self.switch_day)

    def skills_on(self, day: int) -> FloatArray:
        skills = self.skills.copy()
        if self.regime(day):
            skills[SWITCHER] = self.turned
        return skills

    def day(self, day: int) -> Scans:
        """The scans of one day, 25 hours of 20; the same ones whenever they are asked for."""
        draw = np.random.default_rng([self.seed, 1, day + 10_000])
        hour = np.repeat(np.arange(HOURS_A_DAY), SCANS_AN_HOUR)
        truth, signal, awake = self._drawn_scans(draw, self.skills_on(day), hour)
        return self._scans(truth, signal, awake)

    def reference(self, regime: int, count: int) -> tuple[Scans, FloatArray]:
        """A fixed set of scans, every one in an hour of its own, and P(up wins | all that was heard) of each (n,)."""
        draw = np.random.default_rng([self.seed, 2])
        skills = self.skills_on(self.switch_day if regime and self.switch_day is not None else -1)
        truth, signal, awake = self._drawn_scans(draw, skills, np.arange(count))
        return self._scans(truth, signal, awake), self._posterior(signal, awake, skills)

    def _drawn_scans(
        self, draw: np.random.Generator, skills: FloatArray, hour: IntArray
    ) -> tuple[FloatArray, FloatArray, BoolArray]:
        """Truth +-1 (n,), what each head perceives (n, H), and whether it is awake (n, H)."""
        count, heads = len(hour), len(HEADS)
        truth = np.where(draw.uniform(size=count) < 0.5, 1.0, -1.0)
        shock = draw.normal(0, np.sqrt(SHOCK_VARIANCE), int(hour.max()) + 1)[hour]
        own = np.linalg.cholesky(noise_covariance() - SHOCK_VARIANCE)
        context = np.ones(count)
        if self.kind == "C":
            context = np.where(draw.uniform(size=count) < 0.5, *CONTEXTS)
        calls = truth[:, None] * (context[:, None] * skills + shock[:, None])
        signal = calls + draw.normal(size=(count, heads)) @ own.T
        return truth, signal, draw.uniform(size=signal.shape) < self.awake

    def _scans(self, truth: FloatArray, signal: FloatArray, awake: BoolArray) -> Scans:
        stated = np.where(awake, self._stated(signal), 0.0)
        return Scans(np.ascontiguousarray(stated[:, self.order]), truth > 0)

    def _stated(self, signal: FloatArray) -> FloatArray:
        stated = np.clip(self.kappa * signal, -EVIDENCE_CAP, EVIDENCE_CAP)
        if self.kind != "B":
            return stated
        size = np.abs(stated)
        word = WORDS[np.minimum((size / WORD_WIDTH).astype(np.int64), len(WORDS) - 1)]
        return np.where(size < DEAD_ZONE, 0.0, np.sign(stated) * word)

    def _posterior(self, signal: FloatArray, awake: BoolArray, skills: FloatArray) -> FloatArray:
        """Gaussian, so exact; for C summed over the hidden context."""
        covariance, log_odds = noise_covariance(), np.zeros(len(signal))
        pattern = awake @ (1 << np.arange(len(HEADS)))
        by_pattern = np.argsort(pattern, kind="stable")
        values, starts = np.unique(pattern[by_pattern], return_index=True)
        for value, rows in zip(values.tolist(), np.split(by_pattern, starts[1:]), strict=True):
            heads = np.flatnonzero([(value >> head) & 1 for head in range(len(HEADS))])
            if len(heads):
                direction = np.linalg.solve(covariance[np.ix_(heads, heads)], skills[heads])
                pull, power = signal[np.ix_(rows, heads)] @ direction, float(direction @ skills[heads])
                log_odds[rows] = 2 * pull if self.kind != "C" else _hidden(pull, power)
        chance: FloatArray = 1 / (1 + np.exp(-log_odds))
        return chance


def _drawn(world: World) -> World:
    """The world with everything a learner could have been tuned to drawn anew, from a stream of its own."""
    draw = np.random.default_rng([world.seed, 3])
    skills = SKILLS * draw.uniform(0.6, 1.4, len(HEADS))
    turned = float(0.8 * draw.uniform(-0.16, 0.04))
    return replace(
        world,
        skills=skills,
        turned=turned,
        switch_day=int(draw.integers(28, 57)),
        kappa=draw.uniform(0.4, 1.8, len(HEADS)),
        awake=draw.uniform(0.5, 1.0, len(HEADS)),
    )


def noise_covariance() -> FloatArray:
    """Covariance (H, H) of what the heads perceive given y: a trio of near copies, and the hour's shock."""
    own = np.eye(len(HEADS))
    for left in TRIO:
        for right in TRIO:
            own[left, right] = 1.0 if left == right else RHO
    return (1 - SHOCK_VARIANCE) * own + SHOCK_VARIANCE


def _hidden(pull: FloatArray, power: float) -> FloatArray:
    """Log-odds of y when either context is as likely: log of the summed likelihoods for each y."""

    def total(sign: float) -> FloatArray:
        trend, chop = (sign * factor * pull - 0.5 * factor**2 * power for factor in CONTEXTS)
        return np.logaddexp(trend, chop)

    odds: FloatArray = total(1.0) - total(-1.0)
    return odds
