"""The evaluation: every period on its own and all together, with a verdict on each path. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.calendar import DAY_MS
from learning.config import Config
from learning.evaluating.gates import ALL, GateFigures, gates_of
from learning.evaluating.paths import Scans, Trades
from learning.evaluating.period import Period
from learning.evaluating.permuting import Permutation
from learning.evaluating.scores import LEAST_DAYS, PathFigures, figures_of, yardstick
from learning.evaluating.sharpe import Sharpe, sharpe_of
from learning.evaluating.verdict import Verdict, learning_words, verdict
from learning.evaluation import BOOTSTRAPS, log_losses
from learning.head_report import Origin, plain
from learning.lessons import HEAD_NAMES
from signals.scan import Rules


@dataclass(frozen=True)
class PathResult:
    """One path of one body of scans."""

    figures: PathFigures
    gates: Mapping[str, GateFigures]
    sharpe: Sharpe


@dataclass(frozen=True)
class Result:
    """One period, or all of them. `seeds`: of the intervals, by path. `blocks`: those that signals of
    a path lie in, which a verdict rests on. `opened`, `rolled_back`: nights that did."""

    days: int
    nights: int
    opened: int
    rolled_back: int
    blocks: Mapping[str, int]
    seeds: Mapping[str, int]
    paths: Mapping[str, PathResult]
    learning: str


@dataclass(frozen=True)
class Daily:
    """A day in a row of the plots: mean log-loss of scored leans, and sums of net R. NaN where there is none."""

    day: IntArray
    live: FloatArray
    learner: FloatArray
    base_rate: FloatArray
    signals_r: FloatArray
    learner_signals_r: FloatArray
    shadows_r: FloatArray
    signals: IntArray
    learner_signals: IntArray
    shadows: IntArray


@dataclass(frozen=True)
class Evaluation:
    """Everything that page, table and JSON tell."""

    origins: tuple[Origin, ...]
    skipped: tuple[str, ...]
    timeframe: str
    rules: Rules
    periods: Mapping[str, Result]
    together: Result
    permutation: Permutation
    verdicts: Mapping[str, Verdict]
    daily: Daily
    trials: tuple[str, ...]

    @property
    def method(self) -> str:
        """How every figure came about, in words."""
        embargo = Config().embargo_days
        return " ".join(
            (
                "Every scan is scored with the weights in force when it was decided. The learner starts anew with each"
                " period and learns a scan the night after its time limit, however early it ended; scans whose limit"
                " lies beyond the last candle are scored nowhere. The static fit has a further"
                f" {'day' if embargo == 1 else f'{embargo} days'} of embargo.",
                f"Intervals are 95 %, from {BOOTSTRAPS:,} resamples of whole blocks of days; there is none for what"
                f" lies in fewer than {LEAST_DAYS} of them.",
                f"Trials for the deflated Sharpe ratio: {len(self.trials)} ({', '.join(self.trials)}), each walked"
                " through the same gates; the variance is that of the daily Sharpe ratios of those that traded.",
                f"Permutation: the long and the short outcome of every scan change places on half of the days, drawn"
                f" anew for each of {len(self.permutation.shuffled)} shuffles, and the learner's nights are rerun; what"
                " is compared is its mean log-loss gain over the base rate.",
            )
        )


def result_of(period: Period, limit_ms: int) -> Result:
    """All figures of one period or of joined ones."""
    sticks = {name: yardstick(trace.scans, limit_ms) for name, trace in period.paths.items()}
    paths = {}
    for name, trace in period.paths.items():
        paths[name] = PathResult(
            figures=figures_of(trace, HEAD_NAMES, sticks[name]),
            gates=gates_of(trace.scans, sticks[name]),
            sharpe=sharpe_of(Trades.of(trace.scans), period.trials, period.days),
        )
    return Result(
        days=len(period.days),
        nights=period.nights,
        opened=period.opened,
        rolled_back=period.rolled_back,
        blocks={name: sticks[name].blocks_of(trace.scans.signals) for name, trace in period.paths.items()},
        seeds={name: stick.seed for name, stick in sticks.items()},
        paths=paths,
        learning=learning_words(paths["learner"].figures.regret["equal weights"]),
    )


def verdicts_of(result: Result, permutation: Permutation) -> Mapping[str, Verdict]:
    return {
        name: verdict(path.figures, path.gates.get(ALL), path.sharpe, permutation, result.blocks[name])
        for name, path in result.paths.items()
    }


def daily_of(period: Period) -> Daily:
    """The rows of the plots, a day each."""
    live, learner = period.live.scans, period.learner.scans
    base = period.live.rivals["zero"]
    signals, learner_signals, shadows = live.signals, learner.signals, live.scored & ~live.signals
    return Daily(
        day=period.days,
        live=_loss_by_day(live, live.chance, period.days),
        learner=_loss_by_day(live, period.live.rivals["learner"], period.days),
        base_rate=_loss_by_day(live, base, period.days),
        signals_r=_sum_by_day(live, live.net_r, signals, period.days),
        learner_signals_r=_sum_by_day(learner, learner.net_r, learner_signals, period.days),
        shadows_r=_sum_by_day(live, live.net_r, shadows, period.days),
        signals=_count_by_day(live, signals, period.days),
        learner_signals=_count_by_day(learner, learner_signals, period.days),
        shadows=_count_by_day(live, shadows, period.days),
    )


def _loss_by_day(scans: Scans, chance: FloatArray, days: IntArray) -> FloatArray:
    rows = scans.scored
    loss = np.zeros(len(scans))
    loss[rows] = log_losses(chance[rows], scans.net_r[rows] > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: FloatArray = _sum_by_day(scans, loss, rows, days) / _count_by_day(scans, rows, days)
    return found


def _sum_by_day(scans: Scans, values: FloatArray, rows: BoolArray, days: IntArray) -> FloatArray:
    place = np.searchsorted(days, scans.close_ms[rows] // DAY_MS)
    sums: FloatArray = np.bincount(place, weights=values[rows], minlength=len(days)).astype(np.float64)
    return sums


def _count_by_day(scans: Scans, rows: BoolArray, days: IntArray) -> IntArray:
    return np.bincount(np.searchsorted(days, scans.close_ms[rows] // DAY_MS), minlength=len(days)).astype(np.int64)


def as_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as plain values in a fixed order; what is not known is null."""
    permutation = evaluation.permutation
    found: dict[str, Any] = plain(
        {
            "data": evaluation.origins,
            "skipped": evaluation.skipped,
            "timeframe": evaluation.timeframe,
            "bracket": evaluation.rules.bracket,
            "costs": evaluation.rules.costs,
            "method": {"words": evaluation.method, "bootstraps": BOOTSTRAPS, "trials": evaluation.trials},
            "verdict": {
                name: {"kind": each.kind.value, "words": each.words, "findings": each.findings}
                for name, each in evaluation.verdicts.items()
            },
            "together": evaluation.together,
            "periods": evaluation.periods,
            "permutation": {
                "gain": permutation.gain,
                "p_value": permutation.p_value,
                "shuffles": len(permutation.shuffled),
                "mean_shuffled": permutation.mean_shuffled,
                "fit": permutation.fit,
                "leaks": permutation.leaks,
                "events": permutation.events,
                "shuffled": permutation.shuffled,
                "fits": permutation.fits,
            },
            "daily": evaluation.daily,
        }
    )
    return found
