"""How good one head is on bars whose outcome is known: hits, R, probabilities, and what the pool owes it. Pure.

Every figure is set against what anybody had who took the same sides without looking: a head that always says long in
a bull market has the market's win rate, and no skill. Labels of neighbouring bars overlap, so intervals are drawn from
whole blocks of days that are at least as long as a bracket can last.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.calendar import DAY_MS
from learning.evaluation import (
    NORMAL_975,
    Bin,
    Estimate,
    by_day,
    calibration,
    day_bootstrap,
    head_losses,
    ratio,
    seed_of,
)
from learning.head_looks import Bars
from learning.logistic import INTERCEPT_LIMIT, Problem, Sample, event_losses, fit, probability
from signals.consensus import SideArray

LEVEL = 0.95
# With fewer blocks an interval for many claims at once errs too often where days are skewed, as days of stops and
# targets are (simulated: 3 % a claim instead of 0.2 % with 8 blocks, 0.8 % with 12, 0.3 % with 25).
LEAST_BLOCKS = 12
CURVE_BINS = 20
SCALE_LIMIT = 3.0


@dataclass(frozen=True)
class Claim:
    """An estimate that a verdict rests on: with its own 95 % interval, and the wider one that holds for all at once.

    There is no joint one with fewer than LEAST_BLOCKS blocks.
    """

    alone: Estimate
    joint: tuple[float, float] | None

    @property
    def is_above_zero(self) -> bool:
        return self.joint is not None and self.joint[0] > 0

    @property
    def is_below_zero(self) -> bool:
        return self.joint is not None and self.joint[1] < 0


def student_quantile(share: float, freedom: int) -> float:
    """Quantile of Student's t by Cornish-Fisher (Abramowitz & Stegun 26.7.5); within 0.2 % from 7 degrees on."""
    z, n = NormalDist().inv_cdf(share), float(freedom)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / n**power for power, term in enumerate(terms, 1))


def jointly(alone: Estimate, blocks: int, claims: int) -> Claim:
    """Widen an interval for `claims` claims at once (Bonferroni: each may fail 5 % / claims of the time).

    The bootstrap of few blocks is too narrow, above all far out (Hesterberg 2015): both arms are stretched by Student's
    quantile with blocks - 1 degrees of freedom over the normal one, and by sqrt(blocks / (blocks - 1)).
    """
    if alone.value is None or alone.ci_low is None or alone.ci_high is None or blocks < LEAST_BLOCKS:
        return Claim(alone, None)
    reach = student_quantile(1 - (1 - LEVEL) / claims / 2, blocks - 1) * math.sqrt(blocks / (blocks - 1))
    stretch = reach / NORMAL_975
    low = alone.value - stretch * (alone.value - alone.ci_low)
    high = alone.value + stretch * (alone.ci_high - alone.value)
    # An arm of no length is off by a rounding; the joint interval holds the other one all the same.
    return Claim(alone, (min(low, alone.ci_low), max(high, alone.ci_high)))


@dataclass(frozen=True)
class Yardstick:
    """How all intervals of a timeframe are drawn: each labelled bar's block (n,), one seed, and the claims made."""

    block: IntArray
    seed: int
    claims: int

    def estimate(self, statistic: Callable[[FloatArray], FloatArray], n: int, *columns: FloatArray) -> Estimate:
        """A statistic of the columns' sums over blocks. Silent blocks are drawn too: silence is part of a head."""
        return day_bootstrap(statistic, by_day(self.block, *columns), n=n, seed=self.seed)

    def blocks_of(self, rows: BoolArray) -> int:
        return len(np.unique(self.block[rows]))


