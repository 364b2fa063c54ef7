"""What a candle said before a higher source said something else: on record, once, and nothing else is."""

from dataclasses import replace
from itertools import count, pairwise

import numpy as np
import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.candles import load_candles, store_candles, to_datetime
from ingestion.models import Candle, CandleRevision, CandleSource
from ingestion.timeframes import FIGURES, Candles
from tests.ingestion.market import MARCH_24, made_candles

IMPORT, STREAM, REST, ARCHIVE = CandleSource.IMPORT, CandleSource.STREAM, CandleSource.REST, CandleSource.ARCHIVE
RANK = list(CandleSource)
FOREVER = 4 * 10**12


def figures_of(candles: Candles, row: int = 0) -> list[float | None]:
    """The figures of one minute as a revision keeps them."""
    values = [float(getattr(candles, name)[row]) for name in FIGURES]
    return [None if np.isnan(value) else value for value in values]


def test_a_correction_leaves_what_stood_there_and_what_stands_there_now(db: None) -> None:
    before = made_candles(count=5, full=False)
    after = replace(made_candles(count=5), volume=before.volume * 2)
    store_candles({"BTCUSDT": before}, source=STREAM)

    store_candles({"BTCUSDT": after.between(MARCH_24, MARCH_24 + 60_000)}, source=REST)

    row = CandleRevision.objects.get()
    assert (row.symbol, row.open_time) == ("BTCUSDT", to_datetime(MARCH_24))
    assert (row.old_source, row.new_source) == ("stream", "rest")
    assert row.old_figures == figures_of(before)
    assert row.new_figures == figures_of(after)
    assert row.old_figures[-4:] == [None] * 4


def test_the_same_figures_from_a_higher_source_leave_no_revision_and_no_new_source(db: None) -> None:
    candles = {"BTCUSDT": made_candles(count=50), "ETHUSDT": made_candles(count=50, seed=2, full=False)}
    store_candles(candles, source=STREAM)

    report = store_candles(candles, source=REST)

    assert (report.replaced, report.unchanged) == (0, 100)
    assert not CandleRevision.objects.exists()
    assert not Candle.objects.exclude(source=STREAM).exists()


@pytest.mark.parametrize("first", [STREAM, REST, ARCHIVE])
def test_the_stream_replaces_nothing_that_the_exchange_has_told(db: None, first: CandleSource) -> None:
    candles = made_candles(count=5)
    store_candles({"BTCUSDT": candles}, source=first)

    store_candles({"BTCUSDT": replace(candles, volume=candles.volume * 2)}, source=STREAM)

    assert not CandleRevision.objects.exists()
    assert load_candles("BTCUSDT", 0, FOREVER).volume.tolist() == candles.volume.tolist()


def test_figures_that_were_unknown_come_in_with_a_revision(db: None) -> None:
    store_candles({"BTCUSDT": made_candles(count=3, full=False)}, source=STREAM)

    store_candles({"BTCUSDT": made_candles(count=3)}, source=REST)

    assert Candle.objects.filter(source=REST, trades__isnull=False).count() == 3
    assert [row.old_figures[:5] == row.new_figures[:5] for row in CandleRevision.objects.all()] == [True] * 3


def test_what_is_rolled_back_leaves_no_revision(db: None) -> None:
    candles = made_candles(count=3)
    store_candles({"BTCUSDT": candles}, source=STREAM)

    with transaction.atomic():
        store_candles({"BTCUSDT": replace(candles, volume=candles.volume * 2)}, source=REST)
        transaction.set_rollback(True)

    assert not CandleRevision.objects.exists()
    assert load_candles("BTCUSDT", 0, FOREVER).volume.tolist() == candles.volume.tolist()


# Another symbol for each example, since the examples of one test share the database.
NUMBERS = count()

# What each source says of the minute; two may say the same, and the lowest ones may lack figures.
COPIES = st.fixed_dictionaries({source: st.integers(0, 2) for source in RANK})
ORDERS = st.lists(st.sampled_from(RANK), min_size=1, max_size=9)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(copies=COPIES, order=ORDERS, is_full=st.booleans())
def test_whatever_the_order_the_highest_source_has_the_last_word_and_the_chain_leads_to_it(
    db: None, copies: dict[CandleSource, int], order: list[CandleSource], is_full: bool
) -> None:
    symbol = f"N{next(NUMBERS)}USDT"
    told = {source: copy_of(number, full=is_full or source is not STREAM) for source, number in copies.items()}

    for source in order:
        store_candles({symbol: told[source]}, source=source)

    last = figures_of(load_candles(symbol, 0, FOREVER))
    assert last == figures_of(told[max(order, key=RANK.index)])
    chain = list(CandleRevision.objects.filter(symbol=symbol).order_by("noted_at", "id"))
    says = [row.old_figures for row in chain] + [last]
    assert says[0] == figures_of(told[order[0]])
    assert [row.new_figures for row in chain] == says[1:]
    assert all(before != after for before, after in pairwise(says))
    assert all(RANK.index(CandleSource(row.old_source)) < RANK.index(CandleSource(row.new_source)) for row in chain)


def copy_of(number: int, *, full: bool) -> Candles:
    candles = made_candles(count=1, full=full)
    return replace(candles, volume=candles.volume + number)
