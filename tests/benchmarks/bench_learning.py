"""What `make bench` prints of the learner: a night from the ledger to its version. Nothing here can fail a build."""

import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command

from learning.calendar import DAY_MS
from learning.versions import ensure_birth
from signals.rows import to_time
from tests.benchmarks.big_ledgers import SYMBOLS, fill_decisions, fill_ledger

NIGHT = 18_900
SIZES = (1_000, 10_000, 100_000, 864_000, 1_000_000)
MEASURE = """
import json, re, sys, time
import django
django.setup()
from learning import services
from learning.calendar import DAILY, DAY_MS, DueJob
began, cpu = time.perf_counter(), time.process_time()
{work}
print(json.dumps({{
    "seconds": time.perf_counter() - began,
    "cpu_seconds": time.process_time() - cpu,
    # Not ru_maxrss, which begins with that of the process that started this one.
    "peak_mb": int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1024,
    **told,
}}))
"""
LEARN = """
run = services.run_job(DueJob(int(sys.argv[1]) * DAY_MS, DAILY))
told = {"status": run.status, "learned": run.report["learned_tonight"]}
"""
APPEND = """
told = {"appended": services.append_outcomes()}
"""


def in_a_process(work: str, environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    """Done in a process of its own, as a worker does it, so that the peak of memory is the work's."""
    command = [sys.executable, "-c", MEASURE.format(work=work), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return told


def learn_night(environment: dict[str, str], night: int) -> dict[str, Any]:
    told = in_a_process(LEARN, environment, str(night))
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


@pytest.mark.django_db(transaction=True)
def bench_appending_outcomes(process_environment: dict[str, str]) -> None:
    print(f"\noutcomes appended to the ledger, {SYMBOLS} symbols:")
    for decisions in (10_000, 100_000):
        empty()
        fill_decisions(decisions, first_close=to_time(NIGHT * DAY_MS))
        told = in_a_process(APPEND, process_environment)
        assert told["appended"] == decisions
        print(
            f"{decisions:>9,} outcomes: {told['seconds']:6.2f} s ({told['cpu_seconds']:.2f} CPU s),"
            f" peak memory {told['peak_mb']:,.0f} MB"
        )
