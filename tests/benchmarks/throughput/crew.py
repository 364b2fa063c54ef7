"""The processes of the Procfile that scans need, and what they cost."""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

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
    family = [started, *started.children(recursive=True)]
    spent = [each.cpu_times() for each in family]
    return sum(times.user + times.system for times in spent) + sum(
        times.children_user + times.children_system for times in spent[:1]
    )


def postgres() -> psutil.Process:
    """The server of this benchmark's own data."""
    pid = int((Path(settings.PLACES.postgres) / "postmaster.pid").read_text().split()[0])
    return psutil.Process(pid)
