"""How late scans are at exchange scale, and how much more two workers do than one.

    python -m tests.benchmarks.throughput --minutes 30 --data var/throughput
    python -m tests.benchmarks.throughput --drain 8 --data var/throughput

Plays so many minutes of all symbols at real speed to the real processes (stream, beat, workers), with a close a minute;
then, or with --drain instead, lets closes pile up and has them decided by one worker process and by two. The first run
fills a month of candles, 28 million for 600 symbols, which stay in the directory; decisions are made anew each time.
"""

import argparse
from pathlib import Path

from alphapulse_site.embedded import running
from alphapulse_site.places import Places
from tests.benchmarks.settled import point_at


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.throughput",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for name, default, meaning in (
        ("symbols", 600, "symbols that are scanned"),
        ("minutes", 0, "minutes at real speed"),
        ("drain", 0, "closes that pile up and are drained by one worker, then by two"),
        ("workers", 2, "scan worker processes at real speed"),
        ("chunk", 50, "symbols a task"),
        ("halt", 0, "the minute at which one symbol's candles cease to come (0: never)"),
    ):
        parser.add_argument(f"--{name}", type=int, default=default, help=f"{meaning} (default {default})")
    parser.add_argument("--data", type=Path, default=Path("var/throughput"), help="its directory (var/throughput)")
    return parser.parse_args()


def settings_of(asked: argparse.Namespace) -> dict[str, str]:
    """All symbols are scanned each minute, whatever the local exchange says of their turnover."""
    nowhere = "http://127.0.0.1:9"
    return {
        "ALPHAPULSE_SCAN_TIMEFRAME": "1m",
        "ALPHAPULSE_SCAN_CHUNK": str(asked.chunk),
        "ALPHAPULSE_FEEDS": "off",
        "ALPHAPULSE_TOP_SYMBOLS": "3000",
        "ALPHAPULSE_MINIMUM_QUOTE_VOLUME": "0",
        "ALPHAPULSE_ARCHIVE": "none",
        "ALPHAPULSE_SPOT_URL": nowhere,
        "ALPHAPULSE_FUTURES_URL": nowhere,
    }


def main() -> None:
    asked = arguments()
    places = Places(asked.data.resolve())
    point_at(places, **settings_of(asked))
    with running(places, throwaway=True):
        import django

        django.setup()
        from tests.benchmarks.throughput.drain import drain
        from tests.benchmarks.throughput.market import prepare
        from tests.benchmarks.throughput.real_speed import play

        names = prepare(asked.symbols)
        if asked.minutes:
            play(names, asked)
        for workers in (1, 2) if asked.drain else ():
            drain(names, asked.drain, workers)


if __name__ == "__main__":
    main()
