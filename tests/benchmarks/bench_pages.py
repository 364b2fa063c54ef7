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
    print(f"\npages of a long history, kept under {DATA}:", flush=True)
    environment = {name: value for name, value in os.environ.items() if name not in OTHERS}
    for module in ("big_history", "page_load"):
        command = [sys.executable, "-m", f"tests.benchmarks.{module}", "--data", str(DATA)]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
