"""What must hold before anything is started. Each check refuses with one line that says what to do."""

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alphapulse_site.embedded import check_data_directory
from alphapulse_site.places import Places

OWN_SERVERS_ONLY = ("DATABASE_URL", "REDIS_URL", "ALPHAPULSE_BROKER_URL")


class RefusalError(Exception):
    """The system does not start, and why."""


def check_environment() -> None:
    """`up` brings its own servers; an address meant for another installation must not be migrated by mistake."""
    given = [name for name in OWN_SERVERS_ONLY if os.environ.get(name)]
    if given:
        raise RefusalError(
            f"{' and '.join(given)} is set, but `up` starts servers of its own. Unset it, "
            "or start the processes of the Procfile yourself (see docker/compose.yaml)."
        )


def check_recording(recording: Path) -> None:
    if not any(recording.glob("*.csv.gz")):
        raise RefusalError(
            f"{recording} holds no recorded candles (*.csv.gz). Set ALPHAPULSE_RECORDING to a folder of them."
        )


def check_port(port: int, *, option: str) -> None:
    """The port must be free on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As gunicorn binds, so that connections of the last run that linger do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise RefusalError(f"Port {port} on 127.0.0.1 is taken. Choose another one with {option}.") from error


def check_disk(root: Path, *, minimum_mb: int) -> None:
    """Room for the recording, the write-ahead log and a month of running."""
    existing = next(place for place in (root, *root.parents) if place.exists())
    free_mb = shutil.disk_usage(existing).free // 1_000_000
    if free_mb < minimum_mb:
        raise RefusalError(
            f"{existing} has {free_mb} MB free, {minimum_mb} MB are needed. Free some, or choose --data elsewhere."
        )


def check_data(places: Places) -> None:
    """Writable, and written by this layout and this PostgreSQL if by anything."""
    try:
        places.root.mkdir(parents=True, exist_ok=True)
        check_data_directory(places)
    except OSError as error:
        raise RefusalError(
            f"{places.root} cannot be used ({error.strerror}). Choose another one with --data."
        ) from error
    if not os.access(places.root, os.W_OK):
        raise RefusalError(f"{places.root} is not writable. Choose another one with --data.")


@contextmanager
def only_one(places: Places) -> Iterator[None]:
    """Hold the data directory; the lock goes with the process, so a killed one leaves nothing to clean up."""
    with (places.root / "up.lock").open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise RefusalError(
                f"AlphaPulse already runs on {places.root} (process {lock.read().strip()}). "
                "Stop that one first, or choose another --data and --port."
            ) from error
        # A forked child shares the lock, and would go on holding it after our death.
        os.register_at_fork(after_in_child=lock.close)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield
