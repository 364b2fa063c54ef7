"""Holes are filled page by page, in turns, within the exchange's limits, and whatever breaks it off loses nothing."""

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.binance import SpotDoor
from ingestion.budget import reserve
from ingestion.candles import store_candles, to_datetime
from ingestion.exchange.limits import Limits
from ingestion.gaps import check_gaps
from ingestion.models import (
    BackfillRun,
    Candle,
    CandleGap,
    CandleSource,
    QuarantinedMessage,
    RequestBudget,
    RequestPause,
)
from ingestion.rest import ExchangeBusyError
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import Candles
from tests.at_once import run_at_once
from tests.ingestion.exchanges import RunningExchange
from tests.ingestion.market import made_candles
from tests.ingestion.spot import (
    ADA,
    BTC,
    ETH,
    KLINES,
    TIME,
    Spot,
    asked,
    asking,
    assert_stored,
    at,
    complete_until,
    gaps,
    history,
    listed,
    misbehave,
)

WEEK = 7 * 1440
EIGHT = ("AAVEUSDT", "ADAUSDT", "AXSUSDT", "BNBUSDT", "BTCUSDT", "DOGEUSDT", "DOTUSDT", "ETHUSDT")


def order_of_symbols(exchange: RunningExchange) -> list[str]:
    return [line.query["symbol"] for line in exchange.exchange.log.lines(KLINES)]


# --- pages ------------------------------------------------------------------------------------------------------------


def test_long_holes_are_filled_in_pages_and_symbols_take_turns_the_oldest_first(market: Spot) -> None:
    candles = history(BTC, ETH, ADA, count=2500)
    exchange = market(candles, now=2400)
    listed(BTC, since=300)
    listed(ETH)
    listed(ADA, since=2395)

    done = check_gaps()

    assert order_of_symbols(exchange) == [ETH, BTC, ADA, ETH, BTC, ETH, BTC]
    assert (done.filled, done.requests, done.weight) == (2400 + 2100 + 5, 8, 15)
    assert_stored(ETH, candles[ETH].between(0, at(2400)))
    assert_stored(BTC, candles[BTC].between(at(300), at(2400)))
    assert list(BackfillRun.objects.filter(symbol=ETH).values_list("candles", "requests", "weight", "status")) == [
        (2400, 3, 6, "done")
    ]


def test_a_run_says_from_when_to_when_it_went_and_when_it_last_brought_something(market: Spot) -> None:
    market(history(BTC, count=100, without=range(50, 60)), now=90)
    listed(BTC)
    check_gaps()

    run = BackfillRun.objects.get()
    assert (run.source, run.error) == ("rest", "")
    assert run.progress_at is not None
    assert run.finished_at is not None
    assert run.started_at <= run.progress_at <= run.finished_at


def test_short_answers_are_gone_on_from_where_they_end(market: Spot) -> None:
    candles = history(BTC, ETH, count=60)
    exchange = market(candles, now=50)
    listed(BTC, ETH)
    misbehave(exchange, "short", rows=9, symbols=[ETH])

    check_gaps()

    assert order_of_symbols(exchange).count(ETH) == 6
    assert_stored(ETH, candles[ETH].between(0, at(50)))


def test_what_is_left_after_the_seconds_of_a_run_is_found_again(market: Spot) -> None:
    exchange = market(history(BTC, count=3500), now=3400)
    listed(BTC)

    first = check_gaps(seconds=0)
    assert (first.filled, first.open, first.is_unfinished) == (1000, 2400, True)
    assert complete_until() == {BTC: 1000}
    second = check_gaps()

    assert (second.filled, second.open, second.is_unfinished) == (2400, 0, False)
    assert [line.query["startTime"] for line in exchange.exchange.log.lines(KLINES)] == [
        str(at(minute)) for minute in (0, 1000, 2000, 3000)
    ]


def test_a_row_that_is_no_candle_costs_nothing_but_itself(market: Spot) -> None:
    candles = history(BTC, count=100)
    candles[BTC].close[40] = 1e9
    market(candles, now=90)
    listed(BTC)

    assert (check_gaps().filled, QuarantinedMessage.objects.get().reason) == (89, "high is below open, low or close")
    check_gaps()
    assert QuarantinedMessage.objects.count() == 1


# --- the exchange's bad days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "details", "said"),
    [
        ("5xx", {"status": 503}, "answers 503"),
        ("html", {}, "a web page"),
        ("refuse", {}, "does not answer"),
        ("429", {"seconds": 30}, "no request before"),
        ("418", {"seconds": 300}, "no request before"),
        ("403", {}, "no request before"),
        ("451", {}, "no request before"),
    ],
)
def test_an_exchange_that_does_not_answer_ends_the_run_and_the_next_one_goes_on(
    market: Spot, kind: str, details: dict[str, Any], said: str
) -> None:
    exchange = market(history(BTC, ETH, count=2500), now=2400)
    listed(BTC, ETH)
    check_gaps(seconds=0)
    misbehave(exchange, kind, **details)

    broken = check_gaps(seconds=1)

    assert (broken.filled, broken.is_unfinished) == (0, False)
    assert said in broken.error
    assert gaps() == []
    assert set(BackfillRun.objects.filter(status="failed").values_list("symbol", flat=True)) >= {ETH}
    assert not BackfillRun.objects.filter(status="running").exists()
    exchange.exchange.faults.clear()
    exchange.exchange.limits.forget()
    RequestPause.objects.all().delete()
    assert (check_gaps().open, gaps()) == (0, [])
    assert Candle.objects.count() == 4800


