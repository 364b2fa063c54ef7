"""What each gate's refusals were worth, anywhere, in each regime and for each symbol, against what was published."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from django.db.models import QuerySet

from analytics.selectors.estimates import LEVEL, Estimate
from analytics.selectors.scope import Scope
from ingestion.timeframes import FloatArray, IntArray
from learning import evaluation
from learning.gate_days import UNKNOWN_REASON, GateDays, cube
from learning.models import RejectionLearningMetrics
from learning.refusals import Held, counted, read_days
from signals.gates import REASONS
from signals.models import RejectedSignal, Signal
from signals.regime import Regime

FIGURES = (
    *("shadows", "good", "missed", "neutral", "void", "sum_net_r", "opportunity_cost_r", "avoided_loss_r"),
    *("targets", "stops", "timeouts", "target_net_r", "stop_net_r", "timeout_net_r"),
    *("target_net_pct", "stop_net_pct", "timeout_net_pct"),
)
# What is summed by day of the refused leans, of the published ones they are weighed against, and what is only counted.
WEIGHED, PUBLISHED = ("sum_net_r", "valued", "good", "judged"), ("sum_net_r", "valued")
COUNTED = ("shadows", "missed", "neutral", "opportunity_cost_r", "avoided_loss_r")
RESAMPLED = (*WEIGHED, "published_net_r", "published")
MEAN_R, ACCURACY, AGAINST = (0, 1), (2, 3), (4, 5, 0, 1)


def held_in(scope: Scope) -> Held:
    return Held.around(scope.since, scope.until)


def whole_days(scope: Scope, held: Held) -> QuerySet[RejectionLearningMetrics]:
    """The rows of the days that lie inside the scope as a whole."""
    rows = RejectionLearningMetrics.objects.filter(day__in=held.inside, regime__isnull=False)
    return rows.filter(**{name: getattr(scope, name) for name in ("symbol", "timeframe") if getattr(scope, name)})


def gate_days(scope: Scope, held: Held, figures: Sequence[str] = FIGURES) -> GateDays:
    """Leans whose time limit ended inside the scope: whole cohorts, since early resolvers are mostly losses.

    Whole days are read from the daily table; the edges of the scope, and days that the last night could not yet count,
    are counted now. The day is that of the decision.
    """
    parts = [read_days(whole_days(scope, held), figures)]
    for model in (RejectedSignal, Signal):
        matured = model._default_manager.filter(held.elsewhere, **scope.filters("expires_at")).exclude(outcome="")
        parts.append(read_days(counted(matured), figures))
    return GateDays.joined(parts)


@dataclass(frozen=True)
class GateWorth:
    """The refusals of one gate: counts, and what they were worth in net R a lean.

    `against_published`: mean net R of the published leans less that of the refused, in the same regime or symbol.
    """

    reason: str
    key: str
    count: int
    good: int
    missed: int
    neutral: int
    mean_r: Estimate
    accuracy: Estimate
    against_published: Estimate
    opportunity_cost_r: float | None
    avoided_loss_r: float | None
    days: int

    def a_day(self, figure: float | None) -> float | None:
        return figure / self.days if figure is not None and self.days else None


@dataclass(frozen=True)
class Worths:
    """Everything that was refused, and the same by gate, by gate and regime, and by gate and symbol."""

    overall: GateWorth
    by_reason: Mapping[str, GateWorth]
    by_regime: Mapping[str, Mapping[str, GateWorth]]
    by_symbol: Mapping[str, Mapping[str, GateWorth]]


@dataclass(frozen=True)
class Split:
    """Groups of leans: a refused row's group is its reason among `reasons` and its key among `keys`, both or one."""

    reasons: Sequence[str]
    keys: Sequence[str]
    refused: IntArray
    published: IntArray

    @property
    def groups(self) -> int:
        return len(self.reasons) * len(self.keys)


