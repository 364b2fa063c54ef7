"""Queues: what waits in them, whether they move, and what was given up."""

from collections.abc import Iterator

from prometheus_client.core import Metric

from alphapulse_site.broker import BrokerDownError, waiting
from alphapulse_site.celery import QUEUES
from alphapulse_site.models import ParkedTask
from analytics.metrics.counting import counted
from analytics.metrics.families import counters, gauge, gauges
from analytics.selectors.signs import Signs, canary


def broker() -> Iterator[Metric]:
    """Whether it answers; and if it does, what waits in it."""
    try:
        found = waiting(QUEUES)
    except BrokerDownError:
        yield from gauge("alphapulse_broker_up", "Whether the broker answers.", False)
        return
    yield from gauge("alphapulse_broker_up", "Whether the broker answers.", True)
    yield from gauges(
        "alphapulse_queue_messages",
        "Messages in a queue that no worker has taken yet.",
        "queue",
        {name: each.messages for name, each in found.items()},
    )
    yield from gauges(
        "alphapulse_queue_oldest_message_age_seconds",
        "Since when the message at the front of a queue waits; absent for an empty queue and where the broker does"
        " not tell.",
        "queue",
        {name: each.oldest_seconds for name, each in found.items()},
    )


def signs_of_life() -> Iterator[Metric]:
    """Wall seconds since each process and poll gave its last one."""
    signs = Signs.read()
    yield from gauges(
        "alphapulse_canary_age_seconds",
        "Wall seconds since a worker last took the canary out of a queue, which beat sends each minute.",
        "queue",
        {queue: signs.age(canary(queue)) for queue in QUEUES},
    )
    others = {name: beat for name, beat in signs.beats.items() if not name.startswith(canary(""))}
    yield from gauges(
        "alphapulse_heartbeat_age_seconds",
        "Wall seconds since the last sign of life of a process or poll.",
        "name",
        {name: signs.age(name) for name in others},
    )
    yield from counters(
        "alphapulse_heartbeats_total",
        "Signs of life of a process or poll since the installation.",
        "name",
        {name: beat.beats for name, beat in others.items()},
    )


def parked() -> Iterator[Metric]:
    yield from gauge(
        "alphapulse_parked_tasks", "Tasks that failed for good and were not sent again.", counted(ParkedTask.waiting())
    )
