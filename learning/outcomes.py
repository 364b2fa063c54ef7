"""The ledger's outcomes as the learner's columns: by binary COPY, no object a row."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from django.db import connection

from alphapulse_site.copying import POSTGRES_EPOCH_MS, copy_out
from ingestion.timeframes import IntArray
from learning.events import Events, KeyArray, join
from learning.labels import events_of, matured_day_of, outcome_events, series_of
from learning.lessons import HEAD_NAMES
from learning.models import LearningState
from learning.selectors import weights_from
from learning.stated import Stated, margins_under

# Columns of a row of `LEARNED` with the kinds of `copy_out`; the evidence of each of today's heads follows.
KINDS = {
    **{"scan_id": "V16", "decided": ">i8", "expires": ">i8", "night": ">i8", "series": ">i8", "side": ">i2"},
    **{"eligible": "?", "accepted": "?", "votes": ">i4", "net_r": ">f8", "mirror_net_r": ">f8"},
    **{"uniqueness": ">f8", "cost_r": ">f8"},
}
EVERYTHING = 2**63 - 1
# Of what had ended and stood in the ledger, what is not known already. Not in order: the learner sorts what it reads.
WITHIN = """kind = 'outcome' AND timeframe = %s AND is_void IS NOT TRUE AND ended_at <= %s AND sequence < %s
    AND NOT (ended_at <= %s AND sequence < %s)"""
LEARNED = """
SELECT scan_id, decided_at, matured_at, coalesce((detail->>'night')::bigint, -9223372036854775808), series, side,
    coalesce(is_eligible, false), coalesce(is_signal, false), coalesce(cardinality(evidence), 0),
    coalesce(net_r, 'NaN'), coalesce(mirror_net_r, 'NaN'), uniqueness, cost_r, {votes}
FROM learning_events JOIN unnest(%s::text[], %s::bigint[]) AS numbered (symbol, series) USING (symbol)
WHERE {within} AND weight_version = ANY(%s)"""
# The same for the leans as they were stated, of versions that weigh today's heads.
STATED_KINDS = {
    **{"scan_id": "V16", "decided": ">i8", "expires": ">i8", "series": ">i8", "side": ">i2", "version": ">i4"},
    **{"votes": ">i4", "net_r": ">f8", "uniqueness": ">f8"},
}
STATED = """
SELECT scan_id, decided_at, matured_at, series, side, weight_version, coalesce(cardinality(evidence), 0),
    coalesce(net_r, 'NaN'), uniqueness, {votes}
