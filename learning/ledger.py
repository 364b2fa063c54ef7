"""The ledger: append-only, dense, hash-chained; each resolved decision once. Triggers refuse UPDATE and DELETE."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from psycopg2.extras import Json

from alphapulse_site.copying import copy_values
from alphapulse_site.jobs import lock_key
from ingestion.timeframes import IntArray, Timeframe
from learning import selectors
from learning.labels import Label, uniqueness_among
from learning.models import LearningEvent
from signals.consensus import evidence
from signals.gates import has_quorum
from signals.models import RejectedSignal, ScanHistory, Signal, TrackedDecision
from signals.rows import to_ms, to_time
from signals.scan import Rules
from signals.selectors import ended_by, followed_until

GENESIS = "0" * 64
APPEND_LOCK = lock_key("learning.ledger")


def append_outcomes(*, timeframe: Timeframe, until: datetime, rules: Rules) -> int:
    """Append a learning event for every lean whose both sides ended by `until` and that has none; returns how many.

    `until` must not be later than the last decided close: then every bracket that overlaps an ended one is known. How
    those ended must be known too, since uniqueness counts them: what a poll has not yet read as far waits for it.
    What comes after the night of its maturity was learned is for the next night, and its row says so.
    """
    with transaction.atomic():
        take_ledger()
        told = LearningEvent.objects.filter(scan_id=OuterRef("scan_id"))
        decisions = [
            decision
            for model in (Signal, RejectedSignal)
            for decision in ended_by(model, timeframe.name, until).exclude(Exists(told))
        ]
        followed = followed_until(timeframe.name, until)
        decisions = [
            decision
            for decision in decisions
            if max(decision.exit_at, decision.mirror_exit_at) <= followed.get(decision.symbol, until)  # type: ignore[type-var, operator]
        ]
        labels = labels_of(decisions, timeframe, until, rules)
        last_night = selectors.last_night() if labels else None  # under the lock that a night holds to its end
        return append(outcome_row(label, timeframe, until, last_night=last_night) for label in labels)


def take_ledger() -> None:
    """Hold the ledger until the transaction ends: the next sequence number and hash depend on the last."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [APPEND_LOCK])


def append(rows: Iterable[LearningEvent]) -> int:
    """Number, chain and write rows; call inside a transaction that holds the ledger."""
    last = LearningEvent.objects.order_by("-sequence").first()
    sequence, previous = (last.sequence, last.hash) if last else (0, GENESIS)
    chained = []
    for row in rows:
        sequence += 1
        row.sequence = sequence
        row.hash = chain_hash(previous, row)
        previous = row.hash
        chained.append(row)
    recorded_at = timezone.now()
    columns = (*(name for name in CHAINED if name != "detail"), "sequence", "hash")
    values = ((*(getattr(row, name) for name in columns), recorded_at, Json(row.detail)) for row in chained)
    return copy_values("learning_events", (*columns, "recorded_at", "detail"), values)


CHAINED = (
    *(
        "kind",
        "scan_id",
        "symbol",
        "timeframe",
        "decided_at",
        "matured_at",
        "ended_at",
        "side",
        "is_signal",
        "is_eligible",
    ),
    *("is_void", "evidence", "win_probability", "expected_r", "net_r", "mirror_net_r", "uniqueness", "cost_r"),
    *("weight_version", "detail", "market_at"),
)


def chain_hash(previous: str, row: LearningEvent) -> str:
    """SHA-256 over the row before and everything this row says; times in UTC, floats to the last bit."""
    body = BODY.encode([getattr(row, name) for name in CHAINED])
    return hashlib.sha256(f"{previous}{row.sequence}{body}".encode()).hexdigest()


def _plain(value: Any) -> int | str:
    return to_ms(value) if isinstance(value, datetime) else str(value)


BODY = json.JSONEncoder(sort_keys=True, default=_plain)


def outcome_row(label: Label, timeframe: Timeframe, at: datetime, *, last_night: int | None = None) -> LearningEvent:
    """An unsaved ledger row of a label; `at` is the market time of the append, `last_night` the last one learned."""
    late = {} if last_night is None or label.matured_day > last_night else {"night": last_night + 1}
    return LearningEvent(
        kind="outcome",
        scan_id=label.scan_id,
        symbol=label.symbol,
        timeframe=timeframe.name,
        decided_at=to_time(label.decided_ms),
        matured_at=to_time(label.expires_ms),
        ended_at=to_time(label.ended_ms),
        side=label.side,
        is_signal=label.is_signal,
        is_eligible=label.is_eligible,
        is_void=label.is_void,
        evidence=list(label.evidence),
        win_probability=label.win_probability,
        expected_r=label.expected_r,
        net_r=label.net_r,
        mirror_net_r=label.mirror_net_r,
        uniqueness=label.uniqueness,
        cost_r=label.cost_r,
        weight_version=label.weight_version,
        detail=late,
        market_at=at,
    )


