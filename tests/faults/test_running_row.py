"""REST that lists the minute that still runs as its last row, whatever it was asked for: that row is not kept."""

from typing import Any

import pytest

from ingestion import tasks
from ingestion.candles import load_candles
from ingestion.exchange.market import Bars, Market
from ingestion.timeframes import MINUTE_MS
from tests.faults.ingest import KLINES, SINCE_MS, START_MS, Ingest, market_with_history
from tests.faults.truth import BEYOND_MS, NAMES, assert_as_the_exchange_says

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]


def check_gaps_with_open_ends(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap check by an exchange that gives rows from the start on and does not look at the end."""
    honest = Market.klines

    def endless(market: Market, *asked: Any, end_ms: int | None = None, **more: Any) -> Bars:
        return honest(market, *asked, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Market, "klines", endless)
        tasks.check_gaps()


def test_the_row_of_the_running_minute_is_not_kept(
    transactional_db: None, empty_broker: None, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock stands still in the middle of a minute, and later of another one."""
    with market_with_history(settings) as ingest:
        ingest.exchange.clock.freeze()
        for minutes in (3, 5):
            runs_since_ms = START_MS + minutes * MINUTE_MS
            ingest.exchange.clock.set(runs_since_ms + MINUTE_MS // 2)
            check_gaps_with_open_ends(ingest, monkeypatch)

            last_ms = {name: load_candles(name, 0, BEYOND_MS).open_ms[-1] for name in NAMES}
            assert last_ms == dict.fromkeys(NAMES, runs_since_ms - MINUTE_MS)

        assert all(int(line.query["endTime"]) < runs_since_ms for line in ingest.exchange.log.lines(KLINES))
        assert_as_the_exchange_says(ingest.exchange, SINCE_MS, was_restated=False)
