"""How good the probabilities were: proper scores, intervals, regret, and what the gates earned. Pure numpy.

Scores are prequential: the caller passes the probabilities that were in force when each scan was decided.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from statistics import NormalDist

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.calibration import calibrate

PROBABILITY_FLOOR = 1e-6  # a stated 0 or 1 that is wrong would cost infinitely much; it is scored as this instead
BOOTSTRAPS = 2000
GROUPS_AT_ONCE = 64  # some 10 MB of resampled sums
NORMAL_975 = 1.959963984540054
EULER_GAMMA = 0.5772156649015329


@dataclass(frozen=True)
class Estimate:
    """A figure with its sample size and 95 % interval; None with n = 0, no interval where none can be said."""

    value: float | None
    n: int
    ci_low: float | None = None
    ci_high: float | None = None

    def figures(self) -> dict[str, float | int | None]:
        return {"value": self.value, "n": self.n, "ci_low": self.ci_low, "ci_high": self.ci_high}


def log_loss(probability: FloatArray, won: BoolArray, weight: FloatArray | None = None) -> float | None:
    """Mean of -ln P(what happened), in nats; None without rows. Probabilities of 0 and 1 count as 1e-6 from there."""
    return _mean(log_losses(probability, won), weight)


def log_losses(probability: FloatArray, won: BoolArray) -> FloatArray:
    """-ln P(what happened) for each row (n,). Raises ValueError outside [0, 1] or on NaN."""
    chance = np.clip(_checked(probability), PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    return -np.log(np.where(won, chance, 1 - chance))


def brier(probability: FloatArray, won: BoolArray, weight: FloatArray | None = None) -> float | None:
    """Mean of (P - outcome)^2 (Brier 1950); None without rows."""
    miss = _checked(probability) - won
    return _mean(miss * miss, weight)


def _checked(probability: FloatArray) -> FloatArray:
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("probabilities must lie in [0, 1]; leave out scans that have none")
    return probability


def _mean(values: FloatArray, weight: FloatArray | None) -> float | None:
    if len(values) == 0:
        return None
    if weight is None:
        return float(values.sum()) / len(values)
    return float((weight * values).sum()) / float(weight.sum())


@dataclass(frozen=True)
class Bin:
    """Scans whose stated probability lay in [low, high): how many, what was stated on average, what happened."""

    low: float
    high: float
    stated: float
    happened: Estimate


@dataclass(frozen=True)
class Calibrated:
    """Slope and intercept of outcomes on stated log-odds (1 and 0 are perfect), with bins for a picture."""

    slope: Estimate
    intercept: float | None
    bins: tuple[Bin, ...]


def calibration(probability: FloatArray, won: BoolArray, bins: int = 10) -> Calibrated:
    """Calibration of stated probabilities (n,); the slope is None where all are the same."""
    chance = np.clip(_checked(probability), PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    found = calibrate(np.log(chance / (1 - chance)), won, np.ones(len(chance)))
    count = len(chance)
    if found is None:
        return Calibrated(Estimate(None, count), None, _bins(chance, won, bins))
    reach = NORMAL_975 * found.slope_error
    slope = Estimate(found.slope, count, found.slope - reach, found.slope + reach)
    return Calibrated(slope, found.intercept, _bins(chance, won, bins))


def _bins(chance: FloatArray, won: BoolArray, bins: int) -> tuple[Bin, ...]:
    place = np.minimum((chance * bins).astype(np.int64), bins - 1)
    found = []
    for number in np.unique(place).tolist():
        rows = place == number
        stated = float(chance[rows].sum()) / int(rows.sum())
        happened = wilson(int(won[rows].sum()), int(rows.sum()))
        found.append(Bin(number / bins, (number + 1) / bins, stated, happened))
    return tuple(found)


def wilson(successes: int, n: int) -> Estimate:
    """A rate with its 95 % score interval (Wilson 1927); defined also at 0 and n."""
    if n == 0:
        return Estimate(None, 0)
    rate, z = successes / n, NORMAL_975
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Estimate(rate, n, max(0.0, centre - reach), min(1.0, centre + reach))


def seed_of(*columns: FloatArray | IntArray | BoolArray) -> int:
    """A seed from the data itself: the same rows always give the same interval, and nobody can pick a nicer one."""
    summary = sha256()
    for column in columns:
        summary.update(np.ascontiguousarray(column).tobytes())
    return int.from_bytes(summary.digest()[:8], "big")


def day_bootstrap(
    statistic: Callable[[FloatArray], FloatArray], totals: FloatArray, *, n: int, seed: int, level: float = 0.95
) -> Estimate:
    """A statistic of sums over days, with a percentile interval from 2,000 resamples of whole days (Künsch 1989).

    `totals` (days, columns) holds each day's sums in order of days; `statistic` maps summed columns (..., columns) to
    (...). Scans of one day share the day's market, so days are what is drawn. No interval with fewer than two days.
    """
    if len(totals) == 0 or n == 0:
        return Estimate(None, 0)
    value = float(statistic(totals.sum(axis=0)))
    if len(totals) < 2:
        return Estimate(value, n)
    found = statistic(_resampled_sums(totals, seed))
    found = np.sort(found[np.isfinite(found)])
    if len(found) < BOOTSTRAPS // 2:
        return Estimate(value, n)
    low, high = np.percentile(found, [50 * (1 - level), 50 * (1 + level)])
    return Estimate(value, n, float(low), float(high))


def _resampled_sums(totals: FloatArray, seed: int) -> FloatArray:
    """Sums of the columns over each resample of days, (resamples, columns), by how often each day was drawn."""
    times = _times_drawn(len(totals), seed)
    return np.stack([(times * column).sum(axis=1) for column in totals.T], axis=-1)


def _times_drawn(days: int, seed: int) -> IntArray:
    """How often each day is in each resample, (resamples, days)."""
    drawn = np.random.default_rng(seed).integers(0, days, (BOOTSTRAPS, days))
    place = (drawn + days * np.arange(BOOTSTRAPS)[:, None]).ravel()
    return np.bincount(place, minlength=BOOTSTRAPS * days).reshape(BOOTSTRAPS, days)


def day_bootstraps(figures: Sequence[tuple[int, ...]], totals: FloatArray, *, seed: int, level: float) -> FloatArray:
    """Figures of many groups with their intervals, as `day_bootstrap`, all from the same resampled days.

    `totals` (days, groups, columns). A figure is the columns (sum, count) of a mean, or (sum, count, sum, count) of one
    mean minus another. Returns (figures, groups, 3): value, low and high, NaN where there is none. By a BLAS product,
    since a thousand draws of their own would take seconds: for pages, not for what a version's bytes depend on.
    """
    days, groups, _ = totals.shape
    found = np.full((len(figures), groups, 3), np.nan)
    if not days:
        return found
    times = _times_drawn(days, seed).astype(np.float64).T
    for first in range(0, groups, GROUPS_AT_ONCE):
        part = totals[:, first : first + GROUPS_AT_ONCE]
        summed = np.moveaxis(part, -1, 0)
        resampled = [column.T @ times for column in summed]
        for place, columns in enumerate(figures):
            rows = found[place, first : first + GROUPS_AT_ONCE]
            rows[:, 0] = _figure(summed.sum(axis=1), columns)
            rows[:, 1:] = _bounds(_figure(resampled, columns), level)
            # A case on one day alone would be resampled to itself.
            rows[((part[..., columns[1::2]] > 0).sum(axis=0) < 2).any(axis=1), 1:] = np.nan
    return found


def _figure(summed: Sequence[FloatArray] | FloatArray, columns: tuple[int, ...]) -> FloatArray:
    """The figure of those columns: a mean, or one mean less another; NaN without a case."""
    with np.errstate(invalid="ignore", divide="ignore"):
        first, *others = (summed[top] / summed[bottom] for top, bottom in zip(columns[::2], columns[1::2], strict=True))
    found: FloatArray = first - others[0] if others else first
    return found


def _bounds(found: FloatArray, level: float) -> FloatArray:
    """Percentile bounds (groups, 2) of each group's resampled values (groups, resamples) that are defined.

    As `np.percentile` has them, of all groups at once: most have resamples without a case, in number of their own.
    """
    found = np.sort(found, axis=1)  # NaN comes last
    defined = (~np.isnan(found)).sum(axis=1)
    place = np.array([(1 - level) / 2, (1 + level) / 2]) * np.maximum(defined - 1, 0)[:, None]
    below = place.astype(np.int64)
    above = np.minimum(below + 1, found.shape[1] - 1)
    low, high = (np.take_along_axis(found, each, axis=1) for each in (below, above))
    bounds: FloatArray = np.where(place > below, low + (high - low) * (place - below), low)
    bounds[defined < BOOTSTRAPS // 2] = np.nan
    return bounds


def by_day(day: IntArray, *columns: FloatArray) -> FloatArray:
    """Sums of the columns (n,) for each day that has rows, in order of days: (days, columns)."""
    _, place = days_of(day)
    return np.array([np.bincount(place, weights=column) for column in columns]).T


def days_of(day: IntArray) -> tuple[IntArray, IntArray]:
    """The days that have rows, ascending, and each row's place among them. Counted: sorting takes ten times longer."""
    if not len(day):
        return day, day
    first = day.min()
    seen = np.bincount(day - first) > 0
    return np.flatnonzero(seen) + first, (np.cumsum(seen) - 1)[day - first]


