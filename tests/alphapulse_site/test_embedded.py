import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest
import redis

from alphapulse_site import embedded
from alphapulse_site.embedded import EmbeddedServerError, running, running_postgres, running_valkey
from alphapulse_site.places import Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path / "data with spaces, and a comma; äöü")
    places.logs.mkdir(parents=True)
    return places


def ask(places: Places, statement: str) -> list[tuple[object, ...]]:
    connection = psycopg2.connect(places.database_url())
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(statement)
        rows = cursor.fetchall() if cursor.description else []
    connection.close()
    return list(rows)


def postmaster(places: Places) -> psutil.Process:
    return psutil.Process(int((places.postgres / "postmaster.pid").read_text(encoding="utf-8").split()[0]))


def snapshot(root: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_was_written_is_there_after_a_restart_even_in_an_awkward_path(places: Places) -> None:
    with running(places, throwaway=True):
        ask(places, "CREATE TABLE kept AS SELECT 7 AS figure")
        stopped = [postmaster(places)]
    with running(places, throwaway=True):
        kept = ask(places, "SELECT figure FROM kept")
        stopped.append(postmaster(places))

    assert kept == [(7,)]
    assert [process.is_running() for process in stopped] == [False, False]
    assert not places.socket_directory(places.postgres).exists()
    assert not places.broker_socket.parent.exists()


def test_the_servers_listen_on_no_port(places: Places) -> None:
    with running(places, throwaway=True):
        listening = ask(places, "SHOW listen_addresses")
        with redis.Redis(unix_socket_path=str(places.broker_socket)) as broker:
            port = broker.config_get("port")["port"]
        socket_modes = [path.stat().st_mode & 0o077 for path in (places.broker_socket.parent,)]

    assert (listening, port, socket_modes) == ([("",)], "0", [0])


def test_the_broker_keeps_messages_over_a_restart_and_never_drops_one(places: Places) -> None:
    with running_valkey(places), redis.Redis(unix_socket_path=str(places.broker_socket)) as broker:
        broker.lpush("queue", "message")
        policy = broker.config_get("maxmemory-policy")["maxmemory-policy"]
    with running_valkey(places), redis.Redis(unix_socket_path=str(places.broker_socket)) as broker:
        waiting = broker.llen("queue")

    assert (policy, waiting) == ("noeviction", 1)


def test_a_server_that_a_killed_run_left_behind_is_replaced(places: Places) -> None:
    leftover = running_postgres(places, throwaway=True)
    leftover.__enter__()
    ask(places, "CREATE TABLE kept AS SELECT 7 AS figure")
    first = postmaster(places)

    with running_postgres(places, throwaway=True):
        second = postmaster(places)
        kept = ask(places, "SELECT figure FROM kept")

    assert kept == [(7,)]
    assert second.pid != first.pid
    assert not first.is_running() or first.status() == psutil.STATUS_ZOMBIE
    leftover.__exit__(None, None, None)


def test_a_stale_process_id_that_now_belongs_to_somebody_else_is_left_alone(places: Places) -> None:
    bystander = subprocess.Popen(["sleep", "60"])
    places.valkey.mkdir()
    (places.valkey / "valkey.pid").write_text(str(bystander.pid), encoding="utf-8")

    with running_valkey(places, throwaway=True):
        alive = bystander.poll() is None

    bystander.kill()
    bystander.wait()
    assert alive


def test_a_postgres_that_was_killed_recovers(places: Places) -> None:
    with running_postgres(places, throwaway=True):
        ask(places, "SET synchronous_commit = on; CREATE TABLE kept AS SELECT 7 AS figure")
        os.kill(postmaster(places).pid, signal.SIGKILL)
    with running_postgres(places, throwaway=True):
        kept = ask(places, "SELECT figure FROM kept")

    assert kept == [(7,)]


def test_a_first_start_that_broke_off_is_made_again(places: Places) -> None:
    unfinished = places.root / "postgres.unfinished"
    unfinished.mkdir()
    (unfinished / "PG_VERSION").write_text("18\n", encoding="utf-8")

    with running_postgres(places, throwaway=True):
        answer = ask(places, "SELECT 1")

    assert answer == [(1,)]
    assert not unfinished.exists()


@pytest.fixture
def foreign(places: Places, request: pytest.FixtureRequest) -> Iterator[Places]:
    for name, content in request.param.items():
        file = places.root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return places  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("foreign", "reason"),
    [
        ({"postgres/PG_VERSION": "15\n", "postgres/base": "x"}, "PostgreSQL version 15, this installation has 18"),
        ({"postgres/holiday.jpg": "x"}, "not a PostgreSQL database"),
        ({"layout": "99\n"}, "data layout version 99"),
    ],
    indirect=["foreign"],
)
def test_a_foreign_data_directory_is_refused_and_not_touched(foreign: Places, reason: str) -> None:
    before = snapshot(foreign.root)

    with pytest.raises(EmbeddedServerError, match=reason) as refusal, running(foreign):
        pass

    assert snapshot(foreign.root) == before
    assert "--data" in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_server_that_cannot_start_says_why_in_one_line(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(embedded.VALKEY_SETTINGS, "maxmemory-policy", "nonsense")

    with pytest.raises(EmbeddedServerError, match=r"Valkey did not start: .*valkey\.log") as refusal:
        running_valkey(places).__enter__()

    assert "\n" not in str(refusal.value)


def test_a_short_plain_path_holds_its_own_sockets(tmp_path: Path) -> None:
    assert Places(Path("/srv/alphapulse/var")).broker_socket == Path("/srv/alphapulse/var/valkey/valkey.sock")
    assert len(str(Places(tmp_path / ("long" * 40)).broker_socket)) < 100
