"""Follow open brackets through the stored 1m candles, from where they were last read: downtime is replayed."""

import logging
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from itertools import groupby

import numpy as np
from django.db import transaction
from django.db.models import QuerySet

from alphapulse_site.log_context import about
from ingestion.candles import load_candles
from ingestion.selectors import delisted_at_ms, known_until
from ingestion.timeframes import Candles, IntArray
from signals.bracket import Costs
from signals.configuration import rules
from signals.first_touch import NEVER, FirstTouch, Orders, first_touches
from signals.models import Signal, TrackedDecision
from signals.rows import MIRROR_COLUMNS, OUTCOME_COLUMNS, order_of, set_mirror_outcome, set_outcome, to_ms, to_time
from signals.selectors import unresolved
from signals.services.positions import close_positions

logger = logging.getLogger(__name__)


def track(model: type[TrackedDecision], *, until: datetime, symbols: Iterable[str] | None = None) -> int:
    """Resolve every open bracket that the candles before `until` decide; returns how many leans ended."""
    ended = 0
    decisions = unresolved(model, until, symbols)
    symbols_open = {decision.symbol for decision in decisions}
    known, delisted = known_until(symbols_open, to_ms(until)), delisted_at_ms(symbols_open)
    for symbol, group in groupby(decisions, key=lambda decision: decision.symbol):
        ended += _track_symbol(model, list(group), known[symbol], delisted.get(symbol, NEVER))
    if model is Signal:
        close_positions()
    return ended


def _track_symbol(
    model: type[TrackedDecision], decisions: list[TrackedDecision], known_ms: int, delisted_ms: IntArray
) -> int:
    start_ms = min(to_ms(decision.opened_at) for decision in decisions)
    minutes = load_candles(decisions[0].symbol, start_ms, known_ms)
    checked = sorted(decision.pk for decision in decisions)
    with transaction.atomic():
        # Polls that know different minutes end different brackets first; locked in one order they cannot deadlock.
        held = model._default_manager.select_for_update(no_key=True).filter(pk__in=checked)
        list(held.order_by("pk").values_list("pk"))
        ended = _follow(model, decisions, minutes, known_ms, delisted_ms)
        model._default_manager.filter(pk__in=checked, checked_until__lt=to_time(known_ms)).update(
            checked_until=to_time(known_ms)
        )
    return ended


def _follow(
    model: type[TrackedDecision],
    decisions: list[TrackedDecision],
    minutes: Candles,
    known_ms: int,
    delisted_ms: IntArray = NEVER,
) -> int:
    """Record what has ended by now of each bracket and its mirror; how many leans ended by our hand."""
    costs, target_r = rules().costs, rules().bracket.target_r
    orders = Orders.of([order_of(decision) for decision in decisions])
    mirrored = orders.mirrored(np.array([decision.reference_price for decision in decisions]), target_r)
    leans, mirrors = (first_touches(each, minutes, known_ms, costs, delisted_ms) for each in (orders, mirrored))
    return sum(
        _record(model, decision, leans.at(row), mirrors.at(row), minutes) for row, decision in enumerate(decisions)
    )


def _record(
    model: type[TrackedDecision],
    decision: TrackedDecision,
    touch: FirstTouch | None,
    mirror: FirstTouch | None,
    minutes: Candles,
) -> bool:
    """Write whatever side of the bracket has ended by now; True if it was the lean's, and we were first."""
    rows = model._default_manager.filter(pk=decision.pk)
    if mirror and not decision.mirror_outcome:
        set_mirror_outcome(decision, mirror)
        rows.filter(mirror_outcome="").update(**{name: getattr(decision, name) for name in MIRROR_COLUMNS})
    if decision.outcome:
        return False
    if touch:
        set_outcome(decision, touch)
        # One winner: whoever finds the outcome still empty writes it, a slower worker changes nothing.
        won = rows.filter(outcome="").update(**{name: getattr(decision, name) for name in OUTCOME_COLUMNS})
        if won and isinstance(decision, Signal):
            transaction.on_commit(partial(_tell, decision))
        return bool(won)
    if decision.entry is None:
        _note_entry(rows, decision, minutes, rules().costs)
    return False


def _tell(signal: Signal) -> None:
    """A line for each signal that has ended; shadows are too many."""
    with about(scan_id=signal.scan_id):
        net_r = "no R" if signal.net_r is None else f"{signal.net_r:+.3f} R"
        logger.info("outcome: %s %s, %s, %s", signal.symbol, signal.get_direction_display(), signal.outcome, net_r)


def _note_entry(rows: QuerySet[TrackedDecision], decision: TrackedDecision, minutes: Candles, costs: Costs) -> None:
    """The price the bracket was entered at, known as soon as its first minute has opened."""
    entered = minutes.between(to_ms(decision.opened_at), to_ms(decision.opened_at) + 1)
    if len(entered):
        # Somebody may have ended it since it was read, and what is void has no entry.
        rows.filter(entry=None, outcome="").update(
            entry=float(entered.open[0]) * (1 + decision.direction * costs.slippage)
        )
