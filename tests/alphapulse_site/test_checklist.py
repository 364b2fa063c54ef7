"""What the start of the system waits for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from alphapulse_site.checklist import heartbeat_since
from alphapulse_site.jobs import beat

pytestmark = pytest.mark.django_db


def test_a_heartbeat_since_the_start_is_told_with_its_figures() -> None:
    start = timezone.now() - timedelta(seconds=1)
    beat("gap_backfill", open=0, filled=3)

    assert heartbeat_since("gap_backfill", start) == "open 0, filled 3"
    assert heartbeat_since("gap_backfill", timezone.now() + timedelta(minutes=1)) is None
    assert heartbeat_since("stream", start) is None


def test_a_heartbeat_that_tells_an_error_is_waited_over() -> None:
    start = timezone.now() - timedelta(seconds=1)
    beat("gap_backfill", open=0, error="the exchange does not answer")

    assert heartbeat_since("gap_backfill", start) is None
