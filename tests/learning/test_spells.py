"""Which state of the candles a close saw: spells of closes against the definition, close by close."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.revisions import Change, Delisting, undone
from ingestion.timeframes import FIGURES, MINUTE_MS
from learning.spells import DOUBT, Close, Event, Gone, may_have_missed, span_of, spells
from tests.signals.market import START_MS, random_walk

NOW = datetime(2021, 6, 11, tzinfo=UTC)
SYMBOLS = ("ADAUSDT", "BTCUSDT")
LOOK_BACK_MS = 90 * MINUTE_MS


def close_at(number: int, waited: int, took: int, symbols: tuple[str, ...]) -> Close:
    tried = NOW + timedelta(minutes=15 * number, seconds=waited)
    return Close(START_MS + 15 * number * MINUTE_MS, tried, tried + timedelta(seconds=took), symbols)


CLOSES = st.lists(
    st.tuples(st.integers(0, 300), st.integers(0, 500), st.sampled_from([SYMBOLS, SYMBOLS[:1]])), min_size=1, max_size=9
).map(lambda drawn: [close_at(number, *each) for number, each in enumerate(drawn)])
SECONDS = st.integers(-100, 9000).map(lambda seconds: timedelta(seconds=seconds))


@st.composite
def changes(draw: st.DrawFn) -> Event:
    symbol, start = draw(st.sampled_from(SYMBOLS)), START_MS + draw(st.integers(-100, 140)) * MINUTE_MS
    noted = NOW + draw(SECONDS)
    if draw(st.booleans()):
        return Gone(symbol, Delisting(start, noted))
    length, lasted = draw(st.integers(1, 60)), timedelta(seconds=draw(st.integers(0, 900)))
    return Change(symbol, start, start + length * MINUTE_MS, noted, noted + lasted)


def state_of(close: Close, event: Event) -> str:
    begins, ends, noted_from, noted_by = span_of(event)
    assert noted_from is not None
    assert noted_by is not None
    if close.close_ms <= begins or (ends is not None and close.close_ms >= ends + LOOK_BACK_MS):
        return "not concerned"
    if close.decided_at < noted_from - DOUBT:
        return "later"
    return "seen" if close.tried_at >= noted_by + DOUBT else "meanwhile"


@given(closes=CLOSES, events=st.lists(changes(), max_size=6))
def test_every_close_of_a_spell_saw_what_the_definition_says(closes: list[Close], events: list[Event]) -> None:
    found = spells(closes, events, LOOK_BACK_MS)

    assert [place for spell in found for place in range(spell.first, spell.last)] == list(range(len(closes)))
    for spell in found:
        for close in closes[spell.first : spell.last]:
            assert spell.symbols == close.symbols
            assert list(spell.later) == [event for event in events if state_of(close, event) == "later"]
            assert list(spell.meanwhile) == [event for event in events if state_of(close, event) == "meanwhile"]


@given(closes=CLOSES, start=st.integers(-100, 140), noted=SECONDS)
def test_what_nobody_can_have_missed_is_in_no_spell(closes: list[Close], start: int, noted: timedelta) -> None:
    begins_ms = START_MS + start * MINUTE_MS
    change = Change(SYMBOLS[0], begins_ms, begins_ms + MINUTE_MS, NOW + noted, NOW + noted)

    missed = may_have_missed(closes, begins_ms, NOW + noted)

    concerned = any(spell.later or spell.meanwhile for spell in spells(closes, [change], 10**12))
    assert missed == concerned


def test_without_events_there_is_one_spell() -> None:
    closes = [close_at(number, 0, 1, SYMBOLS) for number in range(50)]

    (spell,) = spells(closes, [], LOOK_BACK_MS)

    assert (spell.first, spell.last, spell.unseen()) == (0, 50, [()])


def test_what_was_in_doubt_is_asked_with_all_of_it_first_and_none_last() -> None:
    closes = [close_at(0, 0, 1, SYMBOLS)]
    events = [
        Change("BTCUSDT", START_MS - MINUTE_MS, START_MS, NOW + timedelta(seconds=second), NOW) for second in (1, 2)
    ]

    (spell,) = spells(closes, events, LOOK_BACK_MS)

    assert spell.unseen() == [(), (events[1],), tuple(events)]


# --- undone -----------------------------------------------------------------------------------------------------------


def test_changes_are_undone_back_to_what_stood_there_first() -> None:
    stored = random_walk(10, seed=1)
    minute = START_MS + 4 * MINUTE_MS
    says = [tuple(float(number) for _ in FIGURES) for number in (1, 2)]
    corrections = [
        Change("BTCUSDT", minute, minute + MINUTE_MS, NOW + timedelta(hours=number), NOW, says[number])
        for number in (0, 1)
    ]
    fill = Change("BTCUSDT", START_MS, START_MS + 2 * MINUTE_MS, NOW, NOW)

    both = undone({"BTCUSDT": stored}, corrections)["BTCUSDT"]
    last = undone({"BTCUSDT": stored}, corrections[1:])["BTCUSDT"]
    without = undone({"BTCUSDT": stored}, [fill])["BTCUSDT"]

    assert (both.close[4], last.close[4]) == (1.0, 2.0)
    assert without.open_ms.tolist() == stored.open_ms[2:].tolist()
    assert np.array_equal(without.close, stored.close[2:])


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT"])
def test_undoing_leaves_what_is_stored_as_it_is(symbol: str) -> None:
    stored = random_walk(10, seed=1)
    before = stored.close.copy()

    undone({"BTCUSDT": stored}, [Change(symbol, START_MS, START_MS + MINUTE_MS, NOW, NOW, (7.0,) * len(FIGURES))])

    assert np.array_equal(stored.close, before)
