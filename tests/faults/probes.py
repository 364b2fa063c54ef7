"""Tasks for fault tests, loaded into real workers beside ours: each stops where a test wants to strike.

What they do is ours (`run_once` and a counted heartbeat in its transaction). Where they stop is a file in the directory
PROBE_GATES: `at-NAME` appears when a task is there, and it goes on once `open` is there.
"""

import os
import select
import signal
import time
from pathlib import Path
from uuid import uuid4

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded

from alphapulse_site.jobs import beat, run_once

GATES = Path(os.environ.get("PROBE_GATES", "/nonexistent"))


def is_open() -> bool:
    return (GATES / "open").exists()


def hold(name: str) -> None:
    (GATES / f"at-{name}").touch()
    while not is_open():
        # Not time.sleep, which fails under libfaketime where the clock is behind.
        select.select([], [], [], 0.02)


def note_start(name: str) -> None:
    (GATES / f"started-{name}-{uuid4()}").touch()


@shared_task(name="alphapulse_site.probe_inside")
def inside(period: str) -> None:
    """Stops inside the transaction, after its effect."""
    note_start("inside")

    def effect() -> None:
        beat(f"probe:{period}")
        hold("inside")

    run_once("probe", period, effect)


@shared_task(name="alphapulse_site.probe_after")
def after(period: str) -> None:
    """Stops after COMMIT, before the message is acknowledged."""
    note_start("after")
    run_once("probe", period, lambda: beat(f"probe:{period}"))
    hold("after")


@shared_task(name="alphapulse_site.probe_poison")
def poison(period: str) -> None:
    """Kills the process it runs in, until it is cured."""
    note_start("poison")
    if not is_open():
        os.kill(os.getpid(), signal.SIGKILL)
    run_once("probe", period, lambda: beat(f"probe:{period}"))


@shared_task(name="alphapulse_site.probe_deadly")
def deadly(period: str) -> None:
    """Kills the whole worker, until it is cured."""
    note_start("deadly")
    if not is_open():
        os.killpg(os.getpgid(0), signal.SIGKILL)
    run_once("probe", period, lambda: beat(f"probe:{period}"))


@shared_task(name="alphapulse_site.probe_hang")
def hang(period: str) -> None:
    """Hangs, and does not hear the soft time limit."""
    note_start("hang")
    while not is_open():
        try:
            time.sleep(0.1)
        except SoftTimeLimitExceeded:
            continue
    run_once("probe", period, lambda: beat(f"probe:{period}"))
