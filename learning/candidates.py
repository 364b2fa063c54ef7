"""Layer 1 of the learner: the candidates, fitted from scratch each night (learning.md 2). Pure numpy."""

import math
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.config import Config
from learning.events import Events, design_effect, sampled
from learning.logistic import (
    INTERCEPT_LIMIT,
    INTERCEPTS,
    Fit,
    Problem,
    Sample,
    fit,
    log_odds,
    probability,
    standard_errors,
)
from signals.consensus import EQUAL_BETA


def names(config: Config) -> tuple[str, ...]:
    """The candidates in the order of every array (K, ...): the half-lives, EQUAL, ZERO."""
    fitted = tuple("forever" if math.isinf(days) else f"{days:g} days" for days in config.half_lives)
    return (*fitted, "equal", "zero")


def equal_index(config: Config) -> int:
    return len(config.half_lives)


def zero_index(config: Config) -> int:
    return len(config.half_lives) + 1


def born(heads: int, bias: FloatArray, config: Config) -> FloatArray:
    """Coefficients (K, 2 + H) before any event: every candidate is EQUAL but ZERO."""
    rows = np.concatenate([bias, np.full(heads, EQUAL_BETA)])
    coefficients = np.tile(rows, (len(config.half_lives) + 2, 1))
    coefficients[zero_index(config), INTERCEPTS:] = 0.0
    return coefficients


@dataclass(frozen=True)
class Refit:
    """Tonight's candidates (K, 2 + H), and what they were made of."""

    coefficients: FloatArray
    design_effect: float
    effective_events: float
    sampled_from: int
    sampled_to: int


def refit(previous: FloatArray, known: Events, awake: BoolArray, *, today: int, config: Config) -> Refit:
    """Fit every candidate to the known events; a head not `awake` tonight keeps each candidate's coordinate.

    The weight of an event is its uniqueness over the design effect. The design effect comes from EQUAL's residuals:
    EQUAL's intercepts do not change with a common factor on the weights, so nothing here is circular.
    """
    chosen = sampled(known, config.sample_size)
    taken = known.rows(chosen)
    unique = taken.uniqueness * (float(known.uniqueness.sum()) / float(taken.uniqueness.sum()))
    sample = Sample(
        votes=np.ascontiguousarray(taken.evidence.T),
        won_long=taken.won_long.astype(np.float64),
        won_short=taken.won_short.astype(np.float64),
        weight=unique,
    )
    coefficients = previous.copy()
    for flat in (equal_index(config), zero_index(config)):
        coefficients[flat] = _fit_intercepts(sample, previous[flat], config)
    effect = _design_effect(taken, sample, coefficients[equal_index(config)])
    sample = Sample(sample.votes, sample.won_long, sample.won_short, unique / effect)
    places = range(len(config.half_lives))
    faded = [_faded(sample, taken, half_life, today, config) for half_life in config.half_lives]
    signed = _signed_fits(faded, coefficients, awake, config)
    proven = np.zeros(len(awake), np.bool_)
    for place in places:
        proven |= _proven_wrong(faded[place], signed[place], awake, config)
    for place in places:
        coefficients[place] = _held(faded[place], signed[place], previous[place], awake, proven, config)
    return Refit(coefficients, effect, float(sample.weight.sum()), len(known), len(taken))


def _slowest_first(config: Config) -> list[int]:
    """Longest half-life first: each fit starts at its slower neighbour's, a function of tonight's events alone."""
    return sorted(range(len(config.half_lives)), key=lambda place: -config.half_lives[place])


def _fit_intercepts(sample: Sample, previous: FloatArray, config: Config) -> FloatArray:
    """A candidate with fixed betas: only the two base rates are learned, over all time."""
    lower, upper = previous.copy(), previous.copy()
    lower[:INTERCEPTS], upper[:INTERCEPTS] = -INTERCEPT_LIMIT, INTERCEPT_LIMIT
    return fit(Problem(sample, 0.0, EQUAL_BETA, lower, upper), previous).theta


def _design_effect(events: Events, sample: Sample, theta: FloatArray) -> float:
    """The design effect of the hour blocks on the pull on each head's beta, averaged by the variance of that pull."""
    pooled = log_odds(theta[INTERCEPTS:], sample.votes)
    long = sample.won_long - probability(theta[0] + pooled)
    short = sample.won_short - probability(theta[1] - pooled)
    return design_effect(events.hour_block, sample.weight * (long - short) * sample.votes, events.series)


def _faded(sample: Sample, events: Events, half_life: float, today: int, config: Config) -> Sample:
    """The sample with weights halved every `half_life` days; rows beyond the window left out."""
    if math.isinf(half_life):
        return sample
    age = (today - events.decided_day).astype(np.float64)
    inside = age <= config.window_half_lives * half_life
    recent = sample.rows(inside)
    return Sample(recent.votes, recent.won_long, recent.won_short, recent.weight * np.exp2(-age[inside] / half_life))


def _signed_fits(faded: list[Sample], coefficients: FloatArray, awake: BoolArray, config: Config) -> list[Fit]:
    """Each half-life's minimum with every awake beta free to be negative. `coefficients` still hold last night's."""
    fits, start = {}, coefficients[equal_index(config)]
    for place in _slowest_first(config):
        lower, upper = _bounds(coefficients[place], awake)
        fits[place] = fit(Problem(faded[place], config.ridge, EQUAL_BETA, lower, upper), start)
        start = fits[place].theta
    return [fits[place] for place in range(len(faded))]


def _bounds(previous: FloatArray, awake: BoolArray) -> tuple[FloatArray, FloatArray]:
    """Bounds on (a_long, a_short, b): heads that are not awake are held where they were."""
    lower, upper = (np.where(awake, free, previous[INTERCEPTS:]) for free in (-np.inf, np.inf))
    limit = np.full(INTERCEPTS, INTERCEPT_LIMIT)
    return np.concatenate([-limit, lower]), np.concatenate([limit, upper])


def _proven_wrong(sample: Sample, signed: Fit, awake: BoolArray, config: Config) -> BoolArray:
    """Heads whose beta is negative at z-score <= -3 with >= 300 effective events: the faded weight of their votes."""
    if not (awake & (signed.theta[INTERCEPTS:] < 0)).any():
        return np.zeros(len(awake), np.bool_)
    free = np.concatenate([np.full(INTERCEPTS, True), awake])
    score = (signed.theta / standard_errors(signed.hessian, free))[INTERCEPTS:]
    seen = np.array([float(sample.weight[row != 0].sum()) for row in sample.votes])
    return awake & (score <= config.negative_score) & (seen >= config.negative_events)


def _held(
    sample: Sample, signed: Fit, previous: FloatArray, awake: BoolArray, proven: BoolArray, config: Config
) -> FloatArray:
    """The candidate: the unique minimum with the betas of awake heads that nothing has proven wrong kept >= 0.

    A head proven wrong over any half-life may be negative in all of them: the short ones rarely have the 300 events
    to prove it anew, and would forget a reliable adversary whenever they lead.
    """
    lower, upper = _bounds(previous, awake)
    honest = awake & ~proven
    if not (honest & (signed.theta[INTERCEPTS:] < 0)).any():
        return signed.theta
    lower[INTERCEPTS:] = np.where(honest, 0.0, lower[INTERCEPTS:])
    return fit(Problem(sample, config.ridge, EQUAL_BETA, lower, upper), signed.theta).theta
