"""The ledger: append-only, dense, hash-chained; each resolved decision once. Triggers refuse UPDATE and DELETE."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from alphapulse_site.copying import copy_rows
from alphapulse_site.jobs import lock_key
from ingestion.timeframes import IntArray, Timeframe
from learning import selectors
from learning.labels import Label, uniqueness_within
from learning.models import LearningEvent
from signals.consensus import evidence
from signals.gates import has_quorum
from signals.models import RejectedSignal, ScanHistory, Signal, TrackedDecision
from signals.rows import to_ms, to_time
from signals.scan import Rules
from signals.selectors import ended_by, followed_until

Column = TypeVar("Column")

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
    return copy_rows(LearningEvent, chained)


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
    body = [_plain(getattr(row, name)) for name in CHAINED]
    return hashlib.sha256(f"{previous}{row.sequence}{json.dumps(body, sort_keys=True)}".encode()).hexdigest()


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return to_ms(value)
    if isinstance(value, list | dict | str | int | float) or value is None:
        return value
    return str(value)


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
    scans = {
        scan.scan_id: scan
        for scan in ScanHistory.objects.filter(
            timeframe=timeframe.name, close_time__gte=earliest, close_time__lte=until
        )
    }
    spans = _spans(timeframe, earliest, until)
    ordered = sorted(decisions, key=lambda decision: (decision.opened_at, decision.symbol))
    return [_label(decision, scans[decision.scan_id], spans, rules) for decision in ordered]


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


def _label(decision: TrackedDecision, scan: ScanHistory, spans: dict[str, IntArray], rules: Rules) -> Label:
    void = decision.outcome == "void"
    start_ms = to_ms(decision.opened_at)
    end_ms = max(to_ms(at) for at in (decision.exit_at, decision.mirror_exit_at) if at is not None)
    votes = evidence(np.array(scan.directions, dtype=np.int8), np.array(scan.probabilities), np.array(scan.confidences))
    return Label(
        scan_id=decision.scan_id,
        symbol=decision.symbol,
        decided_ms=start_ms,
        expires_ms=to_ms(decision.expires_at),
        ended_ms=end_ms,
        side=decision.direction,
        is_signal=isinstance(decision, Signal),
        is_eligible=bool(scan.passed[0] and has_quorum(np.array([scan.directions], dtype=np.int8), rules.gates)),
        is_void=void
        or decision.mirror_outcome == "void"
        or decision.missing_minutes > 0
        or decision.mirror_missing_minutes > 0,
        evidence=tuple(votes.tolist()),
        win_probability=decision.win_probability,
        expected_r=decision.expected_r,
        cost_r=rules.costs.round_trip * decision.reference_price / decision.risk,
        net_r=decision.net_r,
        mirror_net_r=decision.mirror_net_r,
        uniqueness=1.0 if void else uniqueness_within(start_ms, end_ms, *spans[decision.symbol]),
        weight_version=decision.weight_version,
    )