def labels_of(decisions: Sequence[TrackedDecision], timeframe: Timeframe, until: datetime, rules: Rules) -> list[Label]:
    """Labels of ended decisions, in order of decision time and symbol."""
    if not decisions:
        return []
    earliest = min(decision.opened_at for decision in decisions)
    votes = _votes({decision.scan_id for decision in decisions}, timeframe, earliest, until)
    ordered = sorted(decisions, key=lambda decision: (decision.opened_at, decision.symbol))
    unique = _uniqueness(ordered, _spans(timeframe, earliest, until))
    return [
        _label(decision, votes[decision.scan_id], uniqueness, rules)
        for decision, uniqueness in zip(ordered, unique, strict=True)
    ]


class Votes(NamedTuple):
    """What a label needs of a scan, under the names of its columns."""

    scan_id: UUID
    directions: list[int]
    probabilities: list[float]
    confidences: list[float]
    passed: list[bool]


def _votes(asked: set[UUID], timeframe: Timeframe, since: datetime, until: datetime) -> dict[UUID, Votes]:
    """The scans asked for, which closed between `since` and `until`: the table is partitioned by that."""
    scans = ScanHistory.objects.filter(
        timeframe=timeframe.name, close_time__gte=since, close_time__lte=until, scan_id__in=asked
    )
    return {row[0]: Votes(*row) for row in scans.values_list(*Votes._fields).iterator(chunk_size=10_000)}


def _spans(timeframe: Timeframe, since: datetime, until: datetime) -> dict[str, IntArray]:
    """Each symbol's bracket lives (2, n) in ms that reach beyond `since`, to the later end of both sides; none void."""
    spans: dict[str, list[tuple[int, int]]] = {}
    for model in (Signal, RejectedSignal):
        held = model._default_manager.filter(timeframe=timeframe.name, opened_at__lte=until, expires_at__gt=since)
        held = held.exclude(outcome="void")
        for symbol, opened, expires, exit_at, mirror_exit_at in held.values_list(
            "symbol", "opened_at", "expires_at", "exit_at", "mirror_exit_at"
        ):
            end = max(exit_at or expires, mirror_exit_at or expires)
            spans.setdefault(symbol, []).append((to_ms(opened), to_ms(end)))
    return {symbol: np.array(known, dtype=np.int64).T for symbol, known in spans.items()}


def _ended_ms(decision: TrackedDecision) -> int:
    """When the later of both sides ended."""
    return max(to_ms(at) for at in (decision.exit_at, decision.mirror_exit_at) if at is not None)


def _uniqueness(decisions: Sequence[TrackedDecision], spans: dict[str, IntArray]) -> list[float]:
    """The uniqueness of each decision among its symbol's brackets; 1 where the bracket is void."""
    found, places = [1.0] * len(decisions), dict[str, list[int]]()
    for place, decision in enumerate(decisions):
        if decision.outcome != "void":
            places.setdefault(decision.symbol, []).append(place)
    for symbol, chosen in places.items():
        own = [(to_ms(decisions[place].opened_at), _ended_ms(decisions[place])) for place in chosen]
        for place, share in zip(chosen, uniqueness_among(own, *spans[symbol]), strict=True):
            found[place] = share
    return found


def _label(decision: TrackedDecision, scan: Votes, uniqueness: float, rules: Rules) -> Label:
    directions = np.array(scan.directions, dtype=np.int8)
    votes = evidence(directions, np.array(scan.probabilities), np.array(scan.confidences))
    return Label(
        scan_id=decision.scan_id,
        symbol=decision.symbol,
        decided_ms=to_ms(decision.opened_at),
        expires_ms=to_ms(decision.expires_at),
        ended_ms=_ended_ms(decision),
        side=decision.direction,
        is_signal=isinstance(decision, Signal),
        is_eligible=bool(scan.passed[0] and has_quorum(directions[None, :], rules.gates)),
        is_void=decision.outcome == "void"
        or decision.mirror_outcome == "void"
        or decision.missing_minutes > 0
        or decision.mirror_missing_minutes > 0,
        evidence=tuple(votes.tolist()),
        win_probability=decision.win_probability,
        expected_r=decision.expected_r,
        cost_r=rules.costs.round_trip * decision.reference_price / decision.risk,
        net_r=decision.net_r,
        mirror_net_r=decision.mirror_net_r,
        uniqueness=uniqueness,
        weight_version=decision.weight_version,
    )