@pytest.mark.parametrize(
    ("kind", "details"), [("429", {"seconds": 300}), ("418", {"seconds": 300}), ("403", {}), ("451", {})]
)
def test_nothing_is_sent_while_the_exchange_wants_quiet(market: Spot, kind: str, details: dict[str, Any]) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(to_datetime(at(60)))
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    misbehave(exchange, kind, count=1, **details)
    check_gaps(seconds=1)
    sent = len(exchange.exchange.log.lines())

    for _ in range(3):
        assert "no request before" in check_gaps(seconds=1).error

    assert len(exchange.exchange.log.lines()) == sent
    assert exchange.exchange.log.defied(418) == exchange.exchange.log.defied(429) == []
    assert gaps("filling") == [(BTC, 0, 60, ""), (ETH, 0, 60, "")]


def test_a_short_wish_for_quiet_is_waited_out(market: Spot) -> None:
    exchange = market(history(BTC), now=60)
    listed(BTC)
    misbehave(exchange, "429", count=1, seconds=1)

    started = time.monotonic()
    first, second = check_gaps(seconds=20), check_gaps(seconds=20)

    assert 0.5 < time.monotonic() - started < 10
    assert ("no request before" in first.error, second.filled, second.error) == (True, 60, "")
    assert exchange.exchange.log.defied(429) == []


def test_one_hiccup_does_not_end_a_run(market: Spot) -> None:
    exchange = market(history(BTC, count=2500), now=2400)
    listed(BTC)
    misbehave(exchange, "5xx", count=2)

    assert (check_gaps().filled, asked(exchange)) == (2400, 5)


def test_an_exchange_that_lets_wait_is_waited_for_only_so_long(market: Spot, settings: Any) -> None:
    exchange = market(history(BTC), now=60)
    settings.ALPHAPULSE_EXCHANGE_TIMEOUT = 0.2
    listed(BTC)
    misbehave(exchange, "timeout")

    started = time.monotonic()
    done = check_gaps(seconds=5)

    assert time.monotonic() - started < 4
    assert "does not answer" in done.error


