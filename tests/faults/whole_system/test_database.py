"""The whole system while its database is harmed: in the end nobody can tell that it was."""

from functools import partial

import pytest

from tests.faults import harm
from tests.faults.judgement import Judgement
from tests.faults.market import AFTER_MIDNIGHT, EARLY
from tests.faults.system import System

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
