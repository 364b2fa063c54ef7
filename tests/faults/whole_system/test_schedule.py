"""The whole system while beat, learner, workers or the operator do the unexpected: nobody can tell in the end."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import pytest

from tests.faults import harm
from tests.faults.drained import UNTOLD
from tests.faults.judgement import Judgement
from tests.faults.market import AFTER_MIDNIGHT, BEFORE_MIDNIGHT, EARLY, HISTORY_END, QUARTER, SLICE
from tests.faults.supervisor import ROOT
from tests.faults.system import System, Template, running_system
from tests.faults.workers import BEAT_SENDS, BEAT_STANDS_BY
from tests.ingestion.streams import wait_until

# One worker runs them all: they share a template and a life without faults, and two systems at once are too many.
pytestmark = [pytest.mark.xdist_group("whole system"), pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_beat_that_is_dead_over_midnight(system: System, fault_free: Judgement) -> None:
    """Also what the stream asks for at midnight is lost: who comes back finds a night that nobody spoke of."""
    system.play()
    system.until(BEFORE_MIDNIGHT)
    with harm.process_gone("beat")(system), harm.broker_cut(system):
        system.until(AFTER_MIDNIGHT)

    system.assert_no_trace(fault_free)


def test_two_beats(system: System, fault_free: Judgement) -> None:
    with harm.two_beats(system):
        system.play()
        system.until(SLICE.end)
        wait_until(lambda: BEAT_STANDS_BY in system.log("second beat"), seconds=60)
        first, second = system.log("beat"), system.log("second beat")
    assert BEAT_SENDS in first
    assert BEAT_SENDS not in second

    system.assert_no_trace(fault_free)


def test_a_broker_that_is_down_at_the_tick_of_midnight(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(BEFORE_MIDNIGHT)
    with harm.broker_killed(system):
        system.until(AFTER_MIDNIGHT)

    system.assert_no_trace(fault_free)


def test_a_learner_that_is_away_for_some_closes_and_then_killed_again_and_again(
    system: System, fault_free: Judgement
) -> None:
    """What ended meanwhile stands in the ledger as if each close had been told when it was decided."""
    system.play()
    with harm.process_gone("learning")(system):
        system.until(BEFORE_MIDNIGHT)
        system.wait(
            lambda: system.ask(f"SELECT max(close_time) >= '{BEFORE_MIDNIGHT - QUARTER}' FROM scan_closes")[0][0]
        )
    for _ in range(3):
        time.sleep(2)
        with harm.process_killed("learning")(system):
            pass

    system.assert_no_trace(fault_free)


def test_workers_of_before_an_upgrade_go_on_with_the_new_tables(system: System, fault_free: Judgement) -> None:
    """The new release has added a column everywhere, and the old one's workers are still there."""
    system.play()
    system.until(EARLY)
    with harm.columns_added(system), harm.process_stopped("scan")(system):
        system.until(EARLY + QUARTER)

    system.assert_no_trace(fault_free)


def test_a_rollback_while_a_poll_is_at_work(made: Template) -> None:
    """The learner is in the middle of its close; compared with a rollback that came when it was through with it."""
    with running_system(made, SLICE) as system:
        stand_at_the_last_told(system, AT_REST)
        manage(system, "rollback", "head_weights", "1")
        system.play()
        in_peace = system.finish()
    with running_system(made, SLICE) as system:
        stand_at_the_last_told(system, AT_REST - QUARTER)
        with ThreadPoolExecutor(1) as pool:
            with harm.ledger_held(system):
                system.stand_at(AT_REST)
                system.wait(lambda: waiting(system) == 1)
                rollback = pool.submit(manage, system, "rollback", "head_weights", "1")
                system.wait(lambda: waiting(system) == 2)
            rollback.result()
        system.play()

        system.assert_no_trace(in_peace)
    assert not in_peace.complaints()
    assert any("rollback" in cell for row in in_peace.tables["LearningEvent"] for cell in row)


# A close with something to tell.
AT_REST = HISTORY_END + 3 * QUARTER


def stand_at_the_last_told(system: System, moment: datetime) -> None:
    """Where all that has ended by then is in the ledger."""
    system.stand_at(moment)
    system.wait(lambda: not system.ask(f"SELECT count(*) {UNTOLD}")[0][0])


def waiting(system: System) -> int:
    return int(system.ask("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0])


def manage(system: System, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=system.environment, check=True, capture_output=True, timeout=120)
