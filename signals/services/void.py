"""Declare an open decision void by hand: it ends without a result, and nothing is learned from it."""

from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from alphapulse_site.clock import market_now
from signals.first_touch import void_at
from signals.models import RejectedSignal, Signal, TrackedDecision, VoidedDecision
from signals.rows import MIRROR_COLUMNS, OUTCOME_COLUMNS, set_mirror_outcome, set_outcome, to_ms
from signals.selectors import decided_until
from signals.services.decide import take_turn
from signals.services.positions import close_positions
from signals.services.track import track

MINUTE = timedelta(minutes=1)


class VoidError(Exception):
    """The decision may not be voided; the message says why."""


def void_decision(*, scan_id: UUID, by: str, reason: str) -> VoidedDecision:
    """End an open signal or shadow without a result, from now on in market time. Raises VoidError.

    Whatever the candles of before decide comes first: an outcome is written once. A mirror that ended before stands.
    """
    decision = _found(scan_id)
    model, now = type(decision), market_now()
    if now is None:
        raise VoidError("no market is followed yet")
    track(model, until=now, symbols=[decision.symbol])
    with transaction.atomic():
        take_turn()
        held = model._default_manager.select_for_update(no_key=True).get(scan_id=scan_id)
        at = _from_when(held, now)
        row = VoidedDecision.objects.create(
            scan_id=scan_id,
            symbol=held.symbol,
            timeframe=held.timeframe,
            opened_at=held.opened_at,
            market_at=at,
            both=not held.mirror_outcome,
            by=by,
            reason=reason,
        )
        _end(held, at, both=row.both)
        if model is Signal:
            close_positions()
    return row


def refusal_of(decision: TrackedDecision) -> str:
    """Why it may not be voided; empty if it may."""
    voided = VoidedDecision.objects.filter(scan_id=decision.scan_id).first()
    if voided:
        return f"{decision} was voided by {voided.by} before."
    if decision.outcome:
        return f"{decision} has ended ({decision.outcome}); an outcome is written once."
    return ""


def _found(scan_id: UUID) -> TrackedDecision:
    for model in (Signal, RejectedSignal):
        row = model._default_manager.filter(scan_id=scan_id).first()
        if row is not None:
            return row
    raise VoidError(f"there is no decision of scan {scan_id}")


def _from_when(decision: TrackedDecision, now: datetime) -> datetime:
    """A market time that no close has been decided at: those of before saw the decision open, the later ones do not."""
    refusal = refusal_of(decision)
    if refusal:
        raise VoidError(refusal)
    decided = decided_until(decision.timeframe)
    at = max(now, decided + MINUTE) if decided else now
    if not decision.opened_at < at <= decision.expires_at:
        raise VoidError(f"{decision} ends by its time limit; its outcome comes with the candles that are still owed.")
    return at


def _end(decision: TrackedDecision, at: datetime, *, both: bool) -> None:
    """Write the void ends by the same hand as the tracker's."""
    void = void_at(to_ms(at))
    set_outcome(decision, void)
    if both:
        set_mirror_outcome(decision, void)
    decision.save(update_fields=[*OUTCOME_COLUMNS, *(MIRROR_COLUMNS if both else ())])
