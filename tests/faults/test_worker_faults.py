"""Workers that are killed, frozen, poisoned and given wrong clocks: what they were at happens, and happens once."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from django.db import connection
from django.utils import timezone

from alphapulse_site import redelivery
from alphapulse_site.models import Heartbeat, JobRun, ParkedTask
from signals.models import RejectedSignal
from tests.faults.due import due_shadows
from tests.faults.workers import Process, Workers
from tests.ingestion.streams import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(360),
    # One worker of pytest for all: a RabbitMQ each would cost more than it saves.
    pytest.mark.xdist_group("worker faults"),
]
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
SHORT = {"SHORT_VISIBILITY": "2"}


def effects(period: str) -> int:
    sign = Heartbeat.objects.filter(name=f"probe:{period}").first()
    return sign.beats if sign else 0


def is_done(period: str) -> bool:
    return JobRun.objects.filter(job="probe", period=period, status=JobRun.Status.DONE).exists()


def parked() -> list[ParkedTask]:
    return list(ParkedTask.objects.all())


# --- killed -----------------------------------------------------------------------------------------------------------


def test_a_worker_killed_inside_its_transaction_leaves_nothing_and_another_does_it_once(any_crew: Workers) -> None:
    victim = any_crew.worker(SHORT)
    any_crew.send("alphapulse_site.probe_inside", "a")
    any_crew.wait_at("inside")
    any_crew.kill(victim)
    wait_until(lambda: not _sessions_in_transaction())
    assert (effects("a"), is_done("a")) == (0, False)

    any_crew.open_gates()
    any_crew.worker(SHORT)
    wait_until(lambda: is_done("a"), seconds=120)

    assert (effects("a"), any_crew.starts("inside"), parked()) == (1, 2, [])


def _sessions_in_transaction() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND state LIKE 'idle in transaction%' AND pid <> pg_backend_pid()"
        )
        return int(cursor.fetchone()[0])


def test_a_worker_killed_after_commit_before_the_acknowledgement_changes_nothing(any_crew: Workers) -> None:
    victim = any_crew.worker(SHORT)
    any_crew.send("alphapulse_site.probe_after", "a")
    any_crew.wait_at("after")
    any_crew.kill(victim)
    assert (effects("a"), is_done("a")) == (1, True)

    any_crew.open_gates()
    any_crew.worker(SHORT)
    wait_until(lambda: any_crew.starts("after") == 2, seconds=120)
    any_crew.send("alphapulse_site.probe_after", "b")
    wait_until(lambda: is_done("b"), seconds=120)

    assert (effects("a"), parked()) == (1, [])


def test_a_task_whose_pool_child_is_killed_is_run_again_by_the_same_worker(any_crew: Workers) -> None:
    worker = any_crew.worker()
    any_crew.send("alphapulse_site.probe_inside", "a")
    any_crew.wait_at("inside")
    child = any_crew.pool_child(worker)
    any_crew.open_gates()
    child.suspend()  # it saw the gate open or not: it gets no further
    child.kill()
    wait_until(lambda: is_done("a"), seconds=120)

    assert (effects("a"), parked(), worker.poll()) == (1, [], None)


def test_a_poison_task_is_parked_after_three_tries_and_replayed_once_it_is_cured(any_crew: Workers) -> None:
    worker = any_crew.worker()
    any_crew.send("alphapulse_site.probe_poison", "a")
    wait_until(parked, seconds=120)
    (row,) = parked()

    assert any_crew.starts("poison") == 3
    assert (row.name, row.args) == ("alphapulse_site.probe_poison", ["a"])
    assert "WorkerLostError" in row.error
    assert "Traceback" in row.traceback
    assert "SIGKILL" in row.traceback
    any_crew.send("alphapulse_site.canary", "maintenance")
    wait_until(lambda: Heartbeat.objects.filter(name="canary:maintenance").exists(), seconds=120)
    assert worker.poll() is None

    any_crew.open_gates()
    any_crew.command("parked", "retry", "--all")
    wait_until(lambda: is_done("a"), seconds=120)
    assert (effects("a"), len(parked())) == (1, 1)


def test_a_message_that_takes_its_whole_worker_along_is_parked_when_it_has_come_back_too_often(
    any_crew: Workers,
) -> None:
    any_crew.send("alphapulse_site.probe_deadly", "a")
    for _ in range(1 + redelivery.MOST):
        victim = any_crew.worker(SHORT, wait=False)
        wait_until(partial(is_dead, victim), seconds=120)
    survivor = any_crew.worker(SHORT)
    wait_until(parked, seconds=120)
    (row,) = parked()

    assert any_crew.starts("deadly") == 1 + redelivery.MOST
    assert (row.name, row.args) == ("alphapulse_site.probe_deadly", ["a"])
    assert "RedeliveredTooOftenError" in row.error
    any_crew.open_gates()
    any_crew.command("parked", "retry", "--all")
    wait_until(lambda: is_done("a"), seconds=120)
    assert (effects("a"), len(parked()), survivor.poll()) == (1, 1, None)


def is_dead(process: Process) -> bool:
    return process.poll() is not None


def test_a_task_that_hangs_is_killed_at_its_time_limit_and_parked(crew: Workers) -> None:
    worker = crew.worker({"SHORT_LIMIT": "3"})
    crew.send("alphapulse_site.probe_hang", "a")
    wait_until(parked, seconds=120)
    (row,) = parked()
    crew.send("alphapulse_site.canary", "maintenance")
    wait_until(lambda: Heartbeat.objects.filter(name="canary:maintenance").exists(), seconds=120)

    assert "TimeLimitExceeded" in row.error
    assert "TimeLimitExceeded" in row.traceback
    assert (crew.starts("hang"), worker.poll()) == (1, None)


def test_a_worker_told_to_stop_finishes_its_task_first(crew: Workers) -> None:
    worker = crew.worker()
    crew.send("alphapulse_site.probe_inside", "a")
    crew.wait_at("inside")
    worker.send_signal(signal.SIGTERM)
    crew.wait_for_line(worker, "Soft Shutdown")
    crew.open_gates()

    assert worker.wait(30) == 0
    assert (effects("a"), is_done("a"), parked()) == (1, True, [])


# --- frozen -----------------------------------------------------------------------------------------------------------


@contextmanager
def unreadable_candles() -> Iterator[None]:
    """Whoever reads candles waits until the block ends."""
    other = connection.copy()
    other.inc_thread_sharing()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE candles IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        other.rollback()
        other.close()


def _waiting_for_a_lock() -> bool:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return bool(cursor.fetchone()[0])


def test_a_worker_frozen_beyond_the_visibility_timeout_finds_its_work_done_and_changes_nothing(crew: Workers) -> None:
    """It has read an open decision, freezes, and thaws after another worker has followed that decision to its end."""
    due_shadows(symbols=1, closes=1)
    frozen = crew.worker(SHORT)
    with unreadable_candles():
        crew.send("signals.track_shadows", queue="tracking")
        wait_until(_waiting_for_a_lock, seconds=120)
        crew.signal(frozen, signal.SIGSTOP)
    crew.worker(SHORT)
    wait_until(lambda: Heartbeat.objects.filter(name="shadow_monitor", beats=1).exists(), seconds=120)
    ended = RejectedSignal.objects.values().get()
    crew.signal(frozen, signal.SIGCONT)
    wait_until(lambda: Heartbeat.objects.filter(name="shadow_monitor", beats=2).exists(), seconds=120)

    assert ended["outcome"]
    assert RejectedSignal.objects.values().get() == ended
    assert Heartbeat.objects.get(name="shadow_monitor").figures == {"ended": 0}
    assert parked() == []


@pytest.mark.parametrize(("first", "second"), [("", "+2h"), ("-2h", "")], ids=["two hours ahead", "two hours behind"])
def test_a_wrong_clock_hands_a_running_task_out_twice_and_its_effect_is_there_once(
    crew: Workers, first: str, second: str
) -> None:
    """By the clock that is ahead, or from the one that is behind, a task that was just taken seems abandoned."""
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed (apt-get install libfaketime)")
    crew.worker(clock(first))
    crew.send("alphapulse_site.probe_after", "a")
    crew.wait_at("after")
    crew.worker(clock(second))
    wait_until(lambda: crew.starts("after") == 2, seconds=120)
    crew.open_gates()
    crew.send("alphapulse_site.probe_after", "b")
    wait_until(lambda: is_done("b"), seconds=120)

    assert (effects("a"), effects("b"), parked()) == (1, 1, [])


def clock(offset: str) -> dict[str, str]:
    """A worker's clock, which asks often what of others seems abandoned and waits as long as ours do."""
    wrong = {"LD_PRELOAD": str(FAKETIME), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {"SHORT_VISIBILITY": "900", **(wrong if offset else {})}


def test_the_signs_of_life_of_a_worker_with_a_wrong_clock_are_dated_right(crew: Workers) -> None:
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed (apt-get install libfaketime)")
    crew.worker(clock("+2h"))
    crew.send("alphapulse_site.canary", "maintenance")
    wait_until(lambda: Heartbeat.objects.filter(name="canary:maintenance").exists(), seconds=120)

    age = timezone.now() - Heartbeat.objects.get(name="canary:maintenance").beat_at
    assert timedelta(0) <= age < timedelta(minutes=5)
