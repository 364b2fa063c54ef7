"""Candle files into the database: good rows stored, bad rows quarantined, missing minutes explained. Safe to repeat."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import Q

from ingestion.candles import StoreReport, store_candles, to_datetime
from ingestion.csv_format import BadRow, CandleFile
from ingestion.gap_records import forget_filled_gaps, record_explanations
from ingestion.holes import Explanation, Hole, Span, neighbours, split_by_reason
from ingestion.models import CandleSource, QuarantinedMessage, Symbol
from ingestion.quarantine import quarantine
from ingestion.refused import Refused
from ingestion.selectors import unexplained_gaps
from ingestion.symbols import split_symbol
from ingestion.timeframes import MINUTE_MS, Candles


@dataclass
class ImportReport:
    """What an import has brought so far; grows file by file."""

    files: int = 0
    stored: StoreReport = field(default_factory=StoreReport)
    duplicates: int = 0
    unordered: int = 0
    zero_volume: int = 0
    bad_rows: Counter[str] = field(default_factory=Counter)
    newly_quarantined: int = 0
    explained_minutes: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """The figures under the names that `import_candles --json` prints."""
        return {
            "files": self.files,
            "inserted": self.stored.inserted,
            "unchanged": self.stored.unchanged,
            "disagreeing": self.stored.disagreeing,
            "duplicates": self.duplicates,
            "unordered": self.unordered,
            "zero_volume": self.zero_volume,
            "bad_rows": self.bad_rows.total(),
            "bad_rows_by_reason": dict(self.bad_rows.most_common()),
            "newly_quarantined": self.newly_quarantined,
            "explained_minutes": self.explained_minutes.total(),
            "explained_minutes_by_reason": dict(self.explained_minutes.most_common()),
        }


@dataclass(frozen=True)
class _Account:
    """What one file leaves behind for the explanation of its missing minutes, after its candles are forgotten."""

    span: Span
    refused: frozenset[int]
    holes: dict[Hole, dict[str, Any]]


def import_files(
    files: Iterable[CandleFile], *, until_ms: int, progress: Callable[[ImportReport], None] = lambda report: None
) -> ImportReport:
    """Store the candles of each file that open before `until_ms`, then explain the minutes missing inside the files.

    Each file is one transaction: a broken-off import keeps the files it has finished, and the next one goes on.
    """
    report = ImportReport()
    accounts: dict[str, list[_Account]] = {}
    for file in files:
        account = _import_file(file, until_ms, report)
        if account:
            accounts.setdefault(file.symbol, []).append(account)
        progress(report)
    _explain(accounts, report)
    forget_filled_gaps(accounts)
    if report.stored.inserted:
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE candles")
    return report


def _import_file(file: CandleFile, until_ms: int, report: ImportReport) -> _Account | None:
    candles = file.candles.between(0, until_ms)
    with transaction.atomic():
        report.newly_quarantined += quarantine_rows(file)
        if len(candles):
            list_symbol(file.symbol, to_datetime(int(candles.open_ms[0])))
            report.stored += store_candles({file.symbol: candles}, source=CandleSource.IMPORT)
    report.files += 1
    report.duplicates += file.duplicates
    report.unordered += file.unordered
    report.zero_volume += int((candles.volume == 0).sum())
    report.bad_rows.update(row.reason for row in file.bad_rows)
    return _account(file, candles) if len(candles) else None


def _account(file: CandleFile, candles: Candles) -> _Account:
    first, last = int(candles.open_ms[0]), int(candles.open_ms[-1])
    holes = unexplained_gaps([file.symbol], first, last + MINUTE_MS)
    refused = (minute for row in file.bad_rows if (minute := _minute_of(row)) is not None)
    evidence = {hole: {"file": file.path.name} | neighbours(candles, hole) for hole in holes}
    return _Account((first, last + MINUTE_MS), frozenset(refused), evidence)


def _minute_of(row: BadRow) -> int | None:
    """The open time a bad row claims, if it can be read."""
    stamp = row.text.split(",", 1)[0]
    return int(stamp) if stamp.isascii() and stamp.isdigit() and len(stamp) < 16 else None


def _explain(accounts: dict[str, list[_Account]], report: ImportReport) -> None:
    """A minute that every symbol of this import lacks is an outage; where a bad row stood, that row is the reason."""
    spans = {
        symbol: (min(each.span[0] for each in parts), max(each.span[1] for each in parts))
        for symbol, parts in accounts.items()
    }
    refused = {symbol: frozenset().union(*(each.refused for each in parts)) for symbol, parts in accounts.items()}
    evidence = {hole: found for parts in accounts.values() for each in parts for hole, found in each.holes.items()}
    for piece, reason in split_by_reason(evidence, spans, refused):
        around = next(found for hole, found in evidence.items() if _holds(hole, piece))
        report.explained_minutes[reason.value] += record_explanations([Explanation(piece, reason, around)])


def _holds(hole: Hole, piece: Hole) -> bool:
    return hole.symbol == piece.symbol and hole.start_ms <= piece.start_ms and piece.end_ms <= hole.end_ms


def list_symbol(name: str, since: datetime) -> None:
    """Make the symbol known, listed since then or earlier; older history than known has to be checked for gaps."""
    base, quote = split_symbol(name)
    Symbol.objects.bulk_create(
        [Symbol(name=name, base_asset=base, quote_asset=quote, listed_at=since)], ignore_conflicts=True
    )
    later = Symbol.objects.filter(Q(listed_at__isnull=True) | Q(listed_at__gt=since), name=name)
    later.update(listed_at=since, complete_until=None)


def quarantine_rows(file: CandleFile) -> int:
    """Keep the file's bad rows; how many were new."""
    path = str(file.path.resolve())
    kept = QuarantinedMessage.objects.filter(file=path)
    before = kept.count()
    rows = (Refused.of(row.text, row.reason, file=path, line=row.line) for row in file.bad_rows)
    quarantine(CandleSource.IMPORT, rows)
    return kept.count() - before
