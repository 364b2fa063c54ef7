"""What a learner is set against: known rules with the interface of `learning.learner.NightlyLearner`. Pure numpy.

Every rule starts at equal weights and keeps their sum (but the logistic fits, which find their own), so that all pools
are read alike: P(up) = sigmoid(sum_h weight_h z_h).
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.planted.world import World
from learning.planted.yardstick import Yardstick
from signals.consensus import EQUAL_BETA


class Learner(Protocol):
    """Whatever can be run over a world: weights (H,) and intercepts (2,) to read, one night at a time to learn."""

    @property
    def weights(self) -> FloatArray: ...

    @property
    def bias(self) -> FloatArray: ...

    def night(
        self, today: int, decided_day: IntArray, evidence: FloatArray, won: BoolArray, *, hour_block: IntArray
    ) -> object: ...


class Equal:
    """Equal weights for ever; the other rules say in `learn` what they make of a night's outcomes."""

    def __init__(self, heads: int) -> None:
        self.weights = np.full(heads, EQUAL_BETA)
        self.bias = np.zeros(2)
        self.total = EQUAL_BETA * heads

    def night(
        self, today: int, decided_day: IntArray, evidence: FloatArray, won: BoolArray, *, hour_block: IntArray
    ) -> None:
        if len(won):
            self.learn(evidence, np.where(won, 1.0, -1.0))

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        """Evidence (n, H) and the side that won as +-1 (n,)."""


class HitRates(Equal):
    """The earlier system's kind: each head's hit rate as a moving average over nights, and weights in proportion."""

    SHARE = 0.1  # of a night in the average

    def __init__(self, heads: int) -> None:
        super().__init__(heads)
        self.rates = np.full(heads, 0.5)

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        voted = (evidence != 0).sum(axis=0)
        hits = (evidence * truth[:, None] > 0).sum(axis=0)
        tonight = np.where(voted > 0, hits / np.maximum(voted, 1), self.rates)
        self.rates = (1 - self.SHARE) * self.rates + self.SHARE * tonight
        self.weights = self.total * self.rates / self.rates.sum()


def head_losses(evidence: FloatArray, truth: FloatArray) -> FloatArray:
    """Total log-loss (H,) of each head at its own word, in nats; a head that abstains says one half."""
    losses: FloatArray = np.logaddexp(0.0, -truth[:, None] * evidence).sum(axis=0)
    return losses


class Hedge(Equal):
    """Exponential weights over heads on their own log-loss, one round a night (Freund & Schapire 1997).

    The rate is 1, for which log-loss is mixable. `flow` > 0 lets that share flow back to all heads each night: fixed
    share (Herbster & Warmuth 1998).
    """

    RATE = 1.0

    def __init__(self, heads: int, flow: float = 0.0) -> None:
        super().__init__(heads)
        self.flow = flow
        self.log_shares = np.full(heads, -np.log(heads))

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        self.charge(head_losses(evidence, truth))

    def charge(self, losses: FloatArray) -> None:
        """One round of losses (H,). Shares are kept as logarithms: a bad week would else end a head for good."""
        paid = self.log_shares - self.RATE * losses
        paid = paid - np.logaddexp.reduce(paid)
        if self.flow:
            paid = np.logaddexp(np.log1p(-self.flow) + paid, np.log(self.flow / len(paid)))
        self.log_shares = paid
        self.weights = self.total * np.exp(paid)


class MLPoly(Equal):
    """Polynomial potentials with a learning rate for each head (Gaillard, Stoltz & van Erven 2014), on the log-loss of
    the pool, linearised where the pool stands; one round a night, of its mean loss.

    `spread` is the largest squared regret of a round so far. It stands for the paper's 1: no range is asked.
    """

    def __init__(self, heads: int) -> None:
        super().__init__(heads)
        self.regrets = np.zeros(heads)
        self.squares = np.zeros(heads)
        self.spread = 0.0

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        miss = -truth / (1 + np.exp(truth * (evidence @ self.weights)))  # d loss / d log-odds
        self.charge(self.total * (miss[:, None] * evidence).mean(axis=0))

    def charge(self, losses: FloatArray) -> None:
        """One round of losses (H,), linear in the shares."""
        regret = float(self.weights @ losses) / self.total - losses
        self.regrets = self.regrets + regret
        self.squares = self.squares + regret**2
        self.spread = max(self.spread, float((regret**2).max()))
        pull = np.maximum(self.regrets, 0.0) / (self.spread + self.squares) if self.spread else np.zeros(len(regret))
        if pull.sum() > 0:
            self.weights = self.total * pull / pull.sum()


