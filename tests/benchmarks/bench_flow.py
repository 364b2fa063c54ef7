"""What `make bench` prints: figures of this machine, to compare with DECISIONS.md. Nothing here can fail a build."""

import io
import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.management import call_command

from alphapulse_site.hints import hint
from alphapulse_site.jobs import beat, run_once

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"


def show(what: str, count: int, work: Callable[[], object]) -> None:
    began = time.perf_counter()
    work()
    seconds = time.perf_counter() - began
    print(f"\n{what}: {count / seconds:,.0f} a second ({count:,} in {seconds:.2f} s)")


def bench_replay_of_the_recording() -> None:
    out = io.StringIO()
    call_command("replay", candles=[RECORDING], learn=True, json=True, stdout=out)
    report = json.loads(out.getvalue())
    rate = report["candles"] / report["cpu_seconds"]
    print(
        f"\nreplay and learn: {rate:,.0f} candles a CPU second ({report['candles']:,} in {report['cpu_seconds']:.1f} s)"
    )


@pytest.mark.django_db(transaction=True)
def bench_jobs() -> None:
    show("jobs run once", 200, lambda: [run_once("bench", str(number), lambda: None) for number in range(200)])


@pytest.mark.django_db(transaction=True)
def bench_heartbeats() -> None:
    def beats() -> None:
        for number in range(500):
            beat("bench", number=number)

    show("heartbeats", 500, beats)


def bench_hints(empty_broker: None) -> None:
    show("hints published", 500, lambda: [hint("alphapulse_site.canary", "scan") for _ in range(500)])
