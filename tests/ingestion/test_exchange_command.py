"""`manage.py exchange`: a process that says where it listens, serves, and goes when it is told to."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import requests
from django.core.management import CommandError, call_command

from alphapulse_site.clock import advance_market_clock, note_exchange_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import store_candles, to_datetime
from ingestion.models import CandleSource, Symbol
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.market import DATA, HEADER, MARCH_24, made_candles, write_csv

ROOT = Path(__file__).resolve().parents[2]
OUTAGE = str(DATA / "outage_2023-03-24")
LINE = re.compile(
    r"exchange at (http://127\.0\.0\.1:\d+) \(streams at ws://\S+, control at (http://127\.0\.0\.1:\d+)\)"
)


@contextmanager
def exchange_process(*arguments: str, environment: dict[str, str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The command as a process of its own, and the first line it said."""
    process = subprocess.Popen(
        [sys.executable, "manage.py", "exchange", "--port", "0", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    with process, process.stdout, process.stderr:
        try:
            yield process, process.stdout.readline()
        finally:
            process.kill()


def ended(process: subprocess.Popen[str], number: int) -> tuple[int, str, str]:
    """Exit code and what else was said, after a signal."""
    process.send_signal(number)
    said, complained = process.communicate(timeout=10)
    return process.returncode, said, complained


def test_it_serves_files_from_the_time_it_is_told_and_stops_cleanly() -> None:
    arguments = ("--candles", OUTAGE, "--start", "2023-03-24T12:00", "--speed", "60", "--weight-limit", "77")
    with exchange_process(*arguments, environment=dict(os.environ)) as (process, line):
        found = LINE.match(line)
        assert found is not None, line
        told = requests.get(f"{found[1]}/api/v3/time", timeout=5).json()["serverTime"]
        info = requests.get(f"{found[1]}/api/v3/exchangeInfo", timeout=5).json()
        control = requests.get(f"{found[2]}/faults", timeout=5).json()
        end = ended(process, signal.SIGTERM)

    noon = MARCH_24 + 12 * 60 * MINUTE_MS
    assert "2 symbols" in line
    assert "now 2023-03-24 12:00, 60 times as fast as life" in line
    assert noon <= told < noon + 10 * 60_000
    assert info["rateLimits"][0]["limit"] == 77
    assert control == []
    assert end == (0, "", "")


def test_it_serves_our_own_database_from_where_the_market_clock_stands(process_environment: dict[str, str]) -> None:
    Symbol.objects.create(
        name="BTCUSDT", base_asset="BTC", quote_asset="USDT", trading_status="HALT", tick_size=0.5, min_notional=7
    )
    Symbol.objects.create(name="NONEUSDT", base_asset="NONE", quote_asset="USDT")
    store_candles({"BTCUSDT": made_candles(count=30)}, source=CandleSource.IMPORT)
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(to_datetime(MARCH_24 + 10 * MINUTE_MS))
    note_exchange_clock(to_datetime(MARCH_24 + 20 * MINUTE_MS))

    with exchange_process("--database", "--start", "clock", environment=process_environment) as (process, line):
        found = LINE.match(line)
        assert found is not None, line
        rows = requests.get(f"{found[1]}/api/v3/klines?symbol=BTCUSDT&interval=1m", timeout=5).json()
        symbols = requests.get(f"{found[1]}/api/v3/exchangeInfo", timeout=5).json()["symbols"]
        end = ended(process, signal.SIGINT)

    assert [row[0] for row in rows] == [MARCH_24 + minute * MINUTE_MS for minute in range(21)]
    assert [(each["symbol"], each["status"]) for each in symbols] == [("BTCUSDT", "HALT")]
    assert (symbols[0]["filters"][0]["tickSize"], symbols[0]["filters"][6]["minNotional"]) == (
        "0.50000000",
        "7.00000000",
    )
    assert end == (0, "", "")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "one of the arguments --candles --database is required"),
        (["--candles", OUTAGE, "--database"], "not allowed with argument"),
        (["--candles", "/nowhere"], "no such file or directory"),
        (["--candles", OUTAGE, "--symbols", "DOGEUSDT"], "no candle file for DOGEUSDT"),
        (["--candles", OUTAGE, "--since", "2024-01-01"], "not one candle to serve"),
        (["--candles", OUTAGE, "--start", "2024-01-01"], "lies outside the candles, which go from 2023-03-2"),
        (["--candles", OUTAGE, "--start", "noon"], "'noon' is not a time"),
        (["--candles", OUTAGE, "--speed", "0"], "is not a speed"),
        (["--candles", OUTAGE, "--speed", "nan"], "is not a speed"),
        (["--candles", OUTAGE, "--speed", "inf"], "is not a speed"),
        (["--candles", OUTAGE, "--speed", "fast"], "is not a number"),
        (["--candles", OUTAGE, "--port", "65536"], "is not a port"),
        (["--candles", OUTAGE, "--port", "-1"], "is not a port"),
        (["--candles", OUTAGE, "--port", "9001", "--control-port", "9001"], "are the same"),
        (["--candles", OUTAGE, "--weight-limit", "0"], "is not a limit"),
        (["--candles", OUTAGE, "--latency", "-1"], "is not a delay"),
        (["--candles", OUTAGE, "--host", "256.0.0.1"], "cannot listen at 256.0.0.1"),
    ],
    ids=lambda value: " ".join(value).replace(OUTAGE, "PATH") if isinstance(value, list) else "",
)
def test_nonsense_is_refused_with_the_reason(arguments: list[str], reason: str) -> None:
    with pytest.raises(CommandError, match=re.escape(reason)):
        call_command("exchange", *arguments, stdout=StringIO())


def test_files_with_faulty_rows_are_refused_by_name_and_line(tmp_path: Path) -> None:
    write_csv(tmp_path / "BTCUSDT-1m.csv", [f"{MARCH_24},1,2,3,4,5,{MARCH_24 + 59_999},,,,"], header=HEADER)

    with pytest.raises(CommandError, match=r"BTCUSDT-1m\.csv:2: "):
        call_command("exchange", "--candles", str(tmp_path), stdout=StringIO())


def test_a_port_that_is_taken_is_refused() -> None:
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        with pytest.raises(CommandError, match=f"cannot listen at 127.0.0.1:{port}"):
            call_command("exchange", "--candles", OUTAGE, "--port", port, stdout=StringIO())


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--database"], "not one candle to serve"),
        (["--database", "--symbols", "BTCUSDT"], "no symbol BTCUSDT in the database"),
        (["--candles", OUTAGE, "--start", "clock"], "the market clock has not been set"),
    ],
)
def test_an_empty_database_is_refused(arguments: list[Any], reason: str) -> None:
    with pytest.raises(CommandError, match=reason):
        call_command("exchange", *arguments, stdout=StringIO())
