import json
import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

from alphapulse_site.celery import QUEUES

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


RABBITMQ = {"ALPHAPULSE_BROKER_URL": "amqps://alphapulse:secret@broker:5671/alphapulse", "REDIS_URL": ""}
SHOW = """
import json
from django.conf import settings
from alphapulse_site.celery import app
queues = [(queue.name, queue.exchange.type, queue.queue_arguments) for queue in app.amqp.queues.values()]
print(json.dumps([settings.CACHES["default"]["BACKEND"], sorted(settings.CELERY_BROKER_TRANSPORT_OPTIONS), queues]))
"""


def shown(environment: dict[str, str]) -> tuple[str, list[str], list[tuple[str, str, dict[str, object] | None]]]:
    command = [sys.executable, "-W", "ignore", "-c", SHOW]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90, check=True)
    cache, options, queues = json.loads(done.stdout)
    return cache, options, queues


def test_production_on_rabbitmq_needs_no_redis(production: dict[str, str]) -> None:
    result = check(production | RABBITMQ)

    assert (result.returncode, result.stderr) == (0, "")


def test_on_rabbitmq_every_queue_is_a_quorum_queue_and_requests_are_counted_without_redis(
    production: dict[str, str],
) -> None:
    cache, options, queues = shown(production | RABBITMQ | {"DJANGO_SETTINGS_MODULE": "alphapulse_site.settings"})

    assert cache.endswith("LocMemCache")
    assert options == ["confirm_publish"]
    assert {name for name, _, _ in queues} == set(QUEUES)
    assert all(kind == "topic" and extra and extra["x-queue-type"] == "quorum" for _, kind, extra in queues)


def test_on_rabbitmq_with_redis_requests_are_counted_in_redis(production: dict[str, str]) -> None:
    both = production | {"ALPHAPULSE_BROKER_URL": RABBITMQ["ALPHAPULSE_BROKER_URL"]}

    cache, _, _ = shown(both | {"DJANGO_SETTINGS_MODULE": "alphapulse_site.settings"})

    assert cache.endswith("RedisCache")