def mean_by_day(values: FloatArray, day: IntArray) -> Estimate:
    """Mean of the rows with a day-block interval."""
    if len(values) == 0:
        return Estimate(None, 0)
    totals = by_day(day, values, np.ones(len(values)))
    return day_bootstrap(ratio, totals, n=len(values), seed=seed_of(values, day))


def rate_interval(successes: int, n: int) -> dict[str, float | int | None]:
    """A rate as plain figures: value, n, ci_low, ci_high (Wilson)."""
    return wilson(successes, n).figures()


def mean_interval(values: Sequence[float], day: Sequence[int] | None = None) -> dict[str, float | int | None]:
    """A mean as plain figures. With `day` the interval is drawn by whole days; without it values count as independent
    (normal approximation), too narrow for decisions that share a market: pass the days where they are known."""
    rows = np.asarray(values, np.float64)
    if day is not None:
        return mean_by_day(rows, np.asarray(day, np.int64)).figures()
    count = len(rows)
    if count < 2:
        return Estimate(float(rows[0]) if count else None, count).figures()
    mean = float(rows.sum()) / count
    reach = NORMAL_975 * math.sqrt(float(((rows - mean) ** 2).sum()) / (count - 1) / count)
    return Estimate(mean, count, mean - reach, mean + reach).figures()


