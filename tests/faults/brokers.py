"""Brokers of a test's own, as processes of its own: Valkey, and RabbitMQ where it is installed."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from alphapulse_site.celery import QUEUES
from alphapulse_site.embedded import valkey_program
from tests.ingestion.streams import wait_until

RABBITMQ = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
PREFIX = "alphapulse:"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ending(process: "subprocess.Popen[bytes]", number: signal.Signals = signal.SIGTERM) -> None:
    process.send_signal(number)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)


class ValkeyBroker:
    """`port` may be reached through a proxy; looks and wipes go straight."""

    kind = "valkey"

    def __init__(self, port: int) -> None:
        self.port = port
        self._client = redis.Redis(port=port)

    def environment(self, port: int = 0) -> dict[str, str]:
        return {"REDIS_URL": f"redis://127.0.0.1:{port or self.port}/0"}

    def queued(self) -> int:
        """Messages that no worker has taken."""
        return sum(int(self._client.llen(PREFIX + name)) for name in QUEUES)

    def taken(self) -> int:
        """Messages that a worker has taken and not acknowledged."""
        return int(self._client.zcard(f"{PREFIX}unacked_index"))

    def wipe(self) -> None:
        self._client.flushall()

    def answers(self) -> bool:
        try:
            return bool(self._client.ping())
        except redis.exceptions.RedisError:
            return False


class RabbitBroker:
    """A node of its own; passive declarations say what waits."""

    kind = "rabbitmq"

    def __init__(self, port: int) -> None:
        self.port = port

    def environment(self, port: int = 0) -> dict[str, str]:
        return {"ALPHAPULSE_BROKER_URL": f"amqp://guest:guest@127.0.0.1:{port or self.port}//", "REDIS_URL": ""}

    def queued(self) -> int:
        with Connection(self.environment()["ALPHAPULSE_BROKER_URL"]) as connection, connection.channel() as channel:
            return sum(int(channel.queue_declare(queue=name, passive=True).message_count) for name in QUEUES)

    def answers(self) -> bool:
        try:
            with Connection(self.environment()["ALPHAPULSE_BROKER_URL"], connect_timeout=2) as connection:
                connection.ensure_connection(max_retries=0, timeout=2)
        except OperationalError:
            return False
        return True


Broker = ValkeyBroker | RabbitBroker


@contextmanager
def valkey_broker(home: Path) -> Iterator[ValkeyBroker]:
    port = free_port()
    options = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(home), "--save", "", "--appendonly", "no"]
    with (home / "valkey.log").open("ab") as log:
        process = subprocess.Popen([str(valkey_program()), *options], stdout=log, stderr=log, start_new_session=True)
    broker = ValkeyBroker(port)
    try:
        wait_until(broker.answers, seconds=30)
        yield broker
    finally:
        ending(process)


@contextmanager
def rabbit_broker(home: Path) -> Iterator[RabbitBroker]:
    """On loopback only, with its own name, data and port mapper; skips where it is not installed."""
    mapper = shutil.which("epmd")
    if not RABBITMQ.exists() or mapper is None:
        pytest.skip("RabbitMQ is not installed (apt-get install rabbitmq-server)")
    port, distribution, mapping = free_port(), free_port(), free_port()
    environment = os.environ | {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"alphapulse{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(home / "data"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONF_ENV_FILE": "/nonexistent",
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "plugins"),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_DIST_PORT": str(distribution),
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}",
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_EPMD_PORT": str(mapping),
    }
    with (home / "rabbit.log").open("ab") as log:
        # As a child of ours: a node that finds none starts one that outlives it.
        names = subprocess.Popen([mapper, "-port", str(mapping)], env=environment, stdout=log, stderr=log)
        node = subprocess.Popen([str(RABBITMQ)], env=environment, stdout=log, stderr=log, start_new_session=True)
    broker = RabbitBroker(port)
    try:
        wait_until(broker.answers, seconds=90)
        yield broker
    finally:
        ending(node)
        ending(names)
