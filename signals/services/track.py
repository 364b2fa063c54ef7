"""Follow open brackets through the stored 1m candles, from where they were last read: downtime is replayed."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from itertools import groupby
from operator import attrgetter

import numpy as np
from django.db import transaction

from alphapulse_site.log_context import about
from ingestion.candles import load_many
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

# Followed in one transaction: a handful of queries for all of them, and two months of minutes fit into 150 MB.
SYMBOLS_TOGETHER = 30


def track(model: type[TrackedDecision], *, until: datetime, symbols: Iterable[str] | None = None) -> int:
    """Resolve every open bracket that the candles before `until` decide; returns how many leans ended."""
    by_symbol = dict(_by_symbol(unresolved(model, until, symbols)))
    names = list(by_symbol)
    known, delisted = known_until(names, to_ms(until)), delisted_at_ms(names)
    ended = 0
    for first in range(0, len(names), SYMBOLS_TOGETHER):
        together = [row for name in names[first : first + SYMBOLS_TOGETHER] for row in by_symbol[name]]
        ended += track_together(model, together, known, delisted)
    if model is Signal:
        close_positions()
    return ended


def _by_symbol(decisions: Iterable[TrackedDecision]) -> Iterator[tuple[str, list[TrackedDecision]]]:
    for symbol, group in groupby(sorted(decisions, key=attrgetter("symbol")), key=attrgetter("symbol")):
        yield symbol, list(group)


def track_together(
    model: type[TrackedDecision],
    decisions: list[TrackedDecision],
    known: Mapping[str, int],
    delisted: Mapping[str, IntArray],
) -> int:
    """Resolve some decisions in one transaction; returns how many leans ended.

    `known`: up to when (ms) each symbol's minutes are known; `delisted`: when it was. What is written follows from the
    rows as they are once locked: a slower worker, or one that read them before a void, finds them ended.
    """
    start_ms = min(to_ms(decision.opened_at) for decision in decisions)
    symbols = sorted({decision.symbol for decision in decisions})
    stored = load_many(symbols, start_ms, max(known[symbol] for symbol in symbols))
    with transaction.atomic():
        # Polls that know different minutes end different brackets first; locked in one order they cannot deadlock.
        locked = model._default_manager.select_for_update(no_key=True).order_by("pk")
        found = Found()
        for symbol, group in _by_symbol(locked.filter(pk__in=[decision.pk for decision in decisions])):
            minutes = stored[symbol].between(start_ms, known[symbol])
            found.follow(group, minutes, known[symbol], delisted.get(symbol, NEVER))
            _note_checked(model, group, to_time(known[symbol]))
        found.write(model)
    return len(found.ended)


def _note_checked(model: type[TrackedDecision], group: list[TrackedDecision], until: datetime) -> None:
    behind = [decision.pk for decision in group if decision.checked_until < until]
    model._default_manager.filter(pk__in=behind).update(checked_until=until)


class Found:
    """What the candles say of decisions that are locked: leans and mirrors that ended, and entries."""

    def __init__(self) -> None:
        self.ended: list[TrackedDecision] = []
        self._mirrored: list[TrackedDecision] = []
        self._entered: list[TrackedDecision] = []

    def follow(
        self, group: list[TrackedDecision], minutes: Candles, known_ms: int, delisted_ms: IntArray = NEVER
    ) -> None:
        """Follow the brackets of one symbol and their mirrors through its minutes."""
        costs, target_r = rules().costs, rules().bracket.target_r
        orders = Orders.of([order_of(decision) for decision in group])
        mirrored = orders.mirrored(np.array([decision.reference_price for decision in group]), target_r)
        leans, mirrors = (first_touches(each, minutes, known_ms, costs, delisted_ms) for each in (orders, mirrored))
        for row, decision in enumerate(group):
            self._follow_mirror(decision, mirrors.at(row))
            self._follow_lean(decision, leans.at(row), minutes, costs)

    def _follow_mirror(self, decision: TrackedDecision, touch: FirstTouch | None) -> None:
        if touch and not decision.mirror_outcome:
            set_mirror_outcome(decision, touch)
            self._mirrored.append(decision)

    def _follow_lean(self, decision: TrackedDecision, touch: FirstTouch | None, minutes: Candles, costs: Costs) -> None:
        if decision.outcome:
            return
        if touch:
            set_outcome(decision, touch)
            self.ended.append(decision)
        elif decision.entry is None:
            self._enter(decision, minutes, costs)

    def _enter(self, decision: TrackedDecision, minutes: Candles, costs: Costs) -> None:
        """The price the bracket was entered at, known as soon as its first minute has opened."""
        entered = minutes.between(to_ms(decision.opened_at), to_ms(decision.opened_at) + 1)
        if len(entered):
            decision.entry = float(entered.open[0]) * (1 + decision.direction * costs.slippage)
            self._entered.append(decision)

    def write(self, model: type[TrackedDecision]) -> None:
        for decisions, columns in (
            (self.ended, OUTCOME_COLUMNS),
            (self._mirrored, MIRROR_COLUMNS),
            (self._entered, ("entry",)),
        ):
            model._default_manager.bulk_update(decisions, columns, batch_size=500)
        for decision in self.ended:
            if isinstance(decision, Signal):
                transaction.on_commit(partial(_tell, decision))


def _tell(signal: Signal) -> None:
    """A line for each signal that has ended; shadows are too many."""
    with about(scan_id=signal.scan_id):
        net_r = "no R" if signal.net_r is None else f"{signal.net_r:+.3f} R"
        logger.info("outcome: %s %s, %s, %s", signal.symbol, signal.get_direction_display(), signal.outcome, net_r)
