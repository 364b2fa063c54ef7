"""Two beats: one sends, the other stands by and takes over, whatever becomes of the first."""

import signal

import pytest
from django.db import connection

from alphapulse_site.beat import LOCK
from alphapulse_site.celery import SCHEDULE
from alphapulse_site.jobs import lock_key
from tests.faults.brokers import ValkeyBroker
from tests.faults.workers import BEAT_SENDS, BEAT_STANDS_BY, Workers
from tests.ingestion.streams import wait_until

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.timeout(360),
    pytest.mark.xdist_group("worker faults"),
]


def leaders() -> list[int]:
    """Sessions that hold the lease."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND (classid::bigint << 32) | objid::bigint = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [lock_key(LOCK)],
        )
        return [pid for (pid,) in cursor.fetchall()]


def sends(valkey: ValkeyBroker) -> bool:
    """Whether ticks come now."""
    valkey.wipe()
    wait_until(lambda: valkey.queued() > len(SCHEDULE), seconds=120)
    return True


def test_of_two_beats_one_sends_and_the_other_follows_when_it_is_killed(crew: Workers, valkey: ValkeyBroker) -> None:
    first = crew.beat()
    crew.wait_for_line(first, BEAT_SENDS)
    second = crew.beat()
    crew.wait_for_line(second, BEAT_STANDS_BY)
    assert sends(valkey)
    assert "Sending due task" not in crew.log(second)

    crew.kill(first)
    crew.wait_for_line(second, BEAT_SENDS)
    assert sends(valkey)
    assert len(leaders()) == 1


def test_a_beat_that_freezes_loses_the_lease_and_stands_by_when_it_thaws(crew: Workers, valkey: ValkeyBroker) -> None:
    first = crew.beat()
    crew.wait_for_line(first, BEAT_SENDS)
    second = crew.beat()
    crew.wait_for_line(second, BEAT_STANDS_BY)
    crew.signal(first, signal.SIGSTOP)
    crew.wait_for_line(second, BEAT_SENDS)
    crew.signal(first, signal.SIGCONT)
    crew.wait_for_line(first, BEAT_STANDS_BY)

    assert sends(valkey)
    assert len(leaders()) == 1


def test_a_beat_whose_session_the_database_ends_takes_the_lease_again(crew: Workers, valkey: ValkeyBroker) -> None:
    beat = crew.beat()
    crew.wait_for_line(beat, BEAT_SENDS)
    (session,) = leaders()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [session])
    wait_until(lambda: leaders() not in ([], [session]), seconds=120)

    assert sends(valkey)
    assert beat.poll() is None
