"""Flower as `up` and compose run it: it shows, to those who know the password, and does nothing to anybody."""

import base64
import json
import re
import urllib.error
import urllib.request
from pathlib import Path
from socket import gethostname
from typing import Any

import pytest
import yaml
from flower.urls import handlers
from pytest_django import Settings

from alphapulse_site import launch
from alphapulse_site.celery import app
from alphapulse_site.places import Places
from alphapulse_site.preparation import Options, password_file
from tests.alphapulse_site.procfile import ROOT, SECONDS, environment_of, running, wait_until

PASSWORD = "a-password-for-looking"
SHOWING = ("workers", "tasks", "types", "length", "info", "result")


def acts() -> list[str]:
    """Every address of Flower's API that does something, with a name where it wants one."""
    patterns = [handler[0] if isinstance(handler, tuple) else handler.regex.pattern for handler in handlers]
    named = [re.sub(r"\(\.[+*]\)", f"scan@{gethostname()}", pattern.rstrip("$")) for pattern in patterns]
    api = [path for path in named if path.startswith("/api/")]
    return [path for path in api if path.removesuffix(f"/scan@{gethostname()}").rpartition("/")[2] not in SHOWING]


def asked(url: str, method: str = "GET", password: str | None = PASSWORD) -> tuple[int, bytes]:
    """The status (0 while nobody answers) and what was said."""
    request = urllib.request.Request(url, method=method, data=b"" if method == "POST" else None)
    if password:
        request.add_header("Authorization", f"Basic {base64.b64encode(f'operator:{password}'.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return int(answer.status), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except OSError:
        return 0, b""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_flower_shows_tasks_to_those_who_know_the_password_and_lets_nobody_act(
    process_environment: dict[str, str], empty_broker: None, tmp_path: Path, settings: Settings
) -> None:
    settings.PLACES = Places(tmp_path)
    environment = environment_of(process_environment, **variables_of_up())
    url = f"http://127.0.0.1:{environment['FLOWER_PORT']}"
    with running(environment, tmp_path) as processes:
        processes.start("flower")
        processes.start("scan")
        wait_until(lambda: asked(f"{url}/api/workers", password=None)[0] == 401, "flower")
        wait_until(lambda: any("ready" in line for line in processes.said("scan")), "the worker")
        task = app.send_task("alphapulse_site.canary", args=("scan",), queue="scan").id
        # That a task is seen from its sending to its end takes events of tasks, sent by workers.
        wait_until(lambda: state_of(url, task) == "SUCCESS", "the task to be shown")

        assert len(acts()) >= 12
        refused = {path: asked(f"{url}{path}", "POST")[0] for path in acts()}
        assert refused == dict.fromkeys(acts(), 403)
        assert {asked(f"{url}{path}", "POST", password)[0] for path in acts() for password in (None, "guess")} == {401}
        for page in ("/", "/tasks", "/broker", f"/worker/scan@{gethostname()}"):
            assert (asked(f"{url}{page}")[0], asked(f"{url}{page}", password=None)[0]) == (200, 401), page
        assert processes.is_alive("scan")


def variables_of_up() -> dict[str, str]:
    """What `up` tells Flower, beside its port."""
    options = Options("recording", 60, 8000)
    password_file(options).write_text(PASSWORD, encoding="utf-8")
    told = launch._process_variables(options)
    return {name: value for name, value in told.items() if name.startswith("FLOWER_") and name != "FLOWER_PORT"}


def state_of(url: str, task: str) -> str | None:
    status, body = asked(f"{url}/api/task/info/{task}")
    found: dict[str, Any] = json.loads(body) if status == 200 else {}
    return found.get("state")


def test_compose_runs_flower_as_up_does() -> None:
    compose = yaml.safe_load((ROOT / "docker" / "compose.yaml").read_text(encoding="utf-8"))
    environment = compose["services"]["flower"]["environment"]

    assert environment["FLOWER_READ_ONLY"] == "true"
    assert environment["FLOWER_BASIC_AUTH"] == "operator:${FLOWER_PASSWORD:?set it in docker/.env}"
