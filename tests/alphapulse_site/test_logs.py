"""Log lines as JSON: the processes of the Procfile are run, and every line that they say is read back."""

import json
import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from alphapulse_site.celery import app
from alphapulse_site.jobs import run_once
from alphapulse_site.log_context import about, facts
from alphapulse_site.logs import JsonLine, process_name
from alphapulse_site.models import Heartbeat, JobRun
from signals.models import Signal
from signals.services import track
from tests.alphapulse_site.procfile import ROOT, SECONDS, Running, environment_of, running, wait_until
from tests.analytics import rows
from tests.analytics.test_invariants import candles

PROCESSES = ("web", "stream", "beat", "scan", "learning", "flower")
Line = dict[str, Any]


def lines(processes: Running, name: str) -> list[Line]:
    """Each line as the object that it is; a line that is none fails, and is shown."""
    found = []
    for text in processes.said(name):
        try:
            found.append(json.loads(text))
        except ValueError:
            pytest.fail(f"{name} said a line that is no JSON: {text!r}")
    return found


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.django_db(transaction=True)
def test_every_line_of_every_process_is_one_json_object(
    process_environment: dict[str, str], empty_broker: None, tmp_path: Path
) -> None:
    environment = environment_of(process_environment, ALPHAPULSE_LOG="json")
    rows.market_clock()
    for close in (rows.NOW - timedelta(days=1), rows.NOW):
        rows.scan_close(close)
    web = f"http://127.0.0.1:{environment['PORT']}"
    with running(environment, tmp_path) as processes:
        for name in PROCESSES:
            processes.start(name)
        canary = app.send_task("alphapulse_site.canary", args=("scan",), queue="scan").id
        failing = app.send_task("signals.decide_close", args=("2021-01-01T00:00:00+00:00",)).id
        app.send_task("learning.resume_jobs")
        wait_until(lambda: answered(f"{web}/metrics") == 200, "the web process")
        assert answered(f"{web}/api/nowhere/") == 404
        wait_until(lambda: answered(f"http://127.0.0.1:{environment['FLOWER_PORT']}/healthcheck"), "flower")
        wait_until(lambda: JobRun.objects.filter(job="daily_learning", status="done").exists(), "the night")
        wait_until(lambda: Heartbeat.objects.filter(name="canary:scan").exists(), "the canary")
        wait_until(lambda: any("raised" in text for text in processes.said("scan")), "the task that fails")
        wait_until(lambda: any(text for text in processes.said("beat") if "Starting" in text), "beat")

    told = {name: lines(processes, name) for name in PROCESSES}
    for name, found in told.items():
        assert found, f"{name} said nothing"
        for line in found:
            assert {"time", "level", "logger", "message", "process"} <= line.keys(), line
            assert line["process"] == name
            assert datetime.fromisoformat(line["time"]).utcoffset() == timedelta(0)
    asked = [line for line in told["web"] if line["logger"] == "gunicorn.access"]
    assert {(line["method"], line["path"], line["status"]) for line in asked} >= {
        ("GET", "/metrics", 200),
        ("GET", "/api/nowhere/", 404),
    }
    of_canary = [line for line in told["scan"] if line.get("task_id") == canary]
    assert {line["task"] for line in of_canary} == {"alphapulse_site.canary"}
    # What the worker says before the task, and what is said inside of it.
    assert {line["logger"] for line in of_canary} == {"celery.worker.strategy", "celery.app.trace"}
    [error] = [line for line in told["scan"] if line["level"] == "ERROR"]
    assert (error["task_id"], error["close"]) == (failing, "2021-01-01T00:00:00+00:00")
    assert "DoesNotExist" in error["exception"]
    [done] = [line for line in told["learning"] if line["message"] == "daily_learning 2021-07-09 is done"]
    assert (done["job"], done["period"], done["task"]) == ("daily_learning", "2021-07-09", "learning.resume_jobs")


