"""A score from weighted parts: those without data drop out, the rest share their weight. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import FloatArray
from signals.frame import Frame
from signals.indicators.primitives import ratio

# What a head states at a full score. It only says "better than an even chance, the more so the stronger": the
# consensus calibrates the figure. On candles of minutes to hours nothing of this kind deserves more.
FULL_SCORE_PROBABILITY = 0.75


@dataclass(frozen=True)
class Balance:
    """What the parts say together; arrays of shape (bars,), score and agreement NaN where no part has data.

    score: -1..1, the weighted mean. agreement: |sum| over the sum of absolute values, 1 when no part contradicts,
    0 when they cancel or are all silent. present: the share of the total weight that had data.
    """

    score: FloatArray
    agreement: FloatArray
    present: FloatArray


def balance(parts: Sequence[tuple[float, FloatArray]]) -> Balance:
    """Weighted mean of (weight, values) pairs, values of shape (bars,) in -1..1 or NaN; added in the order given."""
    bars = len(parts[0][1])
    pull, strength, weight = np.zeros((3, bars))
    total = 0.0
    for share, values in parts:
        there = np.isfinite(values)
        pulled = np.where(there, share * values, 0.0)
        pull += pulled
        strength += np.abs(pulled)
        weight += np.where(there, share, 0.0)
        total += share
    return Balance(
        score=ratio(pull, weight, at_zero=np.nan),
        agreement=np.where(weight > 0, ratio(np.abs(pull), strength, at_zero=0.0), np.nan),
        present=weight / total,
    )


def bounded(values: FloatArray) -> FloatArray:
    """`values` clipped to -1..1; NaN stays NaN."""
    return np.clip(values, -1.0, 1.0)


def change(values: FloatArray, bars: int) -> FloatArray:
    """Each value less the one `bars` rows before, same shape, NaN on the first `bars` rows."""
    moved = np.full(len(values), np.nan)
    moved[bars:] = values[bars:] - values[:-bars]
    return moved


def stated_probability(score: FloatArray) -> FloatArray:
    """0.5 at no score, FULL_SCORE_PROBABILITY at a score of 1 or -1, straight between; shape (bars,)."""
    stated: FloatArray = 0.5 + (FULL_SCORE_PROBABILITY - 0.5) * np.abs(score)
    return stated


def in_atrs(frame: Frame, distance: FloatArray) -> FloatArray:
    """A price distance in units of ATR 14, shape (bars,); NaN where nothing has moved."""
    return ratio(distance, frame["atr_14"], at_zero=np.nan)
