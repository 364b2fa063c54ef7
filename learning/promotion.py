"""What may go live and what must come back: every guard gives a verdict with figures and a reason in words. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.betting import Bets
from learning.calibration import CalibrationFit, calibrate
from learning.config import Config
from learning.events import Events, design_effect
from learning.logistic import event_losses, log_odds, probability
from learning.state import theta_of
from signals.consensus import Weights

TARGET_R = 2.0
Figure = float | int | None

# Student's t, 99.5 % one-sided, by degrees of freedom; a replay has 7 to 14 days unless configured otherwise.
T_995 = (63.657, 9.925, 5.841, 4.604, 4.032, 3.707, 3.499, 3.355, 3.250, 3.169, 3.106, 3.055, 3.012, 2.977, 2.947)
NORMAL_995 = 2.576


@dataclass(frozen=True)
class Verdict:
    """One guard's answer. `passed` is True also where there was too little to judge; the reason then says so."""

    name: str
    passed: bool
    reason: str
    figures: Mapping[str, Figure] = field(default_factory=dict)


@dataclass(frozen=True)
class Twins:
    """Accepted signals beside their own shadow twins: how far the two paths through the code differ."""

    count: int
    mean_difference_r: float
    agreement: float


def compare_twins(signal_r: FloatArray, shadow_r: FloatArray) -> Twins | None:
    """Net R of signals and of their twins, row by row (n,); None without any. Agreement is on won or lost."""
    if len(signal_r) != len(shadow_r):
        raise ValueError("every signal needs its twin: pass arrays of one length")
    if len(signal_r) == 0:
        return None
    agreement = float(((signal_r > 0) == (shadow_r > 0)).sum()) / len(signal_r)
    return Twins(len(signal_r), float((signal_r - shadow_r).sum()) / len(signal_r), agreement)


def judge_opening(bets: Bets, knowing: Bets, config: Config) -> Verdict:
    """First opening: has the learner beaten equal weights out of sample, and does it know more than the base rates?

    The second question keeps a learner out that beats over-confident equal weights by going quiet.
    """
    needed = config.betting_threshold
    figures: dict[str, Figure] = {"e_value": bets.value, "days": bets.days, "needed": needed}
    figures |= {"e_value_base_rate": knowing.value, "days_base_rate": knowing.days}
    if bets.days < config.opening_days:
        reason = (
            f"{bets.days} of at least {config.opening_days} days compared with equal weights (E = {bets.value:.2f})"
        )
        return Verdict("opening", False, reason, figures)
    better, knows = bets.value >= needed, knowing.value >= needed
    outcome = "beats equal weights" if better else "has not yet proven to beat equal weights"
    reason = f"the learner {outcome}: E = {bets.value:.2f} over {bets.days} days, {needed:g} needed"
    more = "and knows more than" if knows else "and has not yet proven to know more than"
    reason += f"; {more} the base rates: E = {knowing.value:.2f} over {knowing.days} days that were bet on"
    return Verdict("opening", better and knows, reason, figures)


def judge_guard(bets: Bets, config: Config) -> Verdict:
    """Live guard: has the live path lost to equal weights? Not passed means roll back."""
    figures: dict[str, Figure] = {"e_value": bets.value, "days": bets.days, "needed": config.betting_threshold}
    failed = bets.value >= config.betting_threshold
    outcome = "is worse than equal weights" if failed else "is not shown to be worse than equal weights"
    reason = f"the live version {outcome}: E = {bets.value:.2f} over {bets.days} days"
    return Verdict("live_guard", not failed, reason, figures)


def judge_night(
    draft: Weights,
    in_force: Weights,
    known: Events,
    *,
    effective_events: float,
    threshold_r: float | None,
    twins: Twins | None,
    config: Config,
) -> tuple[Verdict, ...]:
    """Every veto of the night, also after the first one that refuses. `known` are collected events."""
    recent = labelled_days(known, config)
    return (
        judge_evidence(effective_events, config),
        judge_replay(draft, in_force, recent, config),
        judge_calibration(draft, in_force, recent, config),
        judge_accept_rate(draft, in_force, recent, threshold_r, config),
        judge_twins(twins, config),
    )


