"""One night of learning: charge the mixture, refit the candidates, step (learning.md 2). Pure."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray
from learning.candidates import Refit, equal_index, refit, zero_index
from learning.config import Config
from learning.events import Events, digest
from learning.logistic import INTERCEPTS, claimed_losses, event_losses
from learning.mixture import Charge, certify, charged, mix
from learning.state import LearnerState, Remembered, chained, weights_of
from learning.step import capped_step
from signals.consensus import Weights


@dataclass(frozen=True)
class Lesson:
    """What a night taught: the next state, beta* with its intercepts as `target`, and how it came about.

    `aim` is beta* without ZERO's share: what the candidates that know something say.

    `charge` and `study` are None on a night without a matured event: then nothing moves.
    """

    state: LearnerState
    aim: FloatArray
    target: FloatArray
    champion: Weights
    awake: BoolArray
    evidence_digest: str
    charge: Charge | None
    study: Refit | None


def learn(state: LearnerState, known: Events, *, today: int, config: Config) -> Lesson:
    """The state after the night of `today`, from collected events that are all known by then.

    Tonight's events are those that matured after the state's last night. Raises ValueError if `today` is not later than
    that, or if an event is not known yet.
    """
    if today <= state.day:
        raise ValueError(f"night {today} does not follow night {state.day}; load the state of the night before it")
    if len(known) and int(known.matured_day.max()) > today:
        raise ValueError("an event that has not matured must not be learned from; pass events.known_on(today)")
    evidence_digest = digest(known)
    tonight = known.rows(known.matured_day > state.day)
    awake = (tonight.evidence != 0).any(axis=0)
    candidates, shares, certificate = state.candidates, state.shares, state.certificate
    charge = study = None
    if len(tonight):
        study = refit(candidates, known, awake, today=today, config=config)
        charge = bill(state, tonight, study.design_effect)
        certificate = certify(certificate, shares, charge)
        candidates, shares = study.coefficients, charged(shares, charge, config)
    target = mix(shares, candidates)
    knowing = 1.0 - float(shares[zero_index(config)])
    aim = np.concatenate([target[:INTERCEPTS], target[INTERCEPTS:] / knowing])
    theta = state.recent[-1].theta
    if len(tonight):
        theta = _stepped(theta, aim, target, awake, config)
    night = Remembered(today, shares, candidates, theta)
    link = chained(state.state_hash, f"{today} {evidence_digest}", config)
    following = LearnerState(state.heads, state.followed_by(night, config), certificate, link)
    champion = weights_of(state.heads, candidates[equal_index(config)])
    return Lesson(following, aim, target, champion, awake, evidence_digest, charge, study)


def _stepped(current: FloatArray, aim: FloatArray, target: FloatArray, awake: BoolArray, config: Config) -> FloatArray:
    """The capped step of the betas; base rates are measured, not believed, and follow the mixture at once."""
    beta = capped_step(current[INTERCEPTS:], aim[INTERCEPTS:], target[INTERCEPTS:], awake, config)
    return np.concatenate([target[:INTERCEPTS], beta])


def step_toward(weights: Weights, lesson: Lesson, config: Config) -> Weights:
    """The version drafted tonight from the weights in force: one capped step toward the lesson's aim."""
    if lesson.charge is None:
        return weights
    theta = np.concatenate([weights.bias, weights.beta])
    return weights_of(weights.heads, _stepped(theta, lesson.aim, lesson.target, lesson.awake, config))


def bill(state: LearnerState, tonight: Events, effect: float) -> Charge:
    """What mixture and candidates lost on tonight's events, each under the state in force when it was decided."""
    weight = tonight.uniqueness / effect
    count = len(state.shares)
    candidate_losses, mixture_losses = np.empty((count, len(tonight))), np.empty(len(tonight))
    shares_losses = np.empty(len(tonight))
    for day in np.unique(tonight.decided_day).tolist():
        rows = np.flatnonzero(tonight.decided_day == day)
        then = state.in_force(day)
        votes = np.ascontiguousarray(tonight.evidence[rows].T)
        won_long, won_short = tonight.won_long[rows].astype(np.float64), tonight.won_short[rows].astype(np.float64)
        shared = np.zeros(len(rows))
        for place, (share, theta) in enumerate(zip(then.shares.tolist(), then.candidates, strict=True)):
            losses = event_losses(theta, votes, won_long, won_short)
            candidate_losses[place, rows] = losses
            shared = shared + share * losses
        shares_losses[rows] = shared
        mixture_losses[rows] = event_losses(mix(then.shares, then.candidates), votes, won_long, won_short)
    mass = float(weight.sum())
    return Charge(
        mass=mass,
        mixture_loss=float((weight * mixture_losses).sum()) / mass,
        candidate_losses=np.array([float((weight * row).sum()) / mass for row in candidate_losses]),
        shares_used_loss=float((weight * shares_losses).sum()) / mass,
    )


def mean_loss(theta: FloatArray, events: Events) -> float:
    """Uniqueness-weighted mean log-loss of both brackets of the events under one (a_long, a_short, b), in nats."""
    votes = np.ascontiguousarray(events.evidence.T)
    losses = event_losses(theta, votes, events.won_long.astype(np.float64), events.won_short.astype(np.float64))
    return float((events.uniqueness * losses).sum()) / float(events.uniqueness.sum())


def mean_claim(theta: FloatArray, events: Events) -> float:
    """The mean log-loss the same probabilities claim: what they would cost if each came true as often as it says."""
    claims = claimed_losses(theta, np.ascontiguousarray(events.evidence.T))
    return float((events.uniqueness * claims).sum()) / float(events.uniqueness.sum())


def losses_in_force(state: LearnerState, tonight: Events, config: Config) -> tuple[float, float, float]:
    """Mean log-loss on tonight's events of the learner's own weights, of the champion, which is EQUAL, and of the base
    rates alone, which is ZERO; each as of the decision."""
    found = np.zeros(3)
    for part, then in _by_memory(state, tonight):
        equal, zero = then.candidates[equal_index(config)], then.candidates[zero_index(config)]
        share = float(part.uniqueness.sum())
        found += share * np.array([mean_loss(theta, part) for theta in (then.theta, equal, zero)])
    own, champion, base_rate = (found / float(tonight.uniqueness.sum())).tolist()
    return own, champion, base_rate


def _by_memory(state: LearnerState, tonight: Events) -> list[tuple[Events, Remembered]]:
    days = np.unique(tonight.decided_day).tolist()
    return [(tonight.rows(tonight.decided_day == day), state.in_force(day)) for day in days]
