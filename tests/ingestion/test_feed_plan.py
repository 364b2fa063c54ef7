"""Pages cover every hole, and checks are counted moment by moment."""

from hypothesis import given
from hypothesis import strategies as st

from ingestion.feed_plan import OpenGap, Span, pages, recounted
from ingestion.feeds import BESIDE_A_PAGE, FIVE_MINUTES_MS, FUNDING, HOUR_MS, OPEN_INTEREST, SOURCES

FIVE = FIVE_MINUTES_MS
INTEREST = SOURCES[OPEN_INTEREST]


@st.composite
def holes(draw: st.DrawFn, longest: int = 700) -> list[Span]:
    """Ascending spans on the five-minute grid that do not touch."""
    found, at = [], 0
    for _ in range(draw(st.integers(0, 5))):
        start = at + draw(st.integers(1, 600))
        at = start + draw(st.integers(1, longest))
        found.append((start * FIVE, at * FIVE))
    return found


def moments(spans: list[Span]) -> set[int]:
    return {moment for start, end in spans for moment in range(start, end, FIVE)}


@given(holes())
def test_pages_hold_every_missing_moment_and_no_more_than_the_exchange_sends(missing: list[Span]) -> None:
    found = pages(INTEREST, missing)

    assert moments(missing) <= moments(found)
    assert all(INTEREST.rows_in(*page) <= INTEREST.page for page in found)
    assert found == sorted(found, reverse=True)
    assert sum(end - start for start, end in found) == len(moments(found)) * FIVE


def test_holes_near_each_other_are_asked_for_at_once() -> None:
    assert pages(INTEREST, [(FIVE, 2 * FIVE), (100 * FIVE, 101 * FIVE)]) == [(FIVE, 101 * FIVE)]


def test_a_request_for_one_moment_leaves_room_for_its_neighbours() -> None:
    assert INTEREST.rows_in(0, FIVE) == 1 + BESIDE_A_PAGE


def gap(start: int, end: int, checks: int, first_seen: int = 5, *, refused: bool = False) -> OpenGap:
    return OpenGap(start, end, checks, first_seen, refused)


def test_only_what_was_asked_for_is_counted() -> None:
    found = recounted([(0, 100)], [gap(0, 100, 1)], now_ms=9, asked=(40, 60))

    assert found == [gap(0, 40, 1), gap(40, 60, 2), gap(60, 100, 1)]


def test_a_gap_that_grows_is_counted_from_when_it_grew() -> None:
    assert recounted([(0, 30)], [gap(0, 20, 2)], now_ms=9, asked=(0, 40)) == [gap(0, 20, 3), gap(20, 30, 1, 9)]


def test_a_gap_that_grows_while_nobody_answers_stays_one() -> None:
    assert recounted([(0, 30)], [gap(0, 20, 0)], now_ms=9) == [gap(0, 30, 0)]


def test_what_was_filled_is_gone_and_the_rest_keeps_its_count() -> None:
    assert recounted([(0, 10), (20, 30)], [gap(0, 30, 1)], now_ms=9) == [gap(0, 10, 1), gap(20, 30, 1)]


def test_moments_of_refused_rows_are_gaps_of_their_own() -> None:
    found = recounted([(0, 30)], [], now_ms=9, asked=(0, 30), refused=[(10, 20)])

    assert found == [gap(0, 10, 1, 9), gap(10, 20, 1, 9, refused=True), gap(20, 30, 1, 9)]


@given(missing=holes(40), asked=st.tuples(st.integers(0, 600), st.integers(1, 900)), data=st.data())
def test_counting_changes_no_moment(missing: list[Span], asked: Span, data: st.DataObject) -> None:
    known = recounted(data.draw(holes(40)), [], now_ms=1, asked=(0, 500 * FIVE))
    span = (asked[0] * FIVE, (asked[0] + asked[1]) * FIVE)

    found = recounted(missing, known, now_ms=2, asked=span)

    assert moments([(each.start_ms, each.end_ms) for each in found]) == moments(missing)
    for each in found:
        for moment in range(each.start_ms, each.end_ms, FIVE):
            before = [old.checks for old in known if old.start_ms <= moment < old.end_ms]
            assert each.checks == sum(before) + (span[0] <= moment < span[1])


def test_a_feed_is_due_once_for_each_reading_and_not_before_it_is_out() -> None:
    minute = HOUR_MS // 60

    assert INTEREST.is_due(None, 0)
    assert not INTEREST.is_due(asked_ms=HOUR_MS + minute, now_ms=HOUR_MS + 6 * minute - 1)
    assert INTEREST.is_due(asked_ms=HOUR_MS + minute, now_ms=HOUR_MS + 6 * minute)
    assert not INTEREST.is_due(asked_ms=HOUR_MS + 6 * minute, now_ms=HOUR_MS + 6 * minute)
    assert SOURCES[FUNDING].is_due(asked_ms=HOUR_MS, now_ms=HOUR_MS + 5 * minute)
    assert not SOURCES[FUNDING].is_due(asked_ms=HOUR_MS + 5 * minute, now_ms=2 * HOUR_MS + 4 * minute)
