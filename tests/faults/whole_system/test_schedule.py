"""The whole system while beat, learner, workers or the operator do the unexpected: nobody can tell in the end."""

import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import timedelta

import pytest

from tests.faults import harm
from tests.faults.judgement import Judgement
from tests.faults.market import AFTER_MIDNIGHT, BEFORE_MIDNIGHT, EARLY, HISTORY_END, QUARTER, SLICE
from tests.faults.supervisor import ROOT
from tests.faults.system import System, Template, running_system

# One worker runs them all: they share a template and a life without faults, and two systems at once are too many.
pytestmark = [pytest.mark.xdist_group("whole system"), pytest.mark.slow, pytest.mark.timeout(900)]


def test_a_beat_that_is_dead_over_midnight(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(BEFORE_MIDNIGHT)
    with harm.process_gone("beat")(system):
        system.until(AFTER_MIDNIGHT)
        # Also what the stream has asked for at midnight is lost.
        with harm.broker_wiped(system):
            time.sleep(3)

    system.assert_no_trace(fault_free)


def test_two_beats(system: System, fault_free: Judgement) -> None:
    with harm.two_beats(system):
        system.play()
        system.until(SLICE.end)

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
    for (table,) in system.ask(OUR_TABLES):
        system.execute(f"ALTER TABLE {table} ADD COLUMN came_with_the_upgrade integer")
    with harm.process_stopped("scan")(system):
        system.until(EARLY + QUARTER)

    system.assert_no_trace(fault_free)


OUR_TABLES = """SELECT oid::regclass::text FROM pg_class
    WHERE relkind IN ('r', 'p') AND NOT relispartition AND relnamespace = 'public'::regnamespace"""


def test_a_rollback_while_a_poll_is_at_work(made: Template) -> None:
    """Compared with a rollback at the same minute of the market in which nobody polled."""
    with running_system(made, SLICE) as system:
        roll_back(system, beside_a_poll=False)
        in_peace = system.finish()
    with running_system(made, SLICE) as system:
        roll_back(system, beside_a_poll=True)

        system.assert_no_trace(in_peace)
    assert not in_peace.complaints()
    assert any("rollback" in cell for row in in_peace.tables["LearningEvent"] for cell in row)


def roll_back(system: System, *, beside_a_poll: bool) -> None:
    system.stand_at(HISTORY_END + 2 * QUARTER)
    with harm.shadows_held(system) if beside_a_poll else nullcontext():
        system.stand_at(HISTORY_END + 2 * QUARTER + timedelta(minutes=5))
        if beside_a_poll:
            system.wait(lambda: system.ask("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0])
        manage(system, "rollback", "head_weights", "1")
    system.play()


def manage(system: System, *arguments: str) -> None:
    command = [sys.executable, "-W", "ignore", "manage.py", *arguments]
    subprocess.run(command, cwd=ROOT, env=system.environment, check=True, capture_output=True, timeout=120)
