"""Holes are found on the clock grid, and kept on record as being filled or explained."""

from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from ingestion.candles import store_candles, to_datetime
from ingestion.gap_records import cut_filled_gaps, forget_filled_gaps, note_filling, record_explanations
from ingestion.holes import Explanation, Hole, split_by_reason
from ingestion.importing import list_symbol
from ingestion.models import CandleGap, CandleSource, Symbol
from ingestion.selectors import candle_coverage, known_until, unexplained_gaps, unexplained_minutes
from tests.ingestion.market import made_candles
from tests.ingestion.spot import at, gaps

OUTAGE, NO_CANDLE, REFUSED = (
    CandleGap.Reason.EXCHANGE_OUTAGE,
    CandleGap.Reason.SOURCE_HAS_NO_CANDLE,
    CandleGap.Reason.ROW_QUARANTINED,
)


def hole(symbol: str, start: int, end: int) -> Hole:
    return Hole(symbol, at(start), at(end))


def explain(symbol: str, start: int, end: int) -> None:
    record_explanations([Explanation(hole(symbol, start, end), NO_CANDLE, {})])


@pytest.fixture
def bitcoin(db: None) -> None:
    """BTCUSDT listed from minute 0, with candles up to minute 30 but for 10 to 12 and 20."""
    list_symbol("BTCUSDT", to_datetime(at(0)))
    store_candles({"BTCUSDT": made_candles(count=30, without=[10, 11, 12, 20])}, source=CandleSource.IMPORT)


# --- found ------------------------------------------------------------------------------------------------------------


def test_inner_and_trailing_holes_are_found(bitcoin: None) -> None:
    assert unexplained_gaps(["BTCUSDT"], 0, at(35)) == [
        hole("BTCUSDT", 10, 13),
        hole("BTCUSDT", 20, 21),
        hole("BTCUSDT", 30, 35),
    ]


def test_a_symbol_listed_before_its_first_candle_has_a_leading_hole(bitcoin: None) -> None:
    Symbol.objects.update(listed_at=to_datetime(at(-5)))

    assert unexplained_gaps(["BTCUSDT"], 0, at(10)) == [hole("BTCUSDT", -5, 0)]


def test_a_listed_symbol_without_any_candle_is_one_hole(db: None) -> None:
    list_symbol("ETHUSDT", to_datetime(at(3)))

    assert unexplained_gaps(["ETHUSDT"], 0, at(9)) == [hole("ETHUSDT", 3, 9)]


def test_nothing_is_expected_before_listing_after_delisting_or_of_strangers(bitcoin: None) -> None:
    Symbol.objects.update(listed_at=to_datetime(at(11)), delisted_at=to_datetime(at(32)))

    assert unexplained_gaps(["BTCUSDT", "NONEUSDT"], 0, at(50)) == [
        hole("BTCUSDT", 11, 13),
        hole("BTCUSDT", 20, 21),
        hole("BTCUSDT", 30, 32),
    ]


def test_only_the_asked_minutes_are_looked_at(bitcoin: None) -> None:
    assert unexplained_gaps(["BTCUSDT"], at(11), at(20)) == [hole("BTCUSDT", 11, 13)]
    assert unexplained_gaps(["BTCUSDT"], at(13), at(20)) == []


def test_an_explained_gap_is_no_hole_and_part_of_one_is(bitcoin: None) -> None:
    explain("BTCUSDT", 10, 12)

    assert unexplained_minutes(["BTCUSDT"], 0, at(30)) == {"BTCUSDT": 2}
    explain("BTCUSDT", 12, 13)
    assert unexplained_minutes(["BTCUSDT"], 0, at(30)) == {"BTCUSDT": 1}
    explain("BTCUSDT", 20, 21)
    assert unexplained_minutes(["BTCUSDT"], 0, at(30)) == {}


def test_a_gap_that_is_only_being_filled_is_still_a_hole(bitcoin: None) -> None:
    note_filling([hole("BTCUSDT", 10, 13)])

    assert unexplained_minutes(["BTCUSDT"], 0, at(20)) == {"BTCUSDT": 3}


def test_time_is_known_up_to_the_first_hole(bitcoin: None) -> None:
    assert known_until(["BTCUSDT", "NONEUSDT"], at(40)) == {"BTCUSDT": at(10), "NONEUSDT": 0}
    explain("BTCUSDT", 10, 13)
    assert known_until(["BTCUSDT"], at(40)) == {"BTCUSDT": at(20)}
    assert known_until(["BTCUSDT"], at(15)) == {"BTCUSDT": at(15)}


def test_coverage_names_the_first_and_last_candle(bitcoin: None) -> None:
    list_symbol("ETHUSDT", to_datetime(at(0)))

    bitcoin_coverage, ether_coverage = candle_coverage()

    assert (bitcoin_coverage.first, bitcoin_coverage.last) == (to_datetime(at(0)), to_datetime(at(29)))
    assert (ether_coverage.first, ether_coverage.last) == (None, None)