def worths(figures: GateDays) -> Worths:
    """What the refusals were worth. All intervals come from the same resampled days."""
    refused, published = figures.refused, figures.published
    regimes, symbols, lowest = [regime.name.lower() for regime in Regime], figures.symbols, min(Regime)
    none = np.zeros(len(refused), np.int64), np.zeros(len(published), np.int64)
    # One that no gate gives any more is in the sum of all alone.
    reason = np.where(refused.reason < UNKNOWN_REASON, refused.reason - 1, -1)
    splits = [
        Split([""], [""], *none),
        Split(REASONS, [""], reason, none[1]),
        _crossed(reason, regimes, refused.regime - lowest, published.regime - lowest),
        _crossed(reason, symbols, refused.symbol, published.symbol),
    ]
    everything, by_reason, by_regime, by_symbol = _worths(figures, splits)
    return Worths(
        overall=everything[0],
        by_reason={worth.reason: worth for worth in by_reason},
        by_regime=_nested(by_regime, regimes),
        by_symbol=_nested(by_symbol, symbols),
    )


def _crossed(reason: IntArray, keys: Sequence[str], refused: IntArray, published: IntArray) -> Split:
    return Split(REASONS, keys, np.where(reason < 0, -1, reason * len(keys) + refused), published)


def _nested(found: Sequence[GateWorth], keys: Sequence[str]) -> dict[str, dict[str, GateWorth]]:
    """Key -> reason -> worth, of those that refused anything, in the order of keys and reasons."""
    by_key: dict[str, dict[str, GateWorth]] = {key: {} for key in keys}
    for worth in found:
        if worth.count:
            by_key[worth.key][worth.reason] = worth
    return {key: worth for key, worth in by_key.items() if worth}


def _worths(figures: GateDays, splits: Sequence[Split]) -> list[list[GateWorth]]:
    days = np.unique(figures.day)
    totals = np.concatenate([_totals(days, figures, split) for split in splits], axis=1)
    # Most gates refuse nothing for most symbols; those groups have no figure to resample.
    refused = totals[..., WEIGHED.index("valued")].any(axis=0)
    weighed = totals[:, refused, : len(RESAMPLED)]
    seed = evaluation.seed_of(weighed)
    found = np.full((3, totals.shape[1], 3), np.nan)
    found[:, refused] = evaluation.day_bootstraps((MEAN_R, ACCURACY, AGAINST), weighed, seed=seed, level=LEVEL)
    named = [(reason, key) for split in splits for reason in split.reasons for key in split.keys]
    sums = totals.sum(axis=0).tolist()
    described = iter([_worth(*row, len(days)) for row in zip(named, found.swapaxes(0, 1), sums, strict=True)])
    return [list(islice(described, split.groups)) for split in splits]


def _totals(days: IntArray, figures: GateDays, split: Split) -> FloatArray:
    """Sums by day of each group's refused leans and of the published ones of its key, (days, groups, columns)."""
    refused = cube(days, figures.refused, split.refused, split.groups, (*WEIGHED, *COUNTED))
    published = cube(days, figures.published, split.published, len(split.keys), PUBLISHED)
    beside = np.tile(published, (1, len(split.reasons), 1))
    return np.concatenate([refused[..., : len(WEIGHED)], beside, refused[..., len(WEIGHED) :]], axis=2)


def _worth(names: tuple[str, str], found: FloatArray, sums: Sequence[float], days: int) -> GateWorth:
    summed = dict(zip((*RESAMPLED, *COUNTED), sums, strict=True))
    valued, judged, published = (int(summed[name]) for name in ("valued", "judged", "published"))
    cases = (valued, judged, valued + published if valued and published else 0)
    mean_r, accuracy, against = (_estimate(figure, n) for figure, n in zip(found, cases, strict=True))
    return GateWorth(
        reason=names[0],
        key=names[1],
        count=int(summed["shadows"]),
        good=int(summed["good"]),
        missed=int(summed["missed"]),
        neutral=int(summed["neutral"]),
        mean_r=mean_r,
        accuracy=accuracy,
        against_published=against,
        opportunity_cost_r=summed["opportunity_cost_r"] if valued else None,
        avoided_loss_r=summed["avoided_loss_r"] if valued else None,
        days=days,
    )


def _estimate(figure: FloatArray, n: int) -> Estimate:
    value, low, high = (None if np.isnan(number) else float(number) for number in figure)
    return Estimate(value, n, low, high)
