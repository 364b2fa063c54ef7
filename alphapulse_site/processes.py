"""The processes of the Procfile under honcho: a log file each, one quiet console, and all of them stop together."""

import logging
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

import honcho.manager
import psutil
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Message
from honcho.process import Process

# A worker may finish its task before it goes (worker_soft_shutdown_timeout), so honcho must not lose patience first.
SECONDS_TO_STOP = 30
KEEPER_SECONDS = 1
STOPPING = (signal.SIGINT, signal.SIGTERM)
LOG_BYTES = 10_000_000
# Children carry the data directory in this variable, so that a later start knows the leftovers of a killed one.
OWNER = "ALPHAPULSE_UP"
STOPPED = re.compile(r"^(\S+) stopped \(rc=(-?\d+)\)")
WORTH_SHOWING = re.compile(r"\b(ERROR|CRITICAL)\b")
# Django calls every 503 an error, but this page's verdict is what the checklist and monitoring ask for.
NOT_WORTH_SHOWING = "/healthz"


def read_procfile(path: Path) -> dict[str, str]:
    """Process name -> command, in the order of the file."""
    return dict(parse_procfile(path.read_text(encoding="utf-8")).processes)


def environment(root: Path, extra: dict[str, str]) -> dict[str, str]:
    """What every child gets: this Python's programs first, the data directory, unbuffered output."""
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    return (
        os.environ | {"PATH": programs, "ALPHAPULSE_DATA": str(root), OWNER: str(root), "PYTHONUNBUFFERED": "1"} | extra
    )


def end_leftovers(root: Path) -> int:
    """End what a killed run on this data directory left running; the number of processes ended."""
    leftovers = [process for process in psutil.process_iter() if _belongs_to(process, root)]
    for process in leftovers:
        _signal(process, signal.SIGTERM)
    _, stubborn = psutil.wait_procs(leftovers, timeout=SECONDS_TO_STOP)
    for process in stubborn:
        _signal(process, signal.SIGKILL)
    psutil.wait_procs(stubborn, timeout=SECONDS_TO_STOP)
    return len(leftovers)


def _belongs_to(process: psutil.Process, root: Path) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(OWNER) == str(root)
    except (psutil.Error, OSError):
        return False


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


class LogPrinter:
    """honcho's printer: every line to the process' own file, errors to the console as well."""

    def __init__(self, logs: Path, say: Callable[[str], None]) -> None:
        self.width = 0
        self.first_stopped: tuple[str, int] | None = None
        self.is_stopping = False
        self._logs = logs
        self._say = say
        self._files: dict[str, logging.Logger] = {}

    def log_path(self, name: str) -> Path:
        return self._logs / f"{name}.log"

    def write(self, message: Message) -> None:
        data = message.data
        text = data.decode("utf-8", "replace") if isinstance(data, bytes) else str(data)
        for line in text.splitlines():
            self._file(message.name).info("%s", line)
            if message.name == honcho.manager.SYSTEM_PRINTER_NAME:
                self._note(line)
            elif not self.is_stopping and WORTH_SHOWING.search(line) and NOT_WORTH_SHOWING not in line:
                self._say(f"{message.name}: {line}")

    def _note(self, line: str) -> None:
        """honcho tells of the end of a process in its own lines only."""
        stopped = STOPPED.match(line)
        if stopped and not self.is_stopping:
            self.first_stopped = (stopped[1], int(stopped[2]))
        if stopped or line.endswith(" received"):
            self.is_stopping = True

    def close(self) -> None:
        for log in self._files.values():
            for handler in log.handlers:
                handler.close()

    def _file(self, name: str) -> logging.Logger:
        if name not in self._files:
            log = logging.Logger(name)
            log.addHandler(RotatingFileHandler(self.log_path(name), maxBytes=LOG_BYTES, backupCount=3))
            self._files[name] = log
        return self._files[name]


class _LeadersOnly:
    """Asks the process itself to stop, not its pool: the worker lets its children finish. Killing hits them all."""

    def terminate(self, pid: int) -> None:
        self._send(os.kill, pid, signal.SIGTERM)

    def kill(self, pid: int) -> None:
        self._send(os.killpg, pid, signal.SIGKILL)

    @staticmethod
    def _send(send: Callable[[int, int], None], pid: int, number: signal.Signals) -> None:
        try:
            send(pid, number)
        except ProcessLookupError:
            return


class _KeptProcess(Process):
    """honcho keeps each command by a fork of ours; if we are killed, that keeper ends its command."""

    def run(self, events: Any = None, ignore_signals: bool = False) -> None:
        # Caught, not ignored, until the command is there: it would inherit that it is to ignore them.
        for number in STOPPING:
            signal.signal(number, lambda *_: None)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)
        threading.Thread(target=self._follow, args=(os.getppid(),), daemon=True).start()
        super().run(events, ignore_signals)

    def _follow(self, parent: int) -> None:
        while os.getppid() == parent:
            time.sleep(KEEPER_SECONDS)
        child: subprocess.Popen[bytes] = self._child
        child.terminate()
        try:
            child.wait(timeout=SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
        # At once: an ordinary exit would wait for somebody to read what this process still has to tell.
        os._exit(1)


class ProcessGroup(Manager):
    """honcho's manager with our printer, our patience, and a call when all processes have been started."""

    def __init__(self, printer: LogPrinter, *, when_started: Callable[[], None]) -> None:
        super().__init__(printer)
        honcho.manager.KILL_WAIT = SECONDS_TO_STOP
        self._procmgr = _LeadersOnly()
        self._process_ctor = _KeptProcess
        self._when_started = when_started

    def _start(self) -> None:
        """Start all, and let a signal wait until all are known: honcho cannot end a process it has not heard of."""
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        super()._start()
        self._wait_for_all()
        # Threads come after the forks: a child forked beside a running thread may hang on its locks.
        self._when_started()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def _wait_for_all(self) -> None:
        others = []
        while not self._all_started():
            message = self.events.get()
            if message.type == "start":
                self._processes[message.name]["pid"] = message.data["pid"]
            else:
                others.append(message)
        for message in others:
            self.events.put(message)


def run(commands: dict[str, str], env: dict[str, str], printer: LogPrinter, when_started: Callable[[], None]) -> int:
    """Run all commands until a signal comes or one of them ends; honcho's return code (130 and 143: a signal)."""
    group = ProcessGroup(printer, when_started=when_started)
    for name, command in commands.items():
        group.add_process(name, command, env=env)
    group.loop()
    printer.close()
    return int(group.returncode or 0)
