"""What the tables say of a run, in lines."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import pairwise

import numpy as np
from django.conf import settings
from django.db.models import Count

from ingestion.candles import to_ms
from ingestion.models import Candle
from signals.models import LateScan, RejectedSignal, ScanClose, ScanHistory, Signal
from tests.benchmarks.throughput.market import START


def closes() -> list[ScanClose]:
    decided = ScanClose.objects.filter(decided_at__isnull=False, close_time__gt=START)
    return list(decided.order_by("close_time"))


def tell_lag(behind_ms: float) -> None:
    """From the exchange's close to the decisions, and from when the candles were complete."""
    rows = closes()
    timed = [(row.close_time, row.complete_at, row.decided_at) for row in rows if row.complete_at and row.decided_at]
    behind = timedelta(milliseconds=behind_ms)
    since_close = [(decided - close - behind).total_seconds() for close, _, decided in timed]
    since_complete = [(decided - complete).total_seconds() for _, complete, decided in timed]
    for name, took in (("close to decided", since_close), ("candles complete to decided", since_complete)):
        p50, p99 = np.percentile(took, [50, 99])
        print(f"  {name}: p50 {p50:.1f} s, p99 {p99:.1f} s, longest {max(took):.1f} s ({len(took)} closes)")


def tell_loss(names: Sequence[str]) -> None:
    """Every close has a scan of every symbol, or a record of why not."""
    rows = closes()
    left_out = sum(to_ms(after.close_time) - to_ms(row.close_time) - 60_000 for row, after in pairwise(rows)) // 60_000
    by_close = dict(ScanHistory.objects.values_list("close_time").annotate(scans=Count("symbol")))
    late = LateScan.objects.filter(scanned_at=None).count()
    scans = sum(by_close.get(row.close_time, 0) for row in rows)
    candles = Candle.objects.filter(open_time__gte=START, open_time__lt=rows[-1].close_time).count()
    print(
        f"  {scans:,} scans of {len(rows) * len(names):,}, {late} waiting for their candles; closes left out:"
        f" {left_out}; candles {candles:,} of {len(rows) * len(names):,}; signals"
        f" {Signal.objects.count()}, shadows {RejectedSignal.objects.count():,},"
        f" of them open {RejectedSignal.objects.filter(outcome='').count():,}"
    )


def tell_costs(cpu: Mapping[str, float], memory: Mapping[str, float], load: Sequence[float], seconds: float) -> None:
    rows = closes()
    scans = ScanHistory.objects.count()
    chunks = sum(len(row.chunks or ()) for row in rows)
    spent = ", ".join(f"{name} {used:.0f} s ({memory[name]:.0f} MB)" for name, used in cpu.items())
    print(f"  CPU in {seconds:.0f} s of wall time: {spent}")
    worker, server = (1000 * cpu[name] / scans for name in ("scan", "postgres"))
    print(
        f"  a scan costs {worker:.1f} ms of a worker's CPU and {server:.1f} ms of PostgreSQL's (with all else it does);"
        f" {chunks / len(rows):.0f} chunks of {settings.ALPHAPULSE_SCAN_CHUNK} a close; load of the machine"
        f" {np.mean(load):.1f} (at most {max(load):.1f})"
    )
