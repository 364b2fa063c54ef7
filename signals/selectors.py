"""Questions about scans, signals and shadows that other rooms and our own services ask."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import Min, Q, QuerySet

from ingestion.timeframes import Timeframe
from signals.gates import GateRules, PastSignal
from signals.models import LateScan, RejectedSignal, ScanClose, ScanHistory, Signal, TrackedDecision
from signals.rows import to_ms

# The signals of a close are past for its late scans, which look at what is before this much later.
AFTER_THE_CLOSE = timedelta(milliseconds=1)


def decided_until(timeframe: str) -> datetime | None:
    """The last close whose decisions are made; everything that ended by then is resolved."""
    last = ScanClose.objects.filter(timeframe=timeframe, decided_at__isnull=False).order_by("-close_time").first()
    return last.close_time if last else None


def first_close(timeframe: str) -> datetime | None:
    """The first close this timeframe was ever scanned at."""
    first = ScanClose.objects.filter(timeframe=timeframe).order_by("close_time").first()
    return first.close_time if first else None


def past_signals(timeframe: Timeframe, before: datetime, rules: GateRules) -> list[PastSignal]:
    """The signals the serial gates remember at a close: open ones, and those of the drawdown window."""
    since = before - timedelta(days=rules.drawdown_days + 1)
    signals = Signal.objects.filter(timeframe=timeframe.name, opened_at__lt=before)
    remembered = signals.filter(Q(outcome="") | Q(exit_at__gt=since) | Q(opened_at__gt=since)).order_by(
        "opened_at", "symbol"
    )
    return [
        PastSignal(
            symbol=signal.symbol,
            side=signal.direction,
            regime=signal.regime,
            opened_ms=to_ms(signal.opened_at),
            exit_ms=to_ms(signal.exit_at) if signal.exit_at else None,
            net_r=signal.net_r,
        )
        for signal in remembered
    ]


def unresolved(
    model: type[TrackedDecision], until: datetime, symbols: Iterable[str] | None = None
) -> list[TrackedDecision]:
    """Decisions with an open side and unread minutes before `until`, oldest first."""
    found = model._default_manager.filter(Q(outcome="") | Q(mirror_outcome=""), checked_until__lt=until)
    if symbols is not None:
        found = found.filter(symbol__in=list(symbols))
    return list(found.order_by("symbol", "opened_at"))


def followed_until(timeframe: str, until: datetime) -> dict[str, datetime]:
    """How far the least followed bracket that was open before `until` has been read, for the symbols that have one.

    Not beyond the first close whose late scan is still to come: it may open another bracket there.
    """
    waited_for = LateScan.objects.filter(timeframe=timeframe, scanned_at=None, close_time__lte=until)
    found = dict(waited_for.values("symbol").annotate(least=Min("close_time")).values_list("symbol", "least"))
    for model in (Signal, RejectedSignal):
        still_open = model._default_manager.filter(Q(outcome="") | Q(mirror_outcome=""), timeframe=timeframe)
        least = still_open.filter(opened_at__lt=until).values("symbol").annotate(least=Min("checked_until"))
        for symbol, checked in least.values_list("symbol", "least"):
            found[symbol] = min(checked, found.get(symbol, checked))
    return found


def undecided_scans(timeframe: str, close: datetime) -> list[ScanHistory]:
    return list(ScanHistory.objects.filter(timeframe=timeframe, close_time=close, rejection=None).order_by("symbol"))


def late_symbols(timeframe: str, close: datetime) -> list[str]:
    """The symbols that were left out of a close because their candles had not come."""
    return sorted(LateScan.objects.filter(timeframe=timeframe, close_time=close).values_list("symbol", flat=True))


def ended_by(model: type[TrackedDecision], timeframe: str, until: datetime) -> QuerySet[TrackedDecision]:
    """Signals or shadows whose both sides ended by `until`."""
    return model._default_manager.filter(timeframe=timeframe, exit_at__lte=until, mirror_exit_at__lte=until)
