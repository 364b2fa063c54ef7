"""What waits in the broker's queues, and for how long: asked quickly, and without taking anything out."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from celery import current_app
from celery.signals import before_task_publish
from django.conf import settings
from kombu.exceptions import OperationalError
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from alphapulse_site.environment import cache_url

SENT_AT = "sent_at"
# Whoever looks has a few seconds in all.
CONNECT_SECONDS, ANSWER_SECONDS = 1.0, 2.0


class BrokerDownError(Exception):
    """The broker did not answer in time."""


@dataclass(frozen=True)
class Waiting:
    """`messages` that no worker has taken yet. `oldest_seconds`: since the one at the front was sent, if that is known.

    Redis shows what is at the front of a list. RabbitMQ shows no message without handing it out, so nothing is known.
    """

    messages: int
    oldest_seconds: float | None = None


@before_task_publish.connect(dispatch_uid="say when a message was sent")
def note_when(headers: dict[str, Any], **_: Any) -> None:
    """A message itself says when it was sent, so that nobody has to keep a record of it."""
    headers[SENT_AT] = time.time()


def waiting(queues: Iterable[str]) -> dict[str, Waiting]:
    """What waits by queue, without those that no worker has declared yet. Raises BrokerDownError."""
    names = list(queues)
    if urlsplit(settings.CELERY_BROKER_URL).scheme.startswith("redis"):
        return _in_lists(names)
    return _declared(names)


def _in_lists(names: list[str]) -> dict[str, Waiting]:
    """One round trip. A queue that is empty is no list at all."""
    prefix = str(settings.CELERY_BROKER_TRANSPORT_OPTIONS["global_keyprefix"])
    client = Redis.from_url(
        cache_url(settings.CELERY_BROKER_URL),
        socket_connect_timeout=CONNECT_SECONDS,
        socket_timeout=ANSWER_SECONDS,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with client, client.pipeline(transaction=False) as pipe:
            for name in names:
                # Messages are pushed on the left and taken from the right.
                pipe.llen(prefix + name)
                pipe.lindex(prefix + name, -1)
            found = pipe.execute()
    except RedisError as error:
        raise BrokerDownError(str(error)) from error
    return {name: Waiting(found[2 * at], _age(found[2 * at + 1])) for at, name in enumerate(names)}


def _age(message: bytes | None) -> float | None:
    """None also for what is no message of ours, which a worker will refuse."""
    try:
        told = json.loads(message or b"{}")
    except ValueError:
        return None
    headers = told.get("headers") if isinstance(told, dict) else None
    sent_at = headers.get(SENT_AT) if isinstance(headers, dict) else None
    return max(time.time() - sent_at, 0.0) if isinstance(sent_at, float | int) else None


def _declared(names: list[str]) -> dict[str, Waiting]:
    """By the one question of AMQP that changes nothing: a passive declaration."""
    quick = {"max_retries": 0, "connect_timeout": CONNECT_SECONDS, "read_timeout": ANSWER_SECONDS}
    connection = current_app.connection_for_read(transport_options=quick, connect_timeout=CONNECT_SECONDS)
    found = {}
    try:
        with connection:
            connection.ensure_connection(max_retries=0, timeout=CONNECT_SECONDS, reraise_as_library_errors=True)
            for name in names:
                if (messages := _messages_in(connection, name)) is not None:
                    found[name] = Waiting(messages)
    except (OperationalError, *connection.connection_errors) as error:
        raise BrokerDownError(str(error)) from error
    return found


def _messages_in(connection: Any, name: str) -> int | None:
    """None where there is no such queue; asking for it closes the channel."""
    channel = connection.channel()
    try:
        return int(channel.queue_declare(queue=name, passive=True).message_count)
    except connection.channel_errors:
        return None
    finally:
        channel.close()
