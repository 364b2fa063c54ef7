"""Processes of the Procfile for a test, each with its own log, on the test's database and broker."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from alphapulse_site.processes import read_procfile
from tests.browser.site import free_port

ROOT = Path(__file__).resolve().parents[2]
# Six processes start at once on a machine that others may be using.
SECONDS = 240


def environment_of(process_environment: dict[str, str], **extra: str) -> dict[str, str]:
    """What `up` would hand to them, as far as they need it to start."""
    return process_environment | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PORT": str(free_port()),
        "FLOWER_PORT": str(free_port()),
        "PYTHONUNBUFFERED": "1",
        # Ours are errors in tests, and these processes also load what is not ours.
        "PYTHONWARNINGS": "ignore",
        **extra,
    }


class Running:
    """Those that were started."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self._environment, self._logs = environment, logs
        self._commands = read_procfile(ROOT / "Procfile")
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        with (self._logs / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                self._commands[name], shell=True, env=self._environment, cwd=ROOT, stdout=log, stderr=log
            )

    def is_alive(self, name: str) -> bool:
        return self._processes[name].poll() is None

    def stop(self) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGTERM)
        for process in self._processes.values():
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def said(self, name: str) -> list[str]:
        """The lines so far that are not empty."""
        text = (self._logs / f"{name}.log").read_text(encoding="utf-8")
        return [line for line in text.splitlines() if line.strip()]


@contextmanager
def running(environment: dict[str, str], logs: Path) -> Iterator[Running]:
    processes = Running(environment, logs)
    try:
        yield processes
    finally:
        processes.stop()


def wait_until(holds: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.2)
