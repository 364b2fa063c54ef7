"""Kept bars say what the minutes say, bit for bit, whatever happens to the minutes."""

from threading import Thread

import numpy as np
import pytest
from django.db import connection, transaction

from ingestion.bars import forget_old, load_bars
from ingestion.candles import load_many, store_candles, to_datetime
from ingestion.models import Bar, Candle, CandleSource
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles, resample
from tests.ingestion.market import MARCH_24, made_candles

HOUR = 60 * MINUTE_MS
NAMES = ["BTCUSDT", "ETHUSDT"]
END = MARCH_24 + 12 * HOUR
SPANS = {
    TIMEFRAMES["1m"]: (END - 2 * HOUR, END),
    TIMEFRAMES["5m"]: (END - 6 * HOUR, END),
    TIMEFRAMES["1h"]: (MARCH_24, END),
    TIMEFRAMES["4h"]: (MARCH_24, END),
}


def store(name: str, *, without: tuple[int, ...] = (), seed: int = 7) -> None:
    candles = made_candles(count=12 * 60, without=without, seed=seed, full=name == "BTCUSDT")
    store_candles({name: candles}, source=CandleSource.STREAM)


def agree() -> None:
    """What is loaded equals what the stored minutes give, to the bit."""
    found, minutes = load_bars(NAMES, SPANS), load_many(NAMES, MARCH_24, END)
    for name in NAMES:
        for frame, span in SPANS.items():
            expected = resample(minutes[name].between(*span), frame)
            for column in Candles.__dataclass_fields__:
                ours, theirs = getattr(found[name][frame.name], column), getattr(expected, column)
                assert np.array_equal(ours.view(np.int64), theirs.view(np.int64)), (name, frame.name, column)


def corrected(minute: int) -> None:
    """The exchange says another volume of a minute than it streamed."""
    candles = made_candles(count=12 * 60).rows(slice(minute, minute + 1))
    candles.volume[:] *= 3
    assert store_candles({"BTCUSDT": candles}, source=CandleSource.REST).replaced == 1


@pytest.mark.django_db
def test_bars_are_the_same_when_they_are_made_and_when_they_were_kept() -> None:
    store("BTCUSDT")
    store("ETHUSDT", without=(200, 700), seed=8)

    agree()
    kept = Bar.objects.count()
    agree()

    # Of ETHUSDT the bars around two minutes are not full.
    assert kept == Bar.objects.count() == 2 * (72 + 12 + 3) - (1 + 2 + 2)


@pytest.mark.django_db
def test_a_bar_that_lacks_a_minute_becomes_full_when_that_comes() -> None:
    store("BTCUSDT", without=(100, 719))
    agree()

    store("BTCUSDT")

    agree()
    assert Bar.objects.filter(timeframe="4h").count() == 3


@pytest.mark.django_db
def test_around_a_corrected_minute_bars_are_made_anew() -> None:
    store("BTCUSDT")
    agree()

    corrected(719)

    assert not Bar.objects.filter(open_time=to_datetime(END - HOUR), timeframe="1h").exists()
    agree()


@pytest.mark.django_db
def test_a_deleted_minute_is_in_no_bar_any_more() -> None:
    store("BTCUSDT")
    agree()

    Candle.objects.filter(open_time=to_datetime(END - 7 * MINUTE_MS)).delete()

    agree()


@pytest.mark.django_db(transaction=True)
def test_a_correction_waits_for_bars_that_are_being_made_of_what_it_corrects() -> None:
    store("BTCUSDT")

    def correct() -> None:
        corrected(719)
        connection.close()

    correcting = Thread(target=correct)
    with transaction.atomic():
        load_bars(NAMES, SPANS)
        correcting.start()
        correcting.join(1.0)
    correcting.join(60.0)

    assert not correcting.is_alive()
    agree()


@pytest.mark.django_db
def test_bars_that_no_scan_reads_are_forgotten() -> None:
    store("BTCUSDT")
    agree()

    assert forget_old(to_datetime(END - HOUR)) == 60 + 11 + 3
    assert Bar.objects.count() == 12 + 1
    agree()