def block_days(limit_ms: int) -> int:
    """Days in a block: as many as cover the time limit of a bracket."""
    return -(-limit_ms // DAY_MS)


def yardstick(known: Bars, limit_ms: int, claims: int) -> Yardstick:
    """For labelled bars. The seed comes from the data, so that nobody can pick a nicer one."""
    block = known.close_ms // (block_days(limit_ms) * DAY_MS)
    return Yardstick(block, seed_of(known.close_ms, known.long_r, known.short_r) % 2**32, claims)


@dataclass(frozen=True)
class Base:
    """What either side came to over all labelled bars: win rate and mean net R; `bias` their log-odds, long, short."""

    long_wins: float
    short_wins: float
    long_r: float
    short_r: float
    bias: FloatArray

    @classmethod
    def of(cls, known: Bars) -> "Base":
        wins = np.array([np.count_nonzero(known.long_r > 0), np.count_nonzero(known.short_r > 0)])
        # Half a win and half a loss on top keep the log-odds finite.
        smoothed = (wins + 0.5) / (len(known) + 1.0)
        rates, means = wins / len(known), (known.long_r.mean(), known.short_r.mean())
        bias = np.log(smoothed / (1 - smoothed))
        return cls(float(rates[0]), float(rates[1]), float(means[0]), float(means[1]), bias)


@dataclass(frozen=True)
class Stated:
    """How good what a head states is, beside always stating the base rate of its side; log-loss in nats.

    Gains are the base's score minus the head's: above zero the head is better. `slope` is that of outcomes on stated
    log-odds: 1 is perfect, below it the head is too bold. `curve`: bins of the stated probability.
    """

    log_loss: float | None
    base_log_loss: float | None
    log_loss_gain: Claim
    brier: float | None
    base_brier: float | None
    brier_gain: Estimate
    slope: float | None
    curve: tuple[Bin, ...]


@dataclass(frozen=True)
class Figures:
    """One head on one timeframe. Shares are of the bars looked at (long_share: of its votes); `labelled` votes count
    for all that follows. `lift`, `excess_r`: over the base, which is the mean of all bars in the same mix of sides.
    """

    bars: int
    votes: int
    vote_share: float
    long_share: float | None
    labelled: int
    blocks: int
    hit_rate: Estimate
    base_rate: float | None
    lift: Estimate
    net_r: Claim
    base_r: float | None
    excess_r: Claim
    stated: Stated


def over_mix(sums: FloatArray) -> FloatArray:
    """A head's mean minus that of all bars in its mix of sides, from totals (..., 6).

    Columns: the head's sum, its long votes, its short votes; all bars, their sum on the long and on the short side.
    """
    own, longs, shorts, bars, long_sum, short_sum = np.moveaxis(sums, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        votes = longs + shorts
        found: FloatArray = own / votes - (longs * long_sum + shorts * short_sum) / (votes * bars)
    return found


def measure(bars: Bars, known: Bars, head: int, base: Base, stick: Yardstick) -> Figures:
    """The figures of the head in column `head`; `known` are the labelled ones among `bars`."""
    direction = known.direction[:, head]
    awake, looked = direction != 0, bars.direction[:, head]
    votes, labelled, blocks = int(np.count_nonzero(looked)), int(np.count_nonzero(awake)), stick.blocks_of(awake)
    own_r = np.where(awake, np.where(direction > 0, known.long_r, known.short_r), 0.0)
    won = own_r > 0
    mix = (direction > 0).astype(np.float64), (direction < 0).astype(np.float64), np.ones(len(known))
    hits, said = won.astype(np.float64), awake.astype(np.float64)
    both_won = (known.long_r > 0).astype(np.float64), (known.short_r > 0).astype(np.float64)
    excess = stick.estimate(over_mix, labelled, own_r, *mix, known.long_r, known.short_r)
    long_part = float(mix[0].sum()) / labelled if labelled else None
    return Figures(
        bars=len(bars),
        votes=votes,
        vote_share=votes / len(bars),
        long_share=float(np.count_nonzero(looked > 0)) / votes if votes else None,
        labelled=labelled,
        blocks=blocks,
        hit_rate=stick.estimate(ratio, labelled, hits, said),
        base_rate=_mixed(long_part, base.long_wins, base.short_wins),
        lift=stick.estimate(over_mix, labelled, hits, *mix, *both_won),
        net_r=jointly(stick.estimate(ratio, labelled, own_r, said), blocks, stick.claims),
        base_r=_mixed(long_part, base.long_r, base.short_r),
        excess_r=jointly(excess, blocks, stick.claims),
        stated=stated(known.evidence[:, head], direction, won, base, stick),
    )


def _mixed(long_part: float | None, long: float, short: float) -> float | None:
    return None if long_part is None else long_part * long + (1 - long_part) * short


def stated(toward_up: FloatArray, direction: SideArray, won: BoolArray, base: Base, stick: Yardstick) -> Stated:
    """Scores of what a head states, as the consensus reads it, on its own votes; all arrays (n,).

    It is taken at its word: the log-odds of its side's win rate over all bars plus its evidence, as in `head_losses`.
    """
    awake, side = direction != 0, direction.astype(np.int64)
    said, count = awake.astype(np.float64), int(np.count_nonzero(awake))
    loss, plain = (head_losses(each[:, None], base.bias, side, won)[0] for each in (toward_up, 0 * toward_up))
    margin = np.where(direction > 0, base.bias[0], base.bias[1])
    chance = probability(margin + side * toward_up)
    miss, plain_miss = (chance - won) ** 2, (probability(margin) - won) ** 2
    gain = stick.estimate(ratio, count, said * (plain - loss), said)
    calibrated = calibration(chance[awake], won[awake], CURVE_BINS)
    return Stated(
        log_loss=_mean(loss[awake]),
        base_log_loss=_mean(plain[awake]),
        log_loss_gain=jointly(gain, stick.blocks_of(awake), stick.claims),
        brier=_mean(miss[awake]),
        base_brier=_mean(plain_miss[awake]),
        brier_gain=stick.estimate(ratio, count, said * (plain_miss - miss), said),
        slope=calibrated.slope.value,
        curve=_curve(chance, awake, won, stick, calibrated.bins),
    )


def _curve(
    chance: FloatArray, awake: BoolArray, won: BoolArray, stick: Yardstick, bins: tuple[Bin, ...]
) -> tuple[Bin, ...]:
    """The bins of `calibration` with intervals over blocks: bars of one day are not as many witnesses."""
    place = np.where(awake, np.minimum((chance * CURVE_BINS).astype(np.int64), CURVE_BINS - 1), -1)
    found = []
    for number, each in zip(np.unique(place[awake]).tolist(), bins, strict=True):
        inside = (place == number).astype(np.float64)
        found.append(replace(each, happened=stick.estimate(ratio, each.happened.n, inside * won, inside)))
    return tuple(found)


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if len(values) else None


@dataclass(frozen=True)
class Pool:
    """The pool of equal weights and what each head is to it.

    `scale`: the one weight of all heads that fits these bars best. `gain`: log-loss of the base rate minus the pool's.
    """

    scale: float
    log_loss: float
    gain: Estimate


def equal_pool(known: Bars, base: Base, stick: Yardstick) -> tuple[Pool, tuple[Estimate, ...]]:
    """Pool all heads with one weight, then leave each out in turn.

    The estimates (H): loss without the head minus loss with it, in nats a bar; above zero where the head helps.

    The common weight and both intercepts are fitted anew for each pool, by the learner's own fit, on the same bars: so
    a head and its copy are worth nothing to each other, a copy beside others takes of their weight, and a head that
    never votes changes nothing. The weight is never negative. Three numbers for thousands of bars flatter little.
    """
    won_long, won_short = (known.long_r > 0).astype(np.float64), (known.short_r > 0).astype(np.float64)
    heads = known.evidence.shape[1]
    scale, loss = _fitted(known.evidence.sum(axis=1), won_long, won_short, base)
    _, plain = _fitted(np.zeros(len(known)), won_long, won_short, base)
    ones = np.ones(len(known))
    contribution = []
    for head in range(heads):
        rest = np.delete(known.evidence, head, axis=1).sum(axis=1)
        voted = int(np.count_nonzero(known.direction[:, head]))
        without = _fitted(rest, won_long, won_short, base)[1] if voted else loss
        contribution.append(stick.estimate(ratio, voted, without - loss, ones))
    pool = Pool(scale, float(loss.mean()), stick.estimate(ratio, len(known), plain - loss, ones))
    return pool, tuple(contribution)


def _fitted(pooled: FloatArray, won_long: FloatArray, won_short: FloatArray, base: Base) -> tuple[float, FloatArray]:
    """The weight of the pooled evidence (n,) and the loss of each bar, the mean of its two brackets'."""
    sample = Sample(np.ascontiguousarray(pooled[None, :]), won_long, won_short, np.ones(len(pooled)))
    upper = np.array([INTERCEPT_LIMIT, INTERCEPT_LIMIT, SCALE_LIMIT])
    lower = np.array([-INTERCEPT_LIMIT, -INTERCEPT_LIMIT, 0.0])
    theta = fit(Problem(sample, 0.0, 0.0, lower, upper), np.array([*base.bias, 0.0])).theta
    return float(theta[2]), event_losses(theta, sample.votes, won_long, won_short)


def correlations(evidence: FloatArray) -> FloatArray:
    """Pearson's correlation of the heads' signed evidence toward up, 0 where a head is silent; (H, H).

    NaN beside a head whose evidence never changes.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = np.atleast_2d(np.corrcoef(evidence, rowvar=False))
    return found


def agreements(direction: SideArray) -> FloatArray:
    """Share of the bars on which two heads both vote that they take the same side; (H, H), NaN where they never do."""
    awake, sides = (direction != 0).astype(np.float64), direction.astype(np.float64)
    both, product = awake.T @ awake, sides.T @ sides
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = (1 + product / both) / 2
    return found