class BestHead(Equal):
    """The one head with the least log-loss on all outcomes so far, taken at its word."""

    def __init__(self, heads: int) -> None:
        super().__init__(heads)
        self.losses = np.zeros(heads)

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        self.losses = self.losses + head_losses(evidence, truth)
        self.weights = np.zeros(len(self.losses))
        self.weights[self.losses.argmin()] = 1.0


class Logistic(Equal):
    """A logistic fit on everything so far, every outcome counting alike; refitted on each of the first `nights`."""

    RIDGE = 1.0  # so that a first night has a minimum

    def __init__(self, heads: int, nights: int | None = None) -> None:
        super().__init__(heads)
        self.nights, self.lived = nights, 0
        self.margins: list[FloatArray] = []

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        self.lived += 1
        if self.nights is None or self.lived <= self.nights:
            self.margins.append(evidence * truth[:, None])
            self.weights = logistic_fit(np.concatenate(self.margins), self.RIDGE, self.weights)


def logistic_fit(margins: FloatArray, ridge: float, start: FloatArray) -> FloatArray:
    """argmin_b sum_i log(1 + exp(-m_i b)) + ridge / 2 |b|^2 over rows m_i = y_i z_i of (n, H), by Newton's method."""
    beta = start
    for _ in range(25):
        wrong = 1 / (1 + np.exp(margins @ beta))
        curve = (margins * (wrong * (1 - wrong))[:, None]).T @ margins + ridge * np.eye(len(beta))
        step = np.linalg.solve(curve, wrong @ margins - ridge * beta)
        beta = beta + step
        if float(np.abs(step).max()) < 1e-8:
            break
    return beta


class Oracle(Equal):
    """The best possible weights of the day's regime: it knows the posteriors, and when they change."""

    def __init__(self, world: World, yardsticks: Callable[[int], Yardstick]) -> None:
        super().__init__(len(world.order))
        self.world, self.yardsticks = world, yardsticks
        self.weights = yardsticks(0).oracle_weights

    def night(
        self, today: int, decided_day: IntArray, evidence: FloatArray, won: BoolArray, *, hour_block: IntArray
    ) -> None:
        self.weights = self.yardsticks(self.world.regime(today)).oracle_weights


class ScaledEqual(Equal):
    """Equal weights, as loud as fits all outcomes so far best: it ranks as equal weights do, and is not too sure."""

    QUIETEST = 1e-3  # a first unlucky night must not turn the ranking round

    def __init__(self, heads: int) -> None:
        super().__init__(heads)
        self.margins: list[FloatArray] = []
        self.scale = np.ones(1)

    def learn(self, evidence: FloatArray, truth: FloatArray) -> None:
        self.margins.append(EQUAL_BETA * evidence.sum(axis=1) * truth)
        found = logistic_fit(np.concatenate(self.margins)[:, None], Logistic.RIDGE, self.scale)
        self.scale = np.maximum(found, self.QUIETEST)
        self.weights = np.full(len(self.weights), EQUAL_BETA * float(self.scale[0]))


LOGISTIC_NIGHTS = 14


def rivals(world: World, yardsticks: Callable[[int], Yardstick]) -> dict[str, Learner]:
    """Every rival by the name it has in tables and on the page."""
    heads = len(world.order)
    return {
        "equal weights": Equal(heads),
        "equal weights, scaled": ScaledEqual(heads),
        "naive hit rates": HitRates(heads),
        "Hedge": Hedge(heads),
        "fixed share": Hedge(heads, flow=0.02),
        "ML-Poly": MLPoly(heads),
        "best head so far": BestHead(heads),
        "logistic, all nights": Logistic(heads),
        f"logistic, first {LOGISTIC_NIGHTS} nights": Logistic(heads, LOGISTIC_NIGHTS),
        "oracle": Oracle(world, yardsticks),
    }
