"""From a resolved lean to what the learner reads of it: one label, the same from live rows and from replay. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from zlib import crc32

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from learning.calendar import DAY_MS, EFFECTIVE_AFTER_MS, HOUR_MS
from learning.events import Events, KeyArray, make_events
from signals.consensus import SideArray

# A shadow within this many R of zero was neither a good rejection nor a missed opportunity.
NEUTRAL_R = 0.1


@dataclass(frozen=True)
class Label:
    """One lean whose both sides have ended, the later one at `ended_ms`. R figures are None where the bracket was void.

    `is_void`: not to be learned from, since it could not be entered or minutes of its life are missing. `is_eligible`:
    the gates that do not depend on weights let it pass. `uniqueness`: mean of 1 / (brackets of the symbol open then).
    """

    scan_id: UUID
    symbol: str
    decided_ms: int
    expires_ms: int
    ended_ms: int
    side: int
    is_signal: bool
    is_eligible: bool
    is_void: bool
    evidence: tuple[float, ...]
    win_probability: float
    expected_r: float
    cost_r: float
    net_r: float | None
    mirror_net_r: float | None
    uniqueness: float
    weight_version: int

    @property
    def matured_day(self) -> int:
        """The first midnight (days since the epoch) with the whole time limit behind it, however early it resolved."""
        return -(-self.expires_ms // DAY_MS)


def uniqueness_within(start_ms: int, end_ms: int, starts: IntArray, ends: IntArray) -> float:
    """Mean over [start, end) of 1 / (brackets open then), the bracket itself among them (López de Prado 2018, ch. 4).

    `starts`, `ends`: all brackets of the symbol, in any order; only what overlaps counts, so later ones change no bit.
    Raises ValueError where the bracket does not end after it starts.
    """
    if end_ms <= start_ms:
        raise ValueError("a bracket must end after it starts; give end_ms > start_ms")
    overlaps = (starts < end_ms) & (ends > start_ms)
    edges = np.unique(np.clip(np.concatenate([starts[overlaps], ends[overlaps]]), start_ms, end_ms))
    opened, closed = np.sort(starts[overlaps]), np.sort(ends[overlaps])
    open_then = np.searchsorted(opened, edges[:-1], side="right") - np.searchsorted(closed, edges[:-1], side="right")
    area = 0.0
    for length, count in zip(np.diff(edges).tolist(), open_then.tolist(), strict=True):
        area += length / count
    return area / (end_ms - start_ms)


def uniqueness_among(spans: Sequence[tuple[int, int]], starts: IntArray, ends: IntArray) -> list[float]:
    """`uniqueness_within` of each of many spans, to the bit, where each is one of the brackets `starts` to `ends`.

    The edges of all brackets that lie in a span are then those that it is cut at, and the open ones are counted once.
    """
    edges = np.unique(np.concatenate([starts, ends]))
    open_then = np.searchsorted(np.sort(starts), edges, side="right") - np.searchsorted(np.sort(ends), edges, "right")
    # Behind the last edge, and in a gap between brackets, none is open and no span reaches.
    shares = np.diff(edges) / np.maximum(open_then[:-1], 1)
    found = []
    for start_ms, end_ms in spans:
        if end_ms <= start_ms:
            raise ValueError("a bracket must end after it starts; give end_ms > start_ms")
        first, last = np.searchsorted(edges, (start_ms, end_ms))
        # Accumulated, which adds from left to right, as `uniqueness_within` does.
        found.append(float(np.add.accumulate(shares[first:last])[-1]) / (end_ms - start_ms))
    return found


def events_of(labels: Sequence[Label], heads: int) -> Events:
    """The learner's columns from labels in any order; void ones are left out."""
    used = [label for label in labels if not label.is_void]
    return outcome_events(
        key=np.array([label.scan_id.hex.encode() for label in used], dtype="S32"),
        decided_ms=np.array([label.decided_ms for label in used], dtype=np.int64),
        matured_day=np.array([label.matured_day for label in used], dtype=np.int64),
        series=np.array([series_of(label.symbol) for label in used], dtype=np.int64),
        evidence=np.array([label.evidence for label in used], dtype=np.float64).reshape(len(used), heads),
        side=np.array([label.side for label in used], dtype=np.int8),
        net_r=np.array([label.net_r for label in used], dtype=np.float64),
        mirror_net_r=np.array([label.mirror_net_r for label in used], dtype=np.float64),
        uniqueness=np.array([label.uniqueness for label in used], dtype=np.float64),
        cost_r=np.array([label.cost_r for label in used], dtype=np.float64),
        eligible=np.array([label.is_eligible for label in used], dtype=np.bool_),
        accepted=np.array([label.is_signal for label in used], dtype=np.bool_),
    )


def series_of(symbol: str) -> int:
    """The number that stands for a symbol."""
    return crc32(symbol.encode())


def matured_day_of(expires_ms: IntArray) -> IntArray:
    """`Label.matured_day` of many time limits."""
    return -(-expires_ms // DAY_MS)


def outcome_events(
    *,
    key: KeyArray,
    decided_ms: IntArray,
    matured_day: IntArray,
    series: IntArray,
    evidence: FloatArray,
    side: SideArray,
    net_r: FloatArray,
    mirror_net_r: FloatArray,
    uniqueness: FloatArray,
    cost_r: FloatArray,
    eligible: BoolArray,
    accepted: BoolArray,
) -> Events:
    """The learner's columns from those of outcomes that are not void, (n,) but `evidence` (n, H)."""
    long, short = np.where(side > 0, net_r, mirror_net_r), np.where(side > 0, mirror_net_r, net_r)
    return make_events(
        key=key,
        # The day whose version decided: a close before 00:15 was still decided by the one of the day before.
        decided_day=(decided_ms - EFFECTIVE_AFTER_MS) // DAY_MS,
        hour_block=decided_ms // HOUR_MS,
        matured_day=matured_day,
        series=series,
        evidence=evidence,
        won_long=long > 0,
        won_short=short > 0,
        net_r_long=long,
        net_r_short=short,
        uniqueness=uniqueness,
        cost_r=cost_r,
        side=side,
        eligible=eligible,
        accepted=accepted,
    )