FROM learning_events JOIN unnest(%s::text[], %s::bigint[]) AS numbered (symbol, series) USING (symbol)
WHERE {within} AND weight_version = ANY(%s)"""
CAST = f"SELECT DISTINCT symbol, weight_version FROM learning_events WHERE {WITHIN}"


@dataclass(frozen=True)
class Extent:
    """How much of the ledger: outcomes that ended by `at`, in events before the one of this number."""

    at: datetime
    before: int = EVERYTHING


EVER = datetime(9999, 1, 1, tzinfo=UTC)
NOTHING = Extent(datetime(1, 1, 1, tzinfo=UTC), 0)


def known_by(at: datetime, *, timeframe: str) -> Events:
    """The outcomes that ended by then and are not void, in any order, with evidence in the order of today's heads.

    A head that did not vote yet when a row was written was silent. What ended later may be in the ledger already when
    a job is late. Raises ValueError where an outcome lacks a column or names a version that is not there.
    """
    return known_within(Extent(at), timeframe=timeframe)


def known_within(extent: Extent, *, timeframe: str, known: Extent = NOTHING) -> Events:
    """The outcomes of an extent of the ledger without those of another, by the rules of `known_by`."""
    asked, used = _cast(extent, known, timeframe)
    versions = _versions_by_heads(used)
    parts = [_learned(heads, [*asked, numbers]) for heads, numbers in versions.items()]
    return parts[0] if len(parts) == 1 else join([events_of([], len(HEAD_NAMES)), *parts])


def decided_by(version: int, *, timeframe: str) -> Events:
    """The outcomes that one version of the head weights decided, by the rules of `known_by`."""
    asked, used = _cast(Extent(EVER), NOTHING, timeframe)
    if version not in used:
        return events_of([], len(HEAD_NAMES))
    [(heads, numbers)] = _versions_by_heads([version]).items()
    return _learned(heads, [*asked, numbers])


def _cast(extent: Extent, known: Extent, timeframe: str) -> tuple[list[Any], set[int | None]]:
    """What a query for outcomes asks with, symbols with their numbers among it; the versions that decided."""
    within: list[Any] = [timeframe, extent.at, extent.before, known.at, known.before]
    with connection.cursor() as cursor:
        cursor.execute(CAST, within)
        cast = cursor.fetchall()
    symbols = sorted({symbol for symbol, _ in cast})
    return [symbols, [series_of(symbol) for symbol in symbols], *within], {version for _, version in cast}


def stated_within(extent: Extent, *, timeframe: str, known: Extent = NOTHING) -> Stated:
    """The leans of an extent of the ledger without those of another, as the weights of their decision stated them.

    Void ones are left out, and those of other heads: how sure a pool of other heads was says nothing about this one.
    """
    asked, used = _cast(extent, known, timeframe)
    numbers = _versions_by_heads(used).get(HEAD_NAMES, [])
    states = LearningState.objects.filter(state_type="head_weights", version__in=numbers)
    versions = {version: weights_from(content) for version, content in states.values_list("version", "content")}
    names = [f"vote_{place}" for place in range(len(HEAD_NAMES))]
    votes = ", ".join(f"evidence[{place + 1}]" for place in range(len(HEAD_NAMES)))
    rows = copy_out(
        STATED.format(votes=votes, within=WITHIN), [*asked, numbers], STATED_KINDS | dict.fromkeys(names, ">f8")
    )
    if (rows["votes"] != len(HEAD_NAMES)).any():
        raise ValueError(f"an outcome in the ledger does not hold one vote for each of {', '.join(HEAD_NAMES)}")
    return Stated(
        key=_hex(rows["scan_id"]),
        decided_ms=_ms(rows["decided"]),
        expires_ms=_ms(rows["expires"]),
        series=rows["series"].astype(np.int64),
        margin=margins_under(
            versions,
            rows["version"].astype(np.int64),
            np.column_stack([rows[name] for name in names]).astype(np.float64),
            rows["side"].astype(np.int8),
        ),
        won=rows["net_r"].astype(np.float64) > 0,
        uniqueness=rows["uniqueness"].astype(np.float64),
    )


def _versions_by_heads(used: Iterable[int | None]) -> dict[tuple[str, ...], list[int]]:
    """The versions that decided, by the heads they weigh, in whose order the rows hold their evidence."""
    found = LearningState.objects.filter(state_type="head_weights").values_list("version", "content__heads")
    heads = {version: tuple(names) for version, names in found}
    by_heads: dict[tuple[str, ...], list[int]] = {}
    for version in used:
        if version not in heads:
            raise ValueError(f"an outcome in the ledger names version {version}, which is not there; restore a backup")
        by_heads.setdefault(heads[version], []).append(version)
    return by_heads


def _learned(heads: tuple[str, ...], parameters: list[object]) -> Events:
    """The outcomes of versions that weigh the same heads."""
    names = [f"vote_{place}" for place in range(len(HEAD_NAMES))]
    votes = [f"evidence[{heads.index(head) + 1}]" if head in heads else "0::float8" for head in HEAD_NAMES]
    query = LEARNED.format(votes=", ".join(votes), within=WITHIN)
    rows = copy_out(query, parameters, KINDS | dict.fromkeys(names, ">f8"))
    if (rows["votes"] != len(heads)).any():
        raise ValueError(f"an outcome in the ledger does not hold one vote for each of {', '.join(heads)}")
    return outcome_events(
        key=_hex(rows["scan_id"]),
        decided_ms=_ms(rows["decided"]),
        # Told after the night of its maturity was learned, an outcome matures with the next one.
        matured_day=np.maximum(matured_day_of(_ms(rows["expires"])), rows["night"]),
        series=rows["series"].astype(np.int64),
        evidence=np.column_stack([rows[name] for name in names]).astype(np.float64),
        side=rows["side"].astype(np.int8),
        net_r=rows["net_r"].astype(np.float64),
        mirror_net_r=rows["mirror_net_r"].astype(np.float64),
        uniqueness=rows["uniqueness"].astype(np.float64),
        cost_r=rows["cost_r"].astype(np.float64),
        eligible=rows["eligible"],
        accepted=rows["accepted"],
    )


def _ms(microseconds: npt.NDArray[np.int64]) -> IntArray:
    """PostgreSQL's times in milliseconds since the epoch."""
    return microseconds.astype(np.int64) // 1000 + POSTGRES_EPOCH_MS


def _hex(identities: npt.NDArray[np.void]) -> KeyArray:
    """UUIDs of sixteen bytes as `UUID.hex` writes them."""
    raw = np.frombuffer(identities.tobytes(), np.uint8).reshape(-1, 16)
    digits = np.frombuffer(b"0123456789abcdef", np.uint8)
    return digits[np.stack([raw >> 4, raw & 15], axis=2)].reshape(-1, 32).view("S32").reshape(-1)
