import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.db import connection

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.jobs import advisory_lock, beat, lock_key, run_once
from alphapulse_site.models import Heartbeat, JobRun, MarketClock

ROOT = Path(__file__).resolve().parents[2]

# One job, many processes: each waits for the start, then tries; the effect takes long enough for all to collide.
CONTENDER = """
import sys, time, django
from django.conf import settings
from alphapulse_site import environment
# The frame alone, to be at the start quickly.
settings.configure(
    DATABASES={"default": environment.database("DATABASE_URL")}, INSTALLED_APPS=["alphapulse_site"], USE_TZ=True,
    ALPHAPULSE_LOG="line",
)
django.setup()
from alphapulse_site.jobs import beat, run_once
def effect():
    time.sleep(0.5)
    beat("effect " + sys.argv[1])
    return {"by": sys.argv[1]}
print("ready", flush=True)
sys.stdin.readline()
run = run_once("nightly", "2021-07-01", effect)
print("done" if run else "busy", flush=True)
"""


class BrokenEffectError(Exception):
    pass


@pytest.mark.django_db(transaction=True)
def test_four_processes_at_once_do_a_job_once(process_environment: dict[str, str]) -> None:
    contenders = [_start_contender(str(number), process_environment) for number in range(4)]
    for contender in contenders:
        assert contender.stdout is not None
        assert contender.stdout.readline() == "ready\n"

    answers = [contender.communicate("go\n", timeout=60)[0] for contender in contenders]

    assert Heartbeat.objects.count() == 1
    run = JobRun.objects.get()
    assert (run.status, run.error) == ("done", "")
    assert answers.count("done\n") >= 1


def _start_contender(number: str, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CONTENDER, number],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.django_db(transaction=True)
def test_a_broken_effect_leaves_nothing_and_is_done_by_the_next_call() -> None:
    def break_half_way() -> None:
        beat("half")
        raise BrokenEffectError("no candles")

    with pytest.raises(BrokenEffectError):
        run_once("nightly", "2021-07-01", break_half_way)

    failed = JobRun.objects.get()
    assert not Heartbeat.objects.exists()
    assert (failed.status, failed.error, failed.attempts) == ("failed", "BrokenEffectError: no candles", 1)

    again = run_once("nightly", "2021-07-01", lambda: {"events": 3})

    assert again is not None
    assert (again.status, again.report, again.attempts, again.error) == ("done", {"events": 3}, 2, "")


@pytest.mark.django_db(transaction=True)
def test_what_is_done_stays_done() -> None:
    first = run_once("nightly", "2021-07-01", lambda: {"events": 3})
    second = run_once("nightly", "2021-07-01", lambda: {"events": 99})

    assert first is not None
    assert second is not None
    assert (second.pk, second.report, second.attempts) == (first.pk, {"events": 3}, 1)


@pytest.mark.django_db(transaction=True)
def test_a_run_says_how_late_it_began_by_the_markets_clock() -> None:
    due = datetime(2021, 7, 2, tzinfo=UTC)
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(due + timedelta(hours=6))

    run = run_once("nightly", "2021-07-01", lambda: None, due_at=due)

    assert run is not None
    assert (run.due_at, run.lateness) == (due, timedelta(hours=6))


@pytest.mark.django_db(transaction=True)
def test_a_run_of_no_stated_time_is_never_late() -> None:
    run = run_once("universe", "2021-07-01", lambda: None)

    assert run is not None
    assert run.lateness is None


@pytest.mark.django_db(transaction=True)
def test_a_killed_process_leaves_the_job_to_the_next_one(process_environment: dict[str, str]) -> None:
    contender = _start_contender("7", process_environment)
    assert contender.stdin is not None
    assert contender.stdout is not None
    contender.stdout.readline()
    contender.stdin.write("go\n")
    contender.stdin.flush()
    while not JobRun.objects.exists():
        pass
    contender.kill()
    contender.communicate(timeout=10)

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    run = run_once("nightly", "2021-07-01", lambda: {"by": "heir"})

    assert run is not None
    assert (run.report, run.attempts) == ({"by": "heir"}, 2)
    assert not Heartbeat.objects.exists()


@pytest.mark.django_db
def test_a_heartbeat_replaces_the_last_one_of_its_name() -> None:
    beat("stream", candles=1)
    beat("stream", candles=2)

    assert Heartbeat.objects.get(name="stream").figures == {"candles": 2}
    assert Heartbeat.objects.get(name="stream").beats == 2


@pytest.mark.django_db(transaction=True)
def test_an_advisory_lock_shuts_out_another_session_and_goes_with_its_block() -> None:
    import psycopg2

    connection.ensure_connection()
    other = psycopg2.connect(connection.connection.dsn)
    with advisory_lock("stream") as held, other.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock_key("stream")])
        inside = cursor.fetchone()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock_key("stream")])
        after = cursor.fetchone()
    with advisory_lock("stream") as held_now:
        pass
    other.close()

    assert (held, inside, after, held_now) == (True, (False,), (True,), False)
