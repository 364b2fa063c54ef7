"""The processes of the Procfile that scans need, and what they cost."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from django.conf import settings

MANAGE = str(Path(settings.BASE_DIR) / "manage.py")
CELERY = (sys.executable, "-m", "celery", "--app", "alphapulse_site")


def worker(queues: str, processes: int) -> list[str]:
    return [
        *(*CELERY, "worker", "--queues", queues, "--concurrency", str(processes), "--loglevel", "WARNING"),
        *("--hostname", f"{queues.split(',')[0]}@throughput", "--without-gossip", "--without-mingle"),
    ]


@contextmanager
def process(command: list[str], log: Path, **environment: str) -> Iterator[psutil.Popen]:
    """A process whose output goes to a log; stopped at the end, however that comes."""
    with log.open("wb") as output:
        started = psutil.Popen(
            command, stdout=output, stderr=output, env=os.environ | environment, cwd=settings.BASE_DIR
        )
        try:
            yield started
        finally:
            started.terminate()
            try:
                started.wait(timeout=40)
            except psutil.TimeoutExpired:
                started.kill()


@contextmanager
def crew(commands: dict[str, list[str]], logs: Path, **environment: str) -> Iterator[dict[str, psutil.Popen]]:
    logs.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(process(command, logs / f"{name}.log", **environment))
            for name, command in commands.items()
        }


def cpu_seconds(started: psutil.Process) -> float:
    """Of a process and its children, also of those that have ended."""
    own = started.cpu_times()
    parts = [*_of_children(started, "cpu_times"), own]
    return sum(times.user + times.system for times in parts) + own.children_user + own.children_system


def largest_mb(started: psutil.Process) -> float:
    """Resident memory of the largest process of a family."""
    parts = [*_of_children(started, "memory_info"), started.memory_info()]
    return max(float(part.rss) for part in parts) / 1e6


def _of_children(started: psutil.Process, what: str) -> Iterator[Any]:
    """One that ended since it was listed has nothing to say any more."""
    for child in started.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            yield getattr(child, what)()


def postgres() -> psutil.Process:
    """The server of this benchmark's own data."""
    pid = int((Path(settings.PLACES.postgres) / "postmaster.pid").read_text().split()[0])
    return psutil.Process(pid)
