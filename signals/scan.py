"""One scan function: market windows in, decisions out. Live passes one close, replay passes years; same bits. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import IntArray
from signals.bracket import BracketRule, Costs, expected_r, place, risk_distance
from signals.columns import Rows, runs
from signals.consensus import FloatArray, SideArray, Weights, evidence, pool
from signals.digests import canonical, input_digests, named_by_content, weights_digest
from signals.feeds import Feeds, SymbolFeeds, all_seen_at, spread
from signals.frame import Frame
from signals.gates import (
    GATES,
    SYMBOL_GATES,
    Book,
    GateRules,
    PastSignal,
    Thresholds,
    agreeing_heads,
    consensus_margin,
    data_margin,
    quality_margin,
    rejection_reasons,
    verdicts,
)
from signals.heads.base import Head, Votes
from signals.regime import MEMORY as REGIME_MEMORY
from signals.regime import classify
from signals.segments import Segment
from signals.window import Batch, Span, Window


@dataclass(frozen=True)
class Rules:
    """Everything fixed that a decision depends on beside weights and thresholds."""

    bracket: BracketRule = field(default_factory=BracketRule)
    costs: Costs = field(default_factory=Costs)
    gates: GateRules = field(default_factory=GateRules)


@dataclass(frozen=True)
class Looks(Rows):
    """What n scans saw, before any weight: votes (n, H) of the registered heads and the scan's own figures (n,).

    `risk` is the stop distance, `missing_minutes` those that the scan's bar lacks, `digest` a hash of all input bars.
    """

    symbol: npt.NDArray[np.str_]
    close_ms: IntArray
    direction: SideArray
    probability: FloatArray
    confidence: FloatArray
    reference: FloatArray
    risk: FloatArray
    regime: SideArray
    missing_minutes: IntArray
    digest: npt.NDArray[np.bytes_]


@dataclass(frozen=True)
class Judged(Looks):
    """Looks under one weight version: pooled, bracketed, and through the gates that need only the symbol."""

    log_odds: FloatArray
    lean: SideArray
    win_probability: FloatArray
    expected_r: FloatArray
    margins: FloatArray  # (n, gates); NaN where a serial gate has not been asked yet


@dataclass(frozen=True)
class Decisions(Judged):
    """Judged scans with every gate asked; `reason` is empty for a signal."""

    passed: npt.NDArray[np.bool_]
    reason: npt.NDArray[np.str_]
    stop_loss: FloatArray
    take_profit: FloatArray
    scan_id: npt.NDArray[np.object_]


def look(
    symbol: str,
    found: Sequence[Segment],
    feeds: Feeds,
    heads: Sequence[Head],
    rules: Rules,
    own_feeds: SymbolFeeds | None = None,
) -> Looks:
    """Let every head vote on the rows of one symbol's segments: `look_together` of one symbol."""
    return look_together({symbol: found}, feeds, heads, rules, own_feeds)


# Looked at together, so that what a head costs besides its arithmetic is shared; more would only fill the memory.
ROWS_TOGETHER = 4096


def look_together(
    found: Mapping[str, Sequence[Segment]],
    feeds: Feeds,
    heads: Sequence[Head],
    rules: Rules,
    own_feeds: SymbolFeeds | None = None,
) -> Looks:
    """Let every head vote on the rows of all symbols' segments; looks in order of symbol, then close.

    `feeds` are those of the whole market, `own_feeds` each symbol's. A row sees the newest reading of each feed that
    was available at its close, and none that is no longer fresh. All segments are of one base timeframe.
    """
    seen = [(symbol, segment) for symbol in sorted(found) for segment in found[symbol]]
    parts = [_look(batch, feeds, heads, rules, own_feeds) for batch in _batches(seen)]
    return Looks.concatenate(parts) if parts else _no_looks(len(heads))


Named = tuple[str, Segment]


def _batches(seen: Sequence[Named]) -> Iterator[list[Named]]:
    """Neighbours of one set of context timeframes, of about ROWS_TOGETHER rows."""
    batch: list[Named] = []
    rows = 0
    for named in seen:
        if batch and (rows >= ROWS_TOGETHER or batch[0][1].window.context.keys() != named[1].window.context.keys()):
            yield batch
            batch, rows = [], 0
        batch.append(named)
        rows += len(named[1].rows)
    if batch:
        yield batch


