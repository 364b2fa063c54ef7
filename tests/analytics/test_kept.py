"""Answers are kept while the records stay as they are, computed by one thread, and never kept when they failed."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier, Event
from typing import Any

import pytest
from pytest_django import Settings
from rest_framework.test import APIClient

from alphapulse_site.jobs import beat
from analytics.api.views import base
from analytics.selectors import kept, overview
from analytics.selectors.kept import SHELF, Shelf
from analytics.selectors.nights import last_night
from analytics.selectors.rejections import rejection_analysis
from analytics.selectors.scope import Scope
from analytics.selectors.signs import OUTCOME_MONITOR
from analytics.selectors.stamps import read_outcome_stamp, read_stamp
from analytics.selectors.standing import standing
from learning.by_hand import freeze
from learning.versions import ensure_birth
from signals.models import Position, VoidedDecision
from tests.analytics import rows

QUARTER = timedelta(minutes=15)


@pytest.fixture(autouse=True)
def keeping(settings: Settings) -> Iterator[None]:
    settings.ALPHAPULSE_KEPT_ANSWERS = 16
    SHELF.forget()
    yield
    SHELF.forget()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf(lambda: 2, lambda work: work())


def counter() -> Callable[[], int]:
    """Answers how often it was asked."""
    asked: list[None] = []

    def ask() -> int:
        asked.append(None)
        return len(asked)

    return ask


def test_an_answer_is_computed_once_a_stamp(shelf: Shelf) -> None:
    ask = counter()
    assert [shelf.answer("question", stamp, ask) for stamp in (1, 1, 2, 2)] == [1, 1, 2, 2]


def test_many_threads_share_one_computation(shelf: Shelf) -> None:
    """The first one in computes until all have asked; had a second one computed, the answer would be another."""
    ask, together, asked_by_all = counter(), Barrier(8), Event()

    def slow() -> int:
        asked_by_all.wait(timeout=0.3)
        return ask()

    def client(number: int) -> int:
        together.wait()
        return shelf.answer("question", 1, slow)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(client, range(8))) == {1}


def test_an_error_reaches_its_asker_and_is_not_kept(shelf: Shelf) -> None:
    with pytest.raises(ZeroDivisionError):
        shelf.answer("question", 1, lambda: 1 / 0)
    assert len(shelf) == 0
    assert shelf.answer("question", 1, lambda: 2.0) == 2.0


def test_who_waited_for_one_that_failed_computes_for_itself(shelf: Shelf) -> None:
    begun, may_fail = Event(), Event()

    def fail() -> str:
        begun.set()
        may_fail.wait(timeout=5)
        raise ValueError("the first one fails")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(shelf.answer, "question", 1, fail)
        begun.wait(timeout=5)
        second = pool.submit(shelf.answer, "question", 1, lambda: "the second one answers")
        may_fail.set()
        with pytest.raises(ValueError, match="first"):
            first.result(timeout=5)
        assert second.result(timeout=5) == "the second one answers"


def test_the_answer_asked_for_longest_ago_makes_room(shelf: Shelf) -> None:
    ask = counter()
    for question in ("first", "second", "first", "third"):
        shelf.answer(question, 1, ask)
    assert len(shelf) == 2
    assert shelf.answer("first", 1, ask) == 1
    assert shelf.answer("second", 1, ask) == 4


def test_an_answer_of_an_earlier_stamp_is_not_given_for_a_later_one(shelf: Shelf) -> None:
    """Another process may still ask under the stamp it read a moment before."""
    ask = counter()
    assert [shelf.answer("question", stamp, ask) for stamp in (2, 1, 2)] == [1, 2, 3]


@pytest.mark.django_db
def test_figures_of_records_are_computed_again_when_a_close_an_event_or_a_version_comes() -> None:
    ask = kept.kept(counter())
    rows.market_clock()
    assert (ask(), ask()) == (1, 1)

    rows.scan_close(rows.NOW - QUARTER)
    assert (ask(), ask()) == (2, 2)
    rows.event(1.0, rows.evidence(technical=0.4))
    assert (ask(), ask()) == (3, 3)
    rows.version()
    assert (ask(), ask()) == (4, 4)


@pytest.mark.django_db
def test_a_close_that_is_not_decided_yet_changes_no_figure() -> None:
    rows.market_clock()
    rows.scan_close(rows.NOW - QUARTER)
    before = read_stamp()
    rows.scan_close(rows.NOW, decided=False)
    assert read_stamp() == before
    assert before.until == rows.NOW - QUARTER


@pytest.mark.django_db
def test_before_the_first_decision_the_market_clock_is_the_stamp() -> None:
    assert rows.market_clock(rows.NOW).closed_until == read_stamp().until


@pytest.mark.django_db
def test_a_tag_is_that_of_its_stamp() -> None:
    rows.market_clock()
    before = read_stamp()
    assert before.tag == read_stamp().tag
    rows.scan_close(rows.NOW)
    assert before.until == read_stamp().until  # the same moment, decided now
    assert before.tag != read_stamp().tag


@pytest.mark.django_db
def test_other_arguments_are_another_question() -> None:
    @kept.kept
    def double(number: int, times: int = 2) -> int:
        return number * times

    assert (double(2), double(3), double(2, times=3)) == (4, 6, 6)


def test_signs_of_life_are_kept_a_short_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [10.0]
    monkeypatch.setattr(kept, "monotonic", lambda: seconds[0])
    ask = kept.kept_for(2)(counter())
    answers = []
    for seconds[0] in (10.0, 11.9, 12.0, 13.9, 14.0):
        answers.append(ask())
    assert answers == [1, 1, 2, 2, 3]


def test_nothing_is_kept_where_the_settings_say_so(settings: Settings) -> None:
    settings.ALPHAPULSE_KEPT_ANSWERS = 0
    ask = kept.kept_for(2)(counter())
    assert (ask(), ask()) == (1, 2)


def test_with_a_grace_the_answer_before_is_given_while_the_next_is_made() -> None:
    waiting: list[Callable[[], None]] = []
    shelf, ask = Shelf(lambda: 2, waiting.append), counter()

    def asked(stamp: int) -> int:
        return shelf.answer("question", stamp, ask, grace=60)

    assert [asked(1), asked(2), asked(2)] == [1, 1, 1]
    assert len(waiting) == 1
    waiting.pop()()
    assert [asked(2), asked(2)] == [2, 2]


def test_an_answer_that_is_too_old_is_not_given_again(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr(kept, "monotonic", lambda: seconds[0])
    waiting: list[Callable[[], None]] = []
    shelf, ask = Shelf(lambda: 2, waiting.append), counter()
    assert shelf.answer("question", 1, ask, grace=60) == 1
    seconds[0] = 60.0
    assert shelf.answer("question", 2, ask, grace=60) == 2
    assert waiting == []


@pytest.mark.django_db
def test_a_report_is_kept_until_a_close_is_decided(
    anonymous: APIClient, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(base, "GRACE_SECONDS", 0.0)
    rows.market_clock()
    rows.scan_close(rows.NOW - QUARTER)
    first = anonymous.get("/api/learning/rejection-analysis")
    with django_assert_max_num_queries(1):
        assert anonymous.get("/api/learning/rejection-analysis").content == first.content
    rows.shadow(-1.0, opened_at=rows.NOW - timedelta(days=3))
    rows.scan_close(rows.NOW)

    second = anonymous.get("/api/learning/rejection-analysis").json()
    assert first.json()["timestamp"] == "2021-07-10T11:45:00.000000Z"
    assert second["timestamp"] == "2021-07-10T12:00:00.000000Z"
    assert (first.json()["resolved_leans"], second["resolved_leans"]) == (0, 1)


@pytest.mark.django_db
def test_another_query_is_another_report(anonymous: APIClient) -> None:
    rows.market_clock()
    answers = [anonymous.get(f"/api/learning/performance?period={days}d").json() for days in (7, 8)]
    assert [answer["overall"]["period"] for answer in answers] == ["7d", "8d"]


@pytest.mark.django_db
def test_what_was_refused_is_weighed_again_when_a_close_was_decided() -> None:
    rows.market_clock()
    rows.scan_close(rows.NOW - QUARTER)
    month = Scope.last(timedelta(days=30), until=rows.NOW)
    first = rejection_analysis(month)
    rows.shadow(-1.0)
    assert rejection_analysis(month) is first

    rows.scan_close(rows.NOW)

    assert (first["resolved_leans"], rejection_analysis(month)["resolved_leans"]) == (0, 1)


@pytest.mark.django_db
def test_the_paper_account_is_added_up_again_when_a_poll_closed_a_position() -> None:
    rows.market_clock()
    paid = Position(signal=rows.signal(1.0), quantity=1, equity_before=10_000, opened_at=rows.NOW - timedelta(days=2))
    before = overview.equity(rows.NOW).now
    paid.closed_at, paid.profit = rows.NOW - QUARTER, 50.0
    paid.save()

    beat(OUTCOME_MONITOR)

    assert overview.equity(rows.NOW).now == before + 50.0


@pytest.mark.django_db
def test_a_bracket_that_a_person_ended_counts_at_once() -> None:
    rows.market_clock()
    ended = rows.signal(None)
    before = read_outcome_stamp()
    VoidedDecision.objects.create(
        scan_id=ended.scan_id,
        symbol=ended.symbol,
        timeframe=ended.timeframe,
        opened_at=ended.opened_at,
        market_at=rows.NOW,
        both=True,
        by="operator",
        reason="drawn",
    )
    assert read_outcome_stamp() != before


@pytest.mark.django_db
def test_the_first_page_says_at_once_who_holds_the_weights() -> None:
    rows.market_clock()
    ensure_birth()

    def holder() -> str:
        night = last_night()
        assert night is not None
        return standing(night).held_by

    assert (holder(), holder()) == ("", "")
    freeze(by="operator", expected=1)
    assert holder() == "version 2, freeze by operator"
