import os
import re
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder
from pytest_django.fixtures import Settings
from rich.console import Console

from alphapulse_site.checklist import Checklist
from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from alphapulse_site.places import Places
from alphapulse_site.preflight import RefusalError, only_one
from alphapulse_site.preparation import STEPS, Options, prepare

ROOT = Path(__file__).resolve().parents[2]
SERVERS_OF_THE_TESTS = ("DATABASE_URL", "REDIS_URL", "ALPHAPULSE_DATA", "ALPHAPULSE_TEST_SERVERS")


@pytest.fixture
def outside() -> dict[str, str]:
    """The environment as a user has it, without the servers of this test run."""
    return {name: value for name, value in os.environ.items() if name not in SERVERS_OF_THE_TESTS}


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: Settings) -> Places:
    """A data directory for `up` in this process, which must refuse before it starts anything."""
    for name in SERVERS_OF_THE_TESTS:
        monkeypatch.delenv(name, raising=False)
    settings.PLACES = Places(tmp_path / "data")
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr("alphapulse_site.launch.signal.signal", lambda number, handler: before)
    return settings.PLACES


def refusal(*options: str) -> str:
    """The one line with which `up` refuses."""
    with pytest.raises(CommandError) as refused:
        call_command("up", *options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_a_refusal_is_one_line_and_exit_code_1(tmp_path: Path, outside: dict[str, str]) -> None:
    command = [sys.executable, "manage.py", "up", "--data", str(tmp_path / "data"), "--market", "recording"]
    environment = outside | {"ALPHAPULSE_RECORDING": str(tmp_path)}

    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)

    assert (result.returncode, result.stdout) == (1, "")
    assert [line.split(" Set ")[0] for line in result.stderr.splitlines()] == [
        f"CommandError: {tmp_path} holds no recorded candles (*.csv.gz)."
    ]


def test_a_data_directory_that_cannot_be_made_is_one_line(tmp_path: Path, outside: dict[str, str]) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    command = [sys.executable, "manage.py", "up", "--data", str(tmp_path / "file")]

    result = subprocess.run(command, cwd=ROOT, env=outside, capture_output=True, text=True, timeout=60, check=False)

    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert "--data" in result.stderr


def test_a_taken_port_is_refused_before_anything_starts(places: Places) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        reason = refusal("--port", str(port))

    assert reason.startswith(f"Port {port} on 127.0.0.1 is taken. Choose another one with --port")
    assert not places.postgres.exists()


def test_a_second_up_on_the_same_data_is_refused(places: Places) -> None:
    places.root.mkdir()
    with only_one(places):
        reason = refusal("--port", str(free_port()))

    assert f"already runs on {places.root} (process {os.getpid()})" in reason


def test_the_data_is_free_again_when_its_owner_has_gone(places: Places) -> None:
    places.root.mkdir()
    for _ in range(2):
        with only_one(places):
            owner = (places.root / "up.lock").read_text(encoding="utf-8")
        assert owner == f"{os.getpid()}\n"


def test_a_forked_child_does_not_keep_the_data_from_the_next_start(places: Places) -> None:
    places.root.mkdir()
    told, tell = os.pipe()
    with only_one(places):
        child = os.fork()
        if child == 0:
            os.write(tell, b"here")
            time.sleep(60)
            os._exit(0)
        os.read(told, 4)
    with only_one(places):
        owner = (places.root / "up.lock").read_text(encoding="utf-8")
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    os.close(told)
    os.close(tell)

    assert owner == f"{os.getpid()}\n"


def test_data_of_another_postgres_is_refused_and_kept(places: Places) -> None:
    places.postgres.mkdir(parents=True)
    (places.postgres / "PG_VERSION").write_text("15\n", encoding="utf-8")

    reason = refusal("--port", str(free_port()))

    assert "PostgreSQL version 15, this installation has 18; nothing was touched" in reason
    assert [file.name for file in places.postgres.iterdir()] == ["PG_VERSION"]


def test_too_little_room_on_the_disk_is_refused(places: Places, settings: Settings) -> None:
    settings.ALPHAPULSE_MINIMUM_DISK_MB = 999_999_999

    assert "MB free, 999999999 MB are needed" in refusal()


