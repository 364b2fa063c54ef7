"""One night as one pure step: score, learn, draft, judge, decide what is in force. The job and replay call this."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from learning.betting import Bets
from learning.candidates import names
from learning.config import CODE_VERSION, Config
from learning.drift import Drift, find_drift
from learning.effect import effect_on_unseen
from learning.events import Events, collect
from learning.layers import Lesson, learn, losses_in_force, mean_claim, mean_loss, step_toward
from learning.logistic import INTERCEPTS
from learning.mixture import Certificate, ordered_sum
from learning.procedure import SCORES_KEPT, InForce, Phase, Procedure, Score
from learning.promotion import Twins, Verdict, judge_guard, judge_night, judge_opening
from learning.state import theta_of, weights_of
from learning.step import bounded
from signals.consensus import Calibration, Weights, calibrated

Status = Literal["challenger", "active", "rejected"]
IDENTITY = Calibration()


@dataclass(frozen=True)
class Draft:
    """A version of the head weights to store: what it is, what became of it and why, and everything behind it."""

    weights: Weights
    status: Status
    reason: str
    created_by: str
    evidence: Mapping[str, Any]
    certificate: Mapping[str, Any]
    metrics_before: Mapping[str, Any]
    metrics_after: Mapping[str, Any]
    explanation: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Night:
    """What a night leaves behind. `drafts` in the order to store them, at most one of them active.

    `opened`: the gate opened tonight; `rolled_back`: the live guard put equal weights back tonight; `drift`: what is in
    force costs more than it used to. `conflicts`: events whose key came with two contents; none of their rows was
    learned from and the caller must raise the alarm.
    """

    procedure: Procedure
    drafts: tuple[Draft, ...]
    verdicts: tuple[Verdict, ...]
    opened: bool
    rolled_back: bool
    drift: Drift | None
    repeated: int
    conflicts: Events

    @property
    def weights(self) -> Weights:
        """The weights in force from 00:15 UTC after the night's midnight."""
        return self.procedure.weights

    @property
    def draft(self) -> Draft:
        """The version the learner drafted tonight, whatever became of it."""
        return self.drafts[-1]


def run_night(
    procedure: Procedure,
    events: Events,
    *,
    today: int,
    config: Config,
    threshold_r: float | None = None,
    twins: Twins | None = None,
    calibration: Calibration = IDENTITY,
) -> Night:
    """The night of day `today` (days since the epoch), from the ledger's events in any order, repeated or not.

    Events that mature later change nothing. `threshold_r` is the quality threshold in force, None where there is none;
    `twins` the comparison of signals with their shadows, `calibration` what corrects the pool from tonight on; a
    roll-back puts equal weights back without it. Raises ValueError if the night was already run.
    """
    collected = collect(events.known_on(today))
    known = collected.events
    tonight = known.rows(known.matured_day > procedure.learner.day)
    lesson = learn(procedure.learner, known, today=today, config=config)
    scored = _scored(procedure, tonight, today, config)
    turn = _turned(scored, lesson, config)
    base = lesson.champion if turn.rolled_back else procedure.weights
    drafted = step_toward(base, lesson, config) if turn.following.phase == "live" else lesson.state.weights
    verdicts: tuple[Verdict, ...] = (turn.gate,)
    if lesson.study:
        effective = lesson.study.effective_events
        deciding, ruling = calibrated(drafted, calibration), calibrated(base, calibration)
        verdicts += judge_night(
            deciding, ruling, known, effective_events=effective, threshold_r=threshold_r, twins=twins, config=config
        )
    context = _Context(procedure, scored, lesson, known, tonight, config)
    drafts = (*_early_challenger(context, turn.drift), *_decided(context, turn, drafted, verdicts))
    in_force = next((draft.weights for draft in drafts if draft.status == "active"), procedure.weights)
    following = turn.following.ruled_by(
        InForce(today, theta_of(in_force), IDENTITY if turn.rolled_back else calibration), config
    )
    return Night(
        procedure=following,
        drafts=drafts,
        verdicts=verdicts,
        opened=turn.opened,
        rolled_back=turn.rolled_back,
        drift=turn.drift,
        repeated=collected.repeated,
        conflicts=collected.conflicts,
    )


@dataclass(frozen=True)
class _Context:
    """What every draft of the night has in common."""

    before: Procedure
    scored: Procedure
    lesson: Lesson
    known: Events
    tonight: Events
    config: Config


@dataclass(frozen=True)
class _Turn:
    """Where the procedure goes from here: its phase after opening gate or live guard, that verdict, and drift."""

    following: Procedure
    gate: Verdict
    opened: bool
    rolled_back: bool
    drift: Drift | None


