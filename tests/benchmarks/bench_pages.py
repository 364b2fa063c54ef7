"""What `make bench` prints of the pages: every address, from a history of a million scans. Nothing here can fail."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "var" / "big"
# Those point at the servers of this test run.
OTHERS = ("ALPHAPULSE_DATA", "DATABASE_URL", "REDIS_URL", "ALPHAPULSE_KEPT_ANSWERS")


def bench_pages_of_a_long_history() -> None:
    load_pages(DATA)


def load_pages(data: Path, size: tuple[str, ...] = (), load: tuple[str, ...] = ()) -> None:
    """Make the history under `data`, unless it is there, and load its pages; options as the two commands have them."""
    print(f"\npages of a long history, kept under {data}:", flush=True)
    environment = {name: value for name, value in os.environ.items() if name not in OTHERS}
    for module, options in (("big_history", size), ("page_load", load)):
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", "--data", str(data), *options]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