def ratio(sums: FloatArray) -> FloatArray:
    """A mean from totals (..., 2): sum over count, NaN without a case. A statistic for `day_bootstrap`."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = sums[..., 0] / sums[..., 1]
    return found


def regret(loss: FloatArray, other: FloatArray, day: IntArray) -> Estimate:
    """Mean log-loss of ours minus that of another forecaster on the same scans; below zero means ours was better."""
    return mean_by_day(loss - other, day)


def regrets(loss: FloatArray, others: Mapping[str, FloatArray], day: IntArray) -> dict[str, Estimate]:
    """Regret against each rival by name (equal weights, each head alone, the base rate, ...)."""
    return {name: regret(loss, other, day) for name, other in others.items()}


def head_losses(evidence: FloatArray, bias: FloatArray, side: IntArray, won: BoolArray) -> FloatArray:
    """Log-losses (H, n) of each head taken alone at its word, with the base rates `bias` (2,) of the pool.

    A head that abstains says the base rate. `side` and `won` (n,) are the lean's.
    """
    base = np.where(side > 0, bias[0], bias[1])
    margins = base + side * evidence.T
    losses: FloatArray = np.logaddexp(0.0, margins) - won * margins
    return losses


def best_head(losses: FloatArray, heads: tuple[str, ...]) -> str | None:
    """The head with the least total loss in hindsight; None without rows."""
    return heads[int(losses.sum(axis=1).argmin())] if losses.shape[1] else None


def base_rate_losses(won: BoolArray, day: IntArray) -> FloatArray:
    """Log-losses (n,) of always saying the win rate of all earlier days, 1/2 before there is any (add-half rule)."""
    days, place = np.unique(day, return_inverse=True)
    wins, counts = np.bincount(place, weights=won), np.bincount(place)
    before = np.concatenate([[0.0], np.cumsum(wins)[:-1]])[: len(days)]
    seen = np.concatenate([[0.0], np.cumsum(counts)[:-1]])[: len(days)]
    return log_losses(((before + 0.5) / (seen + 1.0))[place], won)


def gate_value_r(net_r: FloatArray, accepted: BoolArray, day: IntArray) -> Estimate:
    """Mean net R of what was accepted minus that of what was rejected; n counts both. None without one of the two."""
    if not accepted.any() or accepted.all():
        return Estimate(None, len(net_r))
    took = accepted.astype(np.float64)
    totals = by_day(day, net_r * took, took, net_r * (1 - took), 1 - took)
    return day_bootstrap(difference, totals, n=len(net_r), seed=seed_of(net_r, accepted, day))


def difference(sums: FloatArray) -> FloatArray:
    """One mean minus another from totals (..., 4). A statistic for `day_bootstrap`."""
    return ratio(sums[..., :2]) - ratio(sums[..., 2:])


def deflated_sharpe(returns: FloatArray, trials: int, trial_variance: float) -> float | None:
    """Chance that the Sharpe ratio of `returns` is real after `trials` tries (Bailey & López de Prado 2014).

    `trial_variance`: variance of the Sharpe ratios of all trials. None with fewer than 3 returns or without spread.
    """
    count = len(returns)
    if count < 3:
        return None
    centred = returns - returns.sum() / count
    spread = math.sqrt(float((centred**2).sum()) / (count - 1))
    if spread == 0:
        return None
    sharpe = float(returns.sum()) / count / spread
    population = math.sqrt(float((centred**2).sum()) / count)
    skew = float((centred**3).sum()) / count / population**3
    kurtosis = float((centred**4).sum()) / count / population**4
    normal = NormalDist()
    expected_best = 0.0
    if trials > 1:
        tail = (1 - EULER_GAMMA) * normal.inv_cdf(1 - 1 / trials) + EULER_GAMMA * normal.inv_cdf(
            1 - 1 / (trials * math.e)
        )
        expected_best = math.sqrt(trial_variance) * tail
    error = math.sqrt(max(1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2, 1e-12))
    return normal.cdf((sharpe - expected_best) * math.sqrt(count - 1) / error)