def _turned(scored: Procedure, lesson: Lesson, config: Config) -> _Turn:
    """Shadow becomes live when the gate opens, live becomes shadow when the guard falls; either starts both anew."""
    if scored.is_guarded:
        gate = judge_guard(scored.guard, config)
        opened, rolled_back = False, not gate.passed
    else:
        gate = judge_opening(scored.opening, scored.knowing, config)
        opened, rolled_back = gate.passed, False
    following = replace(scored, learner=lesson.state)
    drift = find_drift(scored.scores, since=scored.watched_since, config=config) if lesson.charge else None
    if drift or opened or rolled_back:  # what comes is compared with what comes before it from here on
        following = replace(following, watched_since=lesson.state.day)
    if opened or rolled_back:
        phase: Phase = "live" if opened else "shadow"
        following = replace(following, phase=phase, opening=Bets(), knowing=Bets(), guard=Bets(), pinned=False)
    return _Turn(following, gate, opened, rolled_back, drift)


def _scored(procedure: Procedure, tonight: Events, today: int, config: Config) -> Procedure:
    """The procedure with tonight's outcomes scored, each under what was in force when it was decided, and bet on."""
    if len(tonight) == 0:
        return procedure
    own, champion, base_rate = losses_in_force(procedure.learner, tonight, config)
    live, claimed = _live_losses(procedure, tonight)
    score = Score(today, len(tonight), live, champion, own, claimed, base_rate)
    scored = replace(procedure, scores=(*procedure.scores, score)[-SCORES_KEPT:])
    if procedure.is_guarded:
        scored = replace(scored, guard=procedure.guard.after(live - champion, config))
    if procedure.phase == "live":
        return scored
    scored = replace(scored, opening=procedure.opening.after(champion - own, config))
    if _leads_base_rate(procedure, config):
        scored = replace(scored, knowing=procedure.knowing.after(base_rate - own, config))
    return scored


def _leads_base_rate(procedure: Procedure, config: Config) -> bool:
    """Whether the nights before this one say that the learner knows more than the base rates.

    Who bets on those nights only, by what was known before them, keeps the e-process valid and is not ruined by the
    first days, in which over-confident weights are still being unlearned.
    """
    recent = [score for score in procedure.scores[-config.betting_trial_nights :] if score.base_rate is not None]
    return bool(recent) and sum(score.base_rate - score.learner for score in recent if score.base_rate is not None) > 0


def _live_losses(procedure: Procedure, tonight: Events) -> tuple[float, float]:
    """Mean log-loss of what was in force at each decision, and the one it claimed: that of outcomes at its own odds."""
    found, claimed = [], []
    for day in np.unique(tonight.decided_day).tolist():
        part, theta = tonight.rows(tonight.decided_day == day), procedure.in_force(day).deciding
        share = float(part.uniqueness.sum())
        found.append(share * mean_loss(theta, part))
        claimed.append(share * mean_claim(theta, part))
    total = float(tonight.uniqueness.sum())
    return ordered_sum(np.array(found)) / total, ordered_sum(np.array(claimed)) / total


def _decided(context: _Context, turn: _Turn, drafted: Weights, verdicts: tuple[Verdict, ...]) -> tuple[Draft, ...]:
    """The versions to store: the champion's refresh or return if there is one, then the learner's draft."""
    if turn.rolled_back:
        reason = f"rolled back: {turn.gate.reason}"
        back = _draft(context, context.lesson.champion, "active", reason, "live_guard")
        return back, _draft(context, drafted, "challenger", "back in shadow after the roll-back", "nightly")
    if context.before.pinned:
        return (_draft(context, drafted, "challenger", "pinned by hand: not put in force", "nightly"),)
    live = turn.following.phase == "live"
    if len(context.tonight) == 0:
        unchanged = context.before.weights if live else drafted
        status: Status = "active" if live else "challenger"
        return (_draft(context, unchanged, status, "no outcome matured: nothing moved", "nightly"),)
    refusals = tuple(verdict for verdict in verdicts if not verdict.passed and verdict is not turn.gate)
    if not live:
        return _in_shadow(context, turn.gate, drafted, refusals)
    if refusals:
        return (_draft(context, drafted, "rejected", f"vetoed: {_words(refusals)}", "nightly"),)
    return (_draft(context, drafted, "active", "no guard objected", "nightly"),)


