"""Two machines on one: network namespaces with a cable (a veth pair) between them, which can be pulled.

`home` has the servers, the exchange, stream, beat and web, `away` has workers alone. They share nothing but the cable:
each has interfaces and a loopback of its own. The test looks into the database through its socket file.
"""

import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from alphapulse_site import embedded
from alphapulse_site.places import Places
from alphapulse_site.processes import read_procfile
from tests.ingestion.streams import ROOT, wait_until

HOME, AWAY = "10.77.0.1", "10.77.0.2"
NETWORK = "10.77.0.0/24"
PROCFILE = read_procfile(ROOT / "Procfile")
AT_HOME = ("exchange", "web", "stream", "beat")
SPEED = 120


def refusal() -> str:
    """Why no machines can be made here; empty where they can."""
    if os.geteuid() != 0 or shutil.which("ip") is None or shutil.which("nsenter") is None:
        return "network namespaces need root and the programs ip and nsenter (apt-get install iproute2 util-linux)"
    name = f"ap{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)
    return made.stderr.strip()


@dataclass
class Machine:
    """A network namespace and the processes in it."""

    namespace: str
    environment: dict[str, str]
    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self, name: str, command: str | list[str], *, user: int | None = None) -> "subprocess.Popen[bytes]":
        with (self.logs / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                self._inside(command, user), cwd=ROOT, env=self.environment, stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        self.processes.append(process)
        return process

    def run(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """A command of manage.py, to its end."""
        command = self._inside([sys.executable, "manage.py", *arguments], None)
        return subprocess.run(command, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)

    def _inside(self, command: str | list[str], user: int | None) -> list[str]:
        words = ["sh", "-c", command] if isinstance(command, str) else command
        account = [] if user is None else ["--setuid", str(user), "--setgid", str(user)]
        return ["nsenter", f"--net=/run/netns/{self.namespace}", *account, "--", *words]

    def power_off(self) -> None:
        """Every process is gone at once, as in a power cut."""
        for process in self.processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(20)
        self.processes.clear()


@dataclass(frozen=True)
class Machines:
    """Both of them, the cable, and a look into the database."""

    home: Machine
    away: Machine
    database: str

    def plug(self, *, in_: bool) -> None:
        ip("-n", self.away.namespace, "link", "set", "cable", "up" if in_ else "down")

    def start_workers(self) -> None:
        for name in ("scan", "ingestion", "learning"):
            self.away.start(name, PROCFILE[name])

    def value(self, query: str) -> Any:
        with closing(psycopg2.connect(self.database)) as connection, connection.cursor() as cursor:
            cursor.execute(query)
            (value,) = cursor.fetchone() or (None,)
            return value


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


@contextmanager
def two_machines(root: Path) -> Iterator[Machines]:
    """Both up, the history prepared, everything at home running, and no worker yet."""
    places = Places(root)
    places.logs.mkdir()
    password = secrets.token_hex(16)
    with ExitStack() as stack:
        cable = stack.enter_context(namespaces())
        home, away = (Machine(name, production(root, password), places.logs) for name in cable)
        stack.callback(home.power_off)
        stack.callback(away.power_off)
        serve(home, places, password)
        made = home.run("prepare", "--market", "recording", "--speed", str(SPEED))
        assert made.returncode == 0, made.stdout + made.stderr
        for name in AT_HOME:
            home.start(name, PROCFILE[name].replace("manage.py exchange", f"manage.py exchange --host {HOME}"))
        yield Machines(home, away, places.database_url())


@contextmanager
def namespaces() -> Iterator[tuple[str, str]]:
    home, away = (f"ap{os.getpid()}{end}" for end in ("home", "away"))
    try:
        for name in (home, away):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        ip("-n", home, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", away)
        for name, address in ((home, HOME), (away, AWAY)):
            ip("-n", name, "address", "add", f"{address}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
        yield home, away
    finally:
        for name in (home, away):
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def production(root: Path, password: str) -> dict[str, str]:
    """The environment of both machines: production, on the servers behind home's address."""
    return os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "ALPHAPULSE_PROFILE": "production",
        "ALPHAPULSE_DATA": str(root),
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": f"postgresql://postgres:{password}@{HOME}:5432/alphapulse",
        "REDIS_URL": f"redis://:{password}@{HOME}:6379/0",
        "ALPHAPULSE_SPOT_URL": f"http://{HOME}:8900",
        "ALPHAPULSE_STREAM_URL": f"ws://{HOME}:8900",
        "ALPHAPULSE_ARCHIVE": "none",
        "ALPHAPULSE_RECORDING": str(ROOT / "ingestion" / "recordings" / "2021-06-10_2021-07-10"),
        "BEHIND_TLS": "0",
        "PORT": "8000",
        "EXCHANGE_PORT": "8900",
        "SPEED": str(SPEED),
    }


def serve(home: Machine, places: Places, password: str) -> None:
    """PostgreSQL and Valkey at home's address, each behind a password."""
    with embedded.running_postgres(places, throwaway=True):
        with closing(psycopg2.connect(places.database_url())) as connection, connection, connection.cursor() as cursor:
            cursor.execute("ALTER USER postgres PASSWORD %s", [password])
        with (places.postgres / "pg_hba.conf").open("a", encoding="utf-8") as rules:
            rules.write(f"host all all {NETWORK} scram-sha-256\n")
    command = [str(embedded.postgres_program("postgres")), "-D", str(places.postgres)]
    settings = {"listen_addresses": HOME, "unix_socket_directories": str(places.postgres), "max_connections": "60"}
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    home.start("postgres", command, user=pwd.getpwnam(embedded.POSTGRES_ACCOUNT).pw_uid)
    valkey = [str(embedded.valkey_program()), "--bind", HOME, "--port", "6379", "--requirepass", password, "--save", ""]
    home.start("valkey", [*valkey, "--dir", str(places.root)])
    wait_until(lambda: answers(places.database_url()), seconds=60)


def answers(database: str) -> bool:
    try:
        psycopg2.connect(database).close()
    except psycopg2.OperationalError:
        return False
    return True
