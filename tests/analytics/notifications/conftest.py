"""A receiver, and channels that lead to it."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from analytics.models import Channel
from tests.analytics import rows
from tests.analytics.notifications.receiver import Receiver, receiving
from tests.analytics.notifications.secret_values import SECRET, TOKEN

MakeChannel = Callable[..., Channel]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


@pytest.fixture(autouse=True)
def ways_out(settings: Settings) -> None:
    settings.ALPHAPULSE_CHANNEL_SECRETS = {
        "ALPHAPULSE_CHANNEL_WEBHOOK_SECRET": SECRET,
        "ALPHAPULSE_CHANNEL_TELEGRAM_TOKEN": TOKEN,
    }
    settings.ALPHAPULSE_PUBLIC_URL = "https://pulse.example.org"


@pytest.fixture
def channel(db: None, receiver: Receiver) -> MakeChannel:
    """Make a channel that has listened for a week of the market: a webhook to the receiver unless said otherwise."""

    def make(name: str = "hook", **columns: Any) -> Channel:
        listening = {
            "listens_since": timezone.now() - timedelta(days=7),
            "market_since": rows.NOW - timedelta(days=7),
            "seen_until": rows.NOW - timedelta(minutes=1),
        }
        where = {"medium": "webhook", "address": f"{receiver.url}/hook"}
        return Channel.objects.create(name=name, **(where | listening | columns))

    return make
