"""PostgreSQL and the broker of one system, to be killed, stopped, frozen and started again."""

import signal
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import psutil

from alphapulse_site.embedded import running_postgres, running_valkey
from alphapulse_site.places import Places

# A killed server loses nothing that the operating system has; only the wait for the disk is left out.
NO_WAIT_FOR_THE_DISK = "fsync = off\nfull_page_writes = off\nmin_wal_size = 32MB\n"


class Server:
    """One server of `embedded`."""

    def __init__(self, run: Callable[[], AbstractContextManager[None]], pid_file: Path) -> None:
        self._run, self._pid_file = run, pid_file
        self._running = ExitStack()
        self.is_up = False

    def start(self) -> None:
        """Start it unless it runs, also if it has died by itself."""
        if self.is_up and not self._is_alive():
            self.stop()
        if not self.is_up:
            self._running.enter_context(self._run())
            self._leader = self._leader_now()
            self.is_up = True

    def _is_alive(self) -> bool:
        return self._leader.is_running() and self._leader.status() != psutil.STATUS_ZOMBIE

    def _leader_now(self) -> psutil.Process:
        return psutil.Process(int(self._pid_file.read_text(encoding="utf-8").split()[0]))

    def stop(self) -> None:
        """As an operator would: it ends its sessions and writes down what it has."""
        self._running.close()
        self.is_up = False

    def kill(self) -> None:
        """With all its processes, at once."""
        family = self._family()
        for process in family:
            _send(process, signal.SIGKILL)
        # The first is ours to reap, which the end of its block does.
        self._running.close()
        _, left = psutil.wait_procs(family[1:], timeout=20)
        assert not left, f"{left} outlive a SIGKILL"
        self.is_up = False

    def freeze(self) -> None:
        for process in self._family():
            _send(process, signal.SIGSTOP)

    def thaw(self) -> None:
        for process in self._family() if self.is_up else []:
            _send(process, signal.SIGCONT)

    def _family(self) -> list[psutil.Process]:
        if not self._leader.is_running():
            return []
        return [self._leader, *self._leader.children(recursive=True)]


def _send(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return


def postgres_of(places: Places) -> Server:
    return Server(lambda: running_postgres(places), places.postgres / "postmaster.pid")


def broker_of(places: Places) -> Server:
    return Server(lambda: running_valkey(places), places.valkey / "valkey.pid")
