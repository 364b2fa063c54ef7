"""PostgreSQL and Valkey for one test run, shared by its xdist workers, gone with it however it ends."""

import atexit
import os
import shutil
import signal
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import FrameType

from alphapulse_site.embedded import running
from alphapulse_site.places import Places

OWNER = "ALPHAPULSE_TEST_SERVERS"
# No test depends on the world: whoever wants an exchange starts one.
OUT_OF_REACH = {
    "ALPHAPULSE_SPOT_URL": "http://127.0.0.1:9",
    "ALPHAPULSE_STREAM_URL": "ws://127.0.0.1:9",
    "ALPHAPULSE_FUTURES_URL": "http://127.0.0.1:9",
    "ALPHAPULSE_ARCHIVE": "none",
}
_running = ExitStack()


def start_once() -> None:
    """Start the servers, unless a parent process has, and point the environment at them."""
    if OWNER not in os.environ:
        _start()
    os.environ.update(OUT_OF_REACH)
    # A test changes rows without a close, so that an answer of before would be taken for one of now.
    os.environ["ALPHAPULSE_KEPT_ANSWERS"] = "0"
    # All tests come from one address, and faster than any reader.
    os.environ.update({f"ALPHAPULSE_{kind}_RATE": "0" for kind in ("ANONYMOUS", "READ", "WRITE")})
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    # A broker database each, so that workers do not take each other's messages; Valkey has sixteen.
    os.environ["REDIS_URL"] = f"{os.environ[OWNER]}?virtual_host={int(worker) % 16}"


def _start() -> None:
    places = Places(Path(tempfile.mkdtemp(prefix="alphapulse-tests-")))
    _running.callback(shutil.rmtree, places.root, ignore_errors=True)
    _running.enter_context(running(places, throwaway=True))
    os.environ["ALPHAPULSE_DATA"] = str(places.root)
    os.environ["DATABASE_URL"] = places.database_url()
    os.environ[OWNER] = places.broker_url
    # For the ways out that skip pytest's own end: an error while collecting, a TERM from a time limit.
    atexit.register(stop)
    signal.signal(signal.SIGTERM, _leave)


def stop() -> None:
    """Stop what this process started; the second call finds nothing to do."""
    _running.close()


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)
