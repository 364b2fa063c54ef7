"""Redelivered messages are counted by the id of their task, given up after a few times, and forgotten after days."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alphapulse_site.models import Redelivery
from alphapulse_site.redelivery import KEPT, MOST, RedeliveredTooOftenError, forget_old, note_redelivery

pytestmark = pytest.mark.django_db


def test_a_message_may_come_back_a_few_times_and_then_no_more() -> None:
    for _ in range(MOST):
        note_redelivery("a")
    note_redelivery("b")

    with pytest.raises(RedeliveredTooOftenError, match=f"came back {MOST + 1} times"):
        note_redelivery("a")

    assert dict(Redelivery.objects.values_list("task_id", "times")) == {"a": MOST + 1, "b": 1}


def test_what_has_not_come_for_days_is_forgotten() -> None:
    note_redelivery("old")
    Redelivery.objects.update(last_at=timezone.now() - KEPT - timedelta(minutes=1))
    note_redelivery("new")

    forget_old()

    assert list(Redelivery.objects.values_list("task_id", flat=True)) == ["new"]
