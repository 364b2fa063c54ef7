"""REST that fails, lies, forbids or goes away while minutes are missing: they come as soon as it is well again."""

from typing import Any

import pytest

from alphapulse_site.clock import market_now
from ingestion import rest, tasks
from ingestion.candles import to_datetime, to_ms
from ingestion.models import CandleGap, CandleSource, RequestPause, Symbol
from ingestion.selectors import unexplained_gaps
from tests.faults.ingest import KLINES, STREAMS, Ingest
from tests.faults.truth import NAMES
from tests.ingestion.streams import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
BTC, ETH, BNB, SOL = NAMES
TIME = "/api/v3/time"


def lose_two_minutes(ingest: Ingest) -> None:
    """Two minutes whose final frames never come, long enough ago that they count as missing."""
    ingest.inflict("never_closed", count=2, symbols=[BTC])
    ingest.until_struck_by("never_closed")
    ingest.live(minutes=1)


def is_missing(ingest: Ingest) -> bool:
    return bool(unexplained_gaps([BTC], 0, ingest.now_ms() - 120_000))


def requests_of(ingest: Ingest) -> int:
    """All that was asked of the exchange over REST, whatever it was about."""
    return len([line for line in ingest.exchange.log.lines() if line.path != STREAMS])


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("5xx", {"status": 500}),
        ("5xx", {"status": 503}),
        ("html", {}),
        ("malformed", {}),
        ("refuse", {}),
        ("timeout", {}),
    ],
)
def test_answers_that_are_none_are_asked_for_again(ingest: Ingest, kind: str, parameters: dict[str, Any]) -> None:
    ingest.inflict(kind, paths=[KLINES], parameters=parameters)
    lose_two_minutes(ingest)
    ingest.live(minutes=2)
    assert is_missing(ingest)

    ingest.assert_nothing_is_lost()
    assert bool(ingest.refused(CandleSource.REST)) == (kind == "malformed")


def test_an_exchange_that_does_not_even_tell_the_time(ingest: Ingest) -> None:
    ingest.inflict("refuse", paths=[KLINES, TIME])
    lose_two_minutes(ingest)
    ingest.live(minutes=2)
    assert is_missing(ingest)

    ingest.assert_nothing_is_lost()


def test_pages_that_are_shorter_than_asked_for_prove_nothing(ingest: Ingest) -> None:
    """Of several minutes that are missing together the answer has one."""
    ingest.inflict("5xx", paths=[KLINES])
    ingest.inflict("never_closed", count=8, symbols=[BTC, ETH])
    ingest.until_struck_by("never_closed")
    ingest.exchange.faults.clear()
    ingest.inflict("short", paths=[KLINES], parameters={"rows": 1})
    before = len(ingest.exchange.log.lines(KLINES))
    wait_until(lambda: len(ingest.exchange.log.lines(KLINES)) >= before + 2, seconds=40)
    ingest.live(minutes=3)

    ingest.assert_nothing_is_lost()


@pytest.mark.parametrize("kind", ["429", "418"])
def test_during_a_ban_nothing_is_sent(ingest: Ingest, kind: str) -> None:
    ingest.inflict(kind, count=1, paths=[KLINES], parameters={"seconds": 6})
    lose_two_minutes(ingest)
    wait_until(lambda: RequestPause.objects.exists(), seconds=20)
    before = requests_of(ingest)
    ingest.live(minutes=3)
    assert requests_of(ingest) == before
    assert is_missing(ingest)

    ingest.assert_nothing_is_lost()
    assert requests_of(ingest) > before


def test_a_firewall_is_left_alone_for_a_while(ingest: Ingest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rest.QUIET, 403, 8)
    ingest.inflict("403", count=1, paths=[KLINES])
    lose_two_minutes(ingest)
    wait_until(lambda: RequestPause.objects.exists(), seconds=20)
    before = requests_of(ingest)
    ingest.live(minutes=2)
    assert requests_of(ingest) == before

    ingest.assert_nothing_is_lost()
    (pause,) = RequestPause.objects.all()
    assert "403" in pause.reason


def test_maintenance_is_explained_once_and_not_asked_for_for_ever(ingest: Ingest) -> None:
    ingest.inflict("maintenance")
    ingest.live(minutes=5)

    ingest.settle()
    outage = CandleGap.objects.filter(reason="exchange_outage")
    assert set(outage.values_list("symbol", flat=True)) == set(NAMES)
    before, over_ms = len(ingest.exchange.log.lines(KLINES)), max(to_ms(gap.end) for gap in outage)
    ingest.live(minutes=5)
    # Minutes after it may be asked for as long as the stream is not back.
    asked = ingest.exchange.log.lines(KLINES)[before:]
    assert [line for line in asked if int(line.query["startTime"]) < over_ms] == []
    ingest.assert_nothing_is_lost()


def test_a_halt_of_one_symbol_holds_up_nobody(ingest: Ingest) -> None:
    ingest.inflict("halt", symbols=[ETH])
    ingest.live(minutes=3)
    tasks.refresh_universe()
    halted = CandleGap.objects.filter(symbol=ETH, reason=CandleGap.Reason.HALTED)
    wait_until(halted.exists, seconds=20)
    later = to_datetime(ingest.now_ms())
    wait_until(lambda: (market_now() or later) > later, seconds=20)

    ingest.assert_nothing_is_lost()
    assert set(CandleGap.objects.values_list("symbol", flat=True)) == {ETH}
    assert set(Symbol.objects.filter(trading_status="TRADING").values_list("name", flat=True)) >= {BTC, BNB, SOL}


def test_a_delisted_symbol_ends_with_its_last_candle(ingest: Ingest) -> None:
    ingest.inflict("delisting", symbols=[SOL])
    ingest.live(minutes=2)
    tasks.refresh_universe()

    ingest.assert_nothing_is_lost()
    gone = Symbol.objects.get(name=SOL)
    assert gone.delisted_at is not None
    assert not gone.is_active