def answered(url: str) -> int:
    """The status; 0 while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0


CRASH = """
import os, threading, warnings
os.environ["DJANGO_SETTINGS_MODULE"] = "alphapulse_site.settings"
import django
django.setup()
warnings.warn("over\\ntwo lines")
def broken(): raise ValueError("in a thread")
thread = threading.Thread(target=broken)
thread.start()
thread.join()
raise KeyError("nobody caught me")
"""


def python(program: str, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", program]
    return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=90, check=False)


def test_warnings_and_crashes_are_lines_like_any_other() -> None:
    environment = os.environ | {"ALPHAPULSE_LOG": "json", "PYTHONWARNINGS": "default"}
    done = subprocess.run(
        [sys.executable, "-c", CRASH],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 1
    assert [line["level"] for line in lines] == ["WARNING", "CRITICAL", "CRITICAL"]
    assert "over\ntwo lines" in lines[0]["message"]
    assert "ValueError: in a thread" in lines[1]["exception"]
    assert "KeyError: 'nobody caught me'" in lines[2]["exception"]


def test_lines_for_people_stay_as_they_were() -> None:
    environment = os.environ | {"ALPHAPULSE_LOG": "line"}
    say = "import django; django.setup(); import logging; logging.getLogger('who').warning('what')"
    done = python(say, environment)

    assert done.stderr.endswith(" WARNING who: what\n")


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["/bin/celery", "--app", "alphapulse_site", "worker", "--hostname", "scan@%h"], "scan"),
        (["/bin/celery", "--app", "alphapulse_site", "worker"], "worker"),
        (["/bin/celery", "--app", "alphapulse_site", "beat"], "beat"),
        (["/bin/gunicorn", "alphapulse_site.wsgi"], "web"),
        (["manage.py", "stream"], "stream"),
        (["manage.py"], "manage.py"),
        ([""], "python"),
        ([], "python"),
    ],
)
def test_a_process_is_called_as_in_the_procfile(argv: list[str], name: str) -> None:
    assert process_name(argv) == name


def formatted(record: logging.LogRecord) -> Line:
    found: Line = json.loads(JsonLine().format(record))
    return found


def test_what_lines_are_about_ends_with_its_block() -> None:
    with about(job="daily_learning"):
        with about(scan_id=7):
            assert facts() == {"job": "daily_learning", "scan_id": "7"}
        assert facts() == {"job": "daily_learning"}
    assert facts() == {}


@pytest.fixture
def said() -> Iterator[list[Line]]:
    """Lines as they are when they are said."""
    found: list[Line] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(formatted(record))

    keep = Keep()
    logging.getLogger().addHandler(keep)
    yield found
    logging.getLogger().removeHandler(keep)


@pytest.mark.django_db(transaction=True)
def test_a_job_that_fails_says_which(said: list[Line]) -> None:
    def effect() -> None:
        raise ValueError("no luck")

    with pytest.raises(ValueError, match="no luck"):
        run_once("daily_learning", "2021-07-09", effect)

    [line] = [line for line in said if line["level"] == "WARNING"]
    assert (line["job"], line["period"]) == ("daily_learning", "2021-07-09")
    assert facts() == {}


@pytest.mark.django_db
def test_the_end_of_a_signal_is_a_line_with_its_scan(
    said: list[Line], django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks
) -> None:
    rows.market_clock()
    rows.symbol()
    candles(10)
    opened = rows.NOW - timedelta(minutes=8)
    ended = rows.signal(None, opened, expires_at=rows.NOW - timedelta(minutes=2))

    with django_capture_on_commit_callbacks(execute=True):
        assert track(Signal, until=rows.NOW) == 1
        # Nothing is told that a roll-back may still undo.
        assert not said

    [line] = [line for line in said if line["logger"] == "signals.services.track"]
    assert line["scan_id"] == str(ended.scan_id)
    assert line["message"].startswith("outcome: BTCUSDT long, ")
    assert timezone.now() - datetime.fromisoformat(line["time"]) < timedelta(minutes=5)
