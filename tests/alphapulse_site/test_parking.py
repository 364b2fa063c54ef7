"""A parked task is sent again once, by whoever was first, and stays parked where it cannot be sent."""

from io import StringIO

import pytest
from billiard.einfo import ExceptionInfo
from celery import Celery
from django.core.management import CommandError, call_command
from django.utils import timezone

from alphapulse_site.celery import app
from alphapulse_site.models import ParkedTask
from alphapulse_site.parking import (
    CURED_BY_WAITING,
    LONGEST_ERROR,
    LONGEST_TRACEBACK,
    NotSentError,
    UnknownTaskError,
    park,
    retry_parked,
)
from alphapulse_site.tasks import canary
from tests.alphapulse_site.messages import waiting
from tests.at_once import run_at_once

pytestmark = pytest.mark.django_db


def parked(name: str = "alphapulse_site.canary", task_id: str = "abc") -> ParkedTask:
    return ParkedTask.objects.create(
        task_id=task_id, name=name, args=["scan"], error="KeyError: x", parked_at=timezone.now()
    )


def fail(message: str, depth: int = 0) -> None:
    if depth:
        fail(message, depth - 1)
    raise ValueError(message)


def park_failure(message: str, depth: int = 0) -> ParkedTask:
    """As Celery does after a task has failed for good."""
    try:
        fail(message, depth)
    except ValueError as error:
        einfo = ExceptionInfo()
        park(sender=canary, task_id="abc", exception=error, args=("scan",), kwargs={}, traceback=None, einfo=einfo)
    return ParkedTask.objects.get()


@pytest.mark.django_db(transaction=True)
def test_a_task_that_failed_for_good_is_parked_once_with_its_last_traceback() -> None:
    park_failure("first")
    row = park_failure("second")

    assert (row.name, row.args, row.error) == ("alphapulse_site.canary", ["scan"], "ValueError: second")
    assert row.traceback.startswith("Traceback")
    assert "raise ValueError(message)" in row.traceback
    assert "second" in row.traceback


@pytest.mark.parametrize("error", CURED_BY_WAITING)
def test_a_task_that_lost_its_database_or_broker_is_not_parked(error: type[Exception]) -> None:
    """Nothing is wrong with it, its work is found again, and the doctor would speak of it for a day."""
    lost = error("server closed the connection unexpectedly")

    park(sender=canary, task_id="abc", exception=lost, args=("scan",), kwargs={}, einfo=None)

    assert not ParkedTask.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_what_is_kept_of_an_error_is_bounded_and_of_a_traceback_it_is_the_end() -> None:
    row = park_failure("x" * 50_000 + "end", depth=50)

    assert len(row.error) == LONGEST_ERROR
    assert len(row.traceback) == LONGEST_TRACEBACK
    assert row.traceback.rstrip().endswith("end")


def command(*arguments: str) -> str:
    said = StringIO()
    call_command("parked", *arguments, stdout=said)
    return said.getvalue()


def test_the_command_lists_what_waits_and_sends_it_again(empty_broker: None) -> None:
    first, second = parked(), parked(task_id="def")

    listed = command("list").splitlines()
    assert [line.split("\t")[0] for line in listed] == [str(first.pk), str(second.pk)]
    assert command("retry", str(first.pk)) == "1 sent again\n"
    assert [line.split("\t")[0] for line in command("list").splitlines()] == [str(second.pk)]
    assert "sent again" in command("list", "--all")
    assert command("retry", "--all") == "1 sent again\n"
    assert command("retry", "--all") == "0 sent again\n"
    assert len(list(waiting())) == 2


@pytest.mark.django_db(transaction=True)
def test_the_command_shows_tracebacks_when_asked() -> None:
    park_failure("boom")

    assert "raise ValueError(message)" not in command("list")
    assert "raise ValueError(message)" in command("list", "--traceback")


@pytest.mark.parametrize("arguments", [("retry",), ("retry", "1", "--all"), ("retry", "17")])
def test_the_command_says_what_it_cannot_send(empty_broker: None, arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError, match="parked"):
        command(*arguments)


def test_a_parked_task_is_sent_again_once(empty_broker: None) -> None:
    row = parked()

    answers = [retry_parked(parked_id=row.pk, by="ada"), retry_parked(parked_id=row.pk, by="bob")]

    row.refresh_from_db()
    assert (answers, row.retried_by) == ([True, False], "ada")
    assert list(waiting()) == [("alphapulse_site.canary", row.retried_as)]


def test_what_is_not_there_is_not_sent(empty_broker: None) -> None:
    assert retry_parked(parked_id=17, by="ada") is False


def test_a_task_of_another_release_stays_parked(empty_broker: None) -> None:
    row = parked(name="ingestion.no_longer_there")

    with pytest.raises(UnknownTaskError, match="in this release"):
        retry_parked(parked_id=row.pk, by="ada")

    assert ParkedTask.objects.get(retried_at=None) == row


ASK_WHILE_IMPORTING = """
import time
from concurrent.futures import ThreadPoolExecutor
from celery.loaders import base
from django.db import connection
from alphapulse_site.models import ParkedTask
from alphapulse_site.parking import retry_parked

find = base.find_related_module

def find_slowly(*names):
    time.sleep(0.3)
    return find(*names)

def ask(row):
    try:
        return retry_parked(parked_id=row, by="ada")
    finally:
        connection.close()

base.find_related_module = find_slowly
with ThreadPoolExecutor(2) as pool:
    answer = list(pool.map(ask, ParkedTask.objects.values_list("pk", flat=True)))
"""


@pytest.mark.django_db(transaction=True)
def test_a_thread_that_asks_while_another_imports_the_tasks_waits_for_it(
    empty_broker: None, process_environment: dict[str, str]
) -> None:
    parked()
    parked(task_id="def")

    assert run_at_once(ASK_WHILE_IMPORTING, process_environment, count=1) == [[True, True]]


def test_without_a_broker_it_stays_parked(monkeypatch: pytest.MonkeyPatch) -> None:
    row = parked()
    lonely = Celery("lonely", broker="redis+socket:///nonexistent/valkey.sock", set_as_current=False)
    lonely.conf.task_ignore_result = True
    lonely.tasks.register(app.tasks["alphapulse_site.canary"])
    monkeypatch.setattr("alphapulse_site.parking.current_app", lonely)

    with pytest.raises(NotSentError, match="out of reach"):
        retry_parked(parked_id=row.pk, by="ada")

    assert ParkedTask.objects.get(retried_at=None) == row


ASK = """
from alphapulse_site.models import ParkedTask
from alphapulse_site.parking import retry_parked
answer = retry_parked(parked_id=ParkedTask.objects.get().pk, by="ada")
"""


@pytest.mark.django_db(transaction=True)
def test_of_four_processes_one_sends_it(empty_broker: None, process_environment: dict[str, str]) -> None:
    parked()

    answers = run_at_once(ASK, process_environment)

    assert sorted(str(answer) for answer in answers) == ["False", "False", "False", "True"]
    assert len(list(waiting())) == 1
