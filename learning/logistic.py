"""The penalised logistic fit of one candidate: both brackets of every event, Newton's method, bounds. Pure numpy.

No BLAS: a matrix product's bits change with its shape and threads. Sums run over fixed blocks in row order, and the
eleven-by-eleven systems are solved by a written Cholesky factorisation.
"""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray

BLOCK = 8192  # rows that stay in the processor's cache; part of the arithmetic, since sums are made block by block
ITERATIONS = 60
HALVINGS = 30
STEP_TOLERANCE = 1e-6  # Newton squares its error: the step after one this small is below rounding
INTERCEPT_LIMIT = 6.0  # a single-class ledger has no finite intercept; P stays within 0.25 % and 99.75 %
INTERCEPTS = 2


@dataclass(frozen=True)
class Sample:
    """Evidence (H, n) toward "up", the wins of both sides as 0.0 and 1.0 (n,), and the weight of each event (n,)."""

    votes: FloatArray
    won_long: FloatArray
    won_short: FloatArray
    weight: FloatArray

    def block(self, chosen: slice) -> "Sample":
        return Sample(self.votes[:, chosen], self.won_long[chosen], self.won_short[chosen], self.weight[chosen])

    def rows(self, chosen: BoolArray) -> "Sample":
        """The chosen events. Compressed, since an index would leave each head's votes scattered: a slow sum, with other
        bits than the one over all events."""
        if chosen.all():
            return self
        votes = self.votes.compress(chosen, axis=1)
        return Sample(votes, self.won_long[chosen], self.won_short[chosen], self.weight[chosen])


@dataclass(frozen=True)
class Problem:
    """What to minimise: the sample's weighted log-loss plus ridge / 2 x |b - centre|^2 within bounds on (a, b)."""

    sample: Sample
    ridge: float
    centre: float
    lower: FloatArray
    upper: FloatArray


@dataclass(frozen=True)
class Fit:
    """The minimum: `theta` (2 + H,) = (a_long, a_short, b), the objective's Hessian there, and Newton's iterations."""

    theta: FloatArray
    hessian: FloatArray
    iterations: int


@dataclass(frozen=True)
class Moments:
    """Value, gradient and Hessian of the objective at one point."""

    value: float
    gradient: FloatArray
    hessian: FloatArray


def log_odds(beta: FloatArray, votes: FloatArray) -> FloatArray:
    """The pool of evidence (H, n), summed in head order as the scan does; shape (n,)."""
    pooled = np.zeros(votes.shape[1])
    for coefficient, row in zip(beta.tolist(), votes, strict=True):
        pooled = pooled + coefficient * row
    return pooled


def side_loss(margin: FloatArray, won: FloatArray) -> FloatArray:
    """Log-loss in nats of P(win) = sigmoid(margin); never overflows."""
    return np.log1p(np.exp(-np.abs(margin))) + np.maximum(margin, 0.0) - won * margin


def event_losses(theta: FloatArray, votes: FloatArray, won_long: FloatArray, won_short: FloatArray) -> FloatArray:
    """Mean log-loss of the two brackets of each event under (a_long, a_short, b); shape (n,)."""
    pooled = log_odds(theta[INTERCEPTS:], votes)
    long, short = side_loss(theta[0] + pooled, won_long), side_loss(theta[1] - pooled, won_short)
    return 0.5 * (long + short)


def claimed_losses(theta: FloatArray, votes: FloatArray) -> FloatArray:
    """Mean entropy in nats of the two brackets' stated chances: the log-loss of outcomes drawn at those odds; (n,)."""
    pooled = log_odds(theta[INTERCEPTS:], votes)
    long, short = theta[0] + pooled, theta[1] - pooled
    return 0.5 * (side_loss(long, probability(long)) + side_loss(short, probability(short)))


def probability(margin: FloatArray) -> FloatArray:
    """sigmoid(margin), never overflowing."""
    small = np.exp(-np.abs(margin))
    return np.where(margin >= 0, 1.0, small) / (1.0 + small)


def fit(problem: Problem, start: FloatArray) -> Fit:
    """The unique minimum within the bounds, by projected Newton with step halving (Bertsekas 1982) from `start`.

    Coordinates with equal bounds stay where they are, to the bit. Finite for any sample, also an empty one.
    """
    theta = np.clip(start, problem.lower, problem.upper)
    here = moments(problem, theta)
    for iteration in range(1, ITERATIONS + 1):
        direction = _direction(problem, theta, here)
        moved = np.clip(theta + direction, problem.lower, problem.upper)
        if float(np.abs(moved - theta).max()) <= STEP_TOLERANCE:
            return Fit(moved, here.hessian, iteration)
        moved, there = _advance(problem, theta, here, direction)
        if there is here:  # no step lowers the objective any more: rounding is all that is left
            break
        theta, here = moved, there
    return Fit(theta, here.hessian, iteration)


def _direction(problem: Problem, theta: FloatArray, here: Moments) -> FloatArray:
    """Newton's direction over the coordinates that may move; zero elsewhere."""
    held_low = (theta <= problem.lower) & (here.gradient > 0)
    held_high = (theta >= problem.upper) & (here.gradient < 0)
    free = np.flatnonzero((problem.lower < problem.upper) & ~held_low & ~held_high)
    direction = np.zeros_like(theta)
    if len(free):
        factor = cholesky(here.hessian[np.ix_(free, free)])
        direction[free] = -solve(factor, here.gradient[free])
    return direction


