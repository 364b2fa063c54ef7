"""A system that was bootstrapped and lived: made again from its ledger, here and from a dump in another process."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import connection

from alphapulse_site.embedded import postgres_program
from learning.audit import audit
from learning.models import LearningEvent, LearningState
from tests.learning.conftest import Lived

ROOT = Path(__file__).resolve().parents[2]
COPY_OF_IT = "restored_from_a_dump"


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_lived_system_passes(lived: Lived, db: None) -> None:
    found = audit()

    assert found.differences == []
    assert (found.versions, found.replayed) == (LearningState.objects.count(), LearningState.objects.count())
    assert found.events == LearningEvent.objects.count() > found.outcomes > 800


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_restored_dump_gives_the_same_bytes_in_another_process(lived: Lived, db: None) -> None:
    hashes = list(LearningState.objects.order_by("id").values_list("hash", flat=True))
    server = ["-h", connection.settings_dict["HOST"], "-U", connection.settings_dict["USER"]]
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        [name] = cursor.fetchone()

    def run(program: str, *arguments: str, given: bytes = b"") -> bytes:
        command = [str(postgres_program(program)), *server, *arguments]
        return subprocess.run(command, input=given, check=True, capture_output=True).stdout

    dump = run("pg_dump", "--no-owner", name)
    run("dropdb", "--if-exists", COPY_OF_IT)
    run("createdb", COPY_OF_IT)
    try:
        run("psql", "-v", "ON_ERROR_STOP=1", "-q", "-d", COPY_OF_IT, given=dump)
        environment = os.environ | {
            "DATABASE_URL": os.environ["DATABASE_URL"].replace("///alphapulse?", f"///{COPY_OF_IT}?")
        }
        said = subprocess.run(
            [sys.executable, "manage.py", "audit", "--json"], cwd=ROOT, env=environment, capture_output=True, check=True
        ).stdout
    finally:
        run("dropdb", COPY_OF_IT)

    found = json.loads(said)
    assert (found["differences"], found["replayed"]) == ([], len(hashes))
