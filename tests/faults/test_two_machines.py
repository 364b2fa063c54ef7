"""Servers, web and beat on one machine, workers on another: the other one is lost, and comes back."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.machines import Machines, refusal, two_machines
from tests.ingestion.streams import wait_until

MISSING = refusal()
pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(bool(MISSING), reason=f"no two machines here: {MISSING}"),
]
QUARTER = timedelta(minutes=15)
DECIDED = "SELECT max(close_time) FROM scan_closes WHERE decided_at IS NOT NULL"
MARKET = "SELECT closed_until FROM market_clock"


@pytest.fixture
def machines() -> Iterator[Machines]:
    """In a directory with a short name, since the path of a socket is short."""
    root = Path(tempfile.mkdtemp(prefix="ap-"))
    try:
        with two_machines(root) as made:
            yield made
    finally:
        shutil.rmtree(root, ignore_errors=True)


def test_workers_on_another_machine_are_lost_and_come_back(machines: Machines) -> None:
    machines.start_workers()
    goes_on(machines, closes=2)

    machines.plug(in_=False)
    is_behind(machines)
    machines.plug(in_=True)
    goes_on(machines, closes=2)

    machines.away.power_off()
    is_behind(machines)
    machines.start_workers()
    goes_on(machines, closes=8)
    is_true(machines)


def goes_on(machines: Machines, *, closes: int) -> None:
    """So many more closes are decided, and the workers are with the market again."""
    goal = decided(machines) + closes * QUARTER
    wait_until(lambda: decided(machines) >= goal and decided(machines) >= market(machines) - 2 * QUARTER, seconds=240)


def is_behind(machines: Machines) -> None:
    """The market goes on while nobody decides."""
    stood = decided(machines)
    wait_until(lambda: market(machines) > stood + 4 * QUARTER, seconds=120)
    assert decided(machines) <= stood + QUARTER  # what was under way may have been finished


def is_true(machines: Machines) -> None:
    """Every invariant of the records holds, and every decision is made again to the bit."""
    found = json.loads(machines.home.run("doctor", "--json").stdout)
    assert [each for each in found if not each["passed"]] == []
    certified = machines.home.run("certify")
    assert certified.returncode == 0, certified.stdout + certified.stderr


def decided(machines: Machines) -> datetime:
    found = machines.value(DECIDED)
    assert isinstance(found, datetime)
    return found


def market(machines: Machines) -> datetime:
    found = machines.value(MARKET)
    assert isinstance(found, datetime)
    return found
