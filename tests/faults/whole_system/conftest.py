"""Systems, each for one test: copies of one template, judged by a life of the same market without a fault."""

from collections.abc import Iterator

import pytest

from tests.faults.judgement import Judgement
from tests.faults.market import SLICE
from tests.faults.system import System, Template, running_system, template


@pytest.fixture(scope="session")
def made() -> Iterator[Template]:
    with template(SLICE) as found:
        yield found


@pytest.fixture(scope="session")
def fault_free(made: Template) -> Judgement:
    with running_system(made, SLICE) as system:
        system.play()
        return system.finish()


@pytest.fixture
def system(made: Template, fault_free: Judgement) -> Iterator[System]:
    with running_system(made, SLICE) as running:
        yield running


@pytest.fixture
def asked(made: Template) -> Iterator[System]:
    """One with a web process, through which somebody acts."""
    with running_system(made, SLICE, is_asked=True) as running:
        yield running
