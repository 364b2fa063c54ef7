"""Stored rows against recomputed ones, column by column: what was compared, and what differed."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ingestion.timeframes import IntArray, Timeframe
from learning.walk import Decided, Given, Seen
from signals.configuration import rules
from signals.consensus import FloatArray
from signals.first_touch import FirstTouch
from signals.models import RejectedSignal, ScanHistory, Signal, TrackedDecision
from signals.mood import MOOD_FIELDS
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

# Reasons are words about votes that are compared, rounded for people: nothing is decided by them.
NOT_COMPARED = ("pk", "source", "waited_too_long", "reasons")
COMPARED = tuple(field.name for field in ScanHistory._meta.concrete_fields if field.name not in NOT_COMPARED)
TRACKED = (
    *("symbol", "direction", "reference_price", "risk", "stop_loss", "take_profit", "opened_at", "expires_at"),
    *("weight_version", "entry", "outcome", "exit_price", "exit_at", "net_r", "net_pct", "best_r", "worst_r"),
    *("ambiguous", "missing_minutes", "mirror_outcome", "mirror_exit_at", "mirror_net_r"),
)

Ends = tuple[FirstTouch | None, FirstTouch | None]  # of a lean and its mirror
# How a row's two sides may have ended, as the candles stood at one moment after another; those that stand now first.
EndsOf = Callable[[TrackedDecision], Iterator[Ends]]


@dataclass
class Compared:
    """How much was compared, and what differed: one line a row, with the columns.

    `restated`: the closes that only earlier candles than those of now explain; `incomplete`: the scans that knew of
    unexplained minutes.
    """

    closes: int = 0
    scans: int = 0
    outcomes: int = 0
    moods: int = 0
    incomplete: int = 0
    differences: list[str] = field(default_factory=list)
    restated: set[int] = field(default_factory=set)


def compare_close(
    decided: Decided,
    scans: Iterable[ScanHistory],
    ends_of: EndsOf,
    timeframe: Timeframe,
    known_ms: int,
    compared: Compared,
) -> None:
    """The stored scans of one close and what became of their leans, as far as the candles are known."""
    stored = {row.symbol: row for row in scans}
    version = decided.version.weight_version
    for row in scan_rows(decided.decisions, timeframe, version=version, waited_too_long=False, source="live"):
        compared.scans += 1
        compared.differences += _differing(stored.pop(row.symbol, None), row, COMPARED)
    compared.differences += [f"{row}: stored, but not recomputed" for row in stored.values()]
    _compare_tracked(decided, ends_of, timeframe, known_ms, compared)


def compare_empty(scans: Iterable[ScanHistory], compared: Compared) -> None:
    """What is stored of closes at which no symbol was ready: there may be nothing."""
    compared.differences += [f"{row}: stored, but not recomputed" for row in scans]


def scans_at(timeframe: Timeframe, closes_ms: Iterable[int]) -> Iterable[ScanHistory]:
    closes = [to_time(close_ms) for close_ms in sorted(closes_ms)]
    return ScanHistory.objects.filter(timeframe=timeframe.name, close_time__in=closes) if closes else []


def _compare_tracked(
    decided: Decided, ends_of: EndsOf, timeframe: Timeframe, known_ms: int, compared: Compared
) -> None:
    at = to_time(decided.close_ms)
    stored: dict[Any, TrackedDecision] = {}
    for model in (Signal, RejectedSignal):
        stored |= {row.scan_id: row for row in model._default_manager.filter(timeframe=timeframe.name, opened_at=at)}
    rows = tracked_rows(decided.decisions, timeframe, rules(), version=decided.version.weight_version, source="live")
    for row in rows:
        found = stored.get(row.scan_id)
        if found is not None and _set_ends(row, found, ends_of):
            compared.restated.add(decided.close_ms)
        compared.outcomes += 1
        compared.differences += _differing(found, row, _known_columns(found, known_ms))


def _set_ends(row: TrackedDecision, found: TrackedDecision, ends_of: EndsOf) -> bool:
    """Each side's outcome as what is stored says it, if the candles ever said so; else as they say it now.

    True if one is of earlier candles.
    """
    lean = mirror = False
    if found.outcome:
        lean = _set_side(row, found, (lean for lean, _ in ends_of(row)), set_outcome, OUTCOME_COLUMNS)
    if found.mirror_outcome:
        mirror = _set_side(row, found, (mirror for _, mirror in ends_of(row)), set_mirror_outcome, MIRROR_COLUMNS)
    return lean or mirror


def _set_side(
    row: TrackedDecision,
    found: TrackedDecision,
    touches: Iterator[FirstTouch | None],
    put: Callable[[TrackedDecision, FirstTouch], None],
    columns: tuple[str, ...],
) -> bool:
    now = next(touches)
    if now:
        put(row, now)
    if _same_columns(found, row, columns):
        return False
    for before in filter(None, touches):
        told = type(found)()
        put(told, before)
        if _same_columns(found, told, columns):
            put(row, before)
            return True
    return False


def _same_columns(found: TrackedDecision, row: TrackedDecision, columns: tuple[str, ...]) -> bool:
    return all(_same(getattr(found, name), getattr(row, name)) for name in columns)


def _known_columns(found: TrackedDecision | None, known_ms: int) -> tuple[str, ...]:
    """What can be compared: an outcome that came after the candles were read is for the next certificate."""
    columns: tuple[str, ...] = TRACKED
    if found is not None and (found.exit_at is None or to_ms(found.exit_at) > known_ms):
        columns = tuple(name for name in columns if name not in OUTCOME_COLUMNS)
    if found is not None and found.mirror_exit_at is not None and to_ms(found.mirror_exit_at) > known_ms:
        columns = tuple(name for name in columns if name not in MIRROR_COLUMNS)
    return columns


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
