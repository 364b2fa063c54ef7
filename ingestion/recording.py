"""A recording as a market: its first part imported as history; the rest comes over the wire from the local exchange."""

from pathlib import Path
from typing import Any

from alphapulse_site.clock import advance_market_clock
from ingestion.candles import to_datetime
from ingestion.csv_format import CandleFile, CandleFileError, candle_files, read_candle_file
from ingestion.importing import import_files
from ingestion.timeframes import MINUTE_MS

DAY_MS = 86_400_000


def import_history(path: Path) -> dict[str, Any]:
    """Import the first three quarters of a recording's time span, to a UTC midnight, and set the market clock there.

    Returns the figures of the import and the `start` and `end` of the history. Bad rows are quarantined. A second
    call adds nothing and does not turn the clock back.
    """
    files = [read_candle_file(file) for file in candle_files([path])]
    start_ms, end_ms = history_span(files)
    report = import_files(files, until_ms=end_ms)
    advance_market_clock(to_datetime(end_ms))
    return report.as_json() | {
        "symbols": len({file.symbol for file in files}),
        "start": to_datetime(start_ms).isoformat(),
        "end": to_datetime(end_ms).isoformat(),
    }


def history_span(files: list[CandleFile]) -> tuple[int, int]:
    """Open time (ms) of the first candle, and the UTC midnight at or before three quarters of the time span."""
    filled = [file.candles for file in files if len(file.candles)]
    if not filled:
        raise CandleFileError("the recording holds no candle; it cannot be played")
    first = min(int(candles.open_ms[0]) for candles in filled)
    last = max(int(candles.open_ms[-1]) for candles in filled) + MINUTE_MS
    midnight = (first + (last - first) * 3 // 4) // DAY_MS * DAY_MS
    if midnight <= first:
        raise CandleFileError("the recording is too short to play: no UTC midnight lies in its first three quarters")
    return first, midnight
