"""Why minutes that could not be filled have no candle, as far as the exchange's own answers prove it.

A hole is explained only if the exchange serves a later candle of its symbol, or says itself that there is none to
come: that it does not know the symbol, or has halted it. What it has not served yet may still come.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from django.utils import timezone

from ingestion.backfill import Backfill
from ingestion.candles import to_datetime
from ingestion.gap_records import explained_before, looks_at_filling
from ingestion.holes import FEWEST_FOR_AN_OUTAGE, Explanation, Hole
from ingestion.kline_pages import Heard, Span
from ingestion.models import CandleGap, Symbol
from ingestion.rest import ExchangeError
from ingestion.selectors import candle_coverage, candles_around, symbols_with_candles
from ingestion.timeframes import MINUTE_MS

# So often must the exchange say that it has no candle while it has later ones; so many checks must meet what may be
# the fault of an hour: a row that cannot be read, a symbol that is suddenly unknown.
CONFIRMATIONS, LOOKS = 3, 3
# No outage of the exchange has lasted longer; beyond it, other symbols are not counted minute by minute.
LONGEST_OUTAGE_MS = timedelta(days=4) // timedelta(milliseconds=1)
TRADING = "TRADING"

Reason = CandleGap.Reason


@dataclass(frozen=True)
class _Shared:
    """What all symbols together say of some minutes: `others` were expected to have a candle, besides one."""

    is_outage: bool
    is_known: bool
    others: int


class Explaining:
    """One look at all holes that a backfill has left. It asks the exchange on until the monotonic moment `ends`.

    `stopped` is the error that kept it from asking, if one did.
    """

    def __init__(self, run: Backfill, holes: Iterable[Hole], *, ends: float) -> None:
        self.stopped: ExchangeError | None = None
        self._run, self._ends, self._since = run, ends, timezone.now()
        self._holes = list(holes)
        self._symbols = {symbol.name: symbol for symbol in Symbol.objects.all()}
        self._looks = looks_at_filling()
        self._shared: dict[Span, _Shared] = {}
        self._first_stored: dict[str, datetime | None] | None = None
        self._first_served: dict[str, Span | None] = {}

    def explanations(self) -> Iterator[Explanation]:
        """For the minutes whose absence is proven; the others are left out."""
        for hole in self._holes:
            heard = self._run.heard.get(hole.symbol)
            if heard is None:
                continue
            if heard.unknown:
                yield from self._after_looks(hole, hole, Reason.NOT_LISTED, {"answer": heard.unknown})
                continue
            for piece, is_refused in _cut_at_refused(hole, heard.refused):
                if is_refused:
                    yield from self._after_looks(hole, piece, Reason.ROW_QUARANTINED, {})
                elif heard.is_empty(piece.start_ms, piece.end_ms):
                    yield from self._of_empty(piece)
                elif self._is_halted(piece, heard):
                    status = self._symbols[piece.symbol].trading_status
                    yield self._explained(piece, Reason.HALTED, {"trading_status": status})

    def _after_looks(
        self, hole: Hole, piece: Hole, reason: CandleGap.Reason, evidence: dict[str, Any]
    ) -> Iterator[Explanation]:
        """Not at the first check, unless it goes on from minutes that were explained in the same way."""
        looks = self._looks.get((hole.symbol, hole.start_ms), 0)
        if looks >= LOOKS or explained_before(piece.symbol, piece.start_ms, reason):
            yield self._explained(piece, reason, {"checks": looks} | evidence)

    def _is_halted(self, piece: Hole, heard: Heard) -> bool:
        symbol = self._symbols.get(piece.symbol)
        is_trading = symbol is None or symbol.trading_status == TRADING
        return not is_trading and heard.has_nothing(piece.start_ms, piece.end_ms)

    # --- minutes that the exchange passes over ------------------------------------------------------------------------

    def _of_empty(self, piece: Hole) -> Iterator[Explanation]:
        served = self._first_candle_served(piece) if self._is_leading(piece) else None
        if served is not None and piece.end_ms <= served[1]:
            first = to_datetime(served[1]).isoformat()
            yield self._explained(piece, Reason.NOT_LISTED, {"first_candle": first})
            return
        for part, with_candles in _cut_by_others(piece, self._candles_of_others(piece)):
            shared = self._shared_by_all(part)
            if with_candles or not shared.is_outage:
                if self._is_confirmed(part):
                    counted = {"asked": CONFIRMATIONS, "others": shared.others, "others_with_candles": with_candles}
                    yield self._explained(part, Reason.SOURCE_HAS_NO_CANDLE, counted)
            elif shared.is_known:
                yield self._explained(part, Reason.EXCHANGE_OUTAGE, {"others": shared.others, "others_with_candles": 0})

    def _is_leading(self, piece: Hole) -> bool:
        """Whether no candle is stored before it."""
        return piece.symbol not in self._traded_before(to_datetime(piece.start_ms))

    def _traded_before(self, moment: datetime) -> set[str]:
        """The symbols of which an older candle is stored."""
        if self._first_stored is None:
            self._first_stored = {each.symbol: each.first for each in candle_coverage(self._symbols)}
        return {name for name, first in self._first_stored.items() if first is not None and first < moment}

    def _first_candle_served(self, piece: Hole) -> Span | None:
        """The time before the exchange's first candle of the symbol; None if it does not say."""
        if piece.symbol not in self._first_served:
            empties = self._ask_for_first(piece.symbol, 0)
            self._first_served[piece.symbol] = empties[0] if empties else None
        return self._first_served[piece.symbol]

    def _is_confirmed(self, part: Hole) -> bool:
        """Whether the exchange says the same each time it is asked again; the page it was found on counts as once."""
        return all(
            any(start <= part.start_ms and part.end_ms <= end for start, end in empties)
            for empties in (self._ask_for_first(part.symbol, part.start_ms) for _ in range(CONFIRMATIONS - 1))
        )

    def _ask_for_first(self, symbol: str, start_ms: int) -> tuple[Span, ...]:
        """The empty minutes before the next candle; nothing once the exchange did not answer or time is up."""
        if self.stopped or time.monotonic() >= self._ends:
            return ()
        try:
            return self._run.first_row(symbol, start_ms).empties
        except ExchangeError as error:
            self.stopped = error
            return ()

    # --- what the other symbols say -----------------------------------------------------------------------------------

    def _candles_of_others(self, piece: Hole) -> Mapping[int, int]:
        until_ms = min(piece.end_ms, piece.start_ms + LONGEST_OUTAGE_MS)
        return symbols_with_candles(self._symbols, piece.start_ms, until_ms)

    def _shared_by_all(self, part: Hole) -> _Shared:
        span = (part.start_ms, part.end_ms)
        if span not in self._shared:
            self._shared[span] = self._look_at_all(*span)
        return self._shared[span]

    def _look_at_all(self, start_ms: int, end_ms: int) -> _Shared:
        """An outage needs every symbol that was traded then; one that was not asked about yet leaves it unknown."""
        expected = self._expected(start_ms, end_ms)
        others = len(expected) - 1
        if len(expected) < FEWEST_FOR_AN_OUTAGE or end_ms - start_ms > LONGEST_OUTAGE_MS:
            return _Shared(is_outage=False, is_known=True, others=max(others, 0))
        is_known = True
        for hole in self._holes:
            overlap = max(hole.start_ms, start_ms), min(hole.end_ms, end_ms)
            if hole.symbol not in expected or overlap[0] >= overlap[1]:
                continue
            heard = self._run.heard.get(hole.symbol)
            if heard is not None and any(overlap[0] <= minute < overlap[1] for minute in heard.refused):
                return _Shared(is_outage=False, is_known=True, others=others)
            is_known = is_known and heard is not None and bool(heard.unknown or heard.has_nothing(*overlap))
        return _Shared(is_outage=True, is_known=is_known, others=others)

    def _expected(self, start_ms: int, end_ms: int) -> set[str]:
        """The symbols that should have candles in these minutes, as far as we know."""
        start, end = to_datetime(start_ms), to_datetime(end_ms)
        not_traded = CandleGap.objects.filter(
            status=CandleGap.Status.EXPLAINED,
            reason__in=(Reason.NOT_LISTED, Reason.HALTED),
            start__lt=end,
            end__gt=start,
        ).values_list("symbol", flat=True)
        gone = {name for name, symbol in self._symbols.items() if symbol.delisted_at and symbol.delisted_at < end}
        return self._traded_before(start) - gone - set(not_traded)

    def _explained(self, hole: Hole, reason: CandleGap.Reason, evidence: dict[str, Any]) -> Explanation:
        asked = {"asked_since": self._since.isoformat(), "asked_until": timezone.now().isoformat()}
        return Explanation(hole, reason, evidence | asked | candles_around(hole.symbol, hole.start_ms, hole.end_ms))


def _cut_at_refused(hole: Hole, refused: set[int]) -> Iterator[tuple[Hole, bool]]:
    """The hole in pieces of minutes whose row was refused and minutes without a row."""
    within = refused.intersection(range(hole.start_ms, hole.end_ms, MINUTE_MS)) if refused else refused
    if not within:
        yield hole, False
        return
    minutes = range(hole.start_ms, hole.end_ms, MINUTE_MS)
    for is_refused, group in groupby(minutes, key=within.__contains__):
        piece = list(group)
        yield Hole(hole.symbol, piece[0], piece[-1] + MINUTE_MS), is_refused


def _cut_by_others(piece: Hole, others: Mapping[int, int]) -> Iterator[tuple[Hole, int]]:
    """The piece cut where all other symbols stop or begin to have none, with the most symbols that have a candle."""
    if not others:
        yield piece, 0
        return
    if piece.end_ms - piece.start_ms > LONGEST_OUTAGE_MS:
        yield piece, max(others.values())
        return
    for _, group in groupby(range(piece.start_ms, piece.end_ms, MINUTE_MS), key=others.__contains__):
        part = list(group)
        yield Hole(piece.symbol, part[0], part[-1] + MINUTE_MS), max(others.get(minute, 0) for minute in part)
