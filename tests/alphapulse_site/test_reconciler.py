"""A tick that was lost is made up within a period and a minute, once, and what fails is not sent for more often."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alphapulse_site.celery import SCHEDULE, WATCHED, app
from alphapulse_site.jobs import beat
from alphapulse_site.models import Heartbeat
from alphapulse_site.reconciler import made_up, make_up
from alphapulse_site.tasks import reconcile
from tests.alphapulse_site.messages import waiting

pytestmark = pytest.mark.django_db


def all_done(ago: timedelta = timedelta(0)) -> None:
    for sign in WATCHED.values():
        done(sign, ago)


def done(sign: str, ago: timedelta) -> None:
    beat(sign)
    Heartbeat.objects.filter(name=sign).update(beat_at=timezone.now() - ago)


def test_a_system_that_was_wiped_sends_for_everything(empty_broker: None) -> None:
    assert set(make_up()) == set(WATCHED)

    queues = {app.amqp.router.route({}, SCHEDULE[name][0])["queue"].name for name in WATCHED}
    sent = {task for queue in queues for task, _ in waiting(queue)}
    assert sent == {SCHEDULE[name][0] for name in WATCHED}


@pytest.mark.parametrize(("name", "sign"), WATCHED.items())
def test_what_is_older_than_its_period_is_sent_for_once_a_period(empty_broker: None, name: str, sign: str) -> None:
    all_done()
    period = SCHEDULE[name][2]
    done(sign, period + timedelta(minutes=1))

    assert make_up() == [name]
    assert make_up() == []
    Heartbeat.objects.filter(name=made_up(sign)).update(beat_at=timezone.now() - period - timedelta(minutes=1))
    assert make_up() == [name]
    assert Heartbeat.objects.get(name=made_up(sign)).beats == 2


def test_what_came_in_time_is_left_to_beat(empty_broker: None) -> None:
    all_done(timedelta(minutes=5))

    assert make_up() == []


def test_what_could_not_be_sent_is_tried_again_at_the_next_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alphapulse_site.reconciler.hint", lambda task: False)

    assert make_up() == []
    assert not Heartbeat.objects.filter(name__startswith="made_up").exists()


def test_the_reconciler_gives_a_sign_of_life_itself(empty_broker: None) -> None:
    all_done()
    done("shadow_monitor", timedelta(minutes=7))

    reconcile()

    assert Heartbeat.objects.get(name="reconciler").figures == {"sent": ["shadow poll"]}
