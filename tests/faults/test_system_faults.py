"""The whole system under the faults of operations.md, section 5: in the end nobody can tell that there were any."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from tests.faults.judgement import Judgement
from tests.faults.market import HISTORY_END, Slice
from tests.faults.system import System, Template, running_system, template

# One worker runs them all: they share a template and a life without faults, and two systems at once are too many.
pytestmark = [pytest.mark.xdist_group("whole system"), pytest.mark.slow, pytest.mark.timeout(900)]
SLICE = Slice()
EARLY = HISTORY_END + timedelta(minutes=20)


@pytest.fixture(scope="module")
def made() -> Iterator[Template]:
    with template(SLICE) as found:
        yield found


@pytest.fixture(scope="module")
def fault_free(made: Template) -> Judgement:
    with running_system(made, SLICE) as system:
        system.play()
        return system.finish()


@pytest.fixture
def system(made: Template, fault_free: Judgement) -> Iterator[System]:
    with running_system(made, SLICE) as running:
        yield running


def assert_no_trace(system: System, fault_free: Judgement) -> None:
    """Heal, drain, and find everything as if nothing had happened."""
    complaints = system.finish().complaints(fault_free)
    assert not complaints, "\n".join(complaints)


def test_without_faults_nothing_is_wrong(fault_free: Judgement) -> None:
    assert fault_free.complaints() == []
    # With the last one of the history.
    assert fault_free.certified["closes"] == SLICE.closes + 1


# --- the broker -------------------------------------------------------------------------------------------------------


def test_a_broker_that_is_killed(system: System, fault_free: Judgement) -> None:
    system.play()
    system.until(EARLY)
    system.broker.kill()

    assert_no_trace(system, fault_free)
