"""Gaps on record: written as being filled or as explained, cut or forgotten once their minutes are candles."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from itertools import pairwise

from django.db import connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from ingestion.candles import load_candles, to_datetime, to_ms
from ingestion.holes import Explanation, Hole
from ingestion.models import CandleGap
from ingestion.timeframes import MINUTE_MS

EXPLAINED, FILLING = CandleGap.Status.EXPLAINED, CandleGap.Status.FILLING
# Explained, and a person wants it asked for again.
WANTED = Q(wanted_at__gt=F("last_checked"))


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


def note_filling(holes: Iterable[Hole], *, is_new_look: bool = True) -> None:
    """Make these holes the gaps that are being filled. A new look is counted at each that was there before."""
    now = timezone.now()
    rows = [
        CandleGap(
            symbol=hole.symbol,
            start=to_datetime(hole.start_ms),
            end=to_datetime(hole.end_ms),
            status=FILLING,
            checks=1,
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
        if is_new_look:
            being_filled.filter(first_seen__lt=now).update(checks=F("checks") + 1)


def looks_at_filling() -> Mapping[tuple[str, int], int]:
    """How many checks have met each gap that is being filled, by symbol and start (ms)."""
    rows = CandleGap.objects.filter(status=FILLING).values_list("symbol", "start", "checks")
    return {(symbol, to_ms(start)): checks for symbol, start, checks in rows}


def explained_before(symbol: str, start_ms: int, reason: CandleGap.Reason) -> bool:
    """Whether a gap with this reason ends where these minutes begin."""
    ends_there = CandleGap.objects.filter(symbol=symbol, end=to_datetime(start_ms), status=EXPLAINED)
    return ends_there.filter(reason=reason).exists()


FORGET_FILLED = """
DELETE FROM candle_gaps AS gap WHERE symbol = ANY(%s) AND gap."end" - gap.start = interval '1 minute' * (
    SELECT count(*) FROM candles
    WHERE candles.symbol = gap.symbol AND open_time >= gap.start AND open_time < gap."end" AND NOT off_grid)"""


def ask_again(*, gap_id: int) -> bool:
    """Have the next check ask the exchange for an explained gap; False if it is not explained, or wanted already."""
    explained = CandleGap.objects.filter(pk=gap_id, status=EXPLAINED).exclude(WANTED)
    return bool(explained.update(wanted_at=timezone.now()))


def forget_filled_gaps(symbols: Iterable[str]) -> int:
    """Delete gaps all of whose minutes have become candles since; how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET_FILLED, [list(symbols)])
        return int(cursor.rowcount)


WITH_CANDLES = """
SELECT id FROM candle_gaps AS gap WHERE status = 'explained' AND last_checked >= %s AND EXISTS (
    SELECT FROM candles
    WHERE candles.symbol = gap.symbol AND open_time >= gap.start AND open_time < gap."end" AND NOT off_grid)
ORDER BY id"""


def cut_filled_gaps(checked_since: datetime) -> int:
    """Take the minutes that have become candles out of explained gaps looked at since then; how many gaps it met."""
    with connection.cursor() as cursor:
        cursor.execute(WITH_CANDLES, [checked_since])
        found = [pk for (pk,) in cursor.fetchall()]
    for pk in found:
        _cut(pk)
    return len(found)


def _cut(pk: int) -> None:
    with transaction.atomic():
        gap = CandleGap.objects.select_for_update().filter(pk=pk).first()
        if gap is None:
            return
        left = _without_candles(gap)
        CandleGap.objects.filter(pk=pk).delete()
        parts = [CandleGap(**_copied(gap), start=to_datetime(start), end=to_datetime(end)) for start, end in left]
        CandleGap.objects.bulk_create(parts)


def _copied(gap: CandleGap) -> dict[str, object]:
    names = ("symbol", "status", "reason", "evidence", "checks", "first_seen", "last_checked")
    return {name: getattr(gap, name) for name in names}


def _without_candles(gap: CandleGap) -> list[tuple[int, int]]:
    """The spans of the gap that have no candle on the grid."""
    start, end = to_ms(gap.start), to_ms(gap.end)
    stored = load_candles(gap.symbol, start, end).open_ms
    edges = [start - MINUTE_MS, *stored[stored % MINUTE_MS == 0].tolist(), end]
    spans = [(before + MINUTE_MS, after) for before, after in pairwise(edges)]
    return [(begin, until) for begin, until in spans if begin < until]
