"""What `make bench` prints of the learner: a night from the ledger to its version. Nothing here can fail a build."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from learning.versions import ensure_birth
from tests.benchmarks.big_ledgers import SYMBOLS, fill_ledger

NIGHT = 18_900
SIZES = (1_000, 10_000, 100_000, 864_000, 1_000_000)
# In a process of its own, as a worker runs it, so that the peak of memory is the job's.
LEARN = """
import json, resource, sys, time
import django
django.setup()
from learning import services
from learning.calendar import DAILY, DAY_MS, DueJob
began, cpu = time.perf_counter(), time.process_time()
run = services.run_job(DueJob(int(sys.argv[1]) * DAY_MS, DAILY))
print(json.dumps({
    "seconds": time.perf_counter() - began,
    "cpu_seconds": time.process_time() - cpu,
    "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    "status": run.status,
    "learned": run.report["learned_tonight"],
}))
"""


def learn_night(environment: dict[str, str], night: int) -> dict[str, Any]:
    command = [sys.executable, "-c", LEARN, str(night)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == "done"
    return told


def empty() -> None:
    call_command("flush", interactive=False, verbosity=0)
    ensure_birth()


@pytest.mark.django_db(transaction=True)
def bench_learning_a_day(process_environment: dict[str, str]) -> None:
    print(f"\na night from the ledger to its version, {SYMBOLS} symbols:")
    seconds = []
    for decisions in SIZES:
        empty()
        fill_ledger(decisions, night=NIGHT)
        told = learn_night(process_environment, NIGHT)
        seconds.append(told["seconds"])
        print(
            f"{decisions:>9,} decisions ({told['learned']:,} not void): {told['seconds']:6.2f} s"
            f" ({told['cpu_seconds']:.2f} CPU s), peak memory {told['peak_mb']:,.0f} MB"
        )
    logs = np.log(np.array(SIZES)), np.log(np.array(seconds))
    overall, upper = np.polyfit(*logs, 1)[0], np.polyfit(logs[0][2:], logs[1][2:], 1)[0]
    print(f"seconds grow as decisions ^ {overall:.2f} from 10^3 to 10^6, ^ {upper:.2f} from 10^5 to 10^6")


@pytest.mark.django_db(transaction=True)
def bench_learning_from_a_long_ledger(process_environment: dict[str, str]) -> None:
    """Each night reads the whole ledger; what is beyond the sample is read, digested and left out of the fit."""
    print("\na night of 100,000 decisions behind a ledger of:")
    empty()
    rows = 0
    for place, days in enumerate((9, 20)):
        night = NIGHT + 30 * place
        fill_ledger(100_000 * days, night=night - 1, days=days)
        fill_ledger(100_000, night=night)
        rows += 100_000 * (days + 1)
        told = learn_night(process_environment, night)
        print(f"{rows:>9,} rows: {told['seconds']:6.2f} s, peak memory {told['peak_mb']:,.0f} MB")
