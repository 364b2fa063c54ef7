"""Holes are found on the clock grid, filled if the recording has the candles, else explained."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.conf import settings as django_settings
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import Heartbeat, MarketClock
from ingestion.candles import load_candles, store_candles, to_datetime
from ingestion.gaps import GapCheck, check_gaps, forget_filled_gaps, note_filling, record_explanations
from ingestion.holes import Explanation, Hole, split_by_reason
from ingestion.importing import list_symbol
from ingestion.models import BackfillRun, Candle, CandleGap, CandleSource, Symbol
from ingestion.selectors import candle_coverage, known_until, unexplained_gaps, unexplained_minutes
from ingestion.tasks import check_gaps as check_gaps_task
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.market import MARCH_24, csv_rows, made_candles, write_csv

OUTAGE, NO_CANDLE, REFUSED = (
    CandleGap.Reason.EXCHANGE_OUTAGE,
    CandleGap.Reason.SOURCE_HAS_NO_CANDLE,
    CandleGap.Reason.ROW_QUARANTINED,
)

NOW = datetime(2023, 4, 1, tzinfo=UTC)


def at(minute: int) -> int:
    return MARCH_24 + minute * MINUTE_MS


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
                first_seen=NOW,
                last_checked=NOW,
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


def test_a_gap_is_forgotten_only_when_every_minute_has_its_candle(bitcoin: None) -> None:
    explain("BTCUSDT", 10, 13)
    store_candles({"BTCUSDT": made_candles(count=12, without=range(10))}, source=CandleSource.REST)
    assert forget_filled_gaps(["BTCUSDT"]) == 0

    store_candles({"BTCUSDT": made_candles(count=13, without=range(12))}, source=CandleSource.REST)
    assert forget_filled_gaps(["BTCUSDT"]) == 1


# --- checked ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, db: None) -> Path:
    """A recording of two symbols as the market, its clock at minute 60; nothing of it is stored yet."""
    write_csv(tmp_path / "BTCUSDT-1m.csv", csv_rows(made_candles(count=100, without=[20, 21, 40])))
    write_csv(tmp_path / "ETHUSDT-1m.csv", csv_rows(made_candles(count=100, without=[20, 21], seed=1)))
    monkeypatch.setattr(django_settings, "ALPHAPULSE_RECORDING", tmp_path)
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(to_datetime(at(60)))
    for name in ("BTCUSDT", "ETHUSDT"):
        list_symbol(name, to_datetime(at(0)))
    return tmp_path


def test_a_check_fills_what_the_recording_has_and_explains_the_rest(recording: Path) -> None:
    assert check_gaps() == GapCheck(filled=57 + 58, explained=5, open=0)

    assert (
        load_candles("BTCUSDT", 0, at(1000)).close.tobytes()
        == made_candles(count=60, without=[20, 21, 40]).close.tobytes()
    )
    gaps = CandleGap.objects.order_by("symbol", "start")
    assert [(gap.symbol, gap.start.minute, gap.end.minute, gap.reason) for gap in gaps] == [
        ("BTCUSDT", 20, 22, OUTAGE),
        ("BTCUSDT", 40, 41, NO_CANDLE),
        ("ETHUSDT", 20, 22, OUTAGE),
    ]
    assert sorted(BackfillRun.objects.values_list("symbol", "status", "candles")) == [
        ("BTCUSDT", "done", 57),
        ("ETHUSDT", "done", 58),
    ]


def test_a_second_check_has_nothing_to_do(recording: Path) -> None:
    check_gaps()

    assert check_gaps() == GapCheck()
    assert set(Symbol.objects.values_list("complete_until", flat=True)) == {to_datetime(at(60))}


def test_a_check_does_not_look_past_the_market_clock(recording: Path) -> None:
    check_gaps()

    assert Candle.objects.order_by("-open_time")[0].open_time == to_datetime(at(59))


def test_older_history_that_comes_in_later_is_checked_too(recording: Path) -> None:
    check_gaps()
    list_symbol("BTCUSDT", to_datetime(at(-10)))

    assert check_gaps() == GapCheck(explained=10)


def test_without_a_recording_a_hole_stays_as_being_filled(bitcoin: None) -> None:
    Symbol.objects.update(delisted_at=to_datetime(at(30)))

    assert check_gaps() == GapCheck(open=4)

    assert set(CandleGap.objects.values_list("status", "checks")) == {("filling", 1)}
    assert Symbol.objects.get().complete_until == to_datetime(at(10))
    assert check_gaps() == GapCheck(open=4)


def test_the_task_leaves_a_sign_of_life_with_its_figures(recording: Path) -> None:
    check_gaps_task()

    assert Heartbeat.objects.get(name="gap_backfill").figures == {"filled": 115, "explained": 5, "open": 0}


def test_before_any_history_a_check_has_nothing_to_look_at(db: None) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)

    assert check_gaps() == GapCheck()
