"""A market that is followed, for each test its own."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.faults.ingest import Ingest, ingesting


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
