"""Every table of the system as texts by which two lives are compared: what differs is a fact, not when it was noted."""

from collections import Counter
from collections.abc import Mapping

from django.db import models

from alphapulse_site.models import JobRun
from ingestion.models import Candle, CandleGap, MarketFeed, Symbol
from learning.models import ActiveLearningState, LearningEvent, LearningState, RejectionLearningMetrics
from signals.models import Position, RejectedSignal, ScanClose, ScanHistory, Signal

# Every table of the system, with what tells that the row was written at another time or by another way.
TABLES: dict[type[models.Model], tuple[str, ...]] = {
    Candle: (),
    CandleGap: ("id", "evidence", "checks", "first_seen", "last_checked"),
    Symbol: (),
    MarketFeed: ("id",),
    ScanClose: ("complete_at", "first_tried_at", "decided_at"),
    ScanHistory: (),
    Signal: ("id",),
    RejectedSignal: ("id",),
    Position: ("id", "signal"),
    LearningEvent: ("recorded_at",),
    LearningState: ("id", "created_at"),
    ActiveLearningState: (),
    RejectionLearningMetrics: ("id",),
    JobRun: ("id", "started_at", "finished_at", "attempts", "market_at"),
}
# Rows are named by what they say: a transaction that was broken off has used up an id.
SAID: dict[tuple[type[models.Model], str], str] = {(ActiveLearningState, "state"): "state__version"}
# A row is its cells as texts: every bit of a figure is in them, and NaN is equal to itself.
Row = tuple[str, ...]
Tables = Mapping[str, list[Row]]


def all_tables() -> dict[str, list[Row]]:
    """The rows of all tables of this database, by the model's name."""
    return {model.__name__: rows_of(model, left_out) for model, left_out in TABLES.items()}


def rows_of(model: type[models.Model], left_out: tuple[str, ...]) -> list[Row]:
    """The rows of a table, in order."""
    names = [field.name for field in model._meta.concrete_fields if field.name not in (*left_out, "pk", "source")]
    rows = model._default_manager.values_list(*(SAID.get((model, name), name) for name in names))
    return sorted(cells(dict(zip(names, row, strict=True))) for row in rows)


def cells(values: dict[str, object]) -> Row:
    """Of a bracket that has ended on both sides, how far it was read says only which poll saw the end.

    In which order the chunks of a close were looked at says only which worker was quicker.
    """
    if values.get("outcome") and values.get("mirror_outcome"):
        values.pop("checked_until", None)
    if isinstance(looked := values.get("looked"), list):
        values["looked"] = sorted(looked)
    return tuple(f"{name}={plain(value)!r}" for name, value in values.items())


def plain(value: object) -> object:
    return bytes(value) if isinstance(value, memoryview) else value


def differences(found: Tables, expected: Tables, *, shown: int = 3) -> list[str]:
    """What one life has and the other has not, a line a row, of each table the first few."""
    told = []
    for name in expected:
        here, there = Counter(found[name]), Counter(expected[name])
        more, less = sorted(here - there), sorted(there - here)
        lines = [_other_cells(row, less) for row in more] if less else [f"only here: {_short(row)}" for row in more]
        lines += [] if more else [f"missing here: {_short(row)}" for row in less]
        told += [f"{name} ({len(more)} rows for {len(less)}): {line}" for line in lines[:shown]]
    return told


def _other_cells(row: Row, candidates: list[Row]) -> str:
    """The row beside the one of the other life that it is most like: what differs."""
    like = max(candidates, key=lambda other: sum(map(str.__eq__, row, other)))
    cells = [
        f"{here} and not {there.partition('=')[2]}" for here, there in zip(row, like, strict=True) if here != there
    ]
    return f"{_short(row)}: {'; '.join(cells)}"


def _short(row: Row) -> str:
    return ", ".join(row[:4])
