"""The judge of what the API told: it finds what was forgotten, changed, done twice, or done and refused."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from pytest_django.live_server_helper import LiveServer

from alphapulse_site.models import JobRun, ParkedTask
from analytics.models import AcknowledgedRequest
from analytics.tokens import create_token
from tests.analytics import rows
from tests.faults import promises
from tests.faults.acts import (
    ASKER,
    PARK,
    PARKED,
    WEEK_TO_COME,
    learn_a_week_to_come,
    learn_day,
    send_again,
    send_again_and_more,
    send_what_is_not_there,
)
from tests.faults.asking import Asked, Asking


def ask(sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return list(cursor.fetchall())


@pytest.fixture
def asking(empty_broker: None, live_server: LiveServer) -> Asking:
    """Somebody who has acted and was refused, and all of it is as he was told."""
    rows.market_clock()
    rows.scan_close(rows.NOW - timedelta(days=2))
    with connection.cursor() as cursor:
        cursor.execute(PARK, [6])
    operator = User.objects.create(username=ASKER, is_staff=True)
    token = create_token(name="t", scope="operate", user=operator)[1]
    # Nothing is harmed here: an answer that takes long is slow and not unknown.
    asking = Asking(live_server.url, token, patience=60)
    _act(asking, iter([row for (row,) in ask(PARKED)]))
    return asking


def _act(asking: Asking, parked: Iterator[int]) -> None:
    first = asking.ask(send_again(next(parked)))
    asking.ask(send_again(next(parked), key=first.act.key))
    for act in (send_again(next(parked)), send_again_and_more(next(parked)), send_what_is_not_there()):
        asking.ask(act)
    asking.ask(learn_day("2021-07-09"))
    asking.ask(learn_a_week_to_come())


def found(asking: Asking) -> str:
    return "\n".join(promises.complaints(asking, ask))


def test_nothing_is_wrong_where_all_is_as_it_was_told(asking: Asking) -> None:
    assert found(asking) == ""
    assert [each.answer.status for each in asking.asked if each.answer] == [200, 422, 200, 400, 404, 202, 400]
    assert promises.figures(asking) == "7 acts asked for: 3 acknowledged, 4 refused, 0 of them unknown at first"


def test_a_key_that_is_forgotten_is_found(asking: Asking) -> None:
    # Not the first one's key, under which something else is asked for too, and perhaps sooner.
    AcknowledgedRequest.objects.filter(key=asking.asked[2].act.key).delete()

    # Asked once more it is a new request, for what somebody has done.
    assert "asked once more, told 200 {'sent': False" in found(asking)


def test_an_answer_that_has_changed_is_found(asking: Asking) -> None:
    AcknowledgedRequest.objects.filter(key=asking.asked[2].act.key).update(location="/elsewhere")

    assert "kept is that it was told 200" in found(asking)


def test_an_act_that_is_undone_is_found(asking: Asking) -> None:
    ParkedTask.objects.filter(retried_as=_body(asking.asked[0])["task"]["retried_as"]).update(retried_at=None)
    JobRun.objects.all().delete()

    assert "acknowledged and not done: task" in found(asking)
    assert "acknowledged and not done: run" in found(asking)


def test_an_act_that_nobody_was_told_of_is_found(asking: Asking) -> None:
    ParkedTask.objects.filter(retried_at=None).update(retried_at=rows.NOW, retried_as="x")
    AcknowledgedRequest.objects.create(user=User.objects.get(), key="another", fingerprint="", status=200)
    rows.job_run("weekly_retraining", WEEK_TO_COME)

    assert "done and not acknowledged: task" in found(asking)
    assert "kept is an answer that nobody was told: another" in found(asking)
    assert f"refused and done: weekly_retraining {WEEK_TO_COME}" in found(asking)


def test_an_answer_that_is_not_right_is_found(asking: Asking) -> None:
    """Such as of an act that was done, but under a key that was lost."""
    asking.ask(send_again(int(_body(asking.asked[0])["task"]["id"])))

    assert "but that somebody else had sent it" in found(asking)


def _body(asked: Asked) -> Any:
    assert asked.answer is not None
    return asked.answer.body
