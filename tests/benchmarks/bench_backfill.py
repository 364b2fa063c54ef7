"""Holes of a week and of a month in eight symbols: how long REST takes to fill them, and how long the archive.

The exchange is another process. Its answers come at once, or after as long as they need from far away.
"""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from ingestion.candles import to_ms
from ingestion.exchange.archive import write_archive
from ingestion.exchange.market import Market
from ingestion.gaps import check_gaps
from ingestion.importing import list_symbol
from tests.ingestion.market import csv_rows, made_candles, write_csv

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
SYMBOLS = ("AAVEUSDT", "ADAUSDT", "AXSUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "DOTUSDT", "ETHUSDT")
APRIL, MAY = datetime(2023, 4, 1, tzinfo=UTC), datetime(2023, 5, 1, tzinfo=UTC)
# The exchange's clock stands in the first minute of May: all of April has passed.
MINUTES = (MAY - APRIL) // timedelta(minutes=1) + 1


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """April 2023, the same for all symbols, since only its rows count; its archive lies beside it."""
    place = tmp_path_factory.mktemp("april")
    candles = made_candles(count=MINUTES, start_ms=to_ms(APRIL))
    rows = csv_rows(candles)
    for symbol in SYMBOLS:
        write_csv(place / f"{symbol}-1m.csv", rows)
    write_archive(Market(dict.fromkeys(SYMBOLS, candles)), place / "archive", now_ms=to_ms(MAY) + 30_000)
    return place


@contextmanager
def exchange(recording: Path, latency_ms: int, environment: dict[str, str]) -> Iterator[str]:
    """Its clock begins ten seconds into May and ends with its candles, fifty seconds later."""
    command = [sys.executable, str(MANAGE), "exchange", "--candles", str(recording), "--port", "0"]
    options = ["--start", (MAY + timedelta(seconds=10)).isoformat(), "--latency", str(latency_ms)]
    with subprocess.Popen([*command, *options], env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split(" at ")[1].split()[0]
        finally:
            process.terminate()


def fill(days: int, label: str) -> float:
    """Seconds to fill the last days of April in all symbols, of which nothing is stored before."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE candles, candle_gaps, backfill_runs, symbols, request_budgets")
    for symbol in SYMBOLS:
        list_symbol(symbol, MAY - timedelta(days=days))
    began, cpu = time.monotonic(), time.process_time()
    done = check_gaps(seconds=None)
    seconds = time.monotonic() - began
    # A minute more if the clock has reached its end.
    assert (done.open, done.error, done.filled // len(SYMBOLS) in (days * 1440, days * 1440 + 1)) == (0, "", True)
    print(
        f"\n{days} days of {len(SYMBOLS)} symbols, {label}: {done.filled:,} candles in {seconds:.2f} s"
        f" ({done.filled / seconds:,.0f} a second), {done.requests} requests, weight {done.weight},"
        f" {time.process_time() - cpu:.1f} CPU s"
    )
    return seconds


@pytest.mark.timeout(0)
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("latency_ms", [0, 100])
def bench_backfill(latency_ms: int, recording: Path, settings: Any, process_environment: dict[str, str]) -> None:
    settings.ALPHAPULSE_ARCHIVE = ""
    with exchange(recording, latency_ms, process_environment) as settings.ALPHAPULSE_SPOT_URL:
        fill(7, f"REST at {latency_ms} ms")
        rest = fill(30, f"REST at {latency_ms} ms")
        settings.ALPHAPULSE_ARCHIVE = str(recording / "archive")
        archive = fill(30, f"archive, REST at {latency_ms} ms")
    print(f"\nthe archive is {rest / archive:.1f} times as fast")
