"""The guards put to the test: when the opening gate opens, and what becomes of a version that was spoilt. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np

from learning.betting import Bets
from learning.events import collect
from learning.nightly import Night
from learning.planted.audit import Watched
from learning.planted.course import Batch, Market
from learning.procedure import Procedure
from learning.promotion import judge_night
from signals.consensus import Weights

SPOILT_DAY = 21  # on which the spoilt version is put in force
PATIENCE = 28  # days that the live guard is given


@dataclass(frozen=True)
class Opening:
    """`opened`: the day on which the gate opened, counted from day 0, below 0 within the history; None if it did not.

    `quiet`: greatest value of the e-process of the learner's own weights against one half for every scan; 20 would
    prove that they know something. `days` were seen.
    """

    opened: int | None
    quiet: float
    days: int


def opening(market: Market, days: int, *, stop: bool = True) -> Opening:
    """The procedure from birth on behind its opening gate; with `stop` no further than the night it opens."""
    job, against_half, most, opened, seen = Watched("shadow"), Bets(), 1.0, None, 0
    for today, batch in market.nights(days):
        night = _night(job, batch, today)
        if len(batch.won):
            loss = night.procedure.scores[-1].learner
            against_half = against_half.after(math.log(2) - loss, job.learner.config)
            most, seen = max(most, against_half.value), seen + 1
        if night.opened and opened is None:
            opened = today
            if stop:
                break
    return Opening(opened, most, seen)


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


def days_until_caught(market: Market, days: int, put: Callable[[Procedure, Weights], Procedure]) -> int | None:
    """Days from the night that `put` the spoilt version in force until the live guard rolls it back; None if it waits
    longer than four weeks."""
    job = Watched()
    for today, batch in market.nights(min(days, SPOILT_DAY + PATIENCE + 1)):
        night = _night(job, batch, today)
        if today > SPOILT_DAY and night.rolled_back:
            return today - SPOILT_DAY
        if today == SPOILT_DAY:
            job.learner.procedure = put(night.procedure, spoilt(night.procedure.weights))
    return None