def _early_challenger(context: _Context, drift: Drift | None) -> tuple[Draft, ...]:
    """After an alarm, the candidate that forgets fastest, for a person to put in force; it changes nothing itself."""
    if drift is None:
        return ()
    config, heads = context.config, context.before.heads
    fastest = min(range(len(config.half_lives)), key=config.half_lives.__getitem__)
    theta = context.lesson.state.candidates[fastest].copy()
    beta = theta[INTERCEPTS:]
    theta[INTERCEPTS:] = bounded(beta, beta, np.ones(len(heads), np.bool_), config)
    reason = f"{drift.words}; this is the fit with a half-life of {config.half_lives[fastest]:g} days"
    return (_draft(context, weights_of(heads, theta), "challenger", reason, "drift"),)


def _in_shadow(context: _Context, gate: Verdict, drafted: Weights, refusals: tuple[Verdict, ...]) -> tuple[Draft, ...]:
    """The learner's challenger, and before it equal betas with tonight's base rates unless the evidence is refused."""
    status: Status = "rejected" if refusals else "challenger"
    challenger = _draft(context, drafted, status, _words(refusals) or gate.reason, "nightly")
    if any(verdict.name in ("evidence", "twins") for verdict in refusals):
        return (challenger,)
    reason = f"equal betas with the base rates of {len(context.known)} events; {gate.reason}"
    return _draft(context, context.lesson.champion, "active", reason, "nightly"), challenger


def _words(refusals: tuple[Verdict, ...]) -> str:
    return "; ".join(verdict.reason for verdict in refusals)


def _draft(context: _Context, weights: Weights, status: Status, reason: str, created_by: str) -> Draft:
    known = context.known
    study = context.lesson.study
    first, last = (known.key[0].decode(), known.key[-1].decode()) if len(known) else (None, None)
    return Draft(
        weights=weights,
        status=status,
        reason=reason,
        created_by=created_by,
        evidence={
            "first_event": first,
            "last_event": last,
            "count": len(known),
            "tonight": len(context.tonight),
            "digest": context.lesson.evidence_digest,
            "state_hash": context.lesson.state.state_hash,
            "code_version": CODE_VERSION,
            "config": context.config.digest,
            "design_effect": study.design_effect if study else None,
            "effective_events": study.effective_events if study else None,
            "sampled_from": study.sampled_from if study else None,
            "sampled_to": study.sampled_to if study else None,
        },
        certificate=certificate_of(context.lesson.state.certificate, context.config),
        metrics_before=_metrics(context.scored, "live"),
        metrics_after=_metrics_after(context, weights, created_by),
        explanation=_explained(context, weights),
    )


def certificate_of(certificate: Certificate, config: Config) -> dict[str, Any]:
    """The certificate as plain values: excess loss over each candidate beside its bound, in nats."""
    bounds, labels = certificate.bounds(config).tolist(), names(config)
    return {
        "holds": certificate.holds(config),
        "nights": certificate.nights,
        "excess": dict(zip(labels, certificate.excess.tolist(), strict=True)),
        "bound": dict(zip(labels, bounds, strict=True)),
        "gap": certificate.gap,
        "drift": certificate.drift,
    }


def _metrics_after(context: _Context, weights: Weights, created_by: str) -> dict[str, Any]:
    if created_by == "drift":  # no path of its own has been scored
        return {"path": None}
    path = "champion" if weights is context.lesson.champion else "learner"
    return {**_metrics(context.scored, path), "effect": effect_on_unseen(context.scored.scores)}


def _metrics(procedure: Procedure, path: str) -> dict[str, Any]:
    """Prequential log-loss of one path, tonight and over the last 14 scored nights: scans not yet learned from."""
    scores = procedure.scores[-14:]
    if not scores:
        return {"log_loss": None, "log_loss_tonight": None, "scans": 0, "nights": 0, "path": path}
    scans = sum(score.scans for score in scores)
    total = sum(score.scans * getattr(score, path) for score in scores)
    tonight = getattr(scores[-1], path)
    return {
        "log_loss": total / scans,
        "log_loss_tonight": tonight,
        "scans": scans,
        "nights": len(scores),
        "path": path,
    }


def _explained(context: _Context, weights: Weights) -> tuple[Mapping[str, Any], ...]:
    """Each head's beta before and after, and how many of tonight's outcomes it had voted on; largest change first."""
    before = context.before.weights.beta.tolist()
    voted = (context.tonight.evidence != 0).sum(axis=0).tolist()
    rows = [
        {"head": head, "before": old, "after": new, "change": new - old, "outcomes_tonight": count}
        for head, old, new, count in zip(weights.heads, before, weights.beta.tolist(), voted, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: -abs(row["change"])))
