"""A backlog of closes, whose candles are all there, decided by so many worker processes."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from django.conf import settings

from alphapulse_site.hints import hint
from signals.models import ScanClose, ScanHistory
from signals.selectors import decided_until
from tests.benchmarks.throughput.crew import cpu_seconds, crew, postgres, worker
from tests.benchmarks.throughput.market import reset, store

LONGEST = 1800.0


def drain(names: Sequence[str], backlog: int, workers: int) -> None:
    """Decide the first close, which warms up the workers; then as many as piled up meanwhile."""
    reset()
    logs = Path(settings.PLACES.root) / "bench_log"
    with crew({"scan": worker("scan,tracking", workers)}, logs) as running:
        hint("signals.scan_due")
        wait_for(store(names, 1))
        servers = running | {"postgres": postgres()}
        before = {name: cpu_seconds(each) for name, each in servers.items()}
        until, began = store(names, backlog + 1), time.monotonic()
        hint("signals.scan_due")
        wait_for(until)
        seconds = time.monotonic() - began
        spent = {name: cpu_seconds(each) - before[name] for name, each in servers.items()}
    closes = ScanClose.objects.filter(close_time__lte=until, decided_at__isnull=False).order_by("close_time")
    in_order = [row.decided_at for row in closes] == sorted(row.decided_at for row in closes if row.decided_at)
    tasks = backlog * (2 + len(closes[0].chunks or ()))
    print(
        f"\na backlog of {backlog} closes of {len(names)} symbols, {workers} worker processes: {seconds:.1f} s,"
        f" {backlog * len(names) / seconds:,.0f} scans and {tasks / seconds:.1f} tasks a second,"
        f" CPU of workers {spent['scan']:.1f} s, of PostgreSQL {spent['postgres']:.1f} s;"
        f" {ScanHistory.objects.count():,} scans, decided in order: {in_order};"
        f" load {os.getloadavg()[0]:.1f}"
    )


def wait_for(until: object) -> None:
    end = time.monotonic() + LONGEST
    while decided_until(settings.ALPHAPULSE_SCAN_TIMEFRAME) != until:
        if time.monotonic() > end:
            raise SystemExit("the backlog is not decided; look at bench_log/scan.log")
        time.sleep(0.1)
