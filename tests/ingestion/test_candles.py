"""Candles in PostgreSQL: what goes in comes out, and what is no candle stays out, whoever tries."""

from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, connection, transaction

from ingestion.candles import (
    ROWS_PER_COPY,
    StoreReport,
    load_candles,
    load_many,
    store_candles,
    to_datetime,
    to_ms,
)
from ingestion.models import Candle, CandleSource
from ingestion.selectors import candle_storage
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.market import MARCH_24, made_candles

IMPORT, STREAM, REST, ARCHIVE = CandleSource.IMPORT, CandleSource.STREAM, CandleSource.REST, CandleSource.ARCHIVE
FOREVER = 4 * 10**12


def assert_same(left: Candles, right: Candles) -> None:
    for field in fields(Candles):
        assert getattr(left, field.name).tobytes() == getattr(right, field.name).tobytes(), field.name


@pytest.mark.parametrize("full", [True, False])
def test_what_is_loaded_is_what_was_stored_to_the_last_bit(db: None, full: bool) -> None:
    candles = made_candles(count=3000, without=[5, 6, 1440], full=full)

    report = store_candles({"BTCUSDT": candles}, source=IMPORT)

    assert report == StoreReport(inserted=2997)
    assert_same(load_candles("BTCUSDT", 0, FOREVER), candles)


def test_prices_at_the_edges_of_a_double_survive(db: None) -> None:
    edges = np.array([5e-324, 2.2250738585072014e-308, 0.1 + 0.2, 1.7976931348623157e308])
    candles = made_candles(count=4)
    candles = replace(candles, open=edges, high=edges, low=edges, close=edges, volume=np.array([0, 5e-324, 1, 1e308]))

    store_candles({"BTCUSDT": candles}, source=IMPORT)

    assert_same(load_candles("BTCUSDT", 0, FOREVER), candles)


def test_the_window_holds_its_start_and_not_its_end(db: None) -> None:
    store_candles({"BTCUSDT": made_candles(count=10)}, source=IMPORT)

    window = load_candles("BTCUSDT", MARCH_24 + 2 * MINUTE_MS, MARCH_24 + 5 * MINUTE_MS)

    assert ((window.open_ms - MARCH_24) // MINUTE_MS).tolist() == [2, 3, 4]


def test_many_symbols_come_each_with_its_own_candles(db: None) -> None:
    stored = {name: made_candles(count=200 + i, seed=i) for i, name in enumerate(("ETHUSDT", "BTCUSDT", "ADAUSDT"))}
    store_candles(stored, source=IMPORT)

    loaded = load_many(["BTCUSDT", "NONEUSDT", "ETHUSDT", "BTCUSDT", "ADAUSDT"], 0, FOREVER)

    assert list(loaded) == ["BTCUSDT", "NONEUSDT", "ETHUSDT", "ADAUSDT"]
    assert len(loaded.pop("NONEUSDT")) == 0
    for name, candles in loaded.items():
        assert_same(candles, stored[name])


def test_the_row_reads_like_the_candle(db: None) -> None:
    candles = made_candles(count=1)
    store_candles({"BTCUSDT": candles}, source=STREAM)

    row = Candle.objects.get(pk=("BTCUSDT", to_datetime(MARCH_24)))

    assert to_ms(row.close_time) == MARCH_24 + MINUTE_MS - 1
    assert (row.close, row.trades, row.source) == (candles.close[0], int(candles.trades[0]), "stream")


def test_storing_twice_changes_nothing(db: None) -> None:
    candles = {"BTCUSDT": made_candles(count=50), "ETHUSDT": made_candles(count=50, seed=1)}
    store_candles(candles, source=IMPORT)

    assert store_candles(candles, source=IMPORT) == StoreReport(unchanged=100)


def test_more_than_one_copy_of_rows_is_stored_in_one_go(db: None) -> None:
    candles = {"BTCUSDT": made_candles(count=ROWS_PER_COPY + 7), "ETHUSDT": made_candles(count=5)}

    report = store_candles(candles, source=IMPORT)

    assert report == StoreReport(inserted=ROWS_PER_COPY + 12)
    assert_same(load_candles("BTCUSDT", 0, FOREVER), candles["BTCUSDT"])


@pytest.mark.parametrize(
    ("first", "second", "is_corrected"),
    [
        (IMPORT, IMPORT, False),
        (STREAM, STREAM, False),
        (STREAM, IMPORT, False),
        (ARCHIVE, REST, False),
        (IMPORT, STREAM, True),
        (STREAM, REST, True),
        (REST, ARCHIVE, True),
    ],
)
def test_a_restated_candle_counts_only_from_a_higher_source(
    db: None, first: CandleSource, second: CandleSource, is_corrected: bool
) -> None:
    before = made_candles(count=10)
    after = replace(before, volume=np.where(np.arange(10) == 4, 99.0, before.volume))
    store_candles({"BTCUSDT": before}, source=first)

    report = store_candles({"BTCUSDT": after}, source=second)

    kept = int(not is_corrected)
    assert report == StoreReport(replaced=1 - kept, unchanged=9 + kept, disagreeing=kept)
    assert_same(load_candles("BTCUSDT", 0, FOREVER), after if is_corrected else before)
    assert Candle.objects.filter(source=second.value).exclude(source=first.value).count() == is_corrected


def test_a_higher_source_adds_the_figures_a_lower_one_lacked(db: None) -> None:
    store_candles({"BTCUSDT": made_candles(count=10, full=False)}, source=IMPORT)

    report = store_candles({"BTCUSDT": made_candles(count=10)}, source=ARCHIVE)

    assert report == StoreReport(replaced=10)
    assert_same(load_candles("BTCUSDT", 0, FOREVER), made_candles(count=10))


def test_unsorted_candles_are_refused_before_anything_is_stored(db: None) -> None:
    candles = made_candles(count=10)
    turned = Candles(**{field.name: getattr(candles, field.name)[::-1] for field in fields(Candles)})

    with pytest.raises(ValueError, match="BTCUSDT are not ascending"):
        store_candles({"BTCUSDT": turned}, source=IMPORT)

    assert not Candle.objects.exists()


def test_a_bad_candle_takes_the_whole_call_back(db: None) -> None:
    good, bad = made_candles(count=10), made_candles(count=10, seed=1)
    bad = replace(bad, high=np.where(np.arange(10) == 3, np.nan, bad.high))

    with pytest.raises(IntegrityError), transaction.atomic():
        store_candles({"BTCUSDT": good, "ETHUSDT": bad}, source=IMPORT)

    assert not Candle.objects.exists()


SOUND: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "open_time": "2023-03-24 00:00:00+00",
    "close_time": "2023-03-24 00:00:59.999+00",
    "open": 100.0,
    "high": 110.0,
    "low": 90.0,
    "close": 105.0,
    "volume": 1.0,
    "source": "import",
}


