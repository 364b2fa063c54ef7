"""Follow open brackets through the stored 1m candles, from where they were last read: downtime is replayed."""

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from django.db import transaction
from django.db.models import QuerySet

from ingestion.candles import load_candles
from ingestion.selectors import known_until
from ingestion.timeframes import Candles
from signals.bracket import Costs
from signals.configuration import rules
from signals.first_touch import first_touch
from signals.models import Signal, TrackedDecision
from signals.rows import MIRROR_COLUMNS, OUTCOME_COLUMNS, order_of, set_mirror_outcome, set_outcome, to_ms, to_time
from signals.selectors import unresolved
from signals.services.positions import close_positions


def track(model: type[TrackedDecision], *, until: datetime, symbols: Iterable[str] | None = None) -> int:
    """Resolve every open bracket that the candles before `until` decide; returns how many leans ended."""
    ended = 0
    decisions = unresolved(model, until, symbols)
    known = known_until({decision.symbol for decision in decisions}, to_ms(until))
    for symbol, group in groupby(decisions, key=lambda decision: decision.symbol):
        ended += _track_symbol(model, list(group), known[symbol])
    if model is Signal:
        close_positions()
    return ended


def _track_symbol(model: type[TrackedDecision], decisions: list[TrackedDecision], known_ms: int) -> int:
    start_ms = min(to_ms(decision.opened_at) for decision in decisions)
    minutes = load_candles(decisions[0].symbol, start_ms, known_ms)
    ended, checked = 0, sorted(decision.pk for decision in decisions)
    with transaction.atomic():
        # Polls that know different minutes end different brackets first; locked in one order they cannot deadlock.
        held = model._default_manager.select_for_update(no_key=True).filter(pk__in=checked)
        list(held.order_by("pk").values_list("pk"))
        for decision in decisions:
            ended += _follow(model, decision, minutes, known_ms)
        model._default_manager.filter(pk__in=checked, checked_until__lt=to_time(known_ms)).update(
            checked_until=to_time(known_ms)
        )
    return ended


def _follow(model: type[TrackedDecision], decision: TrackedDecision, minutes: Candles, known_ms: int) -> bool:
    """Record whatever side of the bracket has ended by now; True if it was the lean's, and we were first."""
    costs, bracket = rules().costs, rules().bracket
    order = order_of(decision)
    rows = model._default_manager.filter(pk=decision.pk)
    if not decision.mirror_outcome:
        mirror = order.mirror(decision.reference_price, bracket.target_r)
        if touch := first_touch(mirror, minutes, known_ms, costs):
            set_mirror_outcome(decision, touch)
            rows.filter(mirror_outcome="").update(**{name: getattr(decision, name) for name in MIRROR_COLUMNS})
    if decision.outcome:
        return False
    if touch := first_touch(order, minutes, known_ms, costs):
        set_outcome(decision, touch)
        # One winner: whoever finds the outcome still empty writes it, a slower worker changes nothing.
        return bool(rows.filter(outcome="").update(**{name: getattr(decision, name) for name in OUTCOME_COLUMNS}))
    if decision.entry is None:
        _note_entry(rows, decision, minutes, costs)
    return False


def _note_entry(rows: QuerySet[TrackedDecision], decision: TrackedDecision, minutes: Candles, costs: Costs) -> None:
    """The price the bracket was entered at, known as soon as its first minute has opened."""
    entered = minutes.between(to_ms(decision.opened_at), to_ms(decision.opened_at) + 1)
    if len(entered):
        rows.filter(entry=None).update(entry=float(entered.open[0]) * (1 + decision.direction * costs.slippage))
