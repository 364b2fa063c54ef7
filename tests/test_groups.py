"""Tests of one `xdist_group` run one after the other on one worker, so that what they share is made once."""

import subprocess
import sys
from pathlib import Path

GROUPED = """
import os
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", range(6))
@pytest.mark.xdist_group("together")
def test_one(number):
    (Path(__file__).parent / os.environ["PYTEST_XDIST_WORKER"]).touch()
"""


def test_the_tests_of_a_group_run_on_one_worker(tmp_path: Path) -> None:
    """Where pytest and pytest-xdist do not fit together they are spread, and nobody says so."""
    (tmp_path / "test_grouped.py").write_text(GROUPED)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "--numprocesses", "2", "--dist", "loadgroup", "-p", "no:django"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=90, check=False)

    assert done.returncode == 0, done.stdout
    assert len(list(tmp_path.glob("gw*"))) == 1
