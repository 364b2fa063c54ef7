"""Stream processes that are killed, frozen, doubled, cut off from the database: between them no minute is lost."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from alphapulse_site.jobs import lock_key
from tests.faults.crew import Crew
from tests.faults.ingest import Ingest, gap_ticks, market_with_history
from tests.ingestion.streams import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow, pytest.mark.timeout(240)]
KILLS = 20


@pytest.fixture
def ingest(transactional_db: None, empty_broker: None, settings: Any) -> Iterator[Ingest]:
    """A market that nobody follows yet, and the gap check's ticks."""
    with market_with_history(settings) as market:
        market.working.enter_context(gap_ticks())
        yield market


@pytest.fixture
def crew(ingest: Ingest, process_environment: dict[str, str], tmp_path: Path) -> Iterator[Crew]:
    found = Crew(ingest, process_environment, tmp_path / "stream.log")
    ingest.working.callback(found.stop)
    with ExitStack() as stack:
        stack.callback(found.close)
        yield found


def leaders() -> list[int]:
    """Sessions that hold the stream's lock."""
    key = lock_key("stream") % 2**64
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s AND granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [key >> 32, key & 0xFFFFFFFF],
        )
        return [pid for (pid,) in cursor.fetchall()]


@contextmanager
def locked_candles() -> Iterator[None]:
    """Nobody can write candles inside the block."""
    other = connection.copy()
    other.inc_thread_sharing()
    other.set_autocommit(False)
    try:
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE candles IN SHARE MODE")
        yield
    finally:
        other.rollback()
        other.close()


def test_a_killed_stream_is_followed_by_the_one_that_stands_by(ingest: Ingest, crew: Crew) -> None:
    first = crew.start()
    ingest.on_air(seconds=40)
    crew.start()
    wait_until(lambda: "standing by" in crew.said(), seconds=40)
    crew.kill(first)
    began = time.monotonic()
    ingest.on_air(seconds=15)

    assert time.monotonic() - began < 15
    ingest.assert_nothing_is_lost()


def test_a_frozen_stream_loses_its_place_and_does_no_harm_when_it_thaws(ingest: Ingest, crew: Crew) -> None:
    first = crew.start()
    ingest.on_air(seconds=40)
    crew.start()
    before = wait_until(leaders)
    first.send_signal(signal.SIGSTOP)
    wait_until(lambda: leaders() not in ([], before), seconds=40)
    first.send_signal(signal.SIGCONT)
    ingest.live(minutes=3)

    assert len(leaders()) == 1
    ingest.assert_nothing_is_lost()


def test_a_stream_that_is_told_to_stop_writes_what_it_has_heard(ingest: Ingest, crew: Crew) -> None:
    process = crew.start()
    ingest.on_air(seconds=40)
    ingest.inflict("burst", parameters={"minutes": 60})
    ingest.live(minutes=1)

    assert crew.kill(process, signal.SIGTERM) == 0
    crew.start()
    ingest.on_air(seconds=40)
    ingest.assert_nothing_is_lost()


def test_sessions_that_the_database_ends_are_made_again(ingest: Ingest, crew: Crew) -> None:
    crew.start()
    ingest.on_air(seconds=40)
    for _ in range(3):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pid) FROM unnest(%s::int[]) AS pid", [wait_until(leaders)])
        ingest.live(minutes=2)
    ingest.on_air(seconds=40)

    ingest.assert_nothing_is_lost()


def test_a_database_that_cannot_write_for_a_while_meets_a_burst(ingest: Ingest, crew: Crew) -> None:
    process = psutil.Process(crew.start().pid)
    ingest.on_air(seconds=40)
    before = process.memory_info().rss
    with locked_candles():
        for _ in range(4):
            ingest.inflict("burst", parameters={"minutes": 120})
            ingest.live(minutes=2)
        # No burst brings these again.
        ingest.live(minutes=5)
        grown = process.memory_info().rss - before
    ingest.on_air(seconds=40)

    assert grown < 60_000_000
    ingest.assert_nothing_is_lost()


def test_twenty_kills_at_random_moments_of_a_burst_cost_no_minute(ingest: Ingest, crew: Crew) -> None:
    """Four processes: the victim is replaced at once, and somebody who has started up long ago takes over."""
    chance = random.Random(4)
    for _ in range(4):
        crew.start()
    ingest.on_air(seconds=60)
    for kill in range(KILLS):
        if kill % 2 == 0:
            ingest.inflict("burst", parameters={"minutes": 60})
        time.sleep(chance.uniform(0.2, 1.5))
        crew.kill(crew.processes[0])
        crew.start()
    ingest.on_air(seconds=60)

    ingest.assert_nothing_is_lost()
