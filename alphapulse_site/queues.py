"""What differs between the two kinds of broker: Redis or Valkey (the default), and RabbitMQ with quorum queues."""

from collections.abc import Iterable
from typing import Any

from kombu import Exchange, Queue

# The broker drops what has come back so often; ours are parked long before (`redelivery`).
DELIVERIES = 20


def declared(names: Iterable[str], *, rabbitmq: bool) -> list[Queue]:
    """The declared queues; on RabbitMQ replicated ones, on an exchange that can hold back what is retried later."""
    if not rabbitmq:
        exchange = Exchange("alphapulse", type="direct")
        return [Queue(name, exchange, routing_key=name) for name in names]
    # What is retried later waits in RabbitMQ itself, for which Celery needs a topic; else in a worker's only slot.
    exchange = Exchange("alphapulse.quorum", type="topic")
    arguments = {"x-queue-type": "quorum", "x-delivery-limit": DELIVERIES}
    return [Queue(name, exchange, routing_key=name, queue_arguments=arguments) for name in names]


def transport_options(*, rabbitmq: bool, visibility_timeout: int, prefix: str) -> dict[str, Any]:
    """Celery's `broker_transport_options`."""
    if rabbitmq:
        # A message counts as sent when the broker has said so.
        return {"confirm_publish": True}
    return {
        # Above the hard time limit, or a running task would be handed out a second time.
        "visibility_timeout": visibility_timeout,
        "unacked_restore_interval": 10,
        "unacked_restore_throttle": 1,
        "unacked_mutex_expire": 30,
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
        "socket_keepalive": True,
        "health_check_interval": 10,
        "global_keyprefix": prefix,
    }
