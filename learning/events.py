"""Learning events as columns: validated, in one order whatever order they came in, each counted once. Pure numpy."""

from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.consensus import EVIDENCE_CAP, SideArray

KeyArray = npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class Events:
    """Resolved decisions, one a row; columns (n,) but `evidence` (n, H). Void outcomes (data gaps) do not belong here.

    `matured_day` is the first night (days since the epoch) that may learn from the row: its time limit lies before that
    midnight and no later night had run when it was recorded. `won_*` mean net R above zero after costs of that side's
    bracket, `cost_r` the round trip in R. `eligible`: every gate that does not depend on weights let the scan pass.
    """

    key: KeyArray
    decided_day: IntArray
    hour_block: IntArray
    matured_day: IntArray
    series: IntArray
    evidence: FloatArray
    won_long: BoolArray
    won_short: BoolArray
    net_r_long: FloatArray
    net_r_short: FloatArray
    uniqueness: FloatArray
    cost_r: FloatArray
    side: SideArray
    eligible: BoolArray
    accepted: BoolArray

    def __post_init__(self) -> None:
        for name in COLUMNS:
            if len(getattr(self, name)) != len(self.key):
                raise ValueError(f"learning events: column {name} has another length than key; pass one value a row")

    def __len__(self) -> int:
        return len(self.key)

    def rows(self, chosen: slice | IntArray | BoolArray) -> "Events":
        if isinstance(chosen, np.ndarray) and chosen.dtype == np.bool_ and chosen.all():
            return self  # a day of a large market is hundreds of megabytes
        return Events(*(getattr(self, name)[chosen] for name in COLUMNS))

    def known_on(self, night: int) -> "Events":
        """The rows that the night of day `night` may learn from; what matures later changes nothing."""
        return self.rows(self.matured_day <= night)


COLUMNS = tuple(column.name for column in fields(Events))
CONTENT = tuple(name for name in COLUMNS if name not in ("key", "matured_day"))
NUMBERS = ("net_r_long", "net_r_short", "uniqueness", "cost_r")


def make_events(
    *,
    key: "npt.ArrayLike",
    decided_day: "npt.ArrayLike",
    matured_day: "npt.ArrayLike",
    evidence: FloatArray,
    won_long: "npt.ArrayLike",
    won_short: "npt.ArrayLike",
    hour_block: "npt.ArrayLike | None" = None,
    series: "npt.ArrayLike | None" = None,
    net_r_long: "npt.ArrayLike | None" = None,
    net_r_short: "npt.ArrayLike | None" = None,
    uniqueness: "npt.ArrayLike | None" = None,
    cost_r: "npt.ArrayLike | None" = None,
    side: "npt.ArrayLike | None" = None,
    eligible: "npt.ArrayLike | None" = None,
    accepted: "npt.ArrayLike | None" = None,
) -> Events:
    """Events from plain columns, typed and checked; raises ValueError on NaN, infinity or a uniqueness outside (0, 1].

    Evidence beyond +-ln(0.95 / 0.05) is clipped. Left out: hours are the days, every row is a series of its own, a win
    is +1 R and a loss -1 R, uniqueness 1, no costs, side the sign of the summed evidence, all eligible, none accepted.
    """
    votes = np.asarray(evidence, np.float64)
    count = len(votes)
    if votes.ndim != 2:
        raise ValueError("learning events: evidence must have the shape (events, heads)")
    broken = np.asarray(~np.isfinite(votes).all(axis=1))
    _refuse(broken, key, "evidence is NaN or infinite; void or repair it before it is learned")
    long, short = _flags(won_long, count), _flags(won_short, count)
    days = _integers(decided_day, count)
    events = Events(
        key=np.asarray(key, np.bytes_).reshape(count),
        decided_day=days,
        hour_block=_integers(24 * days if hour_block is None else hour_block, count),
        matured_day=_integers(matured_day, count),
        series=_integers(np.arange(count) if series is None else series, count),
        evidence=np.clip(votes, -EVIDENCE_CAP, EVIDENCE_CAP) + 0.0,  # + 0.0: one zero, not two
        won_long=long,
        won_short=short,
        net_r_long=_numbers(np.where(long, 1.0, -1.0) if net_r_long is None else net_r_long, count),
        net_r_short=_numbers(np.where(short, 1.0, -1.0) if net_r_short is None else net_r_short, count),
        uniqueness=_numbers(1.0 if uniqueness is None else uniqueness, count),
        cost_r=_numbers(0.0 if cost_r is None else cost_r, count),
        side=_integers(np.sign(votes.sum(axis=1)) if side is None else side, count).astype(np.int8),
        eligible=_flags(True if eligible is None else eligible, count),
        accepted=_flags(False if accepted is None else accepted, count),
    )
    _refuse_nonsense(events)
    return events


def _integers(values: "npt.ArrayLike", count: int) -> IntArray:
    return _column(np.asarray(values).astype(np.int64), count)


def _numbers(values: "npt.ArrayLike", count: int) -> FloatArray:
    return _column(np.asarray(values, np.float64), count) + 0.0


def _flags(values: "npt.ArrayLike", count: int) -> BoolArray:
    return _column(np.asarray(values, np.bool_), count)


def _column(values: npt.NDArray[Any], count: int) -> npt.NDArray[Any]:
    """A copy with one value a row; a single value stands for all."""
    if values.ndim and values.shape != (count,):
        raise ValueError(f"learning events: a column has the shape {values.shape} beside evidence of {count} rows")
    return np.array(np.broadcast_to(values, (count,)))


