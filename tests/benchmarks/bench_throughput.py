"""What `make bench` prints of scans at exchange scale: a short run at real speed, then a backlog drained.

The whole run: python -m tests.benchmarks.throughput --minutes 30
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Those point at the servers of this test run.
OTHERS = ("ALPHAPULSE_DATA", "DATABASE_URL", "REDIS_URL", "ALPHAPULSE_KEPT_ANSWERS")
MINUTES = os.environ.get("ALPHAPULSE_BENCH_MINUTES", "3")


@pytest.mark.timeout(0)
def bench_scans_of_600_symbols() -> None:
    environment = {name: value for name, value in os.environ.items() if name not in OTHERS}
    command = [sys.executable, "-m", "tests.benchmarks.throughput", "--minutes", MINUTES, "--drain", "4"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
