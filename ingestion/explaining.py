"""Why minutes that could not be filled have no candle, as far as the exchange's own answers prove it.

A hole is explained only if the exchange serves a later candle of its symbol, or says itself that there is none to
come: that it does not know the symbol, or has halted it. What it has not served yet may still come.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from django.utils import timezone

from ingestion.backfill import Backfill
from ingestion.candles import to_datetime
from ingestion.gap_records import explained_before, looks_at_filling
from ingestion.holes import Explanation, Hole
from ingestion.kline_pages import Heard, Page, Question, Span, next_question
from ingestion.models import CandleGap, Symbol
from ingestion.other_symbols import Others, OutageVerdict
from ingestion.rest import ExchangeError
from ingestion.selectors import candles_around
from ingestion.timeframes import MINUTE_MS

# So often must the exchange say that it has no candle while it has later ones; so many checks must meet what may be
# the fault of an hour: a row that cannot be read, a symbol that is suddenly unknown.
CONFIRMATIONS, LOOKS = 3, 3
TRADING = "TRADING"

Reason = CandleGap.Reason


@dataclass(frozen=True)
class _Part:
    """Minutes that a symbol lacks while the exchange has later ones; so many others have some candle then."""

    hole: Hole
    with_candles: int


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
        self._others = Others(self._symbols, self._holes, run.heard)
        self._first_served: dict[str, Span | None] = {}

    def explanations(self) -> Iterator[Explanation]:
        """For the minutes whose absence is proven; the others are left out."""
        of_one_symbol: list[_Part] = []
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
                    yield from self._of_empty(piece, of_one_symbol)
                elif self._is_halted(piece, heard):
                    status = self._symbols[piece.symbol].trading_status
                    yield self._explained(piece, Reason.HALTED, {"trading_status": status})
        yield from self._of_one_symbol(of_one_symbol)

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

    def _of_empty(self, piece: Hole, of_one_symbol: list[_Part]) -> Iterator[Explanation]:
        """What was before the listing, and outages; what only some symbols lack goes to the list."""
        served = self._before_first_candle(piece.symbol) if self._others.is_leading(piece) else None
        if served is not None and piece.end_ms <= served[1]:
            first = to_datetime(served[1]).isoformat()
            yield self._explained(piece, Reason.NOT_LISTED, {"first_candle": first})
            return
        for part, with_candles in self._others.cut(piece):
            verdict = OutageVerdict.NONE if with_candles else self._others.outage(part.start_ms, part.end_ms)
            if verdict == OutageVerdict.NONE:
                of_one_symbol.append(_Part(part, with_candles))
            elif verdict == OutageVerdict.PROVEN:
                yield self._explained(part, Reason.EXCHANGE_OUTAGE, self._counted(part, 0))

    def _before_first_candle(self, symbol: str) -> Span | None:
        """The time before the exchange's first candle of the symbol; None if it does not say."""
        if symbol not in self._first_served:
            page = self._ask(symbol, Question(0, 1))
            self._first_served[symbol] = page.empties[0] if page and page.empties else None
        return self._first_served[symbol]

    def _of_one_symbol(self, parts: list[_Part]) -> Iterator[Explanation]:
        """Believed when the exchange says the same each time it is asked; the page it was found on counts as once."""
        for symbol, group in groupby(parts, key=lambda part: part.hole.symbol):
            left = list(group)
            for _ in range(CONFIRMATIONS - 1):
                heard = self._heard_again(symbol, [(part.hole.start_ms, part.hole.end_ms) for part in left])
                left = [part for part in left if heard.is_empty(part.hole.start_ms, part.hole.end_ms)]
            for part in left:
                counted = {"asked": CONFIRMATIONS} | self._counted(part.hole, part.with_candles)
                yield self._explained(part.hole, Reason.SOURCE_HAS_NO_CANDLE, counted)

    def _heard_again(self, symbol: str, spans: list[Span]) -> Heard:
        """What the exchange says about these minutes now, as far as it answers and time allows."""
        heard = Heard()
        question = next_question(spans, 0)
        while question is not None and (page := self._ask(symbol, question)) is not None:
            heard.note(page, question.start_ms)
            question = next_question(spans, page.end_ms) if page.end_ms > question.start_ms else None
        return heard

    def _ask(self, symbol: str, question: Question) -> Page | None:
        if self.stopped or time.monotonic() >= self._ends:
            return None
        try:
            return self._run.ask(symbol, question)
        except ExchangeError as error:
            self.stopped = error
            return None

    def _counted(self, part: Hole, with_candles: int) -> dict[str, int]:
        others = len(self._others.expected(part.start_ms, part.end_ms) - {part.symbol})
        return {"others": others, "others_with_candles": with_candles}

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
