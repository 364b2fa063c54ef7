"""Stream processes, to be killed."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.faults.ingest import Ingest
from tests.ingestion.streams import ROOT

RULES = {"ALPHAPULSE_STREAM_SILENCE": "2.5", "ALPHAPULSE_EXCHANGE_TIMEOUT": "1"}


class Crew:
    """Stream processes on one market; those that are left are killed at the end."""

    def __init__(self, ingest: Ingest, environment: dict[str, str], log: Path) -> None:
        urls = {"ALPHAPULSE_SPOT_URL": ingest.running.rest_url, "ALPHAPULSE_STREAM_URL": ingest.running.stream_url}
        self._environment = environment | urls | RULES
        self._log, self._file = log.open("ab"), log
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-W", "ignore", "manage.py", "stream"]
        process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=self._log, stderr=self._log)
        self.processes.append(process)
        return process

    def said(self) -> str:
        """What all of them have written so far."""
        return self._file.read_text(encoding="utf-8")

    def kill(self, process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGKILL) -> int:
        process.send_signal(number)
        self.processes.remove(process)
        return process.wait(20)

    def stop(self) -> None:
        for process in list(self.processes):
            self.kill(process)

    def close(self) -> None:
        self.stop()
        self._log.close()
