"""The lengths a candle may have on the exchange, and where on the clock each begins. Pure numpy."""

from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import MINUTE_MS, IntArray

HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
# The first Monday after the epoch, which was a Thursday: weeks begin there. The three days are counted so that one
# begins on 2017-08-17 and one on 2026-07-01, as in the exchange's own archive.
FIRST_MONDAY_MS, FIRST_OF_THREE_MS = 4 * DAY_MS, DAY_MS


@dataclass(frozen=True)
class Interval:
    """So many ms on the clock grid, counted from `first_ms`; a month has no length of its own (0)."""

    name: str
    ms: int
    first_ms: int = 0

    def opens(self, moments_ms: IntArray, zone_ms: int = 0) -> IntArray:
        """Open time (ms) of the candle that each moment lies in; `zone_ms` is how far local time is ahead of UTC."""
        local = moments_ms + zone_ms
        if not self.ms:
            months = local.astype("datetime64[ms]").astype("datetime64[M]")
            return months.astype("datetime64[ms]").astype(np.int64) - zone_ms
        return (local - self.first_ms) // self.ms * self.ms + self.first_ms - zone_ms

    def closes(self, open_ms: IntArray, zone_ms: int = 0) -> IntArray:
        """The last millisecond of the candles that open then."""
        if not self.ms:
            months = (open_ms + zone_ms).astype("datetime64[ms]").astype("datetime64[M]") + 1
            return months.astype("datetime64[ms]").astype(np.int64) - zone_ms - 1
        return open_ms + self.ms - 1


INTERVALS: dict[str, Interval] = {
    interval.name: interval
    for interval in (
        *(Interval(f"{minutes}m", minutes * MINUTE_MS) for minutes in (1, 3, 5, 15, 30)),
        *(Interval(f"{hours}h", hours * HOUR_MS) for hours in (1, 2, 4, 6, 8, 12)),
        Interval("1d", DAY_MS),
        Interval("3d", 3 * DAY_MS, FIRST_OF_THREE_MS),
        Interval("1w", 7 * DAY_MS, FIRST_MONDAY_MS),
        Interval("1M", 0),
    )
}
