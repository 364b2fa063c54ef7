"""The symbols as the exchange lists them: new ones in, lost ones out, chosen ones scanned; once a day and in one go."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from alphapulse_site.clock import market_now
from alphapulse_site.jobs import lock_key, run_once
from alphapulse_site.models import JobRun
from ingestion.candles import to_datetime
from ingestion.gaps import LOCK as GAP_KEEPER
from ingestion.listing_facts import Door, Facts, gather_facts, read_listed
from ingestion.models import CandleGap, Symbol
from ingestion.universe import Listed

JOB = "ingestion.refresh_universe"
TOLD_BY_EXCHANGE = ("trading_status", "tick_size", "step_size", "min_notional")
CHANGED = (*TOLD_BY_EXCHANGE, "is_active", "delisted_at", "complete_until")


@dataclass(frozen=True)
class Refreshed:
    """What a refresh changed, by names of symbols, and how many are scanned after it."""

    listed: tuple[str, ...] = ()
    returned: tuple[str, ...] = ()
    delisted: tuple[str, ...] = ()
    taken_up: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    scanned: int = 0

    def figures(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}


def refresh_universe(*, door: Door) -> Refreshed:
    """List, delist and choose the symbols as the exchange has them now. Safe to run twice.

    Raises SuspiciousAnswerError, and changes nothing, where an answer is not to be believed.
    """
    return store_facts(gather_facts(door))


def refresh_of_the_day(*, door: Door) -> JobRun | None:
    """`refresh_universe` once a day of the market; None if it was done before. A missed day is not made up, but today.

    The exchange is asked before the transaction, which else would hold up all who spend request weight meanwhile.
    """
    period = f"{market_now() or timezone.now():%Y-%m-%d}"
    if JobRun.objects.filter(job=JOB, period=period, status=JobRun.Status.DONE).exists():
        return None
    facts = gather_facts(door)
    return run_once(JOB, period, lambda: store_facts(facts).figures())


def note_statuses(*, door: Door) -> int:
    """Take over the exchange's word on each symbol, such as a halt, and no more; how many had another."""
    listed = read_listed(door)
    told = dict(Symbol.objects.filter(delisted_at=None, name__in=listed).values_list("name", "trading_status"))
    changed = {name: listed[name].status for name, status in told.items() if listed[name].status != status}
    for name, status in changed.items():
        Symbol.objects.filter(name=name).update(trading_status=status)
    return len(changed)


def store_facts(facts: Facts) -> Refreshed:
    """Bring the symbols in line with what the exchange said, in one transaction."""
    with transaction.atomic():
        if facts.returns:
            _wait_for_gap_check()
        added = _list_symbols(facts)
        known = {symbol.name: symbol for symbol in Symbol.objects.select_for_update().order_by("name")}
        was_scanned = {name for name, symbol in known.items() if symbol.is_active and name not in added}
        returned = [name for name in facts.returns if _take_back(known[name], facts.returns[name])]
        delisted = [name for name in facts.ends if _delist(known[name], facts)]
        for name in known.keys() & facts.listed.keys():
            _bring_in_line(known[name], facts.listed[name], is_scanned=name in facts.scanned)
        Symbol.objects.bulk_update(known.values(), CHANGED)
    is_scanned = {name for name, symbol in known.items() if symbol.is_active}
    return Refreshed(
        listed=tuple(sorted(added)),
        returned=tuple(returned),
        delisted=tuple(delisted),
        taken_up=tuple(sorted(is_scanned - was_scanned)),
        left_out=tuple(sorted(was_scanned - is_scanned)),
        scanned=len(is_scanned),
    )


def _wait_for_gap_check() -> None:
    """Keep checks out until the end of the transaction: one that began before would move `complete_until` on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock_key(GAP_KEEPER)])


def _list_symbols(facts: Facts) -> set[str]:
    """Make the new symbols; which were not there."""
    before = set(Symbol.objects.filter(name__in=facts.begins).values_list("name", flat=True))
    rows = [
        Symbol(
            name=name,
            base_asset=facts.listed[name].base_asset,
            quote_asset=facts.listed[name].quote_asset,
            listed_at=to_datetime(begin_ms),
        )
        for name, begin_ms in facts.begins.items()
    ]
    Symbol.objects.bulk_create(rows, ignore_conflicts=True)
    return facts.begins.keys() - before


def _bring_in_line(symbol: Symbol, listed: Listed, *, is_scanned: bool) -> None:
    symbol.trading_status = listed.status
    for name in ("tick_size", "step_size", "min_notional"):
        setattr(symbol, name, getattr(listed, name))
    symbol.is_active = is_scanned and symbol.delisted_at is None


def _delist(symbol: Symbol, facts: Facts) -> bool:
    """Note the end and that it was noticed now; False if somebody was first."""
    if symbol.delisted_at is not None:
        return False
    symbol.delisted_at, symbol.is_active = to_datetime(facts.ends[symbol.name]), False
    noticed = {"noted_at": timezone.now().isoformat(), "told_by": "exchangeInfo"}
    _note_absence(symbol.name, symbol.delisted_at, to_datetime(facts.now_ms), noticed)
    return True


def _take_back(symbol: Symbol, first_ms: int) -> bool:
    """Expect candles again from the first one on; what lies between is explained by the absence."""
    if symbol.delisted_at is None:
        return False
    first = to_datetime(first_ms)
    _note_absence(symbol.name, symbol.delisted_at, first, {"listed_again": first.isoformat()})
    # While it was away the gap check had nothing to expect, and went on.
    symbol.complete_until = min(symbol.complete_until or symbol.delisted_at, symbol.delisted_at)
    symbol.delisted_at = None
    return True


def _note_absence(name: str, delisted_at: datetime, until: datetime, evidence: Mapping[str, str]) -> None:
    """The absent minutes, so far as they are known, as one explained gap; it takes the place of one that began there.

    It is also the record of the delisting: what was open then was closed because of it.
    """
    same = CandleGap.objects.select_for_update().filter(symbol=name, start=delisted_at)
    row = same.first()
    if until <= delisted_at:
        same.delete()
        return
    told = {"delisted_at": delisted_at.isoformat(), **evidence} | (row.evidence if row else {})
    now = timezone.now()
    changed = {
        "end": until,
        "status": CandleGap.Status.EXPLAINED,
        "reason": CandleGap.Reason.NOT_LISTED,
        "evidence": told,
        "last_checked": now,
    }
    if not same.update(**changed):
        CandleGap.objects.create(symbol=name, start=delisted_at, checks=1, first_seen=now, **changed)
