"""What a broker tells of the messages that wait in it, for /metrics: either kind of broker, up and down."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from alphapulse_site.celery import QUEUES
from tests.faults.brokers import Broker, free_port
from tests.ingestion.streams import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LOOK = """
import dataclasses, json, sys
import django
django.setup()
from alphapulse_site.broker import BrokerDownError, waiting
from alphapulse_site.celery import QUEUES, app
from alphapulse_site.hints import hint
from tests.ingestion.streams import wait_until
def look():
    return {name: dataclasses.asdict(each) for name, each in waiting(QUEUES).items()}
try:
    look()
    app.control.purge()
    empty = look()
    assert all(hint("ingestion.check_gaps") for _ in range(3))
    wait_until(lambda: look()["ingestion"]["messages"] == 3, seconds=30)
    print(json.dumps([empty, look()]))
    app.control.purge()
except BrokerDownError as error:
    print(json.dumps("down"))
"""


def looked(environment: dict[str, str]) -> Any:
    settings = {"DJANGO_SETTINGS_MODULE": "alphapulse_site.settings", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", LOOK],
        env=os.environ | environment | settings,
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("kind", ["valkey", "rabbit"])
def test_a_broker_tells_what_waits_and_rabbitmq_not_how_long(kind: str, request: pytest.FixtureRequest) -> None:
    broker: Broker = request.getfixturevalue(kind)

    empty, after = looked(broker.environment())

    assert empty == {key: {"messages": 0, "oldest_seconds": None} for key in QUEUES}
    assert {name: each["messages"] for name, each in after.items()} == dict.fromkeys(QUEUES, 0) | {"ingestion": 3}
    # RabbitMQ shows no message without handing it out.
    assert (after["ingestion"]["oldest_seconds"] is None) == (kind == "rabbit")


@pytest.mark.parametrize("scheme", ["redis", "amqp"])
def test_a_broker_that_is_gone_is_said_to_be_down(scheme: str) -> None:
    address = f"{scheme}://127.0.0.1:{free_port()}/0"

    assert looked({"ALPHAPULSE_BROKER_URL": address}) == "down"
