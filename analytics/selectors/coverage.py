"""Which minutes are there: day by day for each symbol, from what the gap keeper has settled, without counting candles.

Every minute before a symbol's `complete_until` is a candle or part of an explained gap (invariant I2 of the doctor), so
a day without a gap is complete.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Sum
from django.db.models import F as Column

from alphapulse_site.models import Heartbeat
from analytics.selectors.signs import STREAM
from ingestion.models import BackfillRun, CandleGap, QuarantinedMessage, Symbol
from ingestion.selectors import candle_count_estimate

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
SHOWN = 50
# A younger minute may not have been looked at: the gap check comes once a minute of the wall clock, in which a
# recording at sixty times life goes on by an hour.
LATEST = timedelta(hours=2)
Minutes = Mapping[str, int]


@dataclass(frozen=True)
class DayOfSymbol:
    """One day that is not simply complete: minutes by what they are (a gap's reason, `filling`, `ahead`)."""

    place: int
    day: datetime
    minutes: Minutes

    @property
    def kind(self) -> str:
        """The most urgent thing to say: being filled, not settled yet, not traded, or missing and explained."""
        for kind in ("filling", "ahead", "not_listed"):
            if kind in self.minutes:
                return kind
        return "explained"


@dataclass(frozen=True)
class SymbolDays:
    """A symbol's days in the span; those not in `exceptions` are complete."""

    symbol: Symbol
    days: int
    exceptions: tuple[DayOfSymbol, ...]

    @property
    def complete(self) -> int:
        return self.days - len(self.exceptions)

    @property
    def filling(self) -> int:
        """Minutes that are being asked for."""
        return sum(each.minutes.get("filling", 0) for each in self.exceptions)

    @property
    def explained(self) -> int:
        """Minutes that are known to have no candle, though the symbol was listed."""
        unexplained = ("filling", "ahead", "not_listed")
        return sum(
            minutes for each in self.exceptions for kind, minutes in each.minutes.items() if kind not in unexplained
        )


@dataclass
class _Days:
    """Minutes by day and kind while they are gathered."""

    since: datetime
    found: dict[int, dict[str, int]] = field(default_factory=lambda: defaultdict(lambda: defaultdict(int)))

    def add(self, kind: str, start: datetime, end: datetime) -> None:
        """Spread [start, end) over the days it touches."""
        at = max(start, self.since)
        while at < end:
            place = (at - self.since) // DAY
            until = min(end, self.since + (place + 1) * DAY)
            self.found[place][kind] += (until - at) // MINUTE
            at = until


def coverage(at: datetime, days: int) -> list[SymbolDays]:
    """Every symbol that is kept, over the last `days` days up to today of the market."""
    until = at.replace(hour=0, minute=0, second=0, microsecond=0) + DAY
    since = until - days * DAY
    gaps = CandleGap.objects.filter(end__gt=since, start__lt=at).values("symbol", "start", "end", "status", "reason")
    by_symbol = defaultdict(list)
    for gap in gaps:
        by_symbol[gap["symbol"]].append(gap)
    return [
        SymbolDays(symbol, days, _exceptions(symbol, by_symbol[symbol.name], since, at))
        for symbol in Symbol.objects.order_by("-is_active", "name")
    ]


def _exceptions(
    symbol: Symbol, gaps: Iterable[Mapping[str, Any]], since: datetime, at: datetime
) -> tuple[DayOfSymbol, ...]:
    gathered = _Days(since)
    if symbol.listed_at:
        gathered.add("not_listed", since, min(symbol.listed_at, at))
    for gap in gaps:
        gathered.add(gap["reason"] or "filling", gap["start"], min(gap["end"], at))
    settled = symbol.complete_until or symbol.listed_at
    if settled is None:
        gathered.add("ahead", since, at)
    elif symbol.delisted_at is None:
        # What the gap keeper has not come to yet; the newest minutes always are.
        gathered.add("ahead", settled, at - LATEST)
    return tuple(
        DayOfSymbol(place, since + place * DAY, dict(minutes)) for place, minutes in sorted(gathered.found.items())
    )


def newest_gaps(symbol: str = "", status: str = "") -> list[CandleGap]:
    """Gaps by their beginning, newest first."""
    chosen = {name: value for name, value in (("symbol", symbol), ("status", status)) if value}
    return list(CandleGap.objects.filter(**chosen).order_by("-start", "symbol")[:SHOWN])


@dataclass(frozen=True)
class Totals:
    """`by_status`: status -> (gaps, minutes)."""

    candles: int
    symbols: int
    scanned: int
    by_status: Mapping[str, tuple[int, int]]
    quarantined: int
    stream: Mapping[str, Any]


def totals() -> Totals:
    """What is stored in all; candles by the planner's estimate."""
    spans = (
        CandleGap.objects.order_by()
        .values("status")
        .annotate(gaps=Count("pk"), length=Sum(Column("end") - Column("start")))
    )
    beat = Heartbeat.objects.filter(name=STREAM).first()
    return Totals(
        candles=candle_count_estimate(),
        symbols=Symbol.objects.filter(delisted_at=None).count(),
        scanned=Symbol.objects.filter(is_active=True, delisted_at=None).count(),
        by_status={row["status"]: (row["gaps"], row["length"] // MINUTE) for row in spans},
        quarantined=QuarantinedMessage.objects.count(),
        stream=beat.figures if beat else {},
    )


def backfill_runs() -> list[BackfillRun]:
    """Running ones first, then the newest."""
    running = list(BackfillRun.objects.filter(status=BackfillRun.Status.RUNNING).order_by("-started_at")[:SHOWN])
    ended = BackfillRun.objects.exclude(status=BackfillRun.Status.RUNNING).order_by("-started_at", "-id")
    return [*running, *ended[: SHOWN - len(running)]]