def _advance(problem: Problem, theta: FloatArray, here: Moments, direction: FloatArray) -> tuple[FloatArray, Moments]:
    """The first of the steps 1, 1/2, 1/4, ... that lowers the objective enough (Armijo); stays if none does."""
    share = 1.0
    for _ in range(HALVINGS):
        moved = np.clip(theta + share * direction, problem.lower, problem.upper)
        there = moments(problem, moved)
        promised = float((here.gradient * (moved - theta)).sum())
        slack = 1e-13 * (1.0 + abs(here.value))
        if there.value <= here.value + 1e-4 * promised + slack:
            return moved, there
        share *= 0.5
    return theta, here


def moments(problem: Problem, theta: FloatArray) -> Moments:
    """Objective, gradient and Hessian at `theta`; each event is half its long and half its short bracket.

    Rows of the Hessian are made for the coordinates that may move; the others hold the ridge alone.
    """
    size, count = len(theta), problem.sample.votes.shape[1]
    off = theta[INTERCEPTS:] - problem.centre
    value = 0.5 * problem.ridge * float((off * off).sum())
    gradient, hessian = np.zeros(size), np.zeros((size, size))
    gradient[INTERCEPTS:] = problem.ridge * off
    for head in range(INTERCEPTS, size):
        hessian[head, head] = problem.ridge
    moving = np.flatnonzero((problem.lower < problem.upper)[INTERCEPTS:])
    for first in range(0, count, BLOCK):
        value += _add_block(problem.sample.block(slice(first, first + BLOCK)), theta, moving, gradient, hessian)
    for row in range(size):
        hessian[row + 1 :, row] = hessian[row, row + 1 :]
    return Moments(value, gradient, hessian)


def _add_block(block: Sample, theta: FloatArray, moving: IntArray, gradient: FloatArray, hessian: FloatArray) -> float:
    """Add one block's gradient and upper triangle of the Hessian in place; returns its loss."""
    pooled = log_odds(theta[INTERCEPTS:], block.votes)
    half = 0.5 * block.weight
    long, short = _side(theta[0] + pooled, block.won_long, half), _side(theta[1] - pooled, block.won_short, half)
    gradient[0] += long.miss.sum()
    gradient[1] += short.miss.sum()
    hessian[0, 0] += long.curve.sum()
    hessian[1, 1] += short.curve.sum()
    if len(moving):
        votes = block.votes if len(moving) == len(block.votes) else block.votes[moving]
        places = INTERCEPTS + moving
        gradient[places] += ((long.miss - short.miss) * votes).sum(axis=1)
        hessian[0, places] += (long.curve * votes).sum(axis=1)
        hessian[1, places] -= (short.curve * votes).sum(axis=1)
        curve = long.curve + short.curve
        for position, place in enumerate(places.tolist()):
            weighed = curve * votes[position]
            hessian[place, places[position:]] += (weighed * votes[position:]).sum(axis=1)
    # 1 + e lies in (1, 2], so the product of both sides' is safe and one logarithm does for two.
    loss = np.log(long.one_plus * short.one_plus) + long.linear + short.linear
    return float((half * loss).sum())


@dataclass(frozen=True)
class _Side:
    """One side of a block: weighted p - y, weighted p (1 - p), and the parts of its loss; arrays (n,)."""

    miss: FloatArray
    curve: FloatArray
    one_plus: FloatArray
    linear: FloatArray


def _side(margin: FloatArray, won: FloatArray, weight: FloatArray) -> _Side:
    small = np.exp(-np.abs(margin))
    one_plus = 1.0 + small
    chance = np.where(margin >= 0, 1.0, small) / one_plus
    miss = weight * (chance - won)
    return _Side(miss, weight * chance * (1 - chance), one_plus, np.maximum(margin, 0.0) - won * margin)


def cholesky(matrix: FloatArray) -> list[list[float]]:
    """Lower factor of a small positive matrix, in plain floats. A pivot lost to rounding is replaced by a tiny one."""
    rows, floor = matrix.tolist(), 1e-12
    factor: list[list[float]] = []
    for i, row in enumerate(rows):
        built: list[float] = []
        for j in range(i):
            dot = row[j]
            for left, right in zip(built, factor[j], strict=False):
                dot -= left * right
            built.append(dot / factor[j][j])
        pivot = row[i]
        for left in built:
            pivot -= left * left
        built.append(max(pivot, floor) ** 0.5)
        factor.append(built)
    return factor


def solve(factor: list[list[float]], right_side: FloatArray) -> FloatArray:
    """The x of (L L') x = right_side."""
    size = len(factor)
    middle: list[float] = []
    for i, value in enumerate(right_side.tolist()):
        for j in range(i):
            value -= factor[i][j] * middle[j]
        middle.append(value / factor[i][i])
    for i in reversed(range(size)):
        for j in range(i + 1, size):
            middle[i] -= factor[j][i] * middle[j]
        middle[i] /= factor[i][i]
    return np.array(middle)


def standard_errors(hessian: FloatArray, free: BoolArray) -> FloatArray:
    """Standard error of each free coordinate from the inverse Hessian (Laplace); infinite where not free."""
    places = np.flatnonzero(free)
    errors = np.full(len(free), np.inf)
    if len(places):
        factor = cholesky(hessian[np.ix_(places, places)])
        for position, place in enumerate(places):
            unit = np.zeros(len(places))
            unit[position] = 1.0
            errors[place] = max(float(solve(factor, unit)[position]), 0.0) ** 0.5
    return errors