def labelled_days(known: Events, config: Config) -> Events:
    """The events of the last days (at most 14) that have any."""
    days = np.unique(known.decided_day)
    return known.rows(known.decided_day >= days[-config.veto_days_max :][0]) if len(days) else known


def judge_evidence(effective_events: float, config: Config) -> Verdict:
    passed = effective_events >= config.minimum_events
    reason = f"{effective_events:.0f} effective events, {config.minimum_events:.0f} needed"
    return Verdict("evidence", passed, reason, {"effective_events": effective_events})


def judge_replay(draft: Weights, in_force: Weights, recent: Events, config: Config) -> Verdict:
    """Replay on the last labelled days: significantly worse than the version in force (one-sided t, 99.5 %)?"""
    daily = daily_differences(theta_of(draft), theta_of(in_force), recent)
    count = len(daily)
    figures: dict[str, Figure] = {"days": count, "mean_difference": None, "t": None}
    if count < config.veto_days_min:
        return Verdict("replay", True, f"not judged: {count} of {config.veto_days_min} labelled days", figures)
    mean = float(daily.sum()) / count
    spread = math.sqrt(float(((daily - mean) ** 2).sum()) / (count - 1))
    t = mean / (spread / math.sqrt(count)) if spread > 0 else (math.copysign(1e9, mean) if mean else 0.0)
    needed = T_995[count - 2] if count - 2 < len(T_995) else NORMAL_995
    reason = f"log-loss {mean:+.5f} nats a scan against the version in force over {count} days, t = {t:.2f} of {needed}"
    return Verdict("replay", t <= needed, reason, {**figures, "mean_difference": mean, "t": t, "t_limit": needed})


def daily_differences(theta: FloatArray, other: FloatArray, events: Events) -> FloatArray:
    """Mean log-loss of `theta` minus that of `other` for each decision day that has events, in order of time."""
    votes = np.ascontiguousarray(events.evidence.T)
    won_long, won_short = events.won_long.astype(np.float64), events.won_short.astype(np.float64)
    difference = event_losses(theta, votes, won_long, won_short) - event_losses(other, votes, won_long, won_short)
    _, day = np.unique(events.decided_day, return_inverse=True)
    totals = np.bincount(day, weights=events.uniqueness * difference)
    means: FloatArray = totals / np.bincount(day, weights=events.uniqueness)
    return means


@dataclass(frozen=True)
class Leans:
    """What a version would have leaned to on events: the rows where it leans, log-odds of a win, and whether it won."""

    rows: BoolArray
    margin: FloatArray
    won: BoolArray


def leans(weights: Weights, events: Events) -> Leans:
    """The version's own leans on the events' evidence; an event whose heads cancel out is no lean."""
    pooled = log_odds(weights.beta, np.ascontiguousarray(events.evidence.T))
    long, rows = pooled > 0, pooled != 0
    margin = np.where(long, weights.bias[0], weights.bias[1]) + np.abs(pooled)
    return Leans(rows, margin[rows], np.where(long, events.won_long, events.won_short)[rows])


def calibration_of(weights: Weights, events: Events) -> CalibrationFit | None:
    """Calibration of the version's leans, each weighing its uniqueness over the design effect of the hour blocks."""
    found = leans(weights, events)
    if not found.rows.any():
        return None
    used = events.rows(found.rows)
    residual = used.uniqueness * (found.won - probability(found.margin)) * (found.margin - found.margin.mean())
    effect = design_effect(used.hour_block, residual, used.series)
    return calibrate(found.margin, found.won, used.uniqueness / effect)


