"""A recording as a market: its first part imported as history. What the stream makes of the rest: test_stream.py."""

from dataclasses import fields
from pathlib import Path

import pytest
from django.conf import settings as django_settings

from alphapulse_site.clock import advance_market_clock, market_now, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import load_candles, to_datetime
from ingestion.csv_format import CandleFileError, read_candle_file
from ingestion.recording import history_span, import_history
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.market import DATA, MARCH_24, csv_rows, made_candles, write_csv

# Six hours to midnight, two hours after it; ADAUSDT is listed after the history.
START, CUT = MARCH_24 - 360 * MINUTE_MS, MARCH_24
BITCOIN = made_candles(count=480, start_ms=START, without=[10, 360 + 20, 360 + 30])
ETHER = made_candles(count=481, start_ms=START, without=[360 + 20], seed=1)
ADA = made_candles(count=60, start_ms=CUT + 60 * MINUTE_MS, seed=2)
END = CUT + 121 * MINUTE_MS


def assert_same(left: Candles, right: Candles) -> None:
    for field in fields(Candles):
        assert getattr(left, field.name).tobytes() == getattr(right, field.name).tobytes(), field.name


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    for name, candles in (("BTCUSDT", BITCOIN), ("ETHUSDT", ETHER), ("ADAUSDT", ADA)):
        write_csv(tmp_path / f"{name}-1m.csv", csv_rows(candles))
    return tmp_path


@pytest.fixture
def market(recording: Path, db: None) -> Path:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    import_history(recording)
    return recording


def test_history_is_three_quarters_of_the_span_down_to_a_midnight(market: Path) -> None:
    assert market_now() == to_datetime(CUT)
    assert_same(load_candles("BTCUSDT", 0, END), BITCOIN.between(0, CUT))
    assert_same(load_candles("ETHUSDT", 0, END), ETHER.between(0, CUT))
    assert unexplained_gaps(["BTCUSDT", "ETHUSDT", "ADAUSDT"], 0, CUT) == []


def test_the_figures_say_what_came_in(recording: Path, db: None) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)

    figures = import_history(recording)

    assert {name: figures[name] for name in ("inserted", "unchanged", "files", "symbols", "start", "end")} == {
        "inserted": 719,
        "unchanged": 0,
        "files": 3,
        "symbols": 3,
        "start": "2023-03-23T18:00:00+00:00",
        "end": "2023-03-24T00:00:00+00:00",
    }
    assert figures["explained_minutes"] == 1


def test_a_second_import_of_the_history_does_not_turn_the_clock_back(market: Path) -> None:
    advance_market_clock(to_datetime(CUT + 5 * MINUTE_MS))

    figures = import_history(market)

    assert (figures["inserted"], figures["unchanged"]) == (0, 719)
    assert market_now() == to_datetime(CUT + 5 * MINUTE_MS)


def test_the_shipped_recording_has_three_weeks_of_history() -> None:
    shipped = django_settings.BASE_DIR / "ingestion" / "recordings" / "2021-06-10_2021-07-10"

    start_ms, end_ms = history_span([read_candle_file(path) for path in sorted(shipped.glob("B*.csv.gz"))])

    assert (start_ms, end_ms) == (1_623_332_160_000, 1_625_270_400_000)  # 10 June 13:36, 3 July 00:00


def test_a_recording_without_a_midnight_is_refused(db: None) -> None:
    with pytest.raises(CandleFileError, match="too short to play"):
        import_history(DATA / "outage_2023-03-24")
