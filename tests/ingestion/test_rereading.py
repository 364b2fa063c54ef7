"""Yesterday is asked for again, once: corrections come in and are kept on record, nothing else changes."""

from typing import Any

import pytest

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.jobs import advisory_lock
from alphapulse_site.models import JobRun, MarketClock
from ingestion.binance import SpotDoor
from ingestion.candles import load_candles, store_candles, to_datetime
from ingestion.gaps import LOCK
from ingestion.models import Candle, CandleRevision, CandleSource
from ingestion.rereading import reread_day
from ingestion.timeframes import FIGURES, Candles
from tests.at_once import run_at_once
from tests.faults.truth import on_the_wire
from tests.ingestion.exchanges import RunningExchange
from tests.ingestion.spot import BTC, ETH, asked, asking, at, history, listed, misbehave, spot

pytestmark = pytest.mark.django_db(transaction=True)

DAY = 1440


@pytest.fixture
def market() -> dict[str, Candles]:
    """A day and two hours of two symbols, as the stream brought them."""
    minutes = {name: on_the_wire(candles) for name, candles in history(BTC, ETH, count=DAY + 120).items()}
    set_market_clock(mode=MarketClock.Mode.WALL)
    listed(BTC, ETH)
    store_candles(minutes, source=CandleSource.STREAM)
    return minutes


@pytest.fixture
def exchange(market: dict[str, Candles], settings: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    with spot(settings, monkeypatch, market, now=DAY + 120) as running:
        yield running


def reread(**options: Any) -> JobRun | None:
    with SpotDoor() as door:
        return reread_day(door=door, **options)


def test_a_correction_replaces_the_candle_of_the_stream_and_leaves_a_revision(exchange: RunningExchange) -> None:
    advance_market_clock(to_datetime(at(DAY + 61)))
    before = load_candles(BTC, at(600), at(601))
    exchange.exchange.market.restate(BTC, at(600), {"volume": 12.5})

    run = reread()

    assert run is not None
    assert run.report == {"corrected": 1, "symbols": [BTC]}
    assert load_candles(BTC, at(600), at(601)).volume.tolist() == [12.5]
    revision = CandleRevision.objects.get()
    assert (revision.old_source, revision.new_source) == ("stream", "rest")
    assert revision.old_figures[FIGURES.index("volume")] == before.volume[0]
    assert Candle.objects.exclude(source="stream").count() == 1


def test_a_day_is_asked_for_once(exchange: RunningExchange) -> None:
    advance_market_clock(to_datetime(at(DAY + 61)))
    assert reread() is not None
    pages = asked(exchange)

    assert reread() is None
    assert asked(exchange) == pages
    assert JobRun.objects.get().period == "2023-03-24"


def test_a_day_is_left_alone_until_it_has_been_over_for_an_hour(exchange: RunningExchange) -> None:
    """Then it is the turn of the day before, of which nothing was listed."""
    advance_market_clock(to_datetime(at(DAY + 59)))

    assert reread() is not None
    assert JobRun.objects.get().period == "2023-03-23"
    assert asked(exchange) == 0


def test_a_day_that_the_exchange_did_not_answer_in_full_is_asked_for_again(exchange: RunningExchange) -> None:
    advance_market_clock(to_datetime(at(DAY + 61)))
    misbehave(exchange, "403", count=1)

    assert reread() is None
    assert not JobRun.objects.exists()


def test_beside_a_gap_check_it_waits_for_the_next_tick(
    exchange: RunningExchange, process_environment: dict[str, str]
) -> None:
    advance_market_clock(to_datetime(at(DAY + 61)))
    code = asking(
        exchange,
        "from ingestion.binance import SpotDoor\nfrom ingestion.rereading import reread_day\n"
        "with SpotDoor() as door:\n    answer = reread_day(door=door) is None",
    )
    with advisory_lock(LOCK) as is_ours:
        assert is_ours
        assert run_at_once(code, process_environment, count=1) == [True]
    assert asked(exchange) == 0
