"""What the weekly lesson proposes: the quality threshold and the calibration, each with its evidence. Pure numpy."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.betting import Bets
from learning.calibration import CalibrationFit, calibrate
from learning.config import Config
from learning.logistic import side_loss
from learning.promotion import Figure
from signals.consensus import Calibration

ACCEPT_RATE = 0.015
MOST_WANTED = 0.05
LEAST_SCANS = 1000  # 1.5 % of fewer is a quantile of a dozen rows
IDENTITY = Calibration()


@dataclass(frozen=True)
class ThresholdDraft:
    """A quality threshold (expected net R) to put in force, or the one that stays and why."""

    accepted: bool
    quality_r: float
    reason: str
    figures: Mapping[str, Figure] = field(default_factory=dict)


def wanted_share(reached_serial: int, signals: int) -> float:
    """The share of scans the quality gate should let pass so that about 1.5 % become signals.

    The serial gates hold some back: how many is what they did in the week (`reached_serial` leans passed quality,
    `signals` of them everything). Never more than 5 %, and 1.5 % when nothing reached them.
    """
    if signals == 0:
        return MOST_WANTED if reached_serial else ACCEPT_RATE
    return min(ACCEPT_RATE * reached_serial / signals, MOST_WANTED)


def draft_threshold(
    expected_r: FloatArray, passed: BoolArray, *, in_force: float, share: float = ACCEPT_RATE
) -> ThresholdDraft:
    """The threshold that this share of the week's scans would have passed, never below zero expected R.

    One row a scan, with or without a lean: `expected_r` (n,) is NaN without one, `passed` says that the gates before
    quality let it through. The serial gates come after: `wanted_share` makes up for what they hold back.
    """
    scans = len(expected_r)
    promising = np.sort(expected_r[passed & np.isfinite(expected_r)])[::-1]
    wanted = round(share * scans)
    figures: dict[str, Figure] = {"scans": scans, "candidates": len(promising), "quality_r_before": in_force}
    if scans < LEAST_SCANS:
        reason = f"{scans} scans this week, {LEAST_SCANS} needed: the threshold stays at {in_force:.3f} R"
        return ThresholdDraft(False, in_force, reason, figures)
    quantile = float(promising[wanted - 1]) if len(promising) >= wanted else 0.0
    quality = max(quantile, 0.0)
    rate = float((promising >= quality).sum()) / scans
    rate_before = float((promising >= in_force).sum()) / scans
    figures.update({"quality_r": quality, "accept_rate": rate, "accept_rate_before": rate_before})
    reason = f"{100 * rate:.2f} % of {scans} scans promise {quality:.3f} R or more ({100 * rate_before:.2f} % before)"
    if quantile <= 0:
        reason += f"; fewer than {100 * share:.2f} % promise anything, and nothing below zero is accepted"
    return ThresholdDraft(True, quality, reason, figures)


@dataclass(frozen=True)
class Scores:
    """Prequential scores of leans (n,): stated log-odds of a win when decided, whether it won, weight (uniqueness over
    the design effect), and the day of the decision. Only matured ones."""

    margin: FloatArray
    won: BoolArray
    weight: FloatArray
    decided_day: IntArray


@dataclass(frozen=True)
class CalibrationDraft:
    """Platt's slope and intercept on the pooled log-odds, and what is to become of them.

    `active`: proven out of sample, it may go live; `challenger`: not proven yet; `rejected`: nothing could be fitted,
    and slope and intercept are those in force.
    """

    status: Literal["active", "challenger", "rejected"]
    slope: float
    intercept: float
    reason: str
    figures: Mapping[str, Figure] = field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        return self.status == "active"


def draft_calibration(
    scores: Scores,
    *,
    limit_days: float,
    config: Config,
    in_force: Calibration = IDENTITY,
    since_day: int | None = None,
) -> CalibrationDraft:
    """Fit on everything; judge by walking forward: each day by a fit on decisions whose time limit (`limit_days`) and a
    day of embargo lie before it, against the calibration in force, on the days `since_day` that it is. Accepted after
    14 such days with an e-process of at least 20 (learning.md 3.4)."""
    found = _fit(scores, np.full(len(scores.margin), True), config)
    effective = float(scores.weight.sum())
    figures: dict[str, Figure] = {"effective_events": effective, "events": len(scores.margin)}
    if found is None or found.slope <= 0:
        reason = (
            f"{effective:.0f} effective events, {config.calibration_events:.0f} needed: probabilities stay as they are"
        )
        if found is not None:
            figures |= {"slope": found.slope, "slope_error": found.slope_error, "intercept": found.intercept}
            reason = f"a slope of {found.slope:.2f} would turn the pool around, which only the weights may do"
        return CalibrationDraft("rejected", in_force.slope, in_force.intercept, reason, figures)
    bets, gain = _walked(scores, _Trial(limit_days, in_force, since_day), config)
    enough = bets.days >= config.shadow_days and bets.value >= config.betting_threshold
    figures.update(
        {
            "slope": found.slope,
            "slope_error": found.slope_error,
            "intercept": found.intercept,
            "slope_before": in_force.slope,
            "intercept_before": in_force.intercept,
            "days": bets.days,
            "e_value": bets.value,
            "mean_gain": gain,
        }
    )
    reason = f"slope {found.slope:.2f}, intercept {found.intercept:+.2f}; out of sample over {bets.days} days E = "
    reason += f"{bets.value:.2f}; {config.betting_threshold:g} and {config.shadow_days} days are needed"
    return CalibrationDraft("active" if enough else "challenger", found.slope, found.intercept, reason, figures)


def _fit(scores: Scores, rows: BoolArray, config: Config) -> CalibrationFit | None:
    """The calibration of these rows; None with fewer than 1,000 effective events."""
    if float(scores.weight[rows].sum()) < config.calibration_events:
        return None
    return calibrate(scores.margin[rows], scores.won[rows], scores.weight[rows])


@dataclass(frozen=True)
class _Trial:
    """What a fit is tried against, since when, and how long a decision takes to end."""

    limit_days: float
    in_force: Calibration
    since_day: int | None


def _walked(scores: Scores, trial: _Trial, config: Config) -> tuple[Bets, float | None]:
    """The e-process over days on which a fit from purged earlier days was tried, and the mean gain in nats a lean."""
    bets, gains = Bets(), []
    days = np.unique(scores.decided_day)
    for day in days[days >= (days[0] if trial.since_day is None else trial.since_day)].tolist():
        # A decision of day d ends by d + 1 + limit; it must be over a day before the first test decision.
        over = scores.decided_day + 1 + math.ceil(trial.limit_days) + config.embargo_days <= day
        found = _fit(scores, over, config)
        if found is None:
            continue
        rows = scores.decided_day == day
        margin, won, weight = scores.margin[rows], scores.won[rows].astype(np.float64), scores.weight[rows]
        now = trial.in_force.applied(margin)
        # A fit that turns the pool around would not have gone live that day: what was in force would have stayed.
        gain = side_loss(now, won) - side_loss(found.applied(margin) if found.slope > 0 else now, won)
        gains.append(float((weight * gain).sum()) / float(weight.sum()))
        bets = bets.after(gains[-1], config)
    return bets, sum(gains) / len(gains) if gains else None
