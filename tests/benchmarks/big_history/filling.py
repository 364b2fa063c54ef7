"""The history written day by day as it would have been lived: the closes of a day, then the night that learns."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from django.db import connection

from alphapulse_site.models import MarketClock
from ingestion.partitions import ensure_partitions
from learning import services
from learning.calendar import jobs_between
from learning.selectors import in_force
from learning.versions import ensure_birth
from signals.rows import to_ms
from tests.benchmarks.big_history.decisions import Day, Market, Versions, as_time, closes, part, tracked
from tests.benchmarks.big_history.drawing import Leans, drawn_leans, symbol_names, walked
from tests.benchmarks.big_history.storing import store
from tests.benchmarks.big_history.surroundings import fill_surroundings

FIRST_DAY = datetime(2026, 1, 1, tzinfo=UTC)
CLOSES_A_DAY = 96
SEED = 20260101
Say = Callable[[str], None]


@dataclass(frozen=True)
class Size:
    """How long a history: scans of so many symbols, leans among them, and how many of the last nights are learned."""

    scans: int = 1_000_000
    shadows: int = 200_000
    signals: int = 5_000
    symbols: int = 100
    nights: int = 60
    candle_days: int = 30

    @property
    def closes(self) -> int:
        return self.scans // self.symbols

    @property
    def until(self) -> datetime:
        """The last close."""
        return FIRST_DAY + timedelta(minutes=15) * self.closes


def fill(size: Size, say: Say) -> None:
    """Write the whole history into an empty, migrated database."""
    draw = np.random.default_rng(SEED)
    prices = walked(size.closes, size.symbols, draw)
    leans = drawn_leans(prices, shadows=size.shadows, signals=size.signals, draw=draw)
    market = Market(np.array(symbol_names(size.symbols)), prices, as_time(FIRST_DAY))
    say(f"{size.closes:,} closes of {size.symbols} symbols from {FIRST_DAY:%Y-%m-%d} to {size.until:%Y-%m-%d %H:%M}")
    ensure_birth()
    MarketClock.objects.update_or_create(
        pk=MarketClock.ONLY_ROW, defaults={"mode": MarketClock.Mode.RECORDING, "speed": 60.0}
    )
    ensure_partitions("scan_history", FIRST_DAY, size.until + timedelta(days=1))
    for first in range(0, size.closes, CLOSES_A_DAY):
        _live_a_day(size, market, leans, np.arange(first, min(first + CLOSES_A_DAY, size.closes)), say)
    fill_surroundings(size, market, draw)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def _live_a_day(size: Size, market: Market, leans: Leans, rows: np.ndarray, say: Say) -> None:
    began = FIRST_DAY + timedelta(minutes=15) * int(rows[0])
    ended = FIRST_DAY + timedelta(minutes=15) * int(rows[-1] + 1)
    first, last = np.searchsorted(leans.row, [rows[0], rows[-1] + 1])
    draw = np.random.default_rng([SEED, int(rows[0])])
    day = Day(market, leans.rows(slice(first, last)), _versions(began + timedelta(minutes=15)), rows, draw)
    _store_day(day, as_time(size.until))
    MarketClock.objects.update(closed_until=ended, exchange_until=ended)
    learned = [job for job in jobs_between(to_ms(began) + 1, to_ms(ended)) if _is_late(size, job.cut_off_ms)]
    for job in learned:
        run = services.run_job(job)
        say(f"{job.job} {job.period}: {run.status if run else 'not run'}")


def _is_late(size: Size, cut_off_ms: int) -> bool:
    return cut_off_ms > to_ms(size.until - timedelta(days=size.nights))


def _versions(close: datetime) -> Versions:
    found = [in_force(state_type, close) for state_type in ("head_weights", "thresholds", "calibration")]
    return Versions(*(state.version if state else 1 for state in found))


def _store_day(day: Day, until: np.datetime64) -> None:
    silent, leaning, shared = day.scans()
    store("scan_history", silent)
    store("scan_history", leaning)
    store("scan_closes", closes(day))
    rows = tracked(day.market, day.leans, shared, until)
    store("signals", part(rows, day.leans.is_signal))
    refused = ~day.leans.is_signal
    store("rejected_signals", part({**rows, "rejection": shared["rejection"]}, refused))