class TestAnyHoles(TestCase):
    """A test case of its own, because each example needs its own transaction."""

    @settings(max_examples=30)
    @given(
        missing=st.sets(st.integers(1, 38)),
        explained=st.dictionaries(st.integers(0, 39), st.integers(1, 9), max_size=4),
    )
    def test_holes_are_exactly_the_minutes_nobody_accounts_for(
        self, missing: set[int], explained: dict[int, int]
    ) -> None:
        """Against minutes counted one by one."""
        list_symbol("BTCUSDT", to_datetime(at(0)))
        store_candles({"BTCUSDT": made_candles(count=40, without=missing)}, source=CandleSource.IMPORT)
        for start, length in explained.items():
            CandleGap.objects.create(
                symbol="BTCUSDT",
                start=to_datetime(at(start)),
                end=to_datetime(at(start + length)),
                status=CandleGap.Status.EXPLAINED,
                reason=NO_CANDLE,
                first_seen=timezone.now(),
                last_checked=timezone.now(),
            )

        holes = unexplained_gaps(["BTCUSDT"], 0, at(45))

        accounted = {minute for start, length in explained.items() for minute in range(start, start + length)}
        expected = [minute for minute in range(45) if (minute in missing or minute >= 40) and minute not in accounted]
        assert [
            minute for minute in range(45) for each in holes if each.start_ms <= at(minute) < each.end_ms
        ] == expected


# --- explained --------------------------------------------------------------------------------------------------------


def test_minutes_that_all_expected_symbols_lack_are_an_outage() -> None:
    holes = [hole("A", 10, 14), hole("B", 12, 16), hole("C", 50, 51)]
    spans = {"A": (at(0), at(60)), "B": (at(0), at(60)), "C": (at(20), at(60))}

    found = split_by_reason(holes, spans, {"A": [at(10)]})

    assert found == [
        (hole("A", 10, 11), REFUSED),
        (hole("A", 11, 12), NO_CANDLE),
        (hole("A", 12, 14), OUTAGE),
        (hole("B", 12, 14), OUTAGE),
        (hole("B", 14, 16), NO_CANDLE),
        (hole("C", 50, 51), NO_CANDLE),
    ]


def test_one_symbol_alone_is_no_proof_of_an_outage() -> None:
    assert split_by_reason([hole("A", 1, 9)], {"A": (at(0), at(60))}) == [(hole("A", 1, 9), NO_CANDLE)]


def test_an_explanation_that_goes_on_lengthens_its_gap(bitcoin: None) -> None:
    for minute in range(30, 35):
        explain("BTCUSDT", minute, minute + 1)

    (gap,) = CandleGap.objects.all()
    assert (gap.start, gap.end, gap.checks) == (to_datetime(at(30)), to_datetime(at(35)), 5)


def test_an_explanation_takes_the_place_of_the_filling(bitcoin: None) -> None:
    note_filling([hole("BTCUSDT", 10, 13)])

    explain("BTCUSDT", 10, 13)

    (gap,) = CandleGap.objects.all()
    assert (gap.status, gap.reason) == ("explained", NO_CANDLE)


def test_looking_again_counts_and_forgets_what_is_settled(bitcoin: None) -> None:
    note_filling([hole("BTCUSDT", 10, 13), hole("BTCUSDT", 20, 21)])
    note_filling([hole("BTCUSDT", 20, 21)])

    (gap,) = CandleGap.objects.all()
    assert (gap.start, gap.status, gap.checks) == (to_datetime(at(20)), "filling", 2)


def test_noting_without_a_new_look_counts_nothing(bitcoin: None) -> None:
    note_filling([hole("BTCUSDT", 10, 13)])
    note_filling([hole("BTCUSDT", 10, 12), hole("BTCUSDT", 20, 21)], is_new_look=False)

    assert [(gap.end, gap.checks) for gap in CandleGap.objects.order_by("start")] == [
        (to_datetime(at(12)), 1),
        (to_datetime(at(21)), 1),
    ]


def test_a_gap_is_forgotten_only_when_every_minute_has_its_candle(bitcoin: None) -> None:
    explain("BTCUSDT", 10, 13)
    store_candles({"BTCUSDT": made_candles(count=12, without=range(10))}, source=CandleSource.REST)
    assert forget_filled_gaps(["BTCUSDT"]) == 0

    store_candles({"BTCUSDT": made_candles(count=13, without=range(12))}, source=CandleSource.REST)
    assert forget_filled_gaps(["BTCUSDT"]) == 1


def test_an_explained_gap_loses_the_minutes_that_have_become_candles(bitcoin: None) -> None:
    explain("BTCUSDT", 10, 13)
    explain("BTCUSDT", 20, 21)
    store_candles({"BTCUSDT": made_candles(count=12, without=range(11))}, source=CandleSource.REST)

    assert cut_filled_gaps(timezone.now() - timedelta(minutes=1)) == 1
    assert gaps() == [
        ("BTCUSDT", 10, 11, NO_CANDLE),
        ("BTCUSDT", 12, 13, NO_CANDLE),
        ("BTCUSDT", 20, 21, NO_CANDLE),
    ]
    store_candles({"BTCUSDT": made_candles(count=30)}, source=CandleSource.REST)
    assert cut_filled_gaps(timezone.now() + timedelta(minutes=1)) == 0
    assert cut_filled_gaps(timezone.now() - timedelta(minutes=1)) == 3
    assert gaps() == []
