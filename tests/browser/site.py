"""A system to look at: its own database made from the shipped recording, and the web process of the Procfile."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from alphapulse_site.processes import read_procfile

ROOT = Path(__file__).resolve().parents[2]
OPERATOR, READER, PASSWORD = "operator", "reader", "a-password-for-looking"
SECONDS = 60

ACCOUNTS = f"""
from django.contrib.auth.models import User
User.objects.create_superuser({OPERATOR!r}, password={PASSWORD!r})
User.objects.create_user({READER!r}, password={PASSWORD!r})
"""


@dataclass(frozen=True)
class Site:
    """Where the pages are, and how to ask the database beneath them."""

    url: str
    environment: dict[str, str]
    database: str

    def manage(self, *arguments: str) -> str:
        """What a command says; its error output is in the failure where it fails."""
        command = [sys.executable, str(ROOT / "manage.py"), *arguments]
        done = subprocess.run(command, env=self.environment, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        """The rows of a query, and what it changed is kept."""
        with closing(psycopg2.connect(self.database)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []

    def value(self, query: str, *parameters: Any) -> Any:
        return self.rows(query, *parameters)[0][0]


@contextmanager
def running_site(data: Path) -> Iterator[Site]:
    """Prepared as `up` prepares one, in a database of its own on the servers of this test run; gone afterwards."""
    name = f"pages_{os.getpid()}"
    server = os.environ["DATABASE_URL"]
    database = re.sub(r"///\w+\?", f"///{name}?", server)
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": database,
        "ALPHAPULSE_DATA": str(data),
        "PORT": str(port),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
    site = Site(f"http://127.0.0.1:{port}", environment, database)
    execute(server, f"CREATE DATABASE {name}")
    try:
        site.manage("prepare", "--market", "recording")
        site.manage("shell", "--verbosity", "0", "--command", ACCOUNTS)
        with web(site):
            yield site
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def web(site: Site) -> Iterator[None]:
    command = read_procfile(ROOT / "Procfile")["web"]
    process = subprocess.Popen(
        command, shell=True, env=site.environment, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        wait_for(f"{site.url}/login/")
        yield
    finally:
        process.terminate()
        process.wait(SECONDS)


def wait_for(url: str) -> None:
    ends = time.monotonic() + SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=SECONDS):
                return
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)


def execute(database: str, statement: str) -> None:
    with closing(psycopg2.connect(database)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
