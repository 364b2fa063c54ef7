"""A market that is followed, and workers on a broker, for each test its own."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.brokers import Broker, RabbitBroker, ValkeyBroker, rabbit_broker, valkey_broker
from tests.faults.ingest import Ingest, ingesting
from tests.faults.workers import Workers, workers_on


@pytest.fixture
def ingest(transactional_db: None, empty_broker: None, settings: Any) -> Iterator[Ingest]:
    """The whole of ingestion on the air, a minute of the market a second, with gap checks now and then."""
    with ingesting(settings) as running:
        yield running


@pytest.fixture
def stream_only(transactional_db: None, empty_broker: None, settings: Any) -> Iterator[Ingest]:
    """The same, but the stream is alone: whatever is missing it has to notice itself."""
    with ingesting(settings, with_ticks=False) as running:
        yield running


@pytest.fixture(scope="session")
def rabbit(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitBroker]:
    with rabbit_broker(tmp_path_factory.mktemp("rabbit")) as broker:
        yield broker


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyBroker]:
    """A broker of this test's own, on a TCP port, so that it may be wiped and reached through a proxy."""
    with valkey_broker(tmp_path) as broker:
        yield broker


@pytest.fixture
def crew(valkey: ValkeyBroker, process_environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    with workers_on(valkey, process_environment, tmp_path) as found:
        yield found


@pytest.fixture(params=["valkey", "rabbitmq"])
def any_crew(request: pytest.FixtureRequest, process_environment: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    """On either kind of broker."""
    broker: Broker = request.getfixturevalue("valkey" if request.param == "valkey" else "rabbit")
    with workers_on(broker, process_environment, tmp_path) as found:
        yield found
