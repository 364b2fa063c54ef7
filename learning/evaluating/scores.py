"""How good a path was: every figure with its sample size and an interval over whole days. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.calendar import DAY_MS
from learning.calibration import calibrate
from learning.evaluating.course import EQUAL, LEARNER, ZERO
from learning.evaluating.paths import Scans
from learning.evaluating.period import Trace
from learning.evaluating.rivals import AVERAGE, STATIC
from learning.evaluation import PROBABILITY_FLOOR, Bin, Estimate, best_head, calibration, log_losses, ratio, seed_of
from learning.head_measures import Yardstick, block_days
from learning.logistic import probability

BINS = 20
# Five days that all went one way are chance more often than once in twenty; what rests on fewer than six gets no
# interval, since resampling them would give one that excludes the other way.
LEAST_DAYS = 6
# The rivals that a path's log-loss is set against, beside the best single head; names as they are shown.
RIVALS = {EQUAL: "equal weights", ZERO: "base rate", STATIC: "static fit", AVERAGE: "moving average", LEARNER: LEARNER}


def yardstick(scans: Scans, limit_ms: int) -> Yardstick:
    """Blocks of whole days, at least as long as a bracket can last; days without a scored scan are drawn too."""
    block = scans.close_ms // (block_days(limit_ms) * DAY_MS)
    return Yardstick(block, seed_of(scans.close_ms, np.nan_to_num(scans.net_r)) % 2**32, claims=1)


def drawn(
    stick: Yardstick, statistic: Callable[[FloatArray], FloatArray], cases: Sequence[BoolArray], *columns: FloatArray
) -> Estimate:
    """A statistic of the columns' sums; without an interval where any of the cases (n,) it averages fill few blocks."""
    found = stick.estimate(statistic, sum(int(rows.sum()) for rows in cases), *columns)
    few = any(stick.blocks_of(rows) < LEAST_DAYS for rows in cases)
    return Estimate(found.value, found.n) if few else found


def mean(stick: Yardstick, values: FloatArray, rows: BoolArray) -> Estimate:
    """Mean of the chosen rows of values (n,), which may be NaN elsewhere."""
    used = rows.astype(np.float64)
    return drawn(stick, ratio, [rows], np.where(rows, values, 0.0), used)


def total(stick: Yardstick, values: FloatArray, rows: BoolArray) -> Estimate:
    return drawn(stick, lambda sums: sums[..., 0], [rows], np.where(rows, values, 0.0))


@dataclass(frozen=True)
class PathFigures:
    """A path. Log-loss (nats), Brier, calibration and regrets are over all scored leans, R is net of costs.

    `regret`: mean log-loss of the path minus the rival's on the same brackets, below zero where the path was better.
    `best_head` is the single head with the least loss in hindsight. `total_r` is set against no trade at all, which
    makes 0. `slope`: outcomes on stated log-odds, 1 is perfect, below it too bold.
    """

    scans: int
    leans: int
    scored: int
    log_loss: Estimate
    brier: Estimate
    slope: Estimate
    bins: tuple[Bin, ...]
    accept_rate: Estimate
    win_rate: Estimate
    lean_win_rate: Estimate
    expectancy_r: Estimate
    lean_r: Estimate
    total_r: Estimate
    regret: Mapping[str, Estimate]
    best_head: str | None


def figures_of(trace: Trace, heads: tuple[str, ...], stick: Yardstick) -> PathFigures:
    """All figures of a path; its trace holds the heads as rivals by their names."""
    scans = trace.scans
    rows, signals = scans.scored, scans.signals
    won, chance = scans.net_r > 0, np.where(rows, scans.chance, 0.5)
    loss = log_losses(chance, won)
    said = {name: log_losses(np.where(rows, each, 0.5), won) for name, each in trace.rivals.items()}
    best = _best(scans, {head: said[head] for head in heads})
    rivals = {shown: said[name] for name, shown in RIVALS.items() if name in said}
    if best:
        rivals["best single head"] = said[best]
    return PathFigures(
        scans=len(scans),
        leans=int(np.count_nonzero(scans.side)),
        scored=int(rows.sum()),
        log_loss=mean(stick, loss, rows),
        brier=mean(stick, (chance - won) ** 2, rows),
        slope=slope(stick, chance, won, rows),
        bins=bins(stick, chance, won, rows),
        accept_rate=mean(stick, (scans.reason == "").astype(np.float64), np.full(len(scans), True)),
        win_rate=mean(stick, won.astype(np.float64), signals),
        lean_win_rate=mean(stick, won.astype(np.float64), rows),
        expectancy_r=mean(stick, scans.net_r, signals),
        lean_r=mean(stick, scans.net_r, rows),
        total_r=total(stick, scans.net_r, signals),
        regret={name: mean(stick, loss - other, rows) for name, other in rivals.items()},
        best_head=best,
    )


def _best(scans: Scans, said: Mapping[str, FloatArray]) -> str | None:
    """The best head among those that voted on a scored scan at all: silence is the base rate, which is a rival too."""
    rows = scans.scored
    voted = [head for head, column in zip(said, scans.evidence.T, strict=True) if column[rows].any()]
    return best_head(np.array([said[head][rows] for head in voted]), tuple(voted)) if voted else None


def slope(stick: Yardstick, chance: FloatArray, won: BoolArray, rows: BoolArray) -> Estimate:
    """Slope of outcomes on stated log-odds. Each resample of days moves it by one Newton step from the fit on all days,
    whose terms are sums over days (Andrews 2002): as good as fitting anew and far cheaper."""
    clipped = np.clip(chance, PROBABILITY_FLOOR, 1 - PROBABILITY_FLOOR)
    margin, count = np.log(clipped / (1 - clipped)), int(rows.sum())
    found = calibrate(margin[rows], won[rows], np.ones(count))
    if found is None:
        return Estimate(None, count)
    fitted = probability(found.applied(margin))
    miss, curve = rows * (won - fitted), rows * fitted * (1 - fitted)

    def stepped(sums: FloatArray) -> FloatArray:
        pull, pull_margin, flat, cross, square = np.moveaxis(sums, -1, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            moved: FloatArray = found.slope + (flat * pull_margin - cross * pull) / (flat * square - cross * cross)
        return moved

    columns = miss, miss * margin, curve, curve * margin, curve * margin * margin
    return replace(drawn(stick, stepped, [rows], *columns), value=found.slope)


def bins(stick: Yardstick, chance: FloatArray, won: BoolArray, rows: BoolArray) -> tuple[Bin, ...]:
    """The bins of `calibration` with intervals over days: scans of one day are not as many witnesses."""
    place = np.where(rows, np.minimum((chance * BINS).astype(np.int64), BINS - 1), -1)
    found = []
    for each in calibration(chance[rows], won[rows], BINS).bins:
        found.append(replace(each, happened=mean(stick, won.astype(np.float64), place == round(each.low * BINS))))
    return tuple(found)
