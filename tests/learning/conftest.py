"""A small system that has lived: a week of history bootstrapped, seven hours over a midnight lived close by close."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django.plugin import DjangoDbBlocker

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import store_candles
from ingestion.csv_format import load_recording, read_candle_file
from ingestion.importing import import_files
from ingestion.models import CandleSource
from ingestion.timeframes import TIMEFRAMES, Candles
from learning import selectors, services
from learning.bootstrap import Bootstrapped, bootstrap, given_by
from learning.walk import Given
from signals import services as scans
from signals.derivatives import READ_BACK
from signals.mood_feed import EXTERNAL
from signals.rows import to_ms, to_time
from signals.windows import all_readings
from tests.learning.made_up_feeds import made_up_feeds, store_feeds

RECORDING = Path(__file__).resolve().parents[2] / "ingestion" / "recordings" / "2021-06-10_2021-07-10"
SYMBOLS = ("AAVEUSDT", "ADAUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT")
HISTORY_END = datetime(2021, 6, 17, 19, tzinfo=UTC)
LIVED_UNTIL = datetime(2021, 6, 18, 2, tzinfo=UTC)
QUARTER = TIMEFRAMES["15m"].ms


@dataclass(frozen=True)
class Lived:
    """What the small system was made from and did."""

    minutes: dict[str, Candles]
    bootstrapped: Bootstrapped

    @property
    def given(self) -> Given:
        """The feeds that arrived."""
        return given_by(all_readings((*READ_BACK, EXTERNAL)))


def live_one_close(close_ms: int, minutes: dict[str, Candles]) -> None:
    """A quarter of an hour of candles, then what the tasks do: jobs that are due, look, decide, jobs again."""
    quarter = {symbol: candles.between(close_ms - QUARTER, close_ms) for symbol, candles in minutes.items()}
    store_candles(quarter, source=CandleSource.STREAM)
    store_feeds(row for row in made_up_feeds() if close_ms - QUARTER < to_ms(row.available_at) <= close_ms)
    advance_market_clock(to_time(close_ms))
    services.run_due_jobs()
    assert scans.next_due_close() == to_time(close_ms)
    decide(to_time(close_ms))


def decide(close: datetime) -> None:
    """Look, decide, and the jobs that are due after it."""
    version = selectors.version_for(close, tried_since=scans.first_try(close=close))
    assert version is not None, f"no version for {close}"
    for chunk in scans.open_close(close=close, version=version):
        scans.look_chunk(close=close, chunk=chunk, version=selectors.version_of(scans.opened(close=close)))
    scans.decide_close(close=close, version=selectors.version_of(scans.opened(close=close)))
    services.run_due_jobs()


def import_history(until: datetime) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=60.0, detail="test")
    files = [read_candle_file(RECORDING / f"{symbol}-1m.csv.gz") for symbol in SYMBOLS]
    import_files(files, until_ms=to_ms(until))
    advance_market_clock(until)


@pytest.fixture(scope="module")
def lived(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Lived]:
    """Made once a module and wiped after it: it takes some seconds."""
    with django_db_blocker.unblock():
        minutes = load_recording(RECORDING, SYMBOLS, end=to_ms(LIVED_UNTIL))
        import_history(HISTORY_END)
        store_feeds(row for row in made_up_feeds() if row.available_at <= HISTORY_END)
        made = bootstrap()
        for close_ms in range(to_ms(HISTORY_END) + QUARTER, to_ms(LIVED_UNTIL) + 1, QUARTER):
            live_one_close(close_ms, minutes)
        yield Lived(minutes, made)
        call_command("flush", interactive=False, verbosity=0)
