"""Leans as the weights of their decision stated them, before any calibration: what a calibration is fitted to.

Pure numpy.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.calendar import DAY_MS, EFFECTIVE_AFTER_MS, HOUR_MS
from learning.events import KeyArray, design_effect
from learning.labels import Label, series_of
from learning.logistic import log_odds, probability
from learning.structure import Scores
from signals.columns import Rows
from signals.consensus import SideArray, Weights


@dataclass(frozen=True)
class Stated(Rows):
    """Leans that ended and are not void, (n,): `margin` the log-odds of a win that the weights in force gave them."""

    key: KeyArray
    decided_ms: IntArray
    expires_ms: IntArray
    series: IntArray
    margin: FloatArray
    won: BoolArray
    uniqueness: FloatArray


def raw_margin(weights: Weights, evidence: FloatArray, side: SideArray) -> FloatArray:
    """a_side + side g of leans with evidence (n, H) toward "up"; shape (n,)."""
    intercept = np.where(side > 0, weights.bias[0], weights.bias[1])
    margin: FloatArray = intercept + side * log_odds(weights.beta, np.ascontiguousarray(evidence.T))
    return margin


def stated_of(labels: Sequence[Label], versions: Mapping[int, Weights]) -> Stated:
    """The leans of labels in any order, void ones left out, under the versions of their decisions."""
    used = [label for label in labels if not label.is_void]
    return Stated(
        key=np.array([label.scan_id.hex.encode() for label in used], dtype="S32"),
        decided_ms=np.array([label.decided_ms for label in used], dtype=np.int64),
        expires_ms=np.array([label.expires_ms for label in used], dtype=np.int64),
        series=np.array([series_of(label.symbol) for label in used], dtype=np.int64),
        margin=margins_under(
            versions,
            np.array([label.weight_version for label in used], dtype=np.int64),
            np.array([label.evidence for label in used], dtype=np.float64),
            np.array([label.side for label in used], dtype=np.int8),
        ),
        won=np.array([label.net_r is not None and label.net_r > 0 for label in used], dtype=np.bool_),
        uniqueness=np.array([label.uniqueness for label in used], dtype=np.float64),
    )


def margins_under(
    versions: Mapping[int, Weights], number: IntArray, evidence: FloatArray, side: SideArray
) -> FloatArray:
    """Each lean's raw margin under the weight version of its number (n,)."""
    margins = np.full(len(number), np.nan)
    for version in np.unique(number).tolist():
        rows = np.flatnonzero(number == version)
        margins[rows] = raw_margin(versions[version], evidence[rows], side[rows])
    return margins


def matured(leans: Stated, cut_off_ms: int, most: int) -> Stated:
    """The newest `most` leans whose time limit lies before the cut-off, in order of decision and key."""
    ripe = leans.take(leans.expires_ms <= cut_off_ms)
    return ripe.take(np.lexsort((ripe.key, ripe.decided_ms))[-most:])


def scores_of(leans: Stated) -> Scores:
    """Prequential scores of matured leans, each weighing its uniqueness over the design effect of the hour blocks."""
    effect = 1.0
    if len(leans):
        surprise = leans.uniqueness * (leans.won - probability(leans.margin))
        residual = surprise * (leans.margin - leans.margin.mean())
        effect = design_effect(leans.decided_ms // HOUR_MS, residual, leans.series)
    decided_day = (leans.decided_ms - EFFECTIVE_AFTER_MS) // DAY_MS
    return Scores(leans.margin, leans.won, leans.uniqueness / effect, decided_day)


def limit_days(leans: Stated) -> int:
    """The longest time limit among the leans, in days, rounded up."""
    return math.ceil(int((leans.expires_ms - leans.decided_ms).max()) / DAY_MS) if len(leans) else 0


def digest_of(leans: Stated) -> str:
    """sha256 over the leans: the same ledger rows under the same versions, the same 64 letters."""
    summary = sha256(b"\n".join(leans.key.tolist()))
    for column in (leans.margin, leans.won, leans.uniqueness):
        summary.update(np.ascontiguousarray(column).tobytes())
    return summary.hexdigest()
