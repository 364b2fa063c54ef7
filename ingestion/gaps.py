"""Missing minutes: found on the clock grid, filled from the recording if it has them, else explained with evidence."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone

from alphapulse_site.clock import is_recording, market_now
from ingestion.candles import store_candles, to_datetime, to_ms
from ingestion.csv_format import candle_files, load_recording, symbol_of
from ingestion.holes import Explanation, Hole, neighbours, split_by_reason
from ingestion.models import BackfillRun, CandleGap, CandleSource, Symbol
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import Candles

EXPLAINED, FILLING = CandleGap.Status.EXPLAINED, CandleGap.Status.FILLING


@dataclass(frozen=True)
class GapCheck:
    """What one gap check did: candles filled in, minutes explained, minutes that are still open."""

    filled: int = 0
    explained: int = 0
    open: int = 0


def check_gaps() -> GapCheck:
    """Look for holes up to the market clock and settle them. What nobody can fill or explain yet stays as filling."""
    until = market_now()
    if until is None:
        return GapCheck()
    listed = dict(Symbol.objects.values_list("name", "listed_at"))
    holes = unexplained_gaps(listed, 0, to_ms(until))
    done = settle_from_recording(holes, settings.ALPHAPULSE_RECORDING) if holes and is_recording() else GapCheck()
    if done.filled or done.explained:
        holes = unexplained_gaps(listed, 0, to_ms(until))
    note_filling(holes)
    first_hole = {hole.symbol: hole.start_ms for hole in reversed(holes)}
    for name, listed_at in listed.items():
        # Not if an import has just moved the listing back: then there is older history to look at first.
        unchanged = Symbol.objects.filter(name=name, listed_at=listed_at)
        unchanged.update(complete_until=to_datetime(first_hole.get(name, to_ms(until))))
    return replace(done, open=sum(hole.minutes for hole in holes))


def settle_from_recording(holes: list[Hole], recording: Path) -> GapCheck:
    """Fill holes with the recording's candles; what it has no candle for is explained by that."""
    minutes = _recorded(holes, recording)
    filled = _fill(holes, minutes)
    left = unexplained_gaps({hole.symbol for hole in holes}, _first(holes), _last(holes))
    spans = {symbol: (_first(holes), _last(holes)) for symbol in Symbol.objects.values_list("name", flat=True)}
    explanations = [
        Explanation(hole, reason, {"recording": recording.name} | neighbours(minutes.get(hole.symbol), hole))
        for hole, reason in split_by_reason(left, spans)
    ]
    return GapCheck(filled=filled, explained=record_explanations(explanations))


def _recorded(holes: list[Hole], recording: Path) -> dict[str, Candles]:
    there = {symbol_of(path) for path in candle_files([recording])}
    wanted = sorted({hole.symbol for hole in holes} & there)
    return load_recording(recording, symbols=wanted) if wanted else {}


def _fill(holes: list[Hole], minutes: Mapping[str, Candles]) -> int:
    """Store the recording's candles of each hole; how many were new."""
    filled = 0
    for hole in holes:
        found = minutes[hole.symbol].between(hole.start_ms, hole.end_ms) if hole.symbol in minutes else None
        if not found:
            continue
        started = timezone.now()
        with transaction.atomic():
            report = store_candles({hole.symbol: found}, source=CandleSource.IMPORT)
            BackfillRun.objects.create(
                symbol=hole.symbol,
                start=to_datetime(hole.start_ms),
                end=to_datetime(hole.end_ms),
                status=BackfillRun.Status.DONE,
                candles=report.inserted,
                started_at=started,
                finished_at=timezone.now(),
            )
        filled += report.inserted
    return filled


def _first(holes: list[Hole]) -> int:
    return min(hole.start_ms for hole in holes)


def _last(holes: list[Hole]) -> int:
    return max(hole.end_ms for hole in holes)


# --- on record --------------------------------------------------------------------------------------------------------


def record_explanations(explanations: Iterable[Explanation]) -> int:
    """Write explained gaps, longer where one goes on from the one before; how many minutes were explained."""
    minutes = 0
    with transaction.atomic():
        for explanation in explanations:
            if not _lengthen(explanation):
                _write(explanation)
            minutes += explanation.hole.minutes
    return minutes


def _lengthen(explanation: Explanation) -> bool:
    """Move the end of the gap that ends where this one begins; False if there is none with the same reason."""
    start, end = to_datetime(explanation.hole.start_ms), to_datetime(explanation.hole.end_ms)
    same = CandleGap.objects.filter(symbol=explanation.hole.symbol, status=EXPLAINED, reason=explanation.reason)
    row = same.select_for_update().filter(end=start).first()
    if row is None:
        return False
    evidence = row.evidence | {"after": explanation.evidence.get("after")}
    same.filter(pk=row.pk).update(end=end, evidence=evidence, checks=F("checks") + 1, last_checked=timezone.now())
    return True


def _write(explanation: Explanation) -> None:
    """One explained gap; in place of the row that said it was being filled, if there is one."""
    now = timezone.now()
    row = CandleGap(
        symbol=explanation.hole.symbol,
        start=to_datetime(explanation.hole.start_ms),
        end=to_datetime(explanation.hole.end_ms),
        status=EXPLAINED,
        reason=explanation.reason,
        evidence=explanation.evidence,
        checks=1,
        first_seen=now,
        last_checked=now,
    )
    CandleGap.objects.bulk_create(
        [row],
        update_conflicts=True,
        unique_fields=["symbol", "start"],
        update_fields=["end", "status", "reason", "evidence", "last_checked"],
    )


def note_filling(holes: Iterable[Hole]) -> None:
    """Make these holes the gaps that are being filled, and count this look at each of them."""
    now = timezone.now()
    rows = [
        CandleGap(
            symbol=hole.symbol,
            start=to_datetime(hole.start_ms),
            end=to_datetime(hole.end_ms),
            status=FILLING,
            first_seen=now,
            last_checked=now,
        )
        for hole in holes
    ]
    with transaction.atomic():
        CandleGap.objects.bulk_create(
            rows,
            update_conflicts=True,
            unique_fields=["symbol", "start"],
            update_fields=["end", "status", "reason", "last_checked"],
        )
        being_filled = CandleGap.objects.filter(status=FILLING)
        being_filled.exclude(last_checked=now).delete()
        being_filled.update(checks=F("checks") + 1)


FORGET_FILLED = """
DELETE FROM candle_gaps AS gap WHERE symbol = ANY(%s) AND gap."end" - gap.start = interval '1 minute' * (
    SELECT count(*) FROM candles
    WHERE candles.symbol = gap.symbol AND open_time >= gap.start AND open_time < gap."end" AND NOT off_grid)"""


def forget_filled_gaps(symbols: Iterable[str]) -> int:
    """Delete gaps all of whose minutes have become candles since; how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET_FILLED, [list(symbols)])
        return int(cursor.rowcount)
