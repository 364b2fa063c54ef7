"""The guards put to the test: when the opening gate opens, and what becomes of a version that was spoilt. Pure."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from learning.events import collect
from learning.nightly import Night
from learning.planted.contest import Contest
from learning.planted.course import Batch, Market
from learning.planted.rivals import ScaledEqual
from learning.planted.watched import Watched
from learning.planted.world import HEADS
from learning.procedure import Procedure
from learning.promotion import judge_night
from learning.state import theta_of
from signals.consensus import Weights

SPOILT_DAY = 21  # on which the spoilt version is put in force
PATIENCE = 28  # days that the live guard is given


@dataclass(frozen=True)
class Opening:
    """`opened`: the day on which the gate opened, counted from day 0, below 0 within the history; None if it did not.

    Beside the gate's own question two that nobody wins by just being less sure than equal weights: `over_scaled`, the
    day on which the learner has proven to beat equal weights as loud as fits best; `over_half`, whether it ever proved
    to beat one half for every scan. `last` is the last day seen.
    """

    opened: int | None
    over_scaled: int | None
    over_half: bool
    last: int


def opening(market: Market, days: int, *, stop: bool = True) -> Opening:
    """The procedure from birth on behind its opening gate; with `stop` until both questions are answered."""
    job, scaled = Watched("shadow"), ScaledEqual(len(HEADS))
    over_scaled, over_half = Contest(job.learner.config), Contest(job.learner.config)
    opened = proven = None
    last = 0
    for today, batch in market.nights(days):
        over_scaled.settle(batch)
        over_half.settle(batch)
        night = _night(job, batch, today)
        batch.teach(scaled, today)
        own = theta_of(night.procedure.learner.weights)
        over_scaled.enter(today, own, np.concatenate([scaled.bias, scaled.weights]))
        over_half.enter(today, own, np.zeros(len(own)))
        last = today
        opened = today if opened is None and night.opened else opened
        proven = today if proven is None and over_scaled.opens else proven
        if stop and opened is not None and proven is not None:
            break
    return Opening(opened, proven, over_half.most >= job.learner.config.betting_threshold, last)


def _night(job: Watched, batch: Batch, today: int) -> Night:
    return cast(Night, batch.teach(job, today))


def spoilt(weights: Weights) -> Weights:
    """The version with its strongest head's beta inverted and doubled."""
    beta = weights.beta.copy()
    beta[np.abs(beta).argmax()] *= -2.0
    return Weights(weights.heads, beta, weights.bias)


@dataclass(frozen=True)
class Offers:
    """How often the night's draft, spoilt, was offered to the night's judges, and how often they refused it."""

    offered: int
    refused: int


def offers(market: Market, days: int) -> Offers:
    """Offer the spoilt draft in every night that has enough labelled days to judge; it never goes live."""
    job, offered, refused = Watched(), 0, 0
    for today, batch in market.nights(min(days, SPOILT_DAY + 1)):
        before = job.learner.version
        night = _night(job, batch, today)
        if job.learner.events is None or night.draft.evidence["effective_events"] is None:
            continue
        known = collect(job.learner.events.known_on(today)).events
        if len(np.unique(known.decided_day)) < job.learner.config.veto_days_min:
            continue
        verdicts = judge_night(
            spoilt(night.draft.weights),
            before,
            known,
            effective_events=night.draft.evidence["effective_events"],
            threshold_r=None,
            twins=None,
            config=job.learner.config,
        )
        offered, refused = offered + 1, refused + any(not verdict.passed for verdict in verdicts)
    return Offers(offered, refused)


@dataclass(frozen=True)
class Caught:
    """Days in force until the live guard rolled the spoilt version back, and until the same bets against equal weights
    as loud as fits best would have; None if four weeks were not enough."""

    by_guard: int | None
    by_scaled: int | None


def days_until_caught(market: Market, days: int, put: Callable[[Procedure, Weights], Procedure]) -> Caught:
    """Put the spoilt version in force after three weeks, and wait. Once rolled back it counts as caught by both."""
    job, scaled = Watched(), ScaledEqual(len(HEADS))
    worse = Contest(job.learner.config)
    by_guard = by_scaled = None
    for today, batch in market.nights(min(days, SPOILT_DAY + PATIENCE + 1)):
        if today > SPOILT_DAY:
            worse.settle(batch)
        night = _night(job, batch, today)
        batch.teach(scaled, today)
        if today == SPOILT_DAY:
            job.learner.procedure = put(night.procedure, spoilt(night.procedure.weights))
        worse.enter(today, np.concatenate([scaled.bias, scaled.weights]), theta_of(job.learner.version))
        if today > SPOILT_DAY:
            by_scaled = today - SPOILT_DAY if by_scaled is None and worse.proven else by_scaled
            if night.rolled_back:
                by_guard = today - SPOILT_DAY
                by_scaled = by_guard if by_scaled is None else by_scaled
                break
    return Caught(by_guard, by_scaled)