def test_half_an_answer_is_kept_for_people_and_ends_the_symbol_s_turn_only(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    misbehave(exchange, "malformed", symbols=[BTC])

    done = check_gaps()

    assert (done.filled, done.open, done.error) == (60, 60, "")
    assert QuarantinedMessage.objects.get().payload.startswith(f"{BTC} [[")
    assert BackfillRun.objects.get(symbol=BTC).error == "the answer is no JSON"
    exchange.exchange.faults.clear()
    assert check_gaps().filled == 60


def test_rows_without_a_time_lead_to_no_further_question(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    misbehave(exchange, "5xx", status=200, body=[["?"], None], symbols=[BTC])

    done = check_gaps()

    assert (done.filled, done.open, asked(exchange)) == (60, 60, 2)
    assert QuarantinedMessage.objects.count() == 2


def test_an_answer_that_is_no_list_is_none(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    misbehave(exchange, "5xx", status=200, body={"rows": []}, symbols=[BTC])

    assert (check_gaps().filled, BackfillRun.objects.get(symbol=BTC).error) == (60, "the answer is no list")


def test_a_time_that_cannot_be_read_is_no_time(market: Spot) -> None:
    exchange = market(history(BTC), now=60)
    listed(BTC)
    misbehave(exchange, "malformed", paths=[TIME])

    done = check_gaps()

    assert (done.filled, done.error) == (0, "the answer is no JSON")


# --- the budget -------------------------------------------------------------------------------------------------------


def test_our_account_of_the_weight_is_the_exchange_s_own(market: Spot) -> None:
    exchange = market(history(BTC, ETH, count=2500, without=[7]), now=2400)
    listed(BTC, ETH)
    not_near_the_end_of_a_minute()

    done = check_gaps()

    weighed = sum(line.weight for line in exchange.exchange.log.lines())
    budget = RequestBudget.objects.get()
    assert (done.weight, budget.used, budget.told) == (weighed, weighed, weighed)


def test_what_others_at_our_address_have_spent_counts_too(market: Spot) -> None:
    exchange = market(history(BTC, count=2500), now=2400, limits=Limits(100))
    exchange.exchange.limits.charge("127.0.0.1", 75)
    listed(BTC)
    budget_of(100)

    done = check_gaps(seconds=0.5)

    # The time and two pages make 80: our share of it.
    assert (done.filled, done.weight) == (2000, 5)
    assert "request weight" in done.error
    assert exchange.exchange.log.defied() == []


def test_the_exchange_s_limit_is_learnt_from_its_information(market: Spot) -> None:
    market(history(BTC), now=60, limits=Limits(100))

    with SpotDoor() as door:
        assert door.exchange_info().body["symbols"][0]["symbol"] == BTC
        assert RequestBudget.objects.get().most == 100
        budget_of(1000)
        assert door.tickers_24h().body[0]["symbol"] == BTC

    assert (door.spent.requests, door.spent.weight) == (2, 100)


def test_who_cannot_wait_hears_when_there_is_weight_again(market: Spot) -> None:
    exchange = market(history(BTC), now=60)
    not_near_the_end_of_a_minute()
    budget_of(10)

    with SpotDoor() as door:
        for _ in range(8):
            door.server_time_ms()
        with pytest.raises(ExchangeBusyError, match="request weight") as raised:
            door.server_time_ms()

    assert timedelta(0) < raised.value.until - timezone.now() < timedelta(minutes=1)
    assert asked(exchange, TIME) == 8


def budget_of(most: int) -> None:
    """A limit a minute that the exchange has told before; nothing of it is spent."""
    with SpotDoor() as door:
        reserve(door.host, 1, most=most)
    RequestBudget.objects.update(most=most, used=0)


def not_near_the_end_of_a_minute() -> None:
    if (left := 60 - time.time() % 60) < 3:
        time.sleep(left)


# --- broken off -------------------------------------------------------------------------------------------------------


KILL = """
import os, signal, time
child = os.fork()
if not child:
    from ingestion.gaps import check_gaps
    check_gaps()
    os._exit(0)
from django.db.models import Sum
from ingestion.models import BackfillRun
def pages():
    return BackfillRun.objects.aggregate(sum=Sum("requests"))["sum"] or 0
before, deadline = pages(), time.monotonic() + 30
while pages() < before + 3:
    assert time.monotonic() < deadline
    time.sleep(0.005)
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
"""


def test_who_is_killed_between_two_pages_loses_nothing(market: Spot, process_environment: dict[str, str]) -> None:
    candles = history(BTC, ETH, count=4500)
    exchange = market(candles, now=4400, latency=0.03)
    listed(BTC, ETH)

    for _ in range(2):
        run_at_once(asking(exchange, KILL), process_environment, count=1)
        assert BackfillRun.objects.filter(status="running").count() == 2
        assert Candle.objects.count() % 1000 == 0
    exchange.exchange.latency = 0.0
    done = check_gaps()

    for name in (BTC, ETH):
        assert_stored(name, candles[name].between(0, at(4400)))
    assert (done.open, done.error) == (0, "")
    assert BackfillRun.objects.filter(status="failed", error="broken off").count() == 4
    # A page on its way at each of the kills is all that was asked for twice.
    assert asked(exchange) <= 10 + 2


# --- how fast ---------------------------------------------------------------------------------------------------------


def week_of(*names: str) -> dict[str, Candles]:
    return {name: made_candles(count=WEEK + 10, seed=seed) for seed, name in enumerate(names)}


@pytest.mark.slow
def test_a_hole_of_seven_days_in_eight_symbols_is_filled_within_the_limit(
    market: Spot, capsys: pytest.CaptureFixture[str]
) -> None:
    exchange = market(week_of(*EIGHT), now=WEEK)
    listed(*EIGHT)

    started = time.monotonic()
    done = check_gaps(seconds=None)
    seconds = time.monotonic() - started

    with capsys.disabled():
        print(
            f"\n7 days of 8 symbols: {done.filled:,} candles, {done.requests} requests, weight {done.weight},"
            f" {done.filled / seconds:,.0f} rows a second"
        )
    assert (done.filled, done.open) == (8 * WEEK, 0)
    # A page of 1000 minutes at a time, with the time at the beginning.
    assert (done.requests, done.weight) == (8 * 11 + 1, 8 * 11 * 2 + 1)
    assert {line.status for line in exchange.exchange.log.lines()} == {200}
    assert unexplained_gaps(EIGHT, 0, at(WEEK)) == []
    assert CandleGap.objects.count() == 0


def test_five_hundred_symbols_that_lack_a_minute_are_looked_through_in_no_time(market: Spot) -> None:
    names = [f"C{number}USDT" for number in range(500)]
    market(history(BTC), now=60)
    listed(*names)
    minutes = made_candles(count=60)
    store_candles(dict.fromkeys(names, minutes), source=CandleSource.STREAM)

    started = time.process_time()
    done = check_gaps()
    spent = time.process_time() - started

    assert (done.open, done.requests) == (0, 1)
    started = time.process_time()
    check_gaps()
    assert time.process_time() - started < 0.5, spent