def _refuse_nonsense(events: Events) -> None:
    for name in NUMBERS:
        problem = f"{name} is NaN or infinite; void or repair it before it is learned"
        _refuse(~np.isfinite(getattr(events, name)), events.key, problem)
    outside = (events.uniqueness <= 0) | (events.uniqueness > 1)
    _refuse(outside, events.key, "uniqueness must lie in (0, 1]; compute it with labels.uniqueness_within")


def _refuse(broken: BoolArray, key: "npt.ArrayLike", problem: str) -> None:
    if broken.any():
        first = np.asarray(key, np.bytes_).reshape(len(broken))[broken][0]
        raise ValueError(f"learning event {first.decode(errors='replace')}: {problem}")


def join(parts: "list[Events]") -> Events:
    """The rows of all parts, in the order given."""
    return Events(*(np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS))


@dataclass(frozen=True)
class Collected:
    """Unique events in the one order every fit uses. `conflicts` holds every row of a key that came with two contents:
    none of them is learned from, and the caller raises the alarm. `repeated` counts exact duplicates dropped."""

    events: Events
    repeated: int
    conflicts: Events


def collect(events: Events) -> Collected:
    """Sort by decision time, then key; drop exact duplicates (the earliest night stays); set conflicting ones apart."""
    words = _words(events.key)
    by_key = np.lexsort((events.matured_day, *words[::-1]))
    in_order = words[:, by_key]
    same_key = np.r_[False, (in_order[:, 1:] == in_order[:, :-1]).all(axis=0)][: len(events)]
    repeats = np.flatnonzero(same_key)
    differing = repeats[~_equal(events.rows(by_key[repeats]), events.rows(by_key[repeats - 1]))]
    group = np.cumsum(~same_key) - 1
    in_conflict = np.isin(group, group[differing])
    kept = by_key[~same_key & ~in_conflict]
    # In order of the key already, which a stable sort keeps.
    order = kept[np.lexsort((events.hour_block[kept], events.decided_day[kept]))]
    repeated = int((same_key & ~in_conflict).sum())
    return Collected(events.rows(order), repeated, events.rows(by_key[in_conflict]))


def _words(key: KeyArray) -> npt.NDArray[np.uint64]:
    """Keys as numbers that sort as they do, first word first, (words, n); what is behind a key's end counts as zero."""
    width = -(-max(key.dtype.itemsize, 1) // 8) * 8
    words = key.astype(f"S{width}").view(">u8").reshape(len(key), width // 8)
    return np.ascontiguousarray(words.T.astype(np.uint64))


def _equal(events: Events, others: Events) -> BoolArray:
    """Whether each row has the content of the other one in its place."""
    equal = np.ones(len(events), np.bool_)
    for name in CONTENT:
        same = getattr(events, name) == getattr(others, name)
        equal &= same.all(axis=1) if same.ndim > 1 else same
    return equal


def digest(events: Events) -> str:
    """sha256 over the columns of collected events: the same ledger rows, the same 64 letters."""
    summary = sha256()
    for name in COLUMNS:
        column = getattr(events, name)
        summary.update(f"{name}{column.shape}".encode())
        # A bytes column is as wide as its longest key, which depends on the company; joined keys do not.
        summary.update(b"\n".join(column.tolist()) if name == "key" else np.ascontiguousarray(column).tobytes())
    return summary.hexdigest()


def sampled(events: Events, size: int) -> BoolArray:
    """Which rows a fit over at most `size` rows takes: those with the smallest hash of their key."""
    if len(events) <= size:
        return np.ones(len(events), np.bool_)
    chosen = np.zeros(len(events), np.bool_)
    chosen[np.argsort(_hashes(events.key), kind="stable")[:size]] = True
    return chosen


def _hashes(key: KeyArray) -> npt.NDArray[np.uint64]:
    """A number of 64 bits for each key that follows no pattern of it: SplitMix64 (Steele, Lea & Flood 2014) by words.

    How wide the column is does not matter, since a word without a byte changes nothing.
    """
    hashes = np.zeros(len(key), np.uint64)
    for word in _words(key):
        mixed = (hashes ^ word) + np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        hashes = np.where(word == 0, hashes, mixed ^ (mixed >> np.uint64(31)))
    return hashes


def design_effect(hour_block: IntArray, residuals: FloatArray, series: IntArray | None = None) -> float:
    """How much the residuals of one hour move together: variance of the hour sums over that of independent rows, >= 1.

    `residuals` (n,), or (R, n) for several that are pooled by their variances. Rows of one series (symbol) inside an
    hour are summed first: that they move together is what uniqueness pays for. 1 with fewer than two hours.
    """
    table = np.atleast_2d(residuals)
    if table.shape[1] == 0 or (hour_block == hour_block[0]).all():
        return 1.0
    _, hour = np.unique(hour_block, return_inverse=True)
    if series is not None:
        _, codes = np.unique(series, return_inverse=True)
        cells, cell = np.unique(hour * (codes.max() + 1) + codes, return_inverse=True)
        hour = cells // (codes.max() + 1)
    else:
        cell = np.arange(len(hour))
    together = alone = 0.0
    for row in table:
        members = np.bincount(cell, weights=row)
        centred = members - members.sum() / len(members)
        sums = np.bincount(hour, weights=centred)
        together += float((sums * sums).sum())
        alone += float((centred * centred).sum())
    return max(1.0, together / alone) if alone > 0 else 1.0
