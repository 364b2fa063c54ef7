"""A parked task is sent again once, by whoever was first, and stays parked where it cannot be sent."""

from collections.abc import Iterator
from queue import Empty

import pytest
from celery import Celery
from django.utils import timezone

from alphapulse_site.celery import app
from alphapulse_site.models import ParkedTask
from alphapulse_site.parking import NotSentError, retry_parked
from tests.at_once import run_at_once

pytestmark = pytest.mark.django_db


def parked(name: str = "alphapulse_site.canary", task_id: str = "abc") -> ParkedTask:
    return ParkedTask.objects.create(
        task_id=task_id, name=name, args=["scan"], error="KeyError: x", parked_at=timezone.now()
    )


def waiting() -> Iterator[tuple[str, str]]:
    """Name and id of each message in the maintenance queue."""
    with app.connection_for_read() as connection, connection.SimpleQueue(app.amqp.queues["maintenance"]) as queue:
        while True:
            try:
                headers = queue.get_nowait().headers
            except Empty:
                return
            yield headers["task"], headers["id"]


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

    with pytest.raises(NotSentError, match="in this release"):
        retry_parked(parked_id=row.pk, by="ada")

    assert ParkedTask.objects.get(retried_at=None) == row


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
