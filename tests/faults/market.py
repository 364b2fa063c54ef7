"""A short slice of the shipped recording: five symbols, a week of history, and some hours over a midnight to live."""

import gzip
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingestion.candles import to_ms
from ingestion.timeframes import TIMEFRAMES

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"
SYMBOLS = ("AAVEUSDT", "ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT")
HISTORY_END = datetime(2021, 6, 17, 22, 30, tzinfo=UTC)
MIDNIGHT = datetime(2021, 6, 18, tzinfo=UTC)
ENDS = datetime(2021, 6, 18, 0, 45, tzinfo=UTC)
# Then the gap keeper asks for the last minute too; it lets the stream have a few seconds for it.
A_MOMENT = timedelta(seconds=30)


@dataclass(frozen=True)
class Slice:
    """From the end of the history to `end`, a close of the scan."""

    end: datetime = ENDS
    start: datetime = HISTORY_END

    @property
    def stands_still_at(self) -> datetime:
        return self.end + A_MOMENT

    @property
    def closes(self) -> int:
        return (to_ms(self.end) - to_ms(self.start)) // TIMEFRAMES["15m"].ms


SLICE = Slice()
EARLY = HISTORY_END + timedelta(minutes=20)
BEFORE_MIDNIGHT = MIDNIGHT - timedelta(minutes=20)
AFTER_MIDNIGHT = MIDNIGHT + timedelta(minutes=20)
QUARTER = timedelta(minutes=15)


def cut_recording(directory: Path, until: datetime) -> Path:
    """The recording of the symbols up to a few minutes after `until`."""
    directory.mkdir()
    last_ms = to_ms(until) + 10 * TIMEFRAMES["1m"].ms
    for symbol in SYMBOLS:
        with (
            gzip.open(RECORDING / f"{symbol}-1m.csv.gz", "rt") as file,
            gzip.open(directory / f"{symbol}-1m.csv.gz", "wt", compresslevel=1) as kept,
        ):
            kept.write(next(file))
            kept.writelines(line for line in file if int(line[: line.index(",")]) < last_ms)
    return directory
