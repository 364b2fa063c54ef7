"""What the gates' figures propose: gates that cost money, and regime limits to loosen or tighten. Pure numpy.

Proposals go to people with their evidence; nothing here is ever applied by itself. A lean stands under the first gate
that refused it, and others might have refused it after that: a proposal says where to look, not what would be earned.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np

from ingestion.timeframes import FloatArray, IntArray
from learning.gate_days import GateDays, cube
from learning.student import student_reach
from signals.gates import REASONS
from signals.regime import Regime

LEVEL = 0.95
# With fewer days or leans the day sums are far from normal, and Student's t excludes more than it should.
LEAST_DAYS, LEAST_LEANS = 10, 30
WINDOW_DAYS = 90
REGIME_GATE = "regime_limit"
GATE, IN_REGIME, FOR_SYMBOL, LIMIT = KINDS = ("gate", "gate_in_regime", "gate_for_symbol", "regime_limit")


@dataclass(frozen=True)
class Question:
    """Leans to ask about: their sums and counts by day (days,), and which side of zero would be news (+1 or -1)."""

    kind: str
    reason: str
    regime: Regime | None
    symbol: str
    news: int
    sums: FloatArray
    counts: FloatArray

    @property
    def can_be_asked(self) -> bool:
        return int((self.counts > 0).sum()) >= LEAST_DAYS and float(self.counts.sum()) >= LEAST_LEANS


@dataclass(frozen=True)
class Proposal:
    """One thing to look at: what kind, which leans, the limit now and as proposed, and the evidence.

    The evidence is their mean net R with its interval at `level`, which excludes 0.
    """

    kind: str
    reason: str
    regime: Regime | None
    symbol: str
    limit: int | None
    proposed: int | None
    level: float
    mean_r: float
    ci_low: float
    ci_high: float
    n: int
    days: int

    def described(self) -> dict[str, Any]:
        """Plain values, for a report."""
        regime = None if self.regime is None else self.regime.name.lower()
        return {**vars(self), "regime": regime}


def propose(figures: GateDays, limits: Mapping[Regime, int]) -> list[Proposal]:
    """What the figures of whole days propose; `limits` are the regime limits in force.

    All questions together raise a false alarm in at most 5 % of the looks: each kind of question has an equal part of
    that, and the questions of a kind share it (Bonferroni). Each look is one look: who looks every week is told
    something false more often than who looks once.
    """
    asked = _asked_once([question for question in questions(figures, limits) if question.can_be_asked])
    found = []
    for question in asked:
        rivals = len(KINDS) * sum(other.kind == question.kind for other in asked)
        mean, reach = day_interval(question.sums, question.counts, 1 - (1 - LEVEL) / rivals)
        if (mean - reach if question.news > 0 else -mean - reach) > 0:
            found.append(_proposal(question, limits, 1 - (1 - LEVEL) / rivals, mean, reach))
    return found


def _asked_once(asked: list[Question]) -> list[Question]:
    """Without those about a regime or symbol that are about all of a gate's leans."""
    whole = {question.reason: float(question.counts.sum()) for question in asked if question.kind == GATE}
    parts = (IN_REGIME, FOR_SYMBOL)
    return [q for q in asked if q.kind not in parts or float(q.counts.sum()) < whole[q.reason]]


def day_interval(sums: FloatArray, counts: FloatArray, level: float) -> tuple[float, float]:
    """The mean of cases with how far its interval reaches, from sums and counts by day; days are what varies.

    The linearised ratio with Student's t. 2,000 resampled days, which serve elsewhere, cannot tell levels such as
    99.99 %, and never leave the range of the days they have. Two days with cases at least.
    """
    seen = counts > 0
    sums, counts = sums[seen], counts[seen]
    days, cases = len(sums), float(counts.sum())
    mean = float(sums.sum()) / cases
    left = sums - mean * counts
    error = sqrt(days / (days - 1) * float((left * left).sum())) / cases
    return mean, student_reach(level, days - 1) * error


def questions(figures: GateDays, limits: Mapping[Regime, int]) -> Iterator[Question]:
    """Do leans pay that a gate refuses, anywhere, in a regime, for a symbol; do published ones lose in a regime?"""
    refused, published = figures.refused, figures.published
    days = np.unique(figures.day)
    for code, reason in enumerate(REASONS, start=1):
        mine = refused.reason == code
        yield from _asked(GATE, reason, days, refused, np.where(mine, 0, -1), [(None, "")], +1)
        regimes = list(limits) if reason == REGIME_GATE else list(Regime)
        kind = LIMIT if reason == REGIME_GATE else IN_REGIME
        place = np.where(mine, _places(refused.regime, regimes), -1)
        yield from _asked(kind, reason, days, refused, place, ((regime, "") for regime in regimes), +1)
        named = ((None, symbol) for symbol in figures.symbols)
        yield from _asked(FOR_SYMBOL, reason, days, refused, np.where(mine, refused.symbol, -1), named, +1)
    place = _places(published.regime, list(limits))
    yield from _asked(LIMIT, "", days, published, place, ((regime, "") for regime in limits), -1)


def _asked(
    kind: str,
    reason: str,
    days: IntArray,
    rows: GateDays,
    place: IntArray,
    groups: Iterable[tuple[Regime | None, str]],
    news: int,
) -> Iterator[Question]:
    known = list(groups)
    totals = cube(days, rows, place, len(known), ("sum_net_r", "valued"))
    for number, (regime, symbol) in enumerate(known):
        yield Question(kind, reason, regime, symbol, news, totals[:, number, 0], totals[:, number, 1])


def _places(regime: IntArray, regimes: list[Regime]) -> IntArray:
    """Each row's place among the regimes, -1 where it is none of them."""
    place = np.full(len(regime), -1)
    for number, known in enumerate(regimes):
        place[regime == known] = number
    return place


def _proposal(question: Question, limits: Mapping[Regime, int], level: float, mean: float, reach: float) -> Proposal:
    limit = limits[question.regime] if question.kind == LIMIT and question.regime is not None else None
    return Proposal(
        kind=question.kind,
        reason=question.reason,
        regime=question.regime,
        symbol=question.symbol,
        limit=limit,
        proposed=None if limit is None else max(limit + question.news, 0),
        level=level,
        mean_r=mean,
        ci_low=mean - reach,
        ci_high=mean + reach,
        n=int(question.counts.sum()),
        days=int((question.counts > 0).sum()),
    )
