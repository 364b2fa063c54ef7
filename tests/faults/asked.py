"""A system made ready to be acted on: a token that may operate, and tasks that can be sent again."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from tests.faults.acts import ASKER, PARK, PARKED, Act, days_between, endless
from tests.faults.asking import Asking
from tests.faults.supervisor import ROOT

if TYPE_CHECKING:
    from tests.faults.system import System

# More than a soak of an hour sends again.
ROWS = 20_000


def asking_of(system: "System", url: str) -> Asking:
    system.execute(PARK, [ROWS])
    command = [sys.executable, "-W", "ignore", "manage.py", "token", "create", ASKER, "--scope", "operate"]
    done = subprocess.run(
        command, cwd=ROOT, env=system.environment, check=True, capture_output=True, text=True, timeout=120
    )
    return Asking(url, done.stdout.strip())


def acts_for_a_soak(system: "System") -> Callable[[Random], Iterator[Act]]:
    """For each asker its own, out of one supply."""
    days = days_between(system.slice.start, system.slice.end)
    return partial(endless, rows=rows_of(system), days=days, is_acknowledged=system.asking.is_acknowledged)


def rows_of(system: "System") -> Iterator[int]:
    """Each of them once, whoever asks."""
    return iter([row for (row,) in system.ask(PARKED)])
