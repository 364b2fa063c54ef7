"""A nightly or weekly job that dies at any statement leaves nothing, and done again is what it would have been."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command

from alphapulse_site.models import JobRun
from learning import selectors, services
from learning.chains import verify_chain
from signals.models import RejectedSignal, Signal
from signals.services import track
from tests.learning.kills import break_off_everywhere, left
from tests.learning.outcomes import store_history

ROOT = Path(__file__).resolve().parents[2]
KILL = """
import json, sys
import django
django.setup()
from tests.learning.kills import kill_everywhere
print(json.dumps(kill_everywhere(sys.argv[1:])))
"""


def history() -> None:
    until = store_history()
    for model in (Signal, RejectedSignal):
        track(model, until=until)


@pytest.fixture
def undisturbed(transactional_db: None) -> list[Any]:
    """What the jobs leave when nothing happens to them; the history stands there again, not learned from."""
    history()
    for job in selectors.due_jobs():
        services.run_job(job)
    found = left()
    call_command("flush", interactive=False, verbosity=0)
    history()
    return found


@pytest.mark.slow
def test_a_job_broken_off_at_any_statement_leaves_nothing_and_is_made_up(undisturbed: list[Any]) -> None:
    first, night, week = selectors.due_jobs()
    services.run_job(first)

    broken = [break_off_everywhere(job) for job in (night, week)]

    assert min(broken) > 20
    assert left() == undisturbed
    assert [run.status for run in JobRun.objects.all()] == ["done"] * 3
    assert verify_chain() == []


@pytest.mark.slow
def test_a_job_killed_at_any_statement_leaves_nothing_and_is_made_up(
    undisturbed: list[Any], process_environment: dict[str, str]
) -> None:
    night, week = selectors.due_jobs()[1:]
    command = [sys.executable, "-c", KILL, night.period, week.period]

    done = subprocess.run(command, cwd=ROOT, env=process_environment, capture_output=True, text=True, timeout=100)

    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["chain"] == []
    assert min(found["kills"].values()) > 20
    assert left() == undisturbed
    assert [run.status for run in JobRun.objects.all()] == ["done"] * 3
