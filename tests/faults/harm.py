"""What is done to a whole system, each a block: the harm begins, lasts as long as the block, and is undone."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from typing import Any

import psycopg2

from signals.services.decide import GATES_LOCK
from tests.faults.doubling import doubled
from tests.faults.system import BEAT, System

Harm = Callable[[System], AbstractContextManager[None]]
EVERY_CONNECTION = 200

# --- the broker -------------------------------------------------------------------------------------------------------


@contextmanager
def broker_killed(system: System) -> Iterator[None]:
    system.broker.kill()
    yield
    system.broker.start()


@contextmanager
def broker_wiped(system: System) -> Iterator[None]:
    system.valkey().flushall()
    yield


@contextmanager
def broker_frozen(system: System) -> Iterator[None]:
    system.broker.freeze()
    yield
    system.broker.thaw()


@contextmanager
def broker_full(system: System) -> Iterator[None]:
    """Out of memory: it refuses every write."""
    system.valkey().config_set("maxmemory", "1")
    yield
    system.valkey().config_set("maxmemory", "256mb")


@contextmanager
def broker_silent(system: System) -> Iterator[None]:
    """A black hole. What hangs in it is cut when it ends, since no firewall remembers so long."""
    system.broker_line.silence()
    yield
    system.broker_line.cut()
    system.broker_line.heal()


@contextmanager
def broker_cut(system: System) -> Iterator[None]:
    system.broker_line.cut()
    yield
    system.broker_line.heal()


@contextmanager
def broker_slow(system: System) -> Iterator[None]:
    system.broker_line.slow(up=0.1, down=0.1)
    yield
    system.broker_line.heal()


@contextmanager
def messages_doubled(system: System) -> Iterator[None]:
    with doubled(system.places.broker_socket):
        yield


# --- the database -----------------------------------------------------------------------------------------------------


@contextmanager
def database_restarted(system: System) -> Iterator[None]:
    system.postgres.stop()
    yield
    system.postgres.start()


@contextmanager
def database_killed(system: System) -> Iterator[None]:
    system.postgres.kill()
    yield
    system.postgres.start()


@contextmanager
def database_frozen(system: System) -> Iterator[None]:
    system.postgres.freeze()
    yield
    system.postgres.thaw()


@contextmanager
def database_silent(system: System) -> Iterator[None]:
    system.database_line.silence()
    yield
    system.database_line.cut()
    system.database_line.heal()


@contextmanager
def database_cut(system: System) -> Iterator[None]:
    system.database_line.cut()
    yield
    system.database_line.heal()


@contextmanager
def database_slow(system: System) -> Iterator[None]:
    system.database_line.slow(up=0.02, down=0.02)
    yield
    system.database_line.heal()


@contextmanager
def sessions_ended(system: System) -> Iterator[None]:
    system.ask(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    yield


OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"


@contextmanager
def connections_exhausted(system: System) -> Iterator[None]:
    """Every session of the server is ours; whoever had one has lost it."""
    with closing(psycopg2.connect(system.places.database_url())) as first, first.cursor() as cursor:
        cursor.execute("SET idle_session_timeout = 0")
        taken = [first]
        try:
            cursor.execute(f"SELECT pg_terminate_backend(pid) {OTHERS}")
            _take_all(system, taken)
            yield
        finally:
            for connection in taken:
                connection.close()


def _take_all(system: System, taken: list[psycopg2.extensions.connection]) -> None:
    """Until the server is full, and once more for the sessions that were still ending."""
    for _ in range(10):
        try:
            while len(taken) < EVERY_CONNECTION:
                taken.append(psycopg2.connect(system.places.database_url()))
        except psycopg2.OperationalError:
            time.sleep(0.1)


@contextmanager
def candles_locked(system: System) -> Iterator[None]:
    """Whoever writes candles waits in the middle of it."""
    with closing(psycopg2.connect(system.places.database_url())) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE candles IN SHARE MODE")
        yield


@contextmanager
def disk_full(system: System) -> Iterator[None]:
    """To the last byte; only where the database has a disk of its own, which not everybody may give it."""
    assert system.disk_mb, "this would fill the disk of the machine"
    ballast = system.places.postgres / "ballast"
    with ballast.open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
    yield
    ballast.unlink()
    # It may have given up.
    system.postgres.start()


@contextmanager
def columns_added(system: System) -> Iterator[None]:
    """As by a new release, whose tables the processes of the old one go on with."""
    for (table,) in system.ask(OUR_TABLES):
        system.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS came_with_the_upgrade integer")
    yield


OUR_TABLES = """SELECT oid::regclass::text FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"""


@contextmanager
def gates_held(system: System) -> Iterator[psycopg2.extensions.cursor]:
    """Whoever decides waits in the middle of its transaction, in which it holds its close."""
    with closing(psycopg2.connect(system.places.database_url())) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [GATES_LOCK])
        yield cursor
        connection.commit()


@contextmanager
def acts_held(system: System) -> Iterator[None]:
    """Whoever acts through the API with a key waits in its transaction."""
    with closing(psycopg2.connect(system.places.database_url())) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE acknowledged_requests IN SHARE MODE")
        yield


@contextmanager
def ledger_held(system: System) -> Iterator[None]:
    """Whoever appends to the ledger waits in the middle of it."""
    with closing(psycopg2.connect(system.places.database_url())) as connection, connection.cursor() as cursor:
        cursor.execute("LOCK TABLE learning_events IN SHARE MODE")
        yield


# --- processes --------------------------------------------------------------------------------------------------------


def process_killed(name: str) -> Harm:
    @contextmanager
    def harm(system: System) -> Iterator[None]:
        """It is started again at once."""
        system.processes.kill(name)
        yield

    return harm


def process_gone(name: str) -> Harm:
    @contextmanager
    def harm(system: System) -> Iterator[None]:
        system.processes.kill(name, for_good=True)
        yield
        system.processes.start(name)

    return harm


def process_stopped(name: str) -> Harm:
    @contextmanager
    def harm(system: System) -> Iterator[None]:
        """Told to end, as at a new release."""
        system.processes.stop(name)
        yield
        system.processes.start(name)

    return harm


def process_frozen(name: str) -> Harm:
    @contextmanager
    def harm(system: System) -> Iterator[None]:
        system.processes.freeze(name)
        yield
        system.processes.thaw(name)

    return harm


@contextmanager
def two_beats(system: System) -> Iterator[None]:
    system.processes.add("second beat", BEAT)
    yield
    system.processes.kill("second beat", for_good=True)
    system.processes.forget("second beat")


# --- the exchange -----------------------------------------------------------------------------------------------------


def exchange_fault(order: dict[str, Any]) -> Harm:
    """One of the simulator's own, see `manage.py exchange` and `mix`."""

    @contextmanager
    def harm(system: System) -> Iterator[None]:
        system.control.post("/faults", order)
        yield
        system.control.ask("DELETE", f"/faults?kind={order['kind']}")

    return harm


@contextmanager
def streams_cut(system: System) -> Iterator[None]:
    system.control.post("/disconnect", {"abort": True})
    yield


@contextmanager
def shutdown_announced(system: System) -> Iterator[None]:
    system.control.post("/shutdown_event", {"after": 1.0})
    yield
