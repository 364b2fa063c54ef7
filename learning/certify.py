"""Certify: recompute stored decisions from the candles as they were seen, and compare every column, bit for bit."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from alphapulse_site.clock import market_now
from ingestion.candles import load_many
from ingestion.changes import changes_to
from ingestion.selectors import delistings, unexplained_gaps
from ingestion.timeframes import Timeframe
from learning.comparison import Compared
from learning.follow import Voided, Voids
from learning.late_scans import LateBench, late_ones
from learning.recomputing import Bench
from learning.selectors import version_of, versions_of_other_heads
from learning.spells import Close, Event, Gone, may_have_missed, span_of, spells
from learning.views import Market
from learning.walk import NEVER_MS, Given, Walk
from signals.alt_season import LATEST_MS, SEASON_MS
from signals.configuration import rules, scan_timeframe
from signals.derivatives import ALT_SEASON, READ_BACK
from signals.digests import decisions_digest
from signals.models import ScanClose, ScanHistory, VoidedDecision
from signals.mood import MOOD_FIELDS
from signals.mood_feed import EXTERNAL, feed_name
from signals.rows import to_ms, to_time
from signals.segments import slower_than
from signals.version import Version
from signals.windows import all_readings, external_of, season_of

Progress = Callable[[str, float], None]


@dataclass
class Certificate:
    """What was compared, and what differed: one line a row, with the columns.

    `decisions_digest` is that of the stored decisions: `replay` over the same candles and closes prints the same.
    `by_other_heads` counts the closes left out since another release decided them, with heads that do not vote now.
    `restated`: the closes whose candles have changed since; they are compared with what those of then give.
    `incomplete`: the scans that knew of missing minutes which nobody had explained. `unclear`: what differs where
    candles came in at the very moment of the look, so that nobody can say which of them it saw. `late`: the scans that
    were made when their candles came, after their close was decided.
    """

    closes: int = 0
    scans: int = 0
    outcomes: int = 0
    moods: int = 0
    by_other_heads: int = 0
    restated: int = 0
    incomplete: int = 0
    voided_by_hand: int = 0
    late: int = 0
    decisions_digest: str | None = None
    differences: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)

    def add(self, compared: Compared, *, is_clear: bool) -> None:
        self.closes += compared.closes
        self.moods += compared.moods
        self.restated += len(compared.restated)
        self._add_scans(compared, is_clear)

    def add_late(self, compared: Compared, *, is_clear: bool) -> None:
        """Late scans of a close that is counted already."""
        self.late += compared.scans
        self._add_scans(compared, is_clear)

    def _add_scans(self, compared: Compared, is_clear: bool) -> None:
        self.scans += compared.scans
        self.outcomes += compared.outcomes
        self.incomplete += compared.incomplete
        (self.differences if is_clear else self.unclear).extend(compared.differences)


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
    *, since: datetime | None = None, until: datetime | None = None, progress: Progress = lambda step, share: None
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


def _certify(rows: list[ScanClose], timeframe: Timeframe, progress: Progress) -> Certificate:
    first, last = rows[0].close_time, rows[-1].close_time
    closes, late = [_close_of(row) for row in rows], late_ones(timeframe.name, first, last)
    market, events = _market(closes, [ones.close for ones in late], timeframe)
    first_ms, span_ms = to_ms(first), max(to_ms(last) - to_ms(first), 1)
    bench = Bench(
        timeframe=timeframe,
        market=market,
        events=events,
        given=_given(timeframe),
        teacher=Stored(_versions(rows)),
        progress=lambda close_ms: progress("certify", (close_ms - first_ms) / span_ms),
        late={(symbol, ones.close.close_ms) for ones in late for symbol in ones.lacked},
    )
    certificate = Certificate()
    for spell in spells(closes, events, _look_back_ms(timeframe)):
        compared = bench.compare(spell, [close.close_ms for close in closes[spell.first : spell.last]])
        certificate.add(compared, is_clear=not spell.meanwhile)
    for ones in late:
        (spell,) = spells([ones.close], events, _look_back_ms(timeframe))
        compared = LateBench.beside(bench, ones).compare(spell, [ones.close.close_ms])
        certificate.add_late(compared, is_clear=not spell.meanwhile)
    opened = [to_time(opened_ms) for _, opened_ms in market.voids]
    certificate.voided_by_hand = sum(first <= at <= last for at in opened)
    certificate.decisions_digest = decisions_digest(_stored_ids(timeframe, first, last))
    return certificate


def _close_of(row: ScanClose) -> Close:
    symbols = sorted({symbol for chunk in row.chunks or [] for symbol in chunk})
    return Close(to_ms(row.close_time), row.first_tried_at, row.decided_at or row.first_tried_at, tuple(symbols))


def _look_back_ms(timeframe: Timeframe) -> int:
    """The longest that a close looks back."""
    windows = [2 * each.block * each.ms for each in (timeframe, *slower_than(timeframe))]
    return max(*windows, SEASON_MS + LATEST_MS)


def _market(closes: list[Close], late: list[Close], timeframe: Timeframe) -> tuple[Market, list[Event]]:
    """What is stored now of the symbols that were scanned, and what happened to it since, in order."""
    symbols = sorted({symbol for close in [*closes, *late] for symbol in close.symbols})
    start_ms, last_ms = closes[0].close_ms - _look_back_ms(timeframe), closes[-1].close_ms
    # Beyond the market clock a minute is not missing, it has not come yet.
    now_ms = to_ms(market_now() or to_time(last_ms))
    known_ms = min(last_ms + timeframe.ms * (rules().bracket.limit_bars + 1), now_ms)
    minutes = {symbol: candles for symbol, candles in load_many(symbols, start_ms, known_ms).items() if len(candles)}
    holes = {hole.symbol: hole.start_ms for hole in reversed(unexplained_gaps(symbols, start_ms, known_ms))}
    gone = delistings(symbols)
    events: list[Event] = [*changes_to(symbols, start_ms, lambda at_ms, by: may_have_missed(closes, at_ms, by))]
    events += [Gone(symbol, each) for symbol, found in gone.items() for each in found if each.noted_at]
    events.sort(key=lambda event: span_of(event)[2] or closes[0].tried_at)
    return Market(minutes, known_ms, holes, gone, voids_of(timeframe, to_time(last_ms))), events


def voids_of(timeframe: Timeframe, until: datetime) -> Voids:
    """What people declared void of the decisions up to then."""
    rows = VoidedDecision.objects.filter(timeframe=timeframe.name, opened_at__lte=until)
    return {(row.symbol, to_ms(row.opened_at)): Voided(to_ms(row.market_at), row.both) for row in rows}


def _stored_ids(timeframe: Timeframe, first: datetime, last: datetime) -> list[UUID]:
    scans = ScanHistory.objects.filter(
        timeframe=timeframe.name, close_time__gte=first, close_time__lte=last, scan_id__isnull=False
    )
    found = scans.order_by("close_time", "symbol").values_list("scan_id", flat=True)
    return [scan_id for scan_id in found if scan_id is not None]


def _versions(rows: list[ScanClose]) -> dict[int, Version]:
    known: dict[tuple[Any, ...], Version] = {}
    for row in rows:
        if _fixed(row) not in known:
            known[_fixed(row)] = version_of(row)
    return {to_ms(row.close_time): known[_fixed(row)] for row in rows}


def _fixed(row: ScanClose) -> tuple[Any, ...]:
    return row.weight_version, row.threshold_version, row.calibration_version, row.waited_too_long


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