def _look(
    batch: Sequence[Named], feeds: Feeds, heads: Sequence[Head], rules: Rules, own_feeds: SymbolFeeds | None
) -> Looks:
    spans = [Span(segment.window, int(segment.rows[0]), int(segment.rows[-1]) + 1) for _, segment in batch]
    stacks = Batch(spans)
    now, rows = stacks.stacked(0)
    symbol = np.repeat([symbol for symbol, _ in batch], [len(span) for span in spans])
    seen = _seen_feeds(now.base, symbol, heads, feeds, own_feeds)
    votes = [_votes(head, spans, stacks, seen) for head in heads]
    remembered, ranked = stacks.stacked(REGIME_MEMORY)
    reference = now.base["close"]
    digest = np.empty(len(rows), dtype=object)
    digest[:] = input_digests(spans, seen)
    return Looks(
        symbol=symbol,
        close_ms=now.base.close_ms,
        direction=np.column_stack([vote.direction for vote in votes]),
        probability=np.column_stack([canonical(vote.probability) for vote in votes]),
        confidence=np.column_stack([canonical(vote.confidence) for vote in votes]),
        reference=reference,
        risk=risk_distance(reference, now.base["atr_14"], rules.bracket),
        regime=classify(remembered.base, ranked),
        missing_minutes=now.base.timeframe.minutes - now.base.minutes,
        digest=digest,
    )


def _seen_feeds(
    base: Frame, symbol: npt.NDArray[np.str_], heads: Sequence[Head], feeds: Feeds, own_feeds: SymbolFeeds | None
) -> dict[str, FloatArray]:
    """What each row sees of each feed that a head reads, by name in order; NaN where there is nothing fresh."""
    seen = all_seen_at(feeds, base.close_ms, base.timeframe.ms)
    if own_feeds is not None:
        seen |= own_feeds.seen_at(symbol, base.close_ms, base.timeframe.ms)
    absent = np.full(len(base), np.nan)
    return {name: seen.get(name, absent) for name in sorted({name for head in heads for name in head.needs.feeds})}


def _votes(head: Head, spans: Sequence[Span], stacks: Batch, seen: Mapping[str, FloatArray]) -> Votes:
    """A head's votes on all rows; asked once if it says how much it remembers, else span after span."""
    if head.needs.memory is not None:
        window, rows = stacks.stacked(head.needs.memory, head.needs.timeframes)
        return head.vote(replace(window, feeds=spread(seen, rows, len(window)))).take(rows)
    votes, before = [], 0
    for span in spans:
        rows = np.arange(span.start, span.stop)
        here = {name: values[before : before + len(span)] for name, values in seen.items()}
        window = replace(span.window, feeds=spread(here, rows, len(span.window)), first=span.start)
        votes.append(head.vote(window).take(rows))
        before += len(span)
    return Votes.concatenate(votes)


def windows_seen(
    symbol: str, found: Sequence[Segment], heads: Sequence[Head], feeds: Feeds, own_feeds: SymbolFeeds | None = None
) -> list[Window]:
    """One symbol's windows beside what their rows see of the feeds, each to be read from its first row on."""
    windows = []
    for segment in found:
        row, bars = int(segment.rows[0]), len(segment.window)
        seen = _seen_feeds(segment.window.base.since(row), np.full(bars - row, symbol), heads, feeds, own_feeds)
        read = spread(seen, np.arange(row, bars), bars)
        windows.append(replace(segment.window, feeds=read, first=row))
    return windows


def _no_looks(heads: int) -> Looks:
    floats, votes = np.empty(0), np.empty((0, heads))
    integers, sides = np.empty(0, np.int64), np.empty((0, heads), np.int8)
    return Looks(
        np.empty(0, np.str_), integers, sides, votes, votes, floats, floats, sides[:, 0], integers, np.empty(0, object)
    )


def judge(looks: Looks, weights: Weights, thresholds: Thresholds, rules: Rules) -> Judged:
    """Pool the votes under one weight version, price the bracket, ask the gates that need only the symbol."""
    pooled = pool(weights, evidence(looks.direction, looks.probability, looks.confidence))
    promised = expected_r(pooled.probability, looks.reference, looks.risk, rules.bracket, rules.costs)
    agreeing = agreeing_heads(looks.direction, pooled.lean)
    margins = np.full((len(looks), len(GATES)), np.nan)
    margins[:, 0] = data_margin(looks.missing_minutes)
    margins[:, 1] = consensus_margin(agreeing, pooled.probability, rules.gates)
    margins[:, 2] = quality_margin(promised, thresholds)
    return Judged(
        **looks.columns,
        log_odds=pooled.log_odds,
        lean=pooled.lean,
        win_probability=canonical(pooled.probability),
        expected_r=canonical(promised),
        margins=margins,
    )


