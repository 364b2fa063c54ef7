import ast
import os
from pathlib import Path
from typing import Any

import pytest
from celery.app.defaults import NAMESPACES, flatten
from celery.exceptions import ImproperlyConfigured, QueueNotFound
from django.conf import settings

from alphapulse_site.celery import MINUTE, QUEUES, ROUTES, SCHEDULE, WATCHED, app, schedule_entries
from alphapulse_site.hints import hint
from alphapulse_site.models import Heartbeat
from alphapulse_site.processes import read_procfile
from alphapulse_site.tasks import canary

ROOT = Path(__file__).resolve().parents[2]


def queue_of(task: str) -> str:
    return str(app.amqp.router.route({}, task)["queue"].name)


def test_celery_knows_every_setting_we_give_it() -> None:
    known = {name.upper() for name, _ in flatten(NAMESPACES)}
    ours = {name.removeprefix("CELERY_") for name in dir(settings) if name.startswith("CELERY_")}

    assert ours - known == set()
    assert len(ours) > 20


def test_settings_reach_the_app() -> None:
    assert app.conf.task_acks_late
    assert app.conf.broker_transport_options["visibility_timeout"] > app.conf.task_time_limit
    assert app.conf.task_soft_time_limit < app.conf.task_time_limit


def ours() -> list[Any]:
    app.loader.import_default_modules()
    return [task for name, task in sorted(app.tasks.items()) if not name.startswith("celery.")]


def test_every_task_is_acknowledged_late_and_retried_a_bounded_number_of_times_soon() -> None:
    """A message waits in a worker for a minute at most, so every delay between two tries is shorter."""
    careless = [
        task.name
        for task in ours()
        if not (task.acks_late and task.reject_on_worker_lost and task.retry_on_worker_lost)
        or task.max_retries is None
        or not 1 <= task.max_retries <= 5
        or not 0 < task.default_retry_delay <= 10
        or min(task.retry_backoff_max, 2**task.max_retries) > 60
    ]

    assert careless == []
    assert len(ours()) > 10


def test_every_task_has_a_time_limit_below_the_visibility_timeout() -> None:
    visible = app.conf.broker_transport_options["visibility_timeout"]
    limits = {
        task.name: (
            task.soft_time_limit or app.conf.task_soft_time_limit,
            task.time_limit or app.conf.task_time_limit,
        )
        for task in ours()
    }

    assert [name for name, (soft, hard) in limits.items() if not 0 < soft < hard < visible] == []


def test_lost_ticks_of_everything_that_is_looked_for_seldom_are_made_up() -> None:
    """Work of each minute is found by the next tick; nights and weeks by the learner's reconciler."""
    seldom = {name for name, (_, _, period) in SCHEDULE.items() if period > MINUTE}

    assert set(WATCHED) == seldom - {"daily learning", "weekly retraining"}


@pytest.mark.parametrize("task", sorted({task for task, _, _ in SCHEDULE.values()}))
def test_every_scheduled_task_exists_and_has_a_queue(task: str) -> None:
    app.loader.import_default_modules()

    assert task in app.tasks
    assert queue_of(task) in QUEUES


def test_every_task_of_ours_is_routed() -> None:
    names = {task.name for task in ours()}
    routed = {name for name in names if name in ROUTES or f"{name.split('.')[0]}.*" in ROUTES}

    assert names - routed == set()


def test_every_hint_in_the_code_names_a_task_that_exists() -> None:
    app.loader.import_default_modules()
    hinted = {name for path in ROOT.glob("*/**/*.py") if "tests" not in path.parts for name in _hinted_names(path)}

    assert hinted - set(app.tasks) == set()


def _hinted_names(path: Path) -> list[str]:
    if ".venv" in path.parts:
        return []
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call)]
    named = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "hint" and call.args]
    return [str(call.args[0].value) for call in named if isinstance(call.args[0], ast.Constant)]


@pytest.mark.parametrize(("name", "entry"), list(schedule_entries().items()))
def test_a_tick_expires_before_the_next_one(name: str, entry: dict[str, object]) -> None:
    options = entry["options"]
    assert isinstance(options, dict)
    period = SCHEDULE[name][2] if name in SCHEDULE else MINUTE

    assert options["expires"] == pytest.approx(0.9 * period.total_seconds())


def test_every_queue_has_a_worker_and_a_canary() -> None:
    commands = read_procfile(ROOT / "Procfile").values()
    served = {queue for command in commands for queue in _queues_served(command)}
    watched = {entry["options"]["queue"] for name, entry in schedule_entries().items() if name.startswith("canary")}

    assert served == set(QUEUES)
    assert watched == set(QUEUES)


def _queues_served(command: str) -> list[str]:
    words = command.split()
    return words[words.index("--queues") + 1].split(",") if "--queues" in words else []


def test_this_test_worker_has_a_broker_database_of_its_own() -> None:
    assert os.environ["REDIS_URL"] == settings.CELERY_BROKER_URL


def test_a_misspelt_queue_is_an_error_and_not_a_new_queue(empty_broker: None) -> None:
    with pytest.raises((QueueNotFound, ImproperlyConfigured)):
        canary.apply_async(args=("scan",), queue="scna")


def test_a_hint_waits_in_its_queue(empty_broker: None) -> None:
    assert hint("ingestion.check_gaps")

    with app.connection_for_read() as connection, connection.SimpleQueue(app.amqp.queues["ingestion"]) as queue:
        message = queue.get(timeout=5)
    assert message.headers["task"] == "ingestion.check_gaps"


def test_a_hint_without_a_broker_is_a_warning(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from celery import Celery

    lonely = Celery("lonely", broker="redis+socket:///nonexistent/valkey.sock", set_as_current=False)
    lonely.conf.task_ignore_result = True
    monkeypatch.setattr("alphapulse_site.hints.current_app", lonely)

    assert hint("ingestion.check_gaps") is False
    assert "ingestion.check_gaps waits for the schedule" in caplog.text


@pytest.mark.django_db
def test_the_canary_names_its_queue() -> None:
    canary("learning")

    assert Heartbeat.objects.filter(name="canary:learning").exists()