def judge_calibration(draft: Weights, in_force: Weights, recent: Events, config: Config) -> Verdict:
    """Vetoed when the slope's whole 99.5 % interval lies outside 0.7-1.4, unless the version in force is as far off or
    scores worse on the same days.

    A point estimate would veto a pool that rightly knows next to nothing, whose slope is noise. Without the comparison
    a bad version would stay in force because the better one is not yet good: capped steps toward a sharper pool are
    all too timid, the more so the better they tell wins from losses, and only log-loss sees that they gain.
    """
    days = len(np.unique(recent.decided_day))
    found = calibration_of(draft, recent) if days >= config.veto_days_min else None
    if found is None:
        return Verdict("calibration", True, f"not judged: {days} labelled days", {"days": days, "slope": None})
    low, high = config.calibration_slope
    reach = NORMAL_995 * found.slope_error
    figures: dict[str, Figure] = {"days": days, "slope": found.slope, "slope_error": found.slope_error}
    reason = f"calibration slope {found.slope:.2f} +- {reach:.2f} over {days} days, allowed {low} to {high}"
    if low <= found.slope + reach and found.slope - reach <= high:
        return Verdict("calibration", True, reason, figures)
    current = calibration_of(in_force, recent)
    if current is None or _off(found.slope, low, high) <= _off(current.slope, low, high):
        return Verdict("calibration", True, f"{reason}; no further off than the version in force", figures)
    gains = daily_differences(theta_of(draft), theta_of(in_force), recent).sum() < 0
    suffix = "; its log-loss is below that of the version in force" if gains else ""
    return Verdict("calibration", bool(gains), reason + suffix, figures)


def judge_accept_rate(
    draft: Weights, in_force: Weights, recent: Events, threshold_r: float | None, config: Config
) -> Verdict:
    """Vetoed when the draft would let pass too few or too many scans, unless the version in force is as far off."""
    days = len(np.unique(recent.decided_day))
    if threshold_r is None or days < config.veto_days_min:
        cause = f"{days} labelled days" if threshold_r is not None else "no quality threshold"
        return Verdict("accept_rate", True, f"not judged: {cause}", {"accept_rate": None})
    low, high = config.accept_rate
    rate, rate_now = accept_rate(draft, recent, threshold_r), accept_rate(in_force, recent, threshold_r)
    off, off_now = _off(rate, low, high), _off(rate_now, low, high)
    reason = f"accept rate {100 * rate:.2f} % over {days} days, allowed {100 * low:g} to {100 * high:g} %"
    if off > 0 and off <= off_now:
        reason += "; no further off than the version in force"
    figures: dict[str, Figure] = {"accept_rate": rate, "accept_rate_in_force": rate_now, "scans": len(recent)}
    return Verdict("accept_rate", off == 0 or off <= off_now, reason, figures)


def expected_r(weights: Weights, events: Events) -> FloatArray:
    """Expected net R of the version's lean on each event (n,); NaN where it has none."""
    found = leans(weights, events)
    chance = probability(found.margin)
    expected = np.full(len(events), np.nan)
    expected[found.rows] = chance * TARGET_R - (1 - chance) - events.cost_r[found.rows]
    return expected


def accept_rate(weights: Weights, events: Events, threshold_r: float) -> float:
    """Share of the scans that would pass the quality gate and had passed the gates that do not depend on weights."""
    passed = events.eligible & (expected_r(weights, events) >= threshold_r)
    return float(passed.sum()) / len(events) if len(events) else 0.0


def judge_twins(twins: Twins | None, config: Config) -> Verdict:
    """Red when accepted signals and their shadow twins disagree: the labels of one of the two paths are wrong."""
    if twins is None:
        return Verdict("twins", True, "not judged: no accepted signal has a resolved twin", {"count": 0})
    close = abs(twins.mean_difference_r) <= config.twin_difference_r
    agree = twins.agreement >= config.twin_agreement
    reason = f"{twins.count} twins differ by {twins.mean_difference_r:+.3f} R, agree in {100 * twins.agreement:.1f} %"
    figures: dict[str, Figure] = {
        "count": twins.count,
        "mean_difference_r": twins.mean_difference_r,
        "agreement": twins.agreement,
    }
    return Verdict("twins", close and agree, reason, figures)


def _off(value: float, low: float, high: float) -> float:
    """How far outside [low, high] a value lies; 0 inside."""
    return max(low - value, value - high, 0.0)
