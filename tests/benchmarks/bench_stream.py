"""500 symbols over the wire into PostgreSQL: what is lost (nothing), how late it is, what it costs.

Longer than `make bench` does it: ALPHAPULSE_BENCH_MINUTES=10 make bench ARGS="-k stream". Minutes are the wall's.
"""

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from alphapulse_site.clock import advance_market_clock, market_now, set_market_clock
from alphapulse_site.models import Heartbeat, MarketClock
from ingestion.candles import to_datetime, to_ms
from ingestion.models import Symbol
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.market import HEADER, MARCH_24, csv_rows, made_candles

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
SYMBOLS = [f"M{number:03d}USDT" for number in range(500)]
BENCH_MINUTES = float(os.environ.get("ALPHAPULSE_BENCH_MINUTES", "1"))
SPARE_MINUTES = 30


@pytest.mark.timeout(0)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("speed", [60.0, 1.0])
def bench_stream_of_500_symbols(
    speed: float, tmp_path: Path, process_environment: dict[str, str], empty_broker: None
) -> None:
    minutes = int(BENCH_MINUTES * speed) + SPARE_MINUTES
    write_market(tmp_path, minutes)
    list_market()
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=speed)
    advance_market_clock(to_datetime(MARCH_24))
    with exchange(tmp_path, speed, process_environment) as (url, _), stream(url, process_environment) as streaming:
        # The close of the first minute comes at the first boundary; before that there is nothing to be late.
        watched = watch(streaming, BENCH_MINUTES * 60 + (60 if speed == 1 else 0))
    report(speed, watched)


def write_market(directory: Path, minutes: int) -> None:
    """One random walk for all, since only its rows count."""
    text = "\n".join([HEADER, *csv_rows(made_candles(count=minutes, start_ms=MARCH_24))]) + "\n"
    packed = gzip.compress(text.encode(), 1)
    for symbol in SYMBOLS:
        (directory / f"{symbol}-1m.csv.gz").write_bytes(packed)


def list_market() -> None:
    since = to_datetime(MARCH_24)
    rows = [Symbol(name=name, base_asset=name[:4], quote_asset="USDT", listed_at=since) for name in SYMBOLS]
    Symbol.objects.bulk_create(rows)


@contextmanager
def exchange(directory: Path, speed: float, environment: dict[str, str]) -> Iterator[tuple[str, psutil.Process]]:
    command = [sys.executable, str(MANAGE), "exchange", "--candles", str(directory), "--port", "0"]
    options = ["--start", "clock", "--speed", f"{speed:g}"]
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split(" at ")[1].split()[0], psutil.Process(process.pid)
        finally:
            process.terminate()


@contextmanager
def stream(url: str, environment: dict[str, str]) -> Iterator[psutil.Process]:
    addresses = {"ALPHAPULSE_SPOT_URL": url, "ALPHAPULSE_STREAM_URL": url.replace("http", "ws", 1)}
    command = [sys.executable, str(MANAGE), "stream"]
    process = subprocess.Popen(command, env=environment | addresses | {"LOG_LEVEL": "WARNING"})
    try:
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        assert process.wait(timeout=20) == 0


def watch(process: psutil.Process, seconds: float) -> dict[str, Any]:
    """What the process needed and said while it streamed."""
    end, memory = time.monotonic() + seconds, []
    while time.monotonic() < end:
        time.sleep(1)
        memory.append(process.memory_info().rss / 1e6)
    cpu = process.cpu_times()
    figures = Heartbeat.objects.get(name="stream").figures
    return {"memory": memory, "cpu": cpu.user + cpu.system, "figures": figures, "seconds": seconds}


def report(speed: float, watched: dict[str, Any]) -> None:
    figures, memory = watched["figures"], watched["memory"]
    settled = market_now()
    assert settled is not None
    minutes = (to_ms(settled) - MARCH_24) // MINUTE_MS
    with connection.cursor() as cursor:
        cursor.execute("SELECT source, count(*) FROM candles WHERE open_time < %s GROUP BY source", [settled])
        stored = dict(cursor.fetchall())
    lost = minutes * len(SYMBOLS) - sum(stored.values())
    print(
        f"\nstream of {len(SYMBOLS)} symbols at {speed:g}x for {watched['seconds']:.0f} s: {minutes} minutes,"
        f" {sum(stored.values()):,} candles ({stored}), {lost} lost;"
        f" close to commit p50 {figures['latency_p50_ms']} ms, p99 {figures['latency_p99_ms']} ms;"
        f" {watched['cpu']:.1f} CPU s; memory {memory[len(memory) // 10]:.0f} MB after a tenth,"
        f" {memory[-1]:.0f} MB at the end, {max(memory):.0f} MB at most; {figures['reconnects']} reconnects"
    )
    assert lost == 0