@dataclass(frozen=True)
class Results(Rows):
    """What will have come of each scan's bracket as the serial gates count it, arrays (n,).

    `exit_ms` 0 while it is open; `net_r` NaN while it is open and where it was void.
    """

    exit_ms: IntArray
    net_r: FloatArray


def decide(
    judged: Judged,
    past: Sequence[PastSignal],
    weights: Weights,
    thresholds: Thresholds,
    rules: Rules,
    results: Results | None = None,
) -> Decisions:
    """Ask the serial gates close after close, each in order of expected R, then symbol; returns the rows in that order.

    `past`: the signals before the first close that the gates may remember, with their results. `results` says when
    the signals decided here will have ended: live decides one close and has none, replay decides many and must.
    """
    order = serial_order(judged)
    ordered = judged.take(order)
    if results is None and len(ordered) and ordered.close_ms[0] != ordered.close_ms[-1]:
        raise ValueError(
            "many closes can be decided only with their results; split the scans by close_ms, or give them"
        )
    _ask_serial_gates(ordered, Book(past, rules.gates), results.take(order) if results else None)
    return _finish(ordered, weights, thresholds, rules)


def serial_order(judged: Judged) -> IntArray:
    """The order in which the serial gates are asked: by close, then expected R, then symbol."""
    promised = np.where(np.isnan(judged.expected_r), -np.inf, judged.expected_r)
    return np.lexsort((judged.symbol, -promised, judged.close_ms))


def _ask_serial_gates(ordered: Judged, book: Book, results: Results | None) -> None:
    """Fill in the margins of the serial gates."""
    may_pass = verdicts(ordered.margins)[:, :SYMBOL_GATES].all(axis=1) & (ordered.lean != 0)
    for first, last in runs(ordered.close_ms):
        book.turn_to(int(ordered.close_ms[first]))
        while first < last:
            rows = slice(first, last)
            ordered.margins[rows, SYMBOL_GATES:] = book.margins(
                ordered.symbol[rows], ordered.lean[rows], ordered.regime[rows]
            )
            # A signal changes what the rows after it meet; all before it were asked rightly.
            passing = np.flatnonzero(may_pass[rows])
            passing = passing[verdicts(ordered.margins[rows][passing]).all(axis=1)] if len(passing) else passing
            if not len(passing):
                break
            book.add(signal_at(ordered, first + int(passing[0]), results))
            first += int(passing[0]) + 1
    ordered.margins[ordered.lean == 0, SYMBOL_GATES:] = np.nan


def signal_at(decided: Judged, row: int, results: Results | None) -> PastSignal:
    """One signal as the serial gates remember it."""
    exit_ms = int(results.exit_ms[row]) if results else 0
    net_r = float(results.net_r[row]) if results else np.nan
    return PastSignal(
        symbol=str(decided.symbol[row]),
        side=int(decided.lean[row]),
        regime=int(decided.regime[row]),
        opened_ms=int(decided.close_ms[row]),
        exit_ms=exit_ms or None,
        net_r=None if np.isnan(net_r) else net_r,
    )


def _finish(judged: Judged, weights: Weights, thresholds: Thresholds, rules: Rules) -> Decisions:
    priced = judged.lean != 0
    passed = verdicts(judged.margins) & priced[:, None]
    bracket = place(judged.reference, judged.risk, judged.lean, rules.bracket)
    decided = Decisions(
        **judged.columns,
        passed=passed,
        reason=np.where(priced, rejection_reasons(passed), "no_consensus"),
        stop_loss=canonical(np.where(priced, bracket.stop_loss, np.nan)),
        take_profit=canonical(np.where(priced, bracket.take_profit, np.nan)),
        scan_id=np.empty(len(judged), dtype=object),
    )
    decided.scan_id[:] = scan_ids(decided, weights_digest(weights, thresholds))
    return decided


def scan_ids(decided: Decisions, state: bytes) -> list[UUID]:
    """A hash of each whole decision: inputs, votes, pool, gates, bracket and the weights it was made with."""
    figures = [
        *(decided.direction, decided.probability, decided.confidence, decided.margins, decided.passed),
        *(decided.close_ms, decided.log_odds, decided.lean, decided.win_probability),
        *(decided.reference, decided.risk, decided.stop_loss, decided.take_profit),
        *(decided.regime, decided.missing_minutes),
    ]
    body = canonical(np.column_stack([np.asarray(part, np.float64) for part in figures]))
    return named_by_content(decided.symbol.tolist(), decided.reason.tolist(), decided.digest.tolist(), body, state)
