import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def production(tmp_path: Path) -> dict[str, str]:
    return os.environ | {
        "ALPHAPULSE_PROFILE": "production",
        "ALPHAPULSE_DATA": str(tmp_path),
        "DATABASE_URL": "postgresql://alphapulse:secret@database/alphapulse",
        "REDIS_URL": "rediss://broker:6380/0",
        "SECRET_KEY": secrets.token_urlsafe(50),
    }


def check(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=False
    )  # fmt: skip


def test_production_has_nothing_to_warn_of_and_writes_no_file(production: dict[str, str], tmp_path: Path) -> None:
    result = check(production)

    assert (result.returncode, result.stderr) == (0, "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "REDIS_URL"])
def test_production_does_not_start_without(production: dict[str, str], name: str) -> None:
    del production[name]

    result = check(production)

    assert result.returncode == 1
    assert result.stderr == f"settings: {name} is not set. Set it in the environment and start again.\n"


def test_production_does_not_start_with_the_example_key(production: dict[str, str]) -> None:
    result = check(production | {"SECRET_KEY": "django-insecure-" + secrets.token_urlsafe(50)})

    assert result.returncode == 1
    assert "example value" in result.stderr
    assert len(result.stderr.splitlines()) == 1