def insert(**changes: Any) -> None:
    row = SOUND | changes
    names = ", ".join(row)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO candles ({names}) VALUES ({', '.join(['%s'] * len(row))})", list(row.values()))


@pytest.fixture
def partition(db: None) -> None:
    store_candles({"ETHUSDT": made_candles(count=1)}, source=IMPORT)


@pytest.mark.parametrize(
    "changes",
    [
        *({price: v} for price in ("open", "high", "low", "close") for v in ("NaN", "Infinity", "-Infinity", 0, -1)),
        *({"volume": value} for value in ("NaN", "Infinity", "-Infinity", -1)),
        *({name: v} for name in ("quote_volume", "taker_base", "taker_quote") for v in ("NaN", "Infinity", -1)),
        {"trades": -1},
        {"open": "NaN", "high": "NaN", "low": "NaN", "close": "NaN"},
        {"open": "Infinity", "high": "Infinity", "low": "Infinity", "close": "Infinity"},
        {"high": 104.0},
        {"low": 101.0},
        {"high": 90.0, "low": 110.0},
        {"close": None},
        {"open_time": "2023-03-24 00:00:30+00", "close_time": "2023-03-24 00:01:29.999+00"},
        {"close_time": "2023-03-24 00:59:59.999+00"},
        {"source": "rumour"},
    ],
    ids=str,
)  # fmt: skip
def test_the_database_itself_refuses_what_is_no_candle(partition: None, changes: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError):
        insert(**changes)


def test_the_database_takes_a_sound_candle_and_a_flagged_one_off_the_grid(partition: None) -> None:
    insert()
    insert(open_time="2023-03-24 00:00:30+00", close_time="2023-03-24 00:01:29.999+00", off_grid=True)

    assert Candle.objects.filter(symbol="BTCUSDT").count() == 2


def test_the_same_candle_twice_is_refused_by_its_key(partition: None) -> None:
    insert()

    with pytest.raises(IntegrityError, match="duplicate key"):
        insert()


def test_the_table_says_how_it_is_stored(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('candles')")
        is_partitioned = cursor.fetchone()[0]

    assert candle_storage() == ("native_partitions" if is_partitioned else "timescaledb")


@pytest.mark.parametrize("moment_ms", [0, 1, MARCH_24 + 1, 1_735_689_599_999, -1])
def test_times_convert_without_a_float_on_the_way(moment_ms: int) -> None:
    assert to_ms(to_datetime(moment_ms)) == moment_ms
