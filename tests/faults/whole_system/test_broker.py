"""The whole system while its broker is harmed: in the end nobody can tell that it was."""

import time

import pytest

from tests.faults import harm
from tests.faults.judgement import Judgement
from tests.faults.market import BEFORE_MIDNIGHT, EARLY, MIDNIGHT, QUARTER, SLICE
from tests.faults.system import System

# One worker runs them all: they share a template and a life without faults, and two systems at once are too many.
pytestmark = [pytest.mark.xdist_group("whole system"), pytest.mark.slow, pytest.mark.timeout(900)]


def test_without_faults_nothing_is_wrong(fault_free: Judgement) -> None:
    assert fault_free.complaints() == []
    # With the last one of the history.
    assert fault_free.certified["closes"] == SLICE.closes + 1


def until_nobody_hints(system: System) -> None:
    """The last close of the market has come: no later one will wake what it left undone."""
    system.until(SLICE.end)


def test_a_broker_that_is_killed_and_comes_back_and_is_wiped(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(EARLY)
    with harm.broker_killed(system):
        time.sleep(4)
    for moment in (EARLY + QUARTER, BEFORE_MIDNIGHT, MIDNIGHT):
        system.until(moment)
        with harm.broker_wiped(system):
            pass
    with harm.broker_killed(system):
        until_nobody_hints(system)

    system.assert_no_trace(fault_free)


def test_a_broker_that_is_frozen_longer_than_anybody_waits(system: System, fault_free: Judgement) -> None:
    """Longer than socket_timeout, after which every client gives the connection up."""
    system.play()
    system.until(EARLY)
    with harm.broker_frozen(system):
        time.sleep(14)
        until_nobody_hints(system)

    system.assert_no_trace(fault_free)


def test_a_broker_without_memory(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(EARLY)
    with harm.broker_full(system):
        until_nobody_hints(system)

    system.assert_no_trace(fault_free)


def test_a_black_hole_between_workers_and_broker(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(EARLY)
    with harm.broker_silent(system):
        time.sleep(14)
        until_nobody_hints(system)

    system.assert_no_trace(fault_free)


def test_every_message_twice_and_in_another_order(system: System, fault_free: Judgement) -> None:
    with harm.messages_doubled(system):
        system.play()
        system.until(MIDNIGHT + QUARTER)
        time.sleep(5)

    system.assert_no_trace(fault_free)
