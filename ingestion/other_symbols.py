"""What all symbols together say of minutes that one of them lacks: an outage of the exchange, or not."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from enum import Enum
from functools import cached_property
from itertools import groupby

from ingestion.candles import to_datetime
from ingestion.holes import FEWEST_FOR_AN_OUTAGE, Hole
from ingestion.kline_pages import Heard, Span
from ingestion.models import CandleGap, Symbol
from ingestion.selectors import candle_coverage, symbols_with_candles
from ingestion.timeframes import MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
# No outage of the exchange has lasted longer; beyond it, other symbols are not counted.
LONGEST_OUTAGE_MS = timedelta(days=4) // timedelta(milliseconds=1)


class OutageVerdict(Enum):
    """Whether all symbols lack some minutes; it is open while one of them has not been asked about."""

    NONE = "none"
    PROVEN = "proven"
    OPEN = "open"


class Others:
    """The candles and holes of all symbols, as they stand when a backfill is through."""

    def __init__(self, symbols: Mapping[str, Symbol], holes: list[Hole], heard: Mapping[str, Heard]) -> None:
        self._symbols, self._holes, self._heard = symbols, holes, heard
        self._verdicts: dict[Span, OutageVerdict] = {}
        self._hours: dict[int, dict[int, int]] = {}

    def is_leading(self, piece: Hole) -> bool:
        """Whether no candle of its symbol is stored before it."""
        first = self._first_stored.get(piece.symbol)
        return first is None or first >= to_datetime(piece.start_ms)

    def expected(self, start_ms: int, end_ms: int) -> set[str]:
        """The symbols that should have candles in these minutes: traded before, and neither halted nor gone."""
        start, end = to_datetime(start_ms), to_datetime(end_ms)
        halted = {name for name, since, until in self._not_traded if since < end and until > start}
        return {
            name
            for name, first in self._first_stored.items()
            if first is not None and first < start and name not in halted and not self._is_gone(name, end)
        }

    def _is_gone(self, name: str, end: datetime) -> bool:
        delisted_at = self._symbols[name].delisted_at
        return delisted_at is not None and delisted_at < end

    @cached_property
    def _first_stored(self) -> dict[str, datetime | None]:
        return {each.symbol: each.first for each in candle_coverage(self._symbols)}

    @cached_property
    def _not_traded(self) -> list[tuple[str, datetime, datetime]]:
        reasons = (CandleGap.Reason.NOT_LISTED, CandleGap.Reason.HALTED)
        gaps = CandleGap.objects.filter(status=CandleGap.Status.EXPLAINED, reason__in=reasons)
        return list(gaps.values_list("symbol", "start", "end"))

    # --- minutes that nobody has --------------------------------------------------------------------------------------

    def cut(self, piece: Hole) -> Iterator[tuple[Hole, int]]:
        """The piece cut where some other symbol begins or stops to have candles, with the most that have one."""
        if piece.end_ms - piece.start_ms > LONGEST_OUTAGE_MS:
            yield piece, max(self._with_candles(minute) for minute in (piece.start_ms, piece.end_ms - MINUTE_MS))
            return
        minutes = range(piece.start_ms, piece.end_ms, MINUTE_MS)
        for _, group in groupby(minutes, key=lambda minute: self._with_candles(minute) > 0):
            part = list(group)
            hole = Hole(piece.symbol, part[0], part[-1] + MINUTE_MS)
            yield hole, max(self._with_candles(minute) for minute in part)

    def _with_candles(self, minute: int) -> int:
        """How many symbols have a candle then. Read by the hour: outages are long, and holes come in swarms."""
        hour = minute // HOUR_MS * HOUR_MS
        if hour not in self._hours:
            self._hours[hour] = symbols_with_candles(self._symbols, hour, hour + HOUR_MS)
        return self._hours[hour].get(minute, 0)

    def outage(self, start_ms: int, end_ms: int) -> OutageVerdict:
        """Of minutes that nobody has a candle of."""
        span = (start_ms, end_ms)
        if span not in self._verdicts:
            self._verdicts[span] = self._judge(start_ms, end_ms)
        return self._verdicts[span]

    def _judge(self, start_ms: int, end_ms: int) -> OutageVerdict:
        expected = self.expected(start_ms, end_ms)
        if len(expected) < FEWEST_FOR_AN_OUTAGE or end_ms - start_ms > LONGEST_OUTAGE_MS:
            return OutageVerdict.NONE
        verdict = OutageVerdict.PROVEN
        for hole in self._holes:
            overlap = max(hole.start_ms, start_ms), min(hole.end_ms, end_ms)
            if hole.symbol not in expected or overlap[0] >= overlap[1]:
                continue
            heard = self._heard.get(hole.symbol)
            if heard is not None and any(overlap[0] <= minute < overlap[1] for minute in heard.refused):
                # Its row could not be read, but it was there.
                return OutageVerdict.NONE
            if heard is None or not (heard.unknown or heard.has_nothing(*overlap)):
                verdict = OutageVerdict.OPEN
        return verdict
