"""The whole system while its database is harmed: in the end nobody can tell that it was."""

import shutil
import subprocess
import time
from functools import partial

import pytest

from alphapulse_site.embedded import postgres_program
from alphapulse_site.places import DATABASE_NAME
from tests.faults import harm
from tests.faults.judgement import Judgement
from tests.faults.market import AFTER_MIDNIGHT, EARLY, SLICE
from tests.faults.system import System, Template, can_mount, running_system

# One worker runs them all: they share a template and a life without faults, and two systems at once are too many.
pytestmark = [pytest.mark.xdist_group("whole system"), pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_database_that_is_restarted_while_candles_are_copied(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(EARLY)
    with harm.candles_locked(system):
        system.wait(lambda: system.ask(WRITES_CANDLES)[0][0])
        system.postgres.stop()
    system.postgres.start()

    system.assert_no_trace(fault_free)


WRITES_CANDLES = """SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE NOT granted AND relation = 'candles'::regclass AND query LIKE '%INSERT INTO candles%'"""


def test_a_database_that_is_killed_when_a_commit_is_not_yet_known(system: System, fault_free: Judgement) -> None:
    """The decisions of a close are stored, and the worker hears of a broken connection only."""
    system.play()
    for moment in (EARLY, AFTER_MIDNIGHT):
        system.until(moment)
        with harm.gates_held(system):
            system.wait(lambda: system.ask(WAITS_FOR_THE_GATES)[0][0])
            decided = system.ask(DECIDED)
            system.database_line.slow(down=0.5)
        system.wait(partial(is_another, system, decided), every=0.01)
        with harm.database_killed(system):
            system.database_line.heal()

    system.assert_no_trace(fault_free)


def is_another(system: System, decided: object) -> bool:
    return system.ask(DECIDED) != decided


WAITS_FOR_THE_GATES = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
DECIDED = "SELECT count(*) FROM scan_closes WHERE decided_at IS NOT NULL"


def test_a_database_that_lets_nobody_in(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(EARLY)
    with harm.connections_exhausted(system):
        time.sleep(6)

    system.assert_no_trace(fault_free)


def test_a_deadlock_ends_the_transaction_that_decides(system: System, fault_free: Judgement) -> None:
    """We hold the lock that it wants next, and then want the row that it holds; PostgreSQL ends it, not us."""
    system.execute("ALTER SYSTEM SET deadlock_timeout = '4s'")
    system.execute("SELECT pg_reload_conf()")
    with harm.gates_held(system) as cursor:
        cursor.execute("SET deadlock_timeout = '1h'")
        system.play()
        system.wait(lambda: system.ask(WAITS_FOR_THE_GATES)[0][0])
        cursor.execute("SELECT FROM scan_closes WHERE decided_at IS NULL FOR UPDATE")
    assert system.ask("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")[0][0] >= 1

    system.assert_no_trace(fault_free)


def test_a_disk_that_is_full(made: Template, fault_free: Judgement) -> None:
    if not can_mount():
        pytest.skip("only root may mount a disk that is small enough to be filled")
    with running_system(made, SLICE, disk_mb=1200) as system:
        system.play()
        system.until(EARLY)
        with harm.disk_full(system):
            system.wait(lambda: "No space left on device" in system.log("postgres"))
            time.sleep(4)

        system.assert_no_trace(fault_free)


def test_a_backup_that_is_restored_catches_up(system: System, fault_free: Judgement) -> None:
    """Everything since the backup is lost, the broker still speaks of it, and the processes have seen it all."""
    system.play()
    system.until(EARLY)
    backup = run_program(system, "pg_dump", "--format=custom", DATABASE_NAME)
    system.until(AFTER_MIDNIGHT)
    system.postgres.kill()
    shutil.rmtree(system.places.postgres)
    system.database_line.cut()
    system.postgres.start()
    run_program(system, "pg_restore", "--exit-on-error", f"--dbname={DATABASE_NAME}", given=backup)
    system.database_line.heal()

    system.assert_no_trace(fault_free)


def run_program(system: System, name: str, *arguments: str, given: bytes = b"") -> bytes:
    server = ["-h", str(system.places.socket_directory(system.places.postgres)), "-U", "postgres"]
    command = [str(postgres_program(name)), *server, *arguments]
    return subprocess.run(command, input=given, check=True, capture_output=True).stdout
