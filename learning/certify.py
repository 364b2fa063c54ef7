"""Certify: recompute stored decisions from stored candles and compare every column, bit for bit."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from alphapulse_site.clock import market_now
from ingestion.candles import load_many
from ingestion.timeframes import FloatArray, IntArray, Timeframe
from learning.follow import Known
from learning.selectors import version_of, versions_of_other_heads
from learning.walk import NEVER_MS, Decided, Given, Seen, Walk, look_over, walk_over
from signals.configuration import rules, scan_timeframe
from signals.derivatives import ALT_SEASON, READ_BACK
from signals.digests import decisions_digest
from signals.heads import HEADS
from signals.models import RejectedSignal, ScanClose, ScanHistory, Signal, TrackedDecision
from signals.mood import MOOD_FIELDS
from signals.mood_feed import EXTERNAL, feed_name
from signals.rows import (
    MIRROR_COLUMNS,
    OUTCOME_COLUMNS,
    scan_rows,
    set_mirror_outcome,
    set_outcome,
    to_ms,
    to_time,
    tracked_rows,
)
from signals.selectors import past_signals
from signals.version import Version
from signals.windows import all_readings, external_of, season_of

# Reasons are words about votes that are compared, rounded for people: nothing is decided by them.
NOT_COMPARED = ("pk", "source", "waited_too_long", "reasons")
COMPARED = tuple(field.name for field in ScanHistory._meta.concrete_fields if field.name not in NOT_COMPARED)
TRACKED = (
    *("symbol", "direction", "reference_price", "risk", "stop_loss", "take_profit", "opened_at", "expires_at"),
    *("weight_version", "entry", "outcome", "exit_price", "exit_at", "net_r", "net_pct", "best_r", "worst_r"),
    *("ambiguous", "missing_minutes", "mirror_outcome", "mirror_exit_at", "mirror_net_r"),
)


@dataclass
class Certificate:
    """What was compared, and what differed: one line a row, with the columns.

    `decisions_digest` is that of the stored decisions: `replay` over the same candles and closes prints the same.
    `by_other_heads` counts the closes left out since another release decided them, with heads that do not vote now.
    """

    closes: int = 0
    scans: int = 0
    outcomes: int = 0
    moods: int = 0
    by_other_heads: int = 0
    decisions_digest: str | None = None
    differences: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Stored:
    """A teacher who repeats the versions that the closes were decided with."""

    versions: dict[int, Version]

    def version_at(self, close_ms: int, walk: Walk) -> Version:
        return self.versions[close_ms]

    def steady_until(self, close_ms: int) -> int:
        version = self.versions[close_ms]
        return next((at for at, other in self.versions.items() if at > close_ms and other is not version), NEVER_MS)


def certify(
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    progress: Callable[[str, float], None] = lambda step, share: None,
) -> Certificate:
    """Recompute every decided close of [since, until] from the candles and compare with what was stored."""
    timeframe = scan_timeframe()
    closes = ScanClose.objects.filter(timeframe=timeframe.name, decided_at__isnull=False).order_by("close_time")
    closes = closes.filter(close_time__gte=since) if since else closes
    closes = closes.filter(close_time__lte=until) if until else closes
    rows = list(closes)
    ours = rows[_foreign(rows) :]
    certificate = _certify(ours, timeframe, progress) if ours else Certificate()
    certificate.by_other_heads = len(rows) - len(ours)
    return certificate


def _foreign(rows: list[ScanClose]) -> int:
    """How many closes, from the first on, were decided by other heads than vote now."""
    others = versions_of_other_heads()
    return next((at for at in range(len(rows), 0, -1) if rows[at - 1].weight_version in others), 0)


def _certify(rows: list[ScanClose], timeframe: Timeframe, progress: Callable[[str, float], None]) -> Certificate:
    first, last = rows[0].close_time, rows[-1].close_time
    symbols = sorted({symbol for row in rows for chunk in row.chunks or [] for symbol in chunk})
    # Beyond the market clock a minute is not missing, it has not come yet.
    known_ms = min(to_ms(last) + timeframe.ms * (rules().bracket.limit_bars + 1), to_ms(market_now() or last))
    minutes = {symbol: candles for symbol, candles in load_many(symbols, 0, known_ms).items() if len(candles)}
    given = _given(timeframe)
    seen = look_over(minutes, timeframe, to_ms(first), to_ms(last), HEADS, rules(), given=given)
    certificate = Certificate(moods=int((seen.mood_ms >= to_ms(first)).sum()))
    certificate.differences += feed_differences(seen, given, to_ms(first))
    walk = Walk(minutes, timeframe, rules(), Known(known_ms), past=past_signals(timeframe, first, rules().gates))
    teacher = Stored(_versions(rows))
    expected = {to_ms(row.close_time) for row in rows}
    for decided in walk_over(seen, walk, teacher):
        _compare(decided, timeframe, certificate, known_ms)
        expected.discard(decided.close_ms)
        progress("certify", (decided.close_ms - to_ms(first)) / max(to_ms(last) - to_ms(first), 1))
    _compare_empty(expected, timeframe, certificate)
    certificate.decisions_digest = decisions_digest(_stored_ids(timeframe, first, last))
    return certificate


def _stored_ids(timeframe: Timeframe, first: datetime, last: datetime) -> list[UUID]:
    scans = ScanHistory.objects.filter(
        timeframe=timeframe.name, close_time__gte=first, close_time__lte=last, scan_id__isnull=False
    )
    found = scans.order_by("close_time", "symbol").values_list("scan_id", flat=True)
    return [scan_id for scan_id in found if scan_id is not None]


def _versions(rows: list[ScanClose]) -> dict[int, Version]:
    known: dict[tuple[Any, ...], Version] = {}
    for row in rows:
        key = (row.weight_version, row.threshold_version, row.waited_too_long)
        if key not in known:
            known[key] = version_of(row)
    return {
        to_ms(row.close_time): known[(row.weight_version, row.threshold_version, row.waited_too_long)] for row in rows
    }


def _given(timeframe: Timeframe) -> Given:
    """The feeds as they were stored."""
    stored = all_readings((feed_name(timeframe), ALT_SEASON, EXTERNAL, *READ_BACK))
    moods = stored.get(feed_name(timeframe), {}).get("")
    return Given(
        mood=(moods.as_of_ms, moods.values) if moods else (np.empty(0, np.int64), np.empty((0, len(MOOD_FIELDS)))),
        season=season_of(stored),
        external=external_of(stored),
        readings=stored,
    )


def feed_differences(seen: Seen, given: Given, first_ms: int) -> Iterator[str]:
    """Every close from `first_ms` on whose stored mood or alt season is not what the candles give again.

    What was stored before is taken as it is: another release may have made it otherwise.
    """
    stored_ms, moods = given.mood or (np.empty(0, np.int64), np.empty((0, len(MOOD_FIELDS))))
    asked = seen.mood_ms >= first_ms
    yield from _differing_rows("mood", seen.mood_ms[asked], seen.mood[asked], stored_ms, moods)
    season_ms, season = (given.season.as_of_ms, given.season.values) if given.season else (stored_ms[:0], moods[:0, 0])
    known = np.isfinite(seen.season) & asked
    stored = np.isin(season_ms, seen.mood_ms) & (season_ms >= first_ms)
    yield from _differing_rows(
        "alt season", seen.mood_ms[known], seen.season[known], season_ms[stored], season[stored], extra=True
    )


def _differing_rows(
    name: str, made_ms: IntArray, made: FloatArray, stored_ms: IntArray, stored: FloatArray, *, extra: bool = False
) -> Iterator[str]:
    """One line for each close that is not stored or has other values; with `extra` those stored for nothing too."""
    known = dict(zip(stored_ms.tolist(), stored, strict=True))
    for close_ms, values in zip(made_ms.tolist(), made, strict=True):
        row = known.pop(close_ms, None)
        if row is None:
            yield f"{name} {to_time(close_ms):%Y-%m-%d %H:%M}: not stored"
        elif not np.array_equal(row, values, equal_nan=True):
            yield f"{name} {to_time(close_ms):%Y-%m-%d %H:%M}: values"
    for close_ms in sorted(known) if extra else ():
        yield f"{name} {to_time(close_ms):%Y-%m-%d %H:%M}: stored, but not recomputed"


def _compare(decided: Decided, timeframe: Timeframe, certificate: Certificate, known_ms: int) -> None:
    at = to_time(decided.close_ms)
    stored = {row.symbol: row for row in ScanHistory.objects.filter(timeframe=timeframe.name, close_time=at)}
    version = decided.version.weight_version
    for row in scan_rows(decided.decisions, timeframe, version=version, waited_too_long=False, source="live"):
        certificate.scans += 1
        certificate.differences += _differing(stored.pop(row.symbol, None), row, COMPARED)
    certificate.differences += [f"{row}: stored, but not recomputed" for row in stored.values()]
    certificate.closes += 1
    _compare_tracked(decided, timeframe, certificate, known_ms)


def _compare_tracked(decided: Decided, timeframe: Timeframe, certificate: Certificate, known_ms: int) -> None:
    at = to_time(decided.close_ms)
    stored: dict[Any, TrackedDecision] = {}
    for model in (Signal, RejectedSignal):
        stored |= {row.scan_id: row for row in model._default_manager.filter(timeframe=timeframe.name, opened_at=at)}
    leans = (followed for followed in decided.followed if followed is not None)
    rows = tracked_rows(decided.decisions, timeframe, rules(), version=decided.version.weight_version, source="live")
    for row, followed in zip(rows, leans, strict=True):
        found = stored.get(row.scan_id)
        if found is not None and found.outcome and followed.touch:
            set_outcome(row, followed.touch)
        if found is not None and found.mirror_outcome and followed.mirror:
            set_mirror_outcome(row, followed.mirror)
        certificate.outcomes += 1
        certificate.differences += _differing(found, row, _known_columns(found, known_ms))


def _known_columns(found: TrackedDecision | None, known_ms: int) -> tuple[str, ...]:
    """What can be compared: an outcome that came after the candles were read is for the next certificate."""
    columns: tuple[str, ...] = TRACKED
    if found is not None and (found.exit_at is None or to_ms(found.exit_at) > known_ms):
        columns = tuple(name for name in columns if name not in OUTCOME_COLUMNS)
    if found is not None and found.mirror_exit_at is not None and to_ms(found.mirror_exit_at) > known_ms:
        columns = tuple(name for name in columns if name not in MIRROR_COLUMNS)
    return columns


def _compare_empty(expected: set[int], timeframe: Timeframe, certificate: Certificate) -> None:
    """Closes at which no symbol was ready: nothing may be stored there either."""
    for close_ms in sorted(expected):
        certificate.closes += 1
        stored = ScanHistory.objects.filter(timeframe=timeframe.name, close_time=to_time(close_ms))
        certificate.differences += [f"{row}: stored, but not recomputed" for row in stored]


def _differing(stored: Any, recomputed: Any, columns: tuple[str, ...]) -> list[str]:
    if stored is None:
        return [f"{recomputed}: recomputed, but not stored"]
    differing = [name for name in columns if not _same(getattr(stored, name), getattr(recomputed, name))]
    return [f"{recomputed}: {', '.join(differing)}"] if differing else []


def _same(stored: Any, recomputed: Any) -> bool:
    """Equal to the bit; NaN equals NaN, an array is compared element by element."""
    if isinstance(recomputed, list):
        return len(stored) == len(recomputed) and all(map(_same, stored, recomputed))
    if isinstance(recomputed, float):
        return isinstance(stored, float) and np.array_equal(stored, recomputed, equal_nan=True)
    if isinstance(recomputed, bytes):
        return bytes(stored) == recomputed
    return bool(stored == recomputed)
