"""The feeds that are fetched: where each comes from, at which moments it has readings, how long they are kept. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from ingestion.timeframes import MINUTE_MS

SECOND_MS = 1000
FIVE_MINUTES_MS = 5 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS

# The names under which readings are stored; whoever reads them takes the names from here.
FUNDING = "crypto.funding"
PREMIUM = "crypto.premium"
OPEN_INTEREST = "crypto.open_interest"
LONG_SHORT = "crypto.long_short"
TAKER_RATIO = "crypto.taker_ratio"
EXTERNAL = "sentiment.external"

# One reading before the page, whether or not the exchange counts the start in, and one behind it for the end.
BESIDE_A_PAGE = 2


@dataclass(frozen=True)
class FeedSource:
    """One feed and what is known of its source; times in ms.

    `grid_ms` is the grid its moments lie on, `longest_ms` the longest way from one reading to the next: the same
    where every moment of the grid has one. `lasts_ms` is how long after its stamp a reading is complete. Readings
    are asked for once every `poll_ms`, `delay_ms` after the moment, and missed from `late_ms` after it.
    """

    name: str
    endpoint: str
    grid_ms: int
    longest_ms: int
    late_ms: int
    page: int
    poll_ms: int
    delay_ms: int = MINUTE_MS
    stamp_ms: int = 1
    lasts_ms: int = 0
    kept_ms: int | None = None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_regular(self) -> bool:
        """Whether every moment of the grid has a reading."""
        return self.grid_ms == self.longest_ms

    def is_due(self, asked_ms: int | None, now_ms: int) -> bool:
        """Whether a new reading can have come since it was last asked for."""
        return asked_ms is None or asked_ms < _floor(now_ms - self.delay_ms, self.poll_ms) + self.delay_ms

    def moments_until(self, now_ms: int) -> int:
        """The end, exclusive, of the grid's moments that have passed."""
        return _floor(now_ms, self.grid_ms) + self.grid_ms

    def expected_until(self, now_ms: int) -> int:
        """The end, exclusive, of the moments whose readings should be there: what lacks is a hole."""
        return self.moments_until(now_ms - self.late_ms)

    def lost_before(self, now_ms: int) -> int | None:
        """The first moment that the source still has; None if it keeps everything."""
        return None if self.kept_ms is None else self.moments_until(now_ms - self.kept_ms)

    def first_moment(self, now_ms: int, back_ms: int) -> int:
        """Where a series starts that is wanted from `back_ms` ago: at a moment every rhythm of the feed has."""
        return _floor(now_ms - back_ms, self.longest_ms)

    def rows_in(self, start_ms: int, end_ms: int) -> int:
        """How many rows to ask for, to be sure of those of [start, end)."""
        return (end_ms - start_ms) // self.grid_ms + BESIDE_A_PAGE


def _floor(ms: int, step_ms: int) -> int:
    return ms // step_ms * step_ms


# Binance keeps what it calls 30 days here and one month there, and refuses a request that starts earlier as a whole;
# the shortest month is on the safe side.
MONTH_MS = 28 * DAY_MS


def _statistic(name: str, endpoint: str, lasts_ms: int = 0) -> FeedSource:
    return FeedSource(
        name=name,
        endpoint=endpoint,
        grid_ms=FIVE_MINUTES_MS,
        longest_ms=FIVE_MINUTES_MS,
        late_ms=10 * MINUTE_MS,
        page=500,
        poll_ms=FIVE_MINUTES_MS,
        lasts_ms=lasts_ms,
        kept_ms=MONTH_MS,
        parameters={"period": "5m"},
    )


# In the order they are asked for: of a symbol without a contract, the premium index is the one that surely says so.
FUTURES_FEEDS = (
    # Klines of the premium index, stamped with their opening; the close is known once they have closed. Asked for in
    # pages below 500, which weigh 2 and not 5.
    FeedSource(
        name=PREMIUM,
        endpoint="futures_premium_index_klines",
        grid_ms=FIVE_MINUTES_MS,
        longest_ms=FIVE_MINUTES_MS,
        late_ms=10 * MINUTE_MS,
        page=499,
        poll_ms=FIVE_MINUTES_MS,
        lasts_ms=FIVE_MINUTES_MS,
        parameters={"interval": "5m"},
    ),
    # Paid every eight hours, on some contracts every four or every hour, and that may change on any day; so it is
    # asked for every hour. The stamp is some milliseconds off the hour, which readers compare to the minute.
    FeedSource(
        name=FUNDING,
        endpoint="futures_funding_rate",
        grid_ms=HOUR_MS,
        longest_ms=8 * HOUR_MS,
        late_ms=30 * MINUTE_MS,
        page=1000,
        poll_ms=HOUR_MS,
        delay_ms=5 * MINUTE_MS,
        stamp_ms=MINUTE_MS,
    ),
    # The history has the coins and their value at one moment, and its newest row is as young as the answer of
    # openInterest, which has the coins alone.
    _statistic(OPEN_INTEREST, "futures_open_interest_hist"),
    _statistic(LONG_SHORT, "futures_global_longshort_ratio"),
    # What takers bought and sold in five minutes. The documentation does not say whether the stamp is their start or
    # their end. It is taken for the start: were it the end, a reading would be five minutes late; were it the start
    # and taken for the end, a running sum would be stored as a whole one.
    _statistic(TAKER_RATIO, "futures_taker_longshort_ratio", lasts_ms=FIVE_MINUTES_MS),
)

# An index from outside, one value a day, stamped with the day's midnight at which it is published.
FEAR_GREED_FEED = FeedSource(
    name=EXTERNAL,
    endpoint="fear_greed",
    grid_ms=HOUR_MS,
    longest_ms=DAY_MS,
    late_ms=6 * HOUR_MS,
    page=1000,
    poll_ms=HOUR_MS,
    delay_ms=5 * MINUTE_MS,
    stamp_ms=MINUTE_MS,
)

SOURCES = {source.name: source for source in (*FUTURES_FEEDS, FEAR_GREED_FEED)}
