"""Makes .venv and installs the locked packages and the pages' scripts, if not yet done. Standard library only.

python3.11 requirements/install.py base|dev
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pages

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "install.log"
# dev.txt holds everything that base.txt does, so what is complete for one is complete for the other.
INCLUDES = {"base": ("base",), "dev": ("dev", "base")}
NO_NETWORK = ("failed to resolve", "name resolution", "connection", "timed out", "unreachable", "max retries", "proxy")


class SetupError(Exception):
    """What is missing and what to do, in one line."""


def main() -> int:
    kind = sys.argv[1]
    try:
        check_python()
        if not is_installed(kind):
            install(kind)
    except (SetupError, pages.FetchError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


def check_python() -> None:
    """The lock holds wheels for these versions, and AlphaPulse was tried on the first."""
    if not (3, 11) <= sys.version_info[:2] < (3, 14):
        raise SetupError(f"Python 3.11 to 3.13 is needed, this is {sys.version.split()[0]}. Use make PYTHON=python3.11")


def stamp(kind: str) -> Path:
    return VENV / f".installed-{kind}"


def digest(kind: str) -> str:
    locks = [ROOT / "requirements" / f"{name}.txt" for name in ("installer", kind)]
    text = sys.version + "".join(lock.read_text(encoding="utf-8") for lock in (*locks, pages.LOCK))
    return hashlib.sha256(text.encode()).hexdigest()


def is_installed(kind: str) -> bool:
    """Whether these very locks were installed to the end, by this Python."""
    stamped = stamp(kind).exists() and stamp(kind).read_text(encoding="utf-8") == digest(kind)
    return PYTHON.exists() and stamped and pages.are_there(kind)


def install(kind: str) -> None:
    print(f"setup: installing {kind} packages into {VENV.relative_to(ROOT)} (under a minute) ...", flush=True)
    make_venv()
    LOG.unlink(missing_ok=True)
    for old in VENV.glob(".installed-*"):
        old.unlink()
    lock = str(ROOT / "requirements" / f"{kind}.txt")
    if not install_with_uv(lock):
        pip("install", "--require-hashes", "-r", lock)
    pages.fetch(kind)
    for name in INCLUDES[kind]:
        stamp(name).write_text(digest(name), encoding="utf-8")


def make_venv() -> None:
    """A fresh environment, unless a working one of this Python version is there."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    if (VENV / "lib" / f"python{version}").exists() and runs([PYTHON, "-m", "pip", "--version"]):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    made = subprocess.run([sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        raise SetupError(f"Python's venv module does not work here. On Debian: apt-get install python{version}-venv")


def install_with_uv(lock: str) -> bool:
    """uv does in a quarter of the time what pip does; False where it cannot (another index in pip's own settings)."""
    pip("install", "--require-hashes", "-r", str(ROOT / "requirements" / "installer.txt"))
    return runs([VENV / "bin" / "uv", "pip", "install", "--python", PYTHON, "--require-hashes", "-r", lock])


def pip(*arguments: str) -> None:
    options = ["--quiet", "--disable-pip-version-check", "--retries", "2", "--timeout", "20"]
    if not runs([PYTHON, "-m", "pip", *arguments, *options]):
        raise SetupError(reason(LOG.read_text(encoding="utf-8", errors="replace")))


def runs(command: list[Path | str]) -> bool:
    """Whether the command succeeds; what it says goes to the log."""
    environment = os.environ | {"UV_HTTP_TIMEOUT": "20", "UV_LINK_MODE": "copy"}
    with LOG.open("a", encoding="utf-8") if VENV.exists() else open(os.devnull, "a") as log:
        return subprocess.run(command, stdout=log, stderr=log, env=environment, check=False).returncode == 0


def reason(log: str) -> str:
    """The last complaint in one line, told apart: no way to the registry, or something else."""
    lines = [line.strip() for line in log.splitlines() if "error" in line.lower()] or ["no reason given"]
    if any(word in log.lower() for word in NO_NETWORK):
        return f"the package registry cannot be reached; check the network or proxy and run it again (log: {LOG})"
    return f"the packages could not be installed: {lines[-1]} (log: {LOG})"


if __name__ == "__main__":
    sys.exit(main())
