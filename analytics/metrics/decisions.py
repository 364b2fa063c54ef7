"""Decisions: how late closes are decided, what is open, and how far the open ones have been followed."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import Count, Min, Q
from prometheus_client.core import Metric

from analytics.frame import Frame
from analytics.metrics.families import gauge, gauges
from analytics.selectors.scan_lag import scan_lag
from signals.models import RejectedSignal, ScanClose, Signal, TrackedDecision

KINDS: dict[str, type[TrackedDecision]] = {"signal": Signal, "shadow": RejectedSignal}


def closes() -> Iterator[Metric]:
    """Of the scan timeframe. A close is complete once the market's clock has come to it."""
    lag = scan_lag()
    yield from gauges(
        "alphapulse_scan_lag_seconds",
        "Wall seconds from a close being complete to its decisions: of the last one, and of the last hundred.",
        "statistic",
        {"last": lag.last, "median": lag.median, "p99": lag.p99},
    )
    yield from gauge("alphapulse_closes_waiting", "Closes that are complete and not yet decided.", lag.behind)
    yield from gauge(
        "alphapulse_scan_waiting_seconds",
        "Wall seconds since the oldest close that is not decided was complete; 0 while none waits.",
        lag.waiting,
    )
    yield from _last_close()


def _last_close() -> Iterator[Metric]:
    decided = ScanClose.objects.filter(timeframe=settings.ALPHAPULSE_SCAN_TIMEFRAME, decided_at__isnull=False)
    last = decided.order_by("-close_time").first()
    if last is None:
        return
    yield from gauge(
        "alphapulse_last_decided_close_time_seconds", "The last decided close in unix seconds.", last.close_time
    )
    yield from gauge("alphapulse_last_close_scans", "Scans of the last decided close.", last.scans)
    yield from gauge("alphapulse_last_close_signals", "Signals of the last decided close.", last.signals)


def followed(frame: Frame) -> Iterator[Metric]:
    """Brackets of which a side is open, by an index that holds no others."""
    still = {kind: _unresolved(model) for kind, model in KINDS.items()}
    yield from gauges(
        "alphapulse_open_decisions",
        "Signals and shadows of which the bracket or its mirror has not ended.",
        "kind",
        {kind: number for kind, (number, _) in still.items()},
    )
    if frame.at is None:
        return
    yield from gauges(
        "alphapulse_tracking_lag_seconds",
        "Seconds of the market that the least followed open signal or shadow has not been followed yet.",
        "kind",
        {kind: max(frame.at - least, timedelta(0)) for kind, (_, least) in still.items() if least},
    )


def _unresolved(model: type[TrackedDecision]) -> tuple[int, datetime | None]:
    open_sides = model._default_manager.filter(Q(outcome="") | Q(mirror_outcome=""))
    found = open_sides.aggregate(number=Count("pk"), least=Min("checked_until"))
    return found["number"], found["least"]
