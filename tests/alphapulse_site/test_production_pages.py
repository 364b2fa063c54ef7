"""The pages as production serves them: static files collected first, each under a name with its checksum."""

import os
import re
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The entrance asks no database for somebody without a session.
LOOK = """
import django
django.setup()
from django.test import Client
answer = Client().get("/login/", secure=True, headers={"host": "alphapulse.example"})
print(answer.status_code, answer.headers["Content-Security-Policy"])
print(answer.content.decode())
"""


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "DJANGO_SETTINGS_MODULE": "alphapulse_site.settings",
        "ALPHAPULSE_PROFILE": "production",
        "ALPHAPULSE_DATA": str(tmp_path / "data"),
        "ALPHAPULSE_STATIC": str(tmp_path / "static"),
        "ALLOWED_HOSTS": "alphapulse.example",
        "SECRET_KEY": secrets.token_urlsafe(50),
        "DATABASE_URL": "postgresql://none@none/none",
        "REDIS_URL": "redis://none:6379/0",
    }


@pytest.mark.slow
def test_collected_files_are_what_the_pages_of_production_name(production: dict[str, str], tmp_path: Path) -> None:
    run(production, str(ROOT / "manage.py"), "collectstatic", "--noinput", "--verbosity", "0")

    said = run(production, "-c", LOOK)

    assert said.startswith("200 ")
    assert "default-src 'self'" in said
    named = re.findall(r"/static/([^\"#]+)", said)
    assert any(re.search(r"look\.[0-9a-f]{12}\.css", name) for name in named)
    assert [name for name in named if not (tmp_path / "static" / name).exists()] == []


def run(environment: dict[str, str], *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
