"""`python -m tests.faults.history RECORDING UNTIL SPEED`: the history of a slice, imported and learned from."""

import sys
from datetime import datetime
from pathlib import Path

import django

django.setup()

from django.core.management import call_command  # noqa: E402

from alphapulse_site.clock import advance_market_clock, set_market_clock  # noqa: E402
from alphapulse_site.models import MarketClock  # noqa: E402
from ingestion.candles import to_ms  # noqa: E402
from ingestion.csv_format import candle_files, read_candle_file  # noqa: E402
from ingestion.importing import import_files  # noqa: E402
from learning.bootstrap import bootstrap  # noqa: E402


def bring(recording: Path, until: datetime, speed: float) -> None:
    """What `up` prepares, up to another moment than three quarters of the recording."""
    call_command("migrate", verbosity=0)
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=speed, detail=recording.name)
    import_files([read_candle_file(file) for file in candle_files([recording])], until_ms=to_ms(until))
    advance_market_clock(until)
    bootstrap()


if __name__ == "__main__":
    bring(Path(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), float(sys.argv[3]))
