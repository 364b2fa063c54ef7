"""Worker and beat processes, to be killed, frozen and given wrong clocks, on one broker and the test's database."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
from celery import Celery

from alphapulse_site.celery import QUEUES, app
from tests.faults.brokers import Broker
from tests.ingestion.streams import ROOT, wait_until

Process = subprocess.Popen[bytes]
READY = "ready."
BEAT_SENDS, BEAT_STANDS_BY = "the ticks are ours", "another beat sends the ticks, standing by"
NOTHING: Mapping[str, str] = {}
OF_THIS_TEST_RUN = ("PYTEST_CURRENT_TEST", "REDIS_URL", "ALPHAPULSE_BROKER_URL")


class Workers:
    """Processes of ours on one broker. Each leads a group of its own, so that a kill takes its pool along."""

    def __init__(self, broker: Broker, environment: dict[str, str], home: Path) -> None:
        kept = {name: value for name, value in environment.items() if name not in OF_THIS_TEST_RUN}
        self.gates = home / "gates"
        self.gates.mkdir()
        self._home, self._broker = home, broker
        self._environment = kept | broker.environment() | {
            "DJANGO_SETTINGS_MODULE": "tests.faults.short_settings",
            "PROBE_GATES": str(self.gates),
            "PYTHONWARNINGS": "ignore",
            "REMAP_SIGTERM": "SIGQUIT",
            # What Django checks does not change from one start to the next.
            "CELERY_SKIP_CHECKS": "1",
        }  # fmt: skip
        self.processes: list[Process] = []

    # --- starting and striking ----------------------------------------------------------------------------------------

    def worker(
        self, extra: Mapping[str, str] = NOTHING, *, queues: str = ",".join(QUEUES), wait: bool = True
    ) -> Process:
        """One worker with one pool child that takes from the queues; the extra variables are its own."""
        number = len(self.processes)
        options = ["--queues", queues, "--concurrency", "1", "--hostname", f"w{number}@localhost", "--loglevel", "INFO"]
        command = ["worker", *options, "--without-gossip", "--without-mingle"]
        process = self._start(command, extra)
        if wait:
            self.wait_for_line(process, READY)
        return process

    def beat(self, extra: Mapping[str, str] = NOTHING, *, app: str = "tests.faults.quick_beat") -> Process:
        """A beat; the minutes of the quick one last two seconds."""
        return self._start(["beat", "--pidfile=", "--loglevel", "INFO"], extra, app=app)

    def _start(self, arguments: list[str], extra: Mapping[str, str], *, app: str = "alphapulse_site") -> Process:
        command = [sys.executable, "-m", "celery", "--app", app, *arguments]
        with self._log_of(len(self.processes)).open("wb") as log:
            process = subprocess.Popen(
                command, cwd=ROOT, env={**self._environment, **extra}, stdout=log, stderr=log, start_new_session=True
            )
        self.processes.append(process)
        return process

    def kill(self, process: Process) -> None:
        """kill -9 of the worker and its pool at one stroke."""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(20)

    def signal(self, process: Process, number: signal.Signals) -> None:
        os.killpg(process.pid, number)

    def pool_child(self, process: Process) -> psutil.Process:
        (child,) = psutil.Process(process.pid).children()
        return child

    def close(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.kill(process)

    # --- seeing -------------------------------------------------------------------------------------------------------

    def log(self, process: Process) -> str:
        return self._log_of(self.processes.index(process)).read_text(encoding="utf-8", errors="replace")

    def wait_for_line(self, process: Process, line: str, *, seconds: float = 120) -> None:
        def said() -> bool:
            assert process.poll() is None, f"it ended by itself:\n{self.log(process)[-3000:]}"
            return line in self.log(process)

        wait_until(said, seconds=seconds)

    def wait_at(self, gate: str) -> None:
        wait_until((self.gates / f"at-{gate}").exists, seconds=120)

    def starts(self, probe: str) -> int:
        """How many times the probe was begun, by whatever worker."""
        return len(list(self.gates.glob(f"started-{probe}-*")))

    def open_gates(self) -> None:
        (self.gates / "open").touch()

    def _log_of(self, number: int) -> Path:
        return self._home / f"process-{number}.log"

    def command(self, *words: str) -> str:
        """What `manage.py` says on this broker and database."""
        command = [sys.executable, "manage.py", *words]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=90)
        assert done.returncode == 0, done.stderr
        return done.stdout

    # --- sending ------------------------------------------------------------------------------------------------------

    def send(self, task: str, *args: Any, queue: str = "maintenance") -> None:
        with sender(self._broker) as ours:
            ours.send_task(task, args=args, queue=queue)


@contextmanager
def sender(broker: Broker) -> Iterator[Celery]:
    """An app with our queues on that broker, as another machine would send."""
    from alphapulse_site import queues

    is_rabbit = broker.kind == "rabbitmq"
    url = broker.environment().get("ALPHAPULSE_BROKER_URL") or broker.environment()["REDIS_URL"]
    ours = Celery("sender", broker=url, set_as_current=False)
    ours.conf.task_queues = queues.declared(QUEUES, rabbitmq=is_rabbit)
    ours.conf.broker_transport_options = queues.transport_options(
        rabbitmq=is_rabbit, visibility_timeout=900, prefix="alphapulse:"
    )
    ours.conf.update(task_ignore_result=True, task_serializer="json", task_create_missing_queues=False)
    ours.conf.task_routes = app.conf.task_routes
    ours.conf.task_default_queue = "maintenance"
    try:
        yield ours
    finally:
        ours.close()


@contextmanager
def workers_on(broker: Broker, environment: dict[str, str], home: Path) -> Iterator[Workers]:
    found = Workers(broker, environment, home)
    try:
        yield found
    finally:
        found.close()
