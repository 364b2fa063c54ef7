"""Processes that are started again when they end, as `restart: unless-stopped` does, until somebody stops them."""

import contextlib
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAUSE = 0.5
SECONDS_TO_STOP = 30.0


class Supervisor:
    """Keeps commands running, each in a process group of its own, with a log file each."""

    def __init__(self, commands: Mapping[str, str], environment: Mapping[str, str], logs: Path) -> None:
        self._commands, self._environment, self._logs = dict(commands), dict(environment), logs
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        # Those that somebody has taken away, and that nobody but him brings back.
        self._away: set[str] = set()
        self._lock, self._over = threading.RLock(), threading.Event()
        self.restarts: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start_all(self) -> None:
        for name in self._commands:
            self.start(name)
        self._thread.start()

    def add(self, name: str, command: str) -> None:
        """One more process, such as a second beat."""
        self._commands[name] = command
        self.start(name)

    def forget(self, name: str) -> None:
        """It is not one of those that are started again in the end."""
        with self._lock:
            del self._commands[name]

    def start(self, name: str) -> None:
        with self._lock, (self._logs / f"{name}.log").open("ab") as log:
            self._away.discard(name)
            if name not in self._running:
                self._running[name] = subprocess.Popen(
                    ["/bin/sh", "-c", self._commands[name]], cwd=ROOT, env=self._environment,
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                )  # fmt: skip

    def kill(self, name: str, *, for_good: bool = False) -> None:
        """With all its children, at once; it is started again unless it is to stay away."""
        with self._lock:
            if for_good:
                self._away.add(name)
            process = self._running.pop(name, None) if for_good else self._running.get(name)
        if process is not None:
            _send(process.pid, signal.SIGKILL)
            process.wait(20)

    def stop(self, name: str, *, seconds: float = SECONDS_TO_STOP) -> None:
        """Ask it to end, and have patience; it stays away."""
        with self._lock:
            self._away.add(name)
            process = self._running.pop(name, None)
        if process is None:
            return
        _send_leader(process, signal.SIGTERM)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            _send(process.pid, signal.SIGKILL)
            process.wait(20)

    def freeze(self, name: str) -> None:
        self._signal(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        self._signal(name, signal.SIGCONT)

    def names(self) -> list[str]:
        return list(self._commands)

    def close(self) -> None:
        """End all of them without a word: what they leave is what the next start finds."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join(20)
        for process in self._running.values():
            _send(process.pid, signal.SIGKILL)
        for process in self._running.values():
            process.wait(20)
        self._running.clear()

    def _signal(self, name: str, number: signal.Signals) -> None:
        with self._lock:
            if name in self._running:
                _send(self._running[name].pid, number)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            with self._lock:
                ended = [name for name, process in self._running.items() if process.poll() is not None]
                for name in ended:
                    # Its children may outlive it for a moment, as in any system.
                    del self._running[name]
            for name in ended:
                self.restarts[name] += 1
                if not self._over.wait(PAUSE):
                    self._start_again(name)

    def _start_again(self, name: str) -> None:
        with self._lock:
            if name not in self._away:
                self.start(name)


def _send(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, number)


def _send_leader(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    if process.poll() is None:
        process.send_signal(number)
