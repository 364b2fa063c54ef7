"""Rivals of the learner as courses: each head alone, a static logistic fit, the naive moving average. Pure."""

from collections.abc import Mapping

import numpy as np

from ingestion.timeframes import BoolArray, IntArray
from learning.calendar import DAY_MS
from learning.config import Config
from learning.evaluating.course import Course
from learning.evaluating.paths import Scans
from learning.logistic import INTERCEPT_LIMIT, INTERCEPTS, Problem, Sample, fit
from learning.planted.rivals import HitRates
from signals.consensus import BIRTH_BIAS

STATIC, AVERAGE = "static fit", "moving average"
STATIC_RIDGE = 1.0  # the penalty most software has by default; it also keeps a silent head at 0


def alone(base: Course, heads: tuple[str, ...]) -> Mapping[str, Course]:
    """Each head taken at its word, with the base rates of `base` (see evaluation.head_losses)."""
    return {head: base.with_betas(word) for head, word in zip(heads, np.eye(len(heads)), strict=True)}


def won_sides(scans: Scans) -> tuple[BoolArray, BoolArray]:
    """Whether the long and whether the short bracket of each scored scan won."""
    long = np.where(scans.side > 0, scans.net_r, scans.mirror_r)
    short = np.where(scans.side > 0, scans.mirror_r, scans.net_r)
    return long > 0, short > 0


def static_course(scans: Scans, days: IntArray, limit_ms: int) -> Course:
    """One logistic fit a night, on every decision whose time limit and one day of embargo lie before that midnight.

    Nothing fades, nothing is capped, every decision weighs 1. `days`: the first stands for all before any night, when
    it says what a driftless walk does.
    """
    known = scans.take(scans.scored)
    won_long, won_short = won_sides(known)
    free_ms = known.close_ms + limit_ms + Config().embargo_days * DAY_MS
    sample = Sample(
        np.ascontiguousarray(known.evidence.T),
        won_long.astype(np.float64),
        won_short.astype(np.float64),
        np.ones(len(known)),
    )
    heads = scans.evidence.shape[1]
    theta = np.concatenate([np.full(INTERCEPTS, BIRTH_BIAS), np.zeros(heads)])
    limit = np.concatenate([np.full(INTERCEPTS, INTERCEPT_LIMIT), np.full(heads, np.inf)])
    found = [theta]
    for day in days[1:].tolist():
        rows = free_ms <= day * DAY_MS
        if rows.any():
            theta = fit(Problem(sample.rows(rows), STATIC_RIDGE, 0.0, -limit, limit), theta).theta
        found.append(theta)
    return Course(days, np.array(found))


def average_course(scans: Scans, base: Course, days: IntArray, limit_ms: int) -> Course:
    """The update of the earlier system: weights in proportion to a moving average of each head's hit rate.

    Each night takes the decisions that matured since the one before; a head hits where the bracket of the side it
    voted for won. The betas add up to those of equal weights, the base rates are those of `base`. `days` as for the
    static fit.
    """
    known = scans.take(scans.scored)
    won_long, won_short = won_sides(known)
    hit = np.where(known.evidence > 0, won_long[:, None], won_short[:, None])
    hits = np.where(known.evidence != 0, np.where(hit, 1.0, -1.0), 0.0)
    matured = -(-(known.close_ms + limit_ms) // DAY_MS)
    rule = HitRates(scans.evidence.shape[1])
    beta = [rule.weights]
    for day in days[1:].tolist():
        tonight = hits[matured == day]
        # Both brackets of a scan may lose: each vote comes as hit or miss, and there is no side left to have won.
        rule.learn(tonight, np.ones(len(tonight)))
        beta.append(rule.weights)
    return Course(days, base.in_force(days)).with_betas(np.array(beta))
