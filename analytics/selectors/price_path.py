"""The prices around a decision: some bars before it, then until its bracket ended, or now."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from alphapulse_site.clock import market_now
from ingestion.candles import load_candles, to_ms
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles, Timeframe, resample
from signals.models import ScanHistory, TrackedDecision

# As many bars as a chart of a hand's width can show apart from each other.
MOST_BARS = 400
# In bars of the scan timeframe.
BEFORE, AFTER, AFTER_SCAN = 32, 4, 32


@dataclass(frozen=True)
class PricePath:
    """Bars of the finest timeframe that has few enough of them, and the moments that matter, in ms.

    `ended_ms` is None while the bracket is open.
    """

    timeframe: Timeframe
    bars: Candles
    decided_ms: int
    ended_ms: int | None = None

    def bar_of(self, minute_ms: int) -> int:
        """Open time (ms) of the bar that a minute lies in."""
        return minute_ms // self.timeframe.ms * self.timeframe.ms

    @property
    def decided_bar_ms(self) -> int:
        """The bar of the last minute that the decision saw."""
        return self.bar_of(self.decided_ms - MINUTE_MS)

    @property
    def entered_bar_ms(self) -> int:
        return self.bar_of(self.decided_ms)

    @property
    def ended_bar_ms(self) -> int | None:
        """The bar of the minute that ended it; an end is the close of its minute."""
        return None if self.ended_ms is None else self.bar_of(self.ended_ms - MINUTE_MS)


def path_of(decision: TrackedDecision) -> PricePath:
    """From some bars before the decision to some after its end; to the market clock while it is open."""
    bar, ended = timedelta(minutes=TIMEFRAMES[decision.timeframe].minutes), decision.exit_at
    until = ended + AFTER * bar if ended else market_now() or decision.checked_until
    path = path_between(decision.symbol, decision.opened_at - BEFORE * bar, until)
    return PricePath(*path, to_ms(decision.opened_at), to_ms(ended) if ended else None)


def path_around(scan: ScanHistory) -> PricePath:
    """The bars that a scan saw last, and those that came after it."""
    bar = timedelta(minutes=TIMEFRAMES[scan.timeframe].minutes)
    path = path_between(scan.symbol, scan.close_time - BEFORE * bar, scan.close_time + AFTER_SCAN * bar)
    return PricePath(*path, to_ms(scan.close_time))


def path_between(symbol: str, start: datetime, until: datetime) -> tuple[Timeframe, Candles]:
    """The stored candles of a stretch of time, as bars of which there are at most about MOST_BARS."""
    start_ms, until_ms = to_ms(start), max(to_ms(until), to_ms(start))
    *finer, coarsest = TIMEFRAMES.values()
    timeframe = next((each for each in finer if (until_ms - start_ms) // each.ms <= MOST_BARS), coarsest)
    return timeframe, resample(load_candles(symbol, start_ms // timeframe.ms * timeframe.ms, until_ms), timeframe)
