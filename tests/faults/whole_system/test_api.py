"""Acts through the API of a harmed system: what was acknowledged is there once, what was refused is not (I10).

They come while the market stands still, so that the life they are compared with could do the same at the same minute.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from tests.faults import harm
from tests.faults.acts import Act, learn_a_week_to_come, learn_day, let_go, roll_back, send_again, send_again_and_more
from tests.faults.asked import rows_of
from tests.faults.judgement import Judgement
from tests.faults.market import HISTORY_END, QUARTER, SLICE
from tests.faults.system import System, Template, running_system

# One worker runs them all: they share a template and a life without faults, and two systems at once are too many.
pytestmark = [pytest.mark.xdist_group("whole system"), pytest.mark.slow, pytest.mark.timeout(900)]

STANDS_AT = HISTORY_END + 2 * QUARTER
WAITING = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'acknowledged_requests'::regclass"
DONE = """SELECT (SELECT count(*) FROM parked_tasks WHERE retried_at IS NOT NULL),
    (SELECT count(*) FROM learning_events WHERE kind = 'rollback')"""
# Seconds that each answer of the database takes longer, so that a COMMIT is seen before its answer.
LATE = 0.5


@pytest.fixture(scope="module")
def in_peace(made: Template) -> Judgement:
    """The same acts, and no fault."""
    with running_system(made, SLICE, is_asked=True) as system:
        rows = rows_of(system)
        system.stand_at(STANDS_AT)
        for act in (*rollbacks(), *sendings(rows), *refusals(rows)):
            system.asking.ask(act)
        system.play()
        return system.finish()


def rollbacks() -> list[Act]:
    return [roll_back(), roll_back()]


def sendings(rows: Iterator[int]) -> list[Act]:
    return [send_again(next(rows)) for _ in range(3)]


def refusals(rows: Iterator[int]) -> list[Act]:
    return [send_again_and_more(next(rows)), learn_a_week_to_come(), learn_day(f"{SLICE.start:%Y-%m-%d}"), let_go()]


@contextmanager
def acting(system: System, acts: list[Act]) -> Iterator[Callable[[], None]]:
    """They wait in their transactions until what is given is called; in the end all is known of them."""
    with ExitStack() as held:
        held.enter_context(harm.acts_held(system))
        with system.asking.under_way(acts):
            system.wait(lambda: system.ask(WAITING)[0][0] == len(acts), every=0.05)
            yield held.close
    system.asking.settle(system.wait)


@contextmanager
def first_commit_unknown(system: System, let_them_act: Callable[[], None]) -> Iterator[None]:
    """The block begins when an act is done, and its process has not heard of it."""
    done = system.ask(DONE)
    system.database_line.slow(down=LATE)
    let_them_act()
    system.wait(lambda: system.ask(DONE) != done, every=0.01)
    yield
    system.database_line.heal()


def assert_kept(system: System, rows: Iterator[int], in_peace: Judgement, *, unknown_commits: int) -> None:
    """So many acts were done at a request that was told nothing, and in the end everything is as it was told."""
    found = [each for each in system.asking.asked if each.unknown and each.answer and each.answer.is_repeated]
    assert len(found) >= unknown_commits
    for act in refusals(rows):
        system.asking.ask(act)
    system.play()
    system.assert_no_trace(in_peace)


def test_in_peace_every_act_is_known_at_once(in_peace: Judgement) -> None:
    assert in_peace.complaints() == []
    assert sum("rollback by" in cell for row in in_peace.tables["LearningState"] for cell in row) == len(rollbacks())


def test_a_database_that_is_killed_when_the_commit_of_an_act_is_not_yet_known(
    asked: System, in_peace: Judgement
) -> None:
    rows = rows_of(asked)
    asked.stand_at(STANDS_AT)
    for acts in (sendings(rows), rollbacks()):
        with (
            acting(asked, acts) as let_them_act,
            first_commit_unknown(asked, let_them_act),
            harm.database_killed(asked),
        ):
            asked.database_line.heal()

    assert_kept(asked, rows, in_peace, unknown_commits=2)


def test_a_black_hole_between_the_web_process_and_its_database(asked: System, in_peace: Judgement) -> None:
    """Once it begins before anything is done, and once before the answer to a COMMIT; each asker loses patience."""
    rows = rows_of(asked)
    asked.stand_at(STANDS_AT)
    with acting(asked, sendings(rows)) as let_them_act, harm.database_silent(asked):
        let_them_act()
        asked.wait(lambda: all_lost_patience(asked))
    with (
        acting(asked, rollbacks()) as let_them_act,
        first_commit_unknown(asked, let_them_act),
        harm.database_silent(asked),
    ):
        asked.wait(lambda: all_lost_patience(asked))

    assert_kept(asked, rows, in_peace, unknown_commits=1)


def all_lost_patience(system: System) -> bool:
    return all(each.unknown or each.answer for each in system.asking.asked)


def test_a_web_process_that_is_killed_in_the_middle_of_requests(asked: System, in_peace: Judgement) -> None:
    """Once before anything is done, and once when it is done and nobody was told."""
    rows = rows_of(asked)
    asked.stand_at(STANDS_AT)
    with acting(asked, sendings(rows)) as let_them_act, harm.process_killed("web")(asked):
        let_them_act()
    with (
        acting(asked, rollbacks()) as let_them_act,
        first_commit_unknown(asked, let_them_act),
        harm.process_killed("web")(asked),
    ):
        pass

    assert_kept(asked, rows, in_peace, unknown_commits=1)


def test_a_broker_that_is_down_and_then_frozen_during_acts(asked: System, in_peace: Judgement) -> None:
    """Without a broker a task cannot be sent again, and stays parked; what needs none is done."""
    rows = rows_of(asked)
    asked.stand_at(STANDS_AT)
    first, *others = sendings(rows)
    with harm.broker_killed(asked):
        assert asked.asking.ask(first).answer is None
        assert asked.ask(DONE)[0] == (0, 0)
        assert all(asked.asking.ask(act).answer for act in rollbacks())
    with harm.broker_frozen(asked), asked.asking.under_way(others):
        asked.wait(lambda: all_lost_patience(asked))
    asked.asking.settle(asked.wait)

    assert_kept(asked, rows, in_peace, unknown_commits=0)
