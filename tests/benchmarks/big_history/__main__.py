"""Make a database of a long history under a directory of its own.

    python -m tests.benchmarks.big_history --scans 1000000 --shadows 200000 --signals 5000 --data var/big

Everything is drawn from one seed, so that the same sizes give the same rows (but for the moment they were written).
Scans, signals, shadows, closes and candles are written by COPY; the ledger with its hashes, the weight versions and the
daily figures of what was refused are made by the real nights. A directory that holds a history is left as it is.
"""

import argparse
import time
from pathlib import Path

from alphapulse_site.embedded import running
from alphapulse_site.places import Places
from tests.benchmarks.settled import point_at

DONE = "history"
# A load of pages is no abuse.
UNLIMITED = {"ALPHAPULSE_ANONYMOUS_RATE": "0", "ALPHAPULSE_READ_RATE": "0"}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.big_history",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, default, meaning in (
        ("scans", 1_000_000, "scans of all symbols together"),
        ("shadows", 200_000, "shadows that are resolved; about one in a hundred more is still open"),
        ("signals", 5_000, "signals that are resolved"),
        ("symbols", 100, "symbols, each scanned every quarter of an hour"),
        ("nights", 60, "how many of the last nights are learned"),
        ("candle-days", 30, "how many days of minutes the first ten symbols have"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{meaning} (default {default:,})")
    parser.add_argument("--data", type=Path, default=Path("var/big"), help="its directory (default var/big)")
    return parser.parse_args()


def make(asked: argparse.Namespace) -> None:
    import django
    from django.core.management import call_command

    django.setup()
    from tests.benchmarks.big_history.filling import Size, fill

    call_command("migrate", verbosity=0)
    sizes = {name: getattr(asked, name) for name in Size.__dataclass_fields__}
    fill(Size(**sizes), lambda line: print(line, flush=True))


def main() -> None:
    asked = arguments()
    places = Places(asked.data.resolve())
    done = places.root / DONE
    if done.exists():
        print(f"{places.root} holds a history already: {done.read_text(encoding='utf-8').strip()}")
        return
    point_at(places, **UNLIMITED)
    began = time.monotonic()
    with running(places, throwaway=True):
        make(asked)
    told = f"{asked.scans:,} scans, {asked.shadows:,} shadows, {asked.signals:,} signals"
    done.write_text(told + "\n", encoding="utf-8")
    print(f"{told} in {time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    main()
