"""The whole system on servers, ports and a directory of its own, every part a process that can be harmed.

It follows a slice of the recording at high speed. Between its processes and PostgreSQL, and the broker, lies a line
that can fail. Whatever was done to it is undone in the end (`heal`), then it gets the time to catch up (`drain`), and
is judged.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg2
import redis

from alphapulse_site.celery import QUEUES
from alphapulse_site.places import DATABASE_NAME, Places
from alphapulse_site.processes import read_procfile
from tests.faults import promises
from tests.faults.asked import asking_of
from tests.faults.asking import Asking
from tests.faults.drained import owed
from tests.faults.judgement import Judgement
from tests.faults.market import A_MOMENT, Slice, cut_recording
from tests.faults.proxy import Proxy
from tests.faults.servers import NO_WAIT_FOR_THE_DISK, Server, broker_of, postgres_of
from tests.faults.supervisor import ROOT, Supervisor
from tests.ingestion.exchanges import Control
from tests.servers import OUT_OF_REACH

SPEED = 600.0
LOOK_SECONDS = 0.2
# Slow enough that the market has not moved when everything has started up.
STANDSTILL = 0.001
BEAT = "exec celery --app tests.faults.quick_beat beat --pidfile= --loglevel WARNING"
PROCESSES = ("exchange", "stream", "beat", "scan", "ingestion", "learning")
WORKERS = ("scan", "ingestion", "learning")
# Only where somebody asks: one more process to start.
WEB = "web"
# Of the test run itself, which has servers of its own.
NOT_OURS = ("DATABASE_URL", "REDIS_URL", "ALPHAPULSE_DATA", "ALPHAPULSE_TEST_SERVERS", "PYTEST_CURRENT_TEST")
QUICK = {
    "ALPHAPULSE_STREAM_SILENCE": "4",
    "ALPHAPULSE_EXCHANGE_TIMEOUT": "2",
    # Several chunks a close, and as much patience with the night as a slow machine needs.
    "ALPHAPULSE_SCAN_CHUNK": "2",
    "ALPHAPULSE_WEIGHTS_DEADLINE": "3600",
    # Requests are counted, and none is one too many.
    "ALPHAPULSE_WRITE_RATE": "1000000",
}

DECIDED_UNTIL = """SELECT max(close_time) > %(moment)s - interval '15 minutes' AND bool_and(decided_at IS NOT NULL)
    AND (SELECT closed_until FROM market_clock) = %(moment)s FROM scan_closes"""


@dataclass(frozen=True)
class Template:
    """A data directory with the history in it, to be copied, and the recording that goes on from there."""

    data: Path
    recording: Path


@contextmanager
def template(slice_: Slice) -> Iterator[Template]:
    """Made once for many systems: migrating and learning from history takes some seconds."""
    root = Path(tempfile.mkdtemp(prefix="ap-template-"))
    try:
        recording = cut_recording(root / "slice", slice_.stands_still_at)
        places = Places(root / "data")
        _make(places, recording, slice_)
        yield Template(places.root, recording)
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _make(places: Places, recording: Path, slice_: Slice) -> None:
    places.logs.mkdir(parents=True)
    postgres = postgres_of(places)
    postgres.start()
    try:
        environment = _base_environment(places) | {"DATABASE_URL": places.database_url()}
        told = [str(recording), slice_.start.isoformat(), str(SPEED)]
        _run("tests.faults.history", *told, environment=environment)
    finally:
        postgres.stop()
    with (places.postgres / "postgresql.conf").open("a", encoding="utf-8") as config:
        config.write(NO_WAIT_FOR_THE_DISK)


def _run(module: str, *arguments: str, environment: dict[str, str]) -> None:
    command = [sys.executable, "-W", "ignore", "-m", module, *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, f"{module} failed:\n{done.stderr[-3000:]}"


def _base_environment(places: Places) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in NOT_OURS}
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    path = os.pathsep.join([str(_without_pandas(places.root)), str(ROOT)])
    own = {"PATH": programs, "ALPHAPULSE_DATA": str(places.root), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    return kept | own | OUT_OF_REACH | QUICK | {"DJANGO_SETTINGS_MODULE": "alphapulse_site.settings"}


def _without_pandas(root: Path) -> Path:
    """As where only the base packages are installed: TA-Lib imports pandas if it can, for three seconds a process."""
    directory = root / "path"
    directory.mkdir(parents=True, exist_ok=True)
    absent = 'raise ModuleNotFoundError("not installed", name="pandas")\n'
    (directory / "pandas.py").write_text(absent, encoding="utf-8")
    return directory


class System:
    """See the top of this file. It runs inside `running`; the market stands still until `play`."""

    def __init__(self, made: Template, slice_: Slice, root: Path, *, is_asked: bool = False, disk_mb: int = 0) -> None:
        self.slice, self.root, self._made, self._is_asked = slice_, root, made, is_asked
        # Of a disk that PostgreSQL has for itself; 0: it has none.
        self.disk_mb = disk_mb
        self.places = Places(root / "data")
        self.postgres, self.broker = postgres_of(self.places), broker_of(self.places)
        self._stack = ExitStack()
        self._speed = SPEED
        # How often each poll had looked when nothing was left to do.
        self.seen_idle: dict[str, int] | None = None

    @contextmanager
    def running(self) -> Iterator["System"]:
        with self._stack:
            self._start()
            yield self

    def _start(self) -> None:
        self.places.postgres.mkdir(parents=True)
        if self.disk_mb:
            mount(self.places.postgres, self.disk_mb)
            self._stack.callback(unmount, self.places.postgres)
        subprocess.run(["cp", "-a", "--reflink=auto", f"{self._made.data}/.", self.places.root], check=True)
        for server in (self.postgres, self.broker):
            server.start()
            self._stack.callback(self._stop, server)
        self.database_line = self._line(self.places.postgres / ".s.PGSQL.5432")
        self.broker_line = self._line(self.places.broker_socket)
        self.processes = Supervisor(self._commands(), self.environment, self.places.logs)
        self._stack.callback(self.processes.close)
        self.processes.start_all()
        self._wait_for_signs()
        if self._is_asked:
            self.wait(self.asking.is_heard)

    @staticmethod
    def _stop(server: Server) -> None:
        if server.is_up:
            server.thaw()
            server.kill()

    def _line(self, server: Path) -> Proxy:
        return self._stack.enter_context(Proxy(server))

    # --- how it is started --------------------------------------------------------------------------------------------

    @cached_property
    def environment(self) -> dict[str, str]:
        exchange = f"127.0.0.1:{self._exchange_port}"
        return _base_environment(self.places) | {
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{self.database_line.port}/{DATABASE_NAME}",
            "REDIS_URL": f"redis://127.0.0.1:{self.broker_line.port}/0",
            "ALPHAPULSE_SPOT_URL": f"http://{exchange}",
            "ALPHAPULSE_STREAM_URL": f"ws://{exchange}",
            "PORT": str(self._web_port),
        }

    @cached_property
    def _exchange_port(self) -> int:
        return free_port()

    @cached_property
    def _web_port(self) -> int:
        return free_port()

    @cached_property
    def control(self) -> Control:
        return Control(f"http://127.0.0.1:{free_port()}")

    def _commands(self) -> dict[str, str]:
        """Those of the Procfile, but for an exchange that stands still at the end of the slice, and a quicker beat."""
        commands = read_procfile(ROOT / "Procfile")
        exchange = (
            f"exec python manage.py exchange --candles '{self._made.recording}' --port {self._exchange_port}"
            f" --control-port {self.control.url.rpartition(':')[2]} --speed {STANDSTILL} --start clock"
            f" --end {self.slice.stands_still_at.isoformat()}"
        )
        names = (*PROCESSES, WEB) if self._is_asked else PROCESSES
        return {name: commands[name] for name in names} | {"exchange": exchange, "beat": BEAT}

    def _wait_for_signs(self) -> None:
        """Until the stream and every queue have given a sign of life, and the exchange's list has been read."""
        signs = "SELECT count(*) FROM heartbeats WHERE name LIKE 'canary:%' OR name IN ('stream', 'universe')"
        self.wait(lambda: self.ask(signs)[0][0] == len(QUEUES) + 2)

    @cached_property
    def asking(self) -> Asking:
        """Who acts through its web process."""
        return asking_of(self, f"http://127.0.0.1:{self._web_port}")

    # --- what can be asked --------------------------------------------------------------------------------------------

    def ask(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        """Past the line, in a session of its own."""
        with closing(psycopg2.connect(self.places.database_url())) as connection, connection.cursor() as cursor:
            cursor.execute(sql, parameters)
            return list(cursor.fetchall())

    def execute(self, sql: str, parameters: Any = None) -> None:
        with closing(psycopg2.connect(self.places.database_url())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql, parameters)

    def valkey(self) -> redis.Redis:
        """Past the line."""
        return redis.Redis(unix_socket_path=str(self.places.broker_socket), socket_timeout=5)

    def log(self, name: str) -> str:
        """What a process has written so far."""
        return (self.places.logs / f"{name}.log").read_text(encoding="utf-8")

    def market_now(self) -> datetime:
        now: datetime = self.ask("SELECT closed_until FROM market_clock")[0][0]
        return now

    # --- the market ---------------------------------------------------------------------------------------------------

    def play(self, speed: float = SPEED) -> None:
        self._speed = speed
        self.control.post("/clock", {"speed": speed, "thaw": True})

    def stand_at(self, moment: datetime) -> None:
        """The exchange jumps there and stands still, in every life at the same instant; wait until that is decided."""
        self.control.post("/clock", {"freeze": True, "set": (moment + A_MOMENT).isoformat()})
        self.wait(lambda: self.ask(DECIDED_UNTIL, {"moment": moment})[0][0])

    def wait(self, what: Callable[[], Any], *, seconds: float = 120.0, every: float = LOOK_SECONDS) -> Any:
        """The answer as soon as it is true; a database that does not answer has not said so."""
        ends = time.monotonic() + seconds
        while not (said := self._answer(what)):
            assert time.monotonic() < ends, f"it did not happen within {seconds:.0f} s"
            time.sleep(every)
        return said

    @staticmethod
    def _answer(what: Callable[[], Any]) -> Any:
        try:
            return what()
        except (psycopg2.Error, redis.RedisError, OSError):
            return None

    def until(self, moment: datetime, *, seconds: float = 180.0) -> None:
        """Wait until the market clock has come to this moment."""
        self.wait(lambda: self.market_now() >= moment, seconds=seconds)

    # --- the end ------------------------------------------------------------------------------------------------------

    def heal(self) -> None:
        """Undo all that was done to it."""
        for server in (self.postgres, self.broker):
            server.thaw()
            server.start()
        for line in (self.database_line, self.broker_line):
            line.heal()
        for name in self.processes.names():
            self.processes.thaw(name)
            self.processes.start(name)
        self.valkey().config_set("maxmemory", "256mb")
        self.wait(self._exchange_goes_on)

    def _exchange_goes_on(self) -> bool:
        self.control.delete("/faults")
        self.play(self._speed)
        return True

    def drain(self, *, seconds: float = 240.0) -> None:
        """Wait until every act has its answer, the market has come to its end, and all that follows is done."""
        if self._is_asked:
            self.asking.settle(self.wait)
        try:
            self.wait(lambda: not owed(self), seconds=seconds)
        except AssertionError as error:
            raise AssertionError(f"still owed after {seconds:.0f} s: {owed(self)}") from error

    def judge(self) -> Judgement:
        """Everything that is compared and checked in the end, while it still runs."""
        # First, since it asks everything once more, which must change nothing.
        broken = promises.complaints(self.asking, self.ask) if self._is_asked else []
        file = self.root / "judgement.json"
        _run("tests.faults.examine", self.slice.start.isoformat(), str(file), environment=self.environment)
        return Judgement(json.loads(file.read_text(encoding="utf-8")), broken)

    def finish(self) -> Judgement:
        self.heal()
        self.drain()
        return self.judge()

    def assert_no_trace(self, fault_free: Judgement) -> None:
        """Heal, drain, and find everything as if nothing had happened."""
        complaints = self.finish().complaints(fault_free)
        assert not complaints, "\n".join(complaints)


@contextmanager
def running_system(made: Template, slice_: Slice, *, disk_mb: int = 0, is_asked: bool = False) -> Iterator[System]:
    """A system for the length of the block, with web if it is asked, its database on a disk of so many MB if any.

    ALPHAPULSE_FAULTS_KEEP=1 leaves its directory, with all logs.
    """
    root = Path(tempfile.mkdtemp(prefix="ap-system-"))
    try:
        with System(made, slice_, root, is_asked=is_asked, disk_mb=disk_mb).running() as system:
            yield system
    finally:
        if not os.environ.get("ALPHAPULSE_FAULTS_KEEP"):
            shutil.rmtree(root, ignore_errors=True)


def mount(directory: Path, size_mb: int) -> None:
    """A small disk in memory, which only root may make."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size_mb}m", "tmpfs", directory], check=True)


def unmount(directory: Path) -> None:
    """Also while somebody still looks into it."""
    subprocess.run(["umount", "--lazy", directory], check=True)


def can_mount() -> bool:
    with tempfile.TemporaryDirectory(prefix="ap-disk-") as place:
        try:
            mount(Path(place), 1)
        except (subprocess.CalledProcessError, OSError):
            return False
        unmount(Path(place))
    return True


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