def test_an_address_of_another_database_is_refused(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody@elsewhere/production")

    assert "DATABASE_URL is set, but `up` starts servers of its own" in refusal()


def test_a_recording_without_candles_is_refused(places: Places, settings: Settings, tmp_path: Path) -> None:
    settings.ALPHAPULSE_RECORDING = tmp_path

    assert "holds no recorded candles" in refusal()


@pytest.mark.django_db
def test_a_database_of_a_newer_program_is_refused(places: Places) -> None:
    MigrationRecorder(connection).record_applied("learning", "9999_from_the_future")

    with pytest.raises(RefusalError, match=r"newer AlphaPulse \(migration learning.9999_from_the_future\)"):
        prepare(
            Options("recording", 60, 8000), Checklist(Console()), [step for step in STEPS if step[0] == "migrations"]
        )


@pytest.mark.django_db
def test_data_of_another_recording_is_refused_and_its_clock_kept(places: Places) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=60, detail="another")
    advance_market_clock(datetime(2021, 7, 1, tzinfo=UTC))

    with pytest.raises(RefusalError, match="follows the recording 'another'"):
        prepare(Options("recording", 99, 8000), Checklist(Console()), [step for step in STEPS if step[0] == "market"])

    assert MarketClock.objects.get().speed == 60


@pytest.mark.parametrize("options", [["--speed", "0"], ["--speed", "nan"], ["--port", "70000"], ["--market", "moon"]])
def test_nonsense_in_an_option_is_refused(places: Places, options: list[str]) -> None:
    assert options[0] in refusal(*options)


@pytest.fixture
def environment(tmp_path: Path, outside: dict[str, str]) -> dict[str, str]:
    """For a system on ports of its own that plays one symbol."""
    return outside | {
        "FLOWER_PORT": str(free_port()),
        "EXCHANGE_PORT": str(free_port()),
        "ALPHAPULSE_RECORDING": str(_short_recording(tmp_path / "recording")),
        "PYTHONPATH": str(_without_pandas(tmp_path / "path")),
    }


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_the_whole_system_comes_up_stops_and_resumes(tmp_path: Path, environment: dict[str, str]) -> None:
    first, its_code = _run_until("Ctrl-C stops everything", tmp_path / "data", environment)
    # The second is broken off as soon as it has prepared, which must stop the servers too.
    second, _ = _run_until("learning coordinator initialised", tmp_path / "data", environment)

    assert its_code == 0
    assert "Everything is stopped" in first
    assert "[--]" not in first
    for label in (
        "exchange",
        "stream",
        "learning coordinator initialised",
        "outcome monitor started",
        "rejection monitor started",
    ):
        assert label in first
    assert re.search(r"password \S{20} \(shown once", first)
    assert re.search(r"candles imported: [\d,]{4,} now, 0 before", first)
    assert "shown once" not in second
    assert "candles imported: 0 now" in second
    assert re.search(r"learning coordinator initialised: version \d+, of an earlier start", second)
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_it_can_be_broken_off_while_it_prepares(tmp_path: Path, environment: dict[str, str]) -> None:
    said, code = _run_until("migrations", tmp_path / "data", environment)

    assert code == 130
    assert said.endswith("Stopped.\n")
    assert "learning coordinator" not in said
    assert not (tmp_path / "data" / "postgres" / "postmaster.pid").exists()


def _short_recording(directory: Path) -> Path:
    """One symbol of the shipped recording: the whole flow, quickly."""
    source = ROOT / "ingestion" / "recordings" / "2021-06-10_2021-07-10" / "BTCUSDT-1m.csv.gz"
    directory.mkdir()
    (directory / source.name).write_bytes(source.read_bytes())
    return directory


def _without_pandas(directory: Path) -> Path:
    """As where only the base packages are installed: TA-Lib imports pandas if it can, for three seconds a process."""
    directory.mkdir()
    absent = 'raise ModuleNotFoundError("not installed", name="pandas")\n'
    (directory / "pandas.py").write_text(absent, encoding="utf-8")
    return directory


def _run_until(line: str, data: Path, environment: dict[str, str]) -> tuple[str, int]:
    """Start `up` as a shell does in the background, wait for the line, ask it to stop: what it printed, its code."""
    out = data.with_name("out")
    command = [sys.executable, "manage.py", "up", "--data", str(data), "--port", str(free_port()), "--speed", "600"]
    with out.open("w", encoding="utf-8") as stdout:
        system = subprocess.Popen(
            ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
            cwd=ROOT, env=environment, stdout=stdout, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            deadline = time.monotonic() + 150
            while line not in out.read_text(encoding="utf-8") and system.poll() is None and time.monotonic() < deadline:
                time.sleep(0.2)
            system.send_signal(signal.SIGINT)
            code = system.wait(timeout=90)
        finally:
            system.kill()
            system.wait()
    said = out.read_text(encoding="utf-8")
    assert line in said, said
    return said, code
