"""One gap check against the exchange at its wire: what it brings, what it explains, what it leaves for the next."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db.models import F
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from alphapulse_site.clock import advance_market_clock, market_now, set_market_clock
from alphapulse_site.jobs import advisory_lock
from alphapulse_site.models import Heartbeat, MarketClock
from ingestion import gaps as gap_keeper
from ingestion import tasks
from ingestion.candles import store_candles, to_datetime
from ingestion.gap_records import ask_again
from ingestion.gaps import LOCK, GapCheck, Scope, check_gaps
from ingestion.importing import list_symbol
from ingestion.models import BackfillRun, Candle, CandleGap, CandleRevision, CandleSource, QuarantinedMessage, Symbol
from ingestion.selectors import unexplained_gaps
from tests.at_once import run_at_once
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import made_candles
from tests.ingestion.spot import (
    ADA,
    BTC,
    ETH,
    KLINES,
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

OUTAGE, NO_CANDLE, REFUSED, NOT_LISTED, HALTED = (
    "exchange_outage",
    "source_has_no_candle",
    "row_quarantined",
    "not_listed",
    "halted",
)


def go_to(exchange: RunningExchange, minute: int) -> None:
    exchange.exchange.clock.set(at(minute) + 30_000)


# --- what comes -------------------------------------------------------------------------------------------------------


def test_a_check_brings_what_the_exchange_has_and_explains_what_it_passes_over(market: Spot) -> None:
    candles = history(BTC, ETH, without=[20, 21])
    candles[BTC] = made_candles(count=100, without=[20, 21, 40], seed=0)
    exchange = market(candles, now=60)
    listed(BTC, ETH)

    done = check_gaps()

    assert (done.filled, done.explained, done.open, done.error) == (57 + 58, 5, 0, "")
    assert gaps() == [(BTC, 20, 22, OUTAGE), (BTC, 40, 41, NO_CANDLE), (ETH, 20, 22, OUTAGE)]
    assert done.reasons == {OUTAGE: 4, NO_CANDLE: 1}
    for name in (BTC, ETH):
        assert_stored(name, candles[name].between(0, at(60)))
    assert complete_until() == {BTC: 60, ETH: 60}
    assert set(Candle.objects.values_list("source", flat=True)) == {"rest"}
    assert done.requests == len(exchange.exchange.log.lines())
    assert sorted(BackfillRun.objects.values_list("symbol", "status", "candles", "requests", "weight")) == [
        (BTC, "done", 57, 1, 2),
        (ETH, "done", 58, 1, 2),
    ]


def test_the_time_of_the_exchange_is_known_before_its_candles_are_stored(market: Spot) -> None:
    """Else a candle would seem to be open for as long as the check lasts."""
    set_market_clock(mode=MarketClock.Mode.WALL)
    market(history(BTC), now=60)
    listed(BTC)
    seen = []

    check_gaps(progress=lambda candles: seen.append(MarketClock.objects.get().exchange_until))

    assert set(seen) == {to_datetime(at(60))}


def test_a_second_check_asks_for_nothing_but_the_time(market: Spot) -> None:
    exchange = market(history(BTC, ETH, without=[20, 21]), now=60)
    listed(BTC, ETH)
    check_gaps()
    exchange.exchange.log.clear()

    assert check_gaps() == GapCheck(requests=1, weight=1)
    assert [line.path for line in exchange.exchange.log.lines()] == ["/api/v3/time"]


def test_a_minute_is_missing_only_eight_seconds_after_its_close(market: Spot) -> None:
    exchange = market(history(BTC), now=60)
    listed(BTC)
    exchange.exchange.clock.set(at(60) + 7_999)
    check_gaps()
    assert Candle.objects.order_by("-open_time")[0].open_time == to_datetime(at(58))

    exchange.exchange.clock.set(at(60) + 8_000)
    check_gaps()
    assert Candle.objects.order_by("-open_time")[0].open_time == to_datetime(at(59))


def test_inner_holes_close_to_each_other_are_one_request(market: Spot) -> None:
    exchange = market(history(BTC), now=100)
    listed(BTC)
    store_candles({BTC: made_candles(count=100, without=[3, 10, 11, 50, 90], seed=0)}, source=CandleSource.IMPORT)

    assert check_gaps().filled == 5
    assert asked(exchange) == 1
    assert unexplained_gaps([BTC], 0, at(100)) == []


def test_a_stored_candle_beside_a_hole_is_corrected_if_the_exchange_says_something_else(market: Spot) -> None:
    exchange = market(history(BTC), now=100)
    listed(BTC)
    store_candles({BTC: made_candles(count=100, without=[10, 12], seed=0)}, source=CandleSource.STREAM)
    exchange.exchange.market.restate(BTC, at(11), {"volume": 77.0})

    check_gaps()

    assert Candle.objects.get(open_time=to_datetime(at(11))).volume == 77.0
    revision = CandleRevision.objects.filter(open_time=to_datetime(at(11))).get()
    assert (revision.old_source, revision.new_source) == ("stream", "rest")


def test_older_history_that_is_wanted_later_is_brought_too(market: Spot) -> None:
    exchange = market(history(BTC), now=60)
    listed(BTC, since=30)
    check_gaps()
    listed(BTC, since=10)
    exchange.exchange.log.clear()

    assert check_gaps().filled == 20
    assert asked(exchange) == 1
    assert complete_until() == {BTC: 60}


def test_a_delisted_symbol_is_complete_to_its_end_and_not_asked_for_beyond(market: Spot) -> None:
    market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    Symbol.objects.filter(name=ETH).update(delisted_at=to_datetime(at(40)))

    assert check_gaps().filled == 60 + 40


def test_a_scope_is_all_that_is_looked_at_and_nothing_is_called_complete_by_it(market: Spot) -> None:
    market(history(BTC, ETH), now=60)
    listed(BTC, ETH)

    done = check_gaps(scope=Scope(symbols=(ETH,), since_ms=at(10), until_ms=at(20)))

    assert (done.filled, done.open) == (10, 0)
    assert complete_until() == {BTC: None, ETH: None}


def test_the_market_clock_goes_on_once_everything_is_there(market: Spot) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(to_datetime(at(50)))
    market(history(BTC, without=[55]), now=60)
    listed(BTC)

    check_gaps()

    assert market_now() == to_datetime(at(60))


# --- explained --------------------------------------------------------------------------------------------------------


def evidence(symbol: str, start: int) -> dict[str, Any]:
    return dict(CandleGap.objects.get(symbol=symbol, start=to_datetime(at(start))).evidence)


def test_an_outage_is_what_all_symbols_lack_while_the_exchange_has_gone_on(market: Spot) -> None:
    candles = history(BTC, ETH, ADA, without=range(50, 60))
    market(candles, now=90)
    listed(BTC, ETH, ADA)

    check_gaps()

    assert gaps() == [(name, 50, 60, OUTAGE) for name in (ADA, BTC, ETH)]
    said = evidence(BTC, 50)
    assert (said["others"], said["others_with_candles"]) == (2, 0)
    assert (said["before"]["open_time"], said["after"]["open_time"]) == (
        to_datetime(at(49)).isoformat(),
        to_datetime(at(60)).isoformat(),
    )


def test_what_one_symbol_lacks_is_asked_for_three_times_and_believed_then(market: Spot) -> None:
    candles = history(BTC, ETH, ADA)
    candles[ETH] = made_candles(count=100, without=range(30, 35), seed=1)
    exchange = market(candles, now=90)
    listed(BTC, ETH, ADA)

    check_gaps()

    assert gaps() == [(ETH, 30, 35, NO_CANDLE)]
    said = evidence(ETH, 30)
    assert (said["asked"], said["others"], said["others_with_candles"]) == (3, 2, 2)
    assert said["asked_since"] <= said["asked_until"]
    assert said["after"]["close"] == pytest.approx(candles[ETH].close[30], abs=1e-8)
    assert len([line for line in exchange.exchange.log.lines(KLINES) if line.query["symbol"] == ETH]) == 3


def test_an_outage_is_cut_from_what_a_symbol_lacks_beside_it(market: Spot) -> None:
    candles = history(BTC, ETH, without=range(50, 60))
    candles[ETH] = made_candles(count=100, without=range(45, 62), seed=1)
    market(candles, now=90)
    listed(BTC, ETH)

    check_gaps()

    assert gaps() == [
        (BTC, 50, 60, OUTAGE),
        (ETH, 45, 50, NO_CANDLE),
        (ETH, 50, 60, OUTAGE),
        (ETH, 60, 62, NO_CANDLE),
    ]


def test_a_swarm_of_holes_is_confirmed_page_by_page(market: Spot) -> None:
    candles = history(BTC, ETH, count=310)
    candles[ETH] = made_candles(count=310, without=range(1, 200, 2), seed=1)
    exchange = market(candles, now=300)
    listed(BTC, ETH)

    check_gaps()

    assert gaps() == [(ETH, minute, minute + 1, NO_CANDLE) for minute in range(1, 200, 2)]
    assert asked(exchange) == 1 + 3


def test_a_row_that_cannot_be_read_is_no_sign_of_an_outage(market: Spot) -> None:
    candles = history(BTC, ETH)
    candles[BTC] = made_candles(count=100, without=range(50, 60), seed=0)
    candles[ETH].open_ms[50:60] += 17_000
    market(candles, now=90)
    listed(BTC, ETH)

    check_gaps()

    assert gaps() == [(BTC, 50, 60, NO_CANDLE)]


def test_one_symbol_alone_is_no_proof_of_an_outage(market: Spot) -> None:
    market(history(BTC, without=range(50, 60)), now=90)
    listed(BTC)

    check_gaps()

    assert gaps() == [(BTC, 50, 60, NO_CANDLE)]


def test_a_symbol_that_was_not_listed_then_does_not_count_for_an_outage(market: Spot) -> None:
    candles = history(BTC, ETH, without=range(50, 60))
    candles[ETH] = candles[ETH].between(at(70), at(100))
    market(candles, now=90)
    listed(BTC, ETH)

    check_gaps()
    check_gaps()

    assert gaps() == [(BTC, 50, 60, NO_CANDLE), (ETH, 0, 70, NOT_LISTED)]
    assert evidence(ETH, 0)["first_candle"] == to_datetime(at(70)).isoformat()


def test_what_the_exchange_may_still_bring_is_not_explained(market: Spot) -> None:
    """Maintenance: nobody has candles, and nobody knows whether they will come. Afterwards it is an outage."""
    exchange = market(history(BTC, ETH, without=range(60, 80)), now=70)
    listed(BTC, ETH)

    for _ in range(4):
        assert (check_gaps().open, gaps()) == (20, [])
    assert gaps("filling") == [(BTC, 60, 70, ""), (ETH, 60, 70, "")]
    assert set(CandleGap.objects.values_list("checks", flat=True)) == {4}
    assert complete_until() == {BTC: 60, ETH: 60}

    go_to(exchange, 90)
    assert check_gaps().open == 0
    assert gaps() == [(BTC, 60, 80, OUTAGE), (ETH, 60, 80, OUTAGE)]
    exchange.exchange.log.clear()
    check_gaps()
    assert asked(exchange) == 0


def test_a_short_answer_is_no_proof_of_anything(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    misbehave(exchange, "short", rows=7)

    assert check_gaps().filled == 120
    assert gaps() == gaps("filling") == []


def test_a_halted_symbol_is_explained_by_its_status(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    exchange.exchange.market.halt([ETH], at(40))
    Symbol.objects.filter(name=ETH).update(trading_status="BREAK")

    check_gaps()
    go_to(exchange, 70)
    assert check_gaps().open == 0

    assert gaps() == [(ETH, 40, 70, HALTED)]
    assert evidence(ETH, 40)["trading_status"] == "BREAK"


def test_a_symbol_that_should_trade_but_does_not_stays_open(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    exchange.exchange.market.halt([ETH], at(40))

    assert check_gaps().open == 20
    assert gaps() == []


def test_a_symbol_that_the_exchange_does_not_know_is_believed_gone_at_the_third_check(market: Spot) -> None:
    exchange = market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    check_gaps()
    exchange.exchange.market.remove([ETH])
    go_to(exchange, 65)

    assert [check_gaps().open for _ in range(3)] == [5, 5, 0]
    assert gaps() == [(ETH, 60, 65, NOT_LISTED)]
    assert "-1121" in evidence(ETH, 60)["answer"]
    # From then on every further minute is of the same kind.
    go_to(exchange, 66)
    assert check_gaps().open == 0
    assert gaps() == [(ETH, 60, 66, NOT_LISTED)]
    assert BackfillRun.objects.filter(symbol=ETH, status="failed", error__contains="Invalid symbol").count() == 4


def test_rows_off_the_grid_are_quarantined_once_and_explain_their_minutes_at_the_third_check(market: Spot) -> None:
    candles = history(BTC, ETH)
    bitcoin = candles[BTC]
    bitcoin.open_ms[30:40] += 17_123
    exchange = market(candles, now=60)
    listed(BTC, ETH)

    assert [check_gaps().open for _ in range(3)] == [10, 10, 0]

    assert gaps() == [(BTC, 30, 40, REFUSED)]
    assert QuarantinedMessage.objects.count() == 10
    kept = QuarantinedMessage.objects.order_by("payload")[0]
    assert (kept.source, kept.reason, kept.file) == ("rest", "the open time is not on the minute grid", "")
    assert kept.payload.startswith(f"{BTC} [{at(30) + 17_123}, ")
    exchange.exchange.log.clear()
    check_gaps()
    assert asked(exchange) == 0


def test_an_outage_waits_for_the_word_of_every_symbol(market: Spot) -> None:
    """Time is up after one page: nobody has these minutes yet, and what the other symbol has of them is not known."""
    candles = history(BTC, ETH)
    candles[BTC] = made_candles(count=100, without=range(50, 60), seed=0)
    exchange = market(candles, now=90)
    listed(BTC, ETH)
    store_candles({name: series.between(0, at(50)) for name, series in candles.items()}, source=CandleSource.IMPORT)

    first = check_gaps(seconds=0)
    assert (first.filled, first.is_unfinished, gaps()) == (30, True, [])
    assert asked(exchange) == 1
    second = check_gaps()

    assert (second.filled, second.is_unfinished) == (40, False)
    assert gaps() == [(BTC, 50, 60, NO_CANDLE)]


# --- asked again ------------------------------------------------------------------------------------------------------


def grow_old(**by: float) -> None:
    CandleGap.objects.update(last_checked=F("last_checked") - timedelta(**by))


def test_explained_gaps_are_asked_for_again_after_a_week_a_few_at_a_time(market: Spot) -> None:
    lacking = range(2, 92, 10)
    exchange = market(history(BTC, without=lacking), now=100)
    listed(BTC)
    check_gaps()
    assert len(gaps()) == 9
    grow_old(days=7)
    exchange.exchange.log.clear()

    check_gaps()
    rechecked = CandleGap.objects.filter(last_checked__gt=timezone.now() - timedelta(days=1))
    assert rechecked.count() == 5
    check_gaps()
    assert rechecked.count() == 9
    assert len(gaps()) == 9
    exchange.exchange.log.clear()
    check_gaps()
    assert asked(exchange) == 0


def test_a_gap_that_a_person_wants_is_asked_for_by_the_next_check_and_only_by_that(market: Spot) -> None:
    exchange = market(history(BTC, without=range(2, 92, 10)), now=100)
    listed(BTC)
    check_gaps()
    wanted = CandleGap.objects.order_by("start")[4]
    assert [ask_again(gap_id=wanted.pk) for _ in range(2)] == [True, False]
    exchange.exchange.log.clear()

    check_gaps()

    assert CandleGap.objects.get(start=wanted.start).checks == wanted.checks + 1
    assert asked(exchange) == 1
    check_gaps()
    assert asked(exchange) == 1
    assert CandleGap.objects.filter(wanted_at__gt=F("last_checked")).count() == 0


def test_candles_that_the_exchange_has_mended_are_stored_and_their_gap_is_cut(market: Spot) -> None:
    exchange = market(history(BTC, ETH, without=range(50, 60)), now=90)
    listed(BTC, ETH)
    check_gaps()
    mended = history(BTC, ETH, without=[50, 55])
    grow_old(days=8)

    with running_exchange(mended, start_ms=at(90) + 30_000, frozen=True) as running:
        django_settings.ALPHAPULSE_SPOT_URL = running.rest_url
        done = check_gaps()

    assert (done.filled, done.open) == (16, 0)
    assert gaps() == [(name, minute, minute + 1, OUTAGE) for name in (BTC, ETH) for minute in (50, 55)]
    assert exchange.exchange.log.lines()


def test_a_candle_that_comes_in_late_for_an_explained_minute_cuts_the_gap(market: Spot) -> None:
    market(history(BTC, ETH, without=range(50, 60)), now=90)
    listed(BTC, ETH)
    check_gaps()
    store_candles({BTC: made_candles(count=53, without=range(50))}, source=CandleSource.STREAM)

    check_gaps()

    assert gaps() == [(BTC, 53, 60, OUTAGE), (ETH, 50, 60, OUTAGE)]


# --- beside others, and without an exchange ---------------------------------------------------------------------------


def test_beside_another_check_nothing_is_done(market: Spot, process_environment: dict[str, str]) -> None:
    exchange = market(history(BTC), now=60)
    list_symbol(BTC, (timezone.now() - timedelta(minutes=10)).replace(second=0, microsecond=0))

    with advisory_lock(LOCK):
        ((filled, open_minutes, error),) = run_at_once(asking(exchange, CHECK), process_environment, count=1)

    assert (filled, error) == (0, "another process is at it")
    assert open_minutes in (9, 10)
    assert exchange.exchange.log.lines() == []


CHECK = """
import threading
from django.db import connection
from ingestion.gap_records import ask_again
from ingestion.gaps import LOCK, check_gaps
held, over = threading.Event(), threading.Event()
def hold():
    with advisory_lock(LOCK):
        held.set()
        over.wait()
    connection.close()
holder = threading.Thread(target=hold)
holder.start()
held.wait()
done = check_gaps()
over.set()
holder.join()
answer = [done.open, done.error]
"""


CHECK = """
from ingestion.gap_records import ask_again
from ingestion.gaps import check_gaps
done = check_gaps()
answer = [done.filled, done.open, done.error]
"""


def test_four_keepers_at_once_bring_every_candle_once(market: Spot, process_environment: dict[str, str]) -> None:
    exchange = market(history(BTC, ETH, without=[7]), now=60)
    listed(BTC, ETH)

    answers = run_at_once(asking(exchange, CHECK), process_environment)

    assert sum(filled for filled, _, _ in answers) == 118
    assert asked(exchange) == 2
    assert BackfillRun.objects.filter(status="done").count() == 2


def test_without_an_answer_of_the_exchange_holes_are_noted_up_to_the_market_s_time(
    settings: Any, monkeypatch: pytest.MonkeyPatch, db: None
) -> None:
    settings.ALPHAPULSE_SPOT_URL = "http://127.0.0.1:9"
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    assert check_gaps().open == 0
    advance_market_clock(to_datetime(at(30)))
    listed(BTC)
    store_candles({BTC: made_candles(count=20, without=[5])}, source=CandleSource.IMPORT)

    done = check_gaps()

    assert (done.open, done.filled) == (11, 0)
    assert "does not answer" in done.error
    assert gaps("filling") == [(BTC, 5, 6, ""), (BTC, 20, 30, "")]
    assert complete_until() == {BTC: 5}


def test_without_an_answer_live_holes_are_noted_up_to_the_wall_s_time(settings: Any, db: None) -> None:
    settings.ALPHAPULSE_SPOT_URL = "http://127.0.0.1:9"
    list_symbol(BTC, (timezone.now() - timedelta(minutes=10)).replace(second=0, microsecond=0))

    assert check_gaps().open in (9, 10)


# --- the task ---------------------------------------------------------------------------------------------------------


def test_the_task_leaves_a_sign_of_life_and_sends_for_itself_while_there_is_more(
    market: Spot, monkeypatch: pytest.MonkeyPatch
) -> None:
    market(history(BTC, ETH), now=60)
    listed(BTC, ETH)
    sent: list[str] = []
    monkeypatch.setattr(tasks, "hint", sent.append)
    whole = gap_keeper.check_gaps
    monkeypatch.setattr(gap_keeper, "check_gaps", lambda: whole(seconds=0))

    tasks.check_gaps()
    assert sent == ["ingestion.check_gaps"]
    tasks.check_gaps()

    assert sent == ["ingestion.check_gaps"]
    assert Heartbeat.objects.get(name="gap_backfill").figures == {
        "filled": 60,
        "explained": 0,
        "open": 0,
        "requests": 2,
        "weight": 3,
    }


# --- any holes --------------------------------------------------------------------------------------------------------

MINUTES = st.sets(st.integers(0, 119), max_size=60)


class TestAnyMarket(TestCase):
    """A test case of its own, because each example needs its own transaction."""

    @settings(max_examples=15)
    @given(stored=MINUTES, traded=st.tuples(MINUTES, MINUTES))
    def test_every_minute_becomes_a_candle_or_an_explained_gap(
        self, stored: set[int], traded: tuple[set[int], set[int]]
    ) -> None:
        """Whatever is stored and whatever the exchange has, as long as it has gone on since."""
        candles = {
            name: made_candles(count=130, without=without, seed=seed)
            for seed, (name, without) in enumerate(zip((BTC, ETH), traded, strict=True))
        }
        kept = sorted(stored - traded[0])
        with running_exchange(candles, start_ms=at(125) + 30_000, frozen=True) as running:
            django_settings.ALPHAPULSE_SPOT_URL = running.rest_url
            django_settings.ALPHAPULSE_ARCHIVE = ""
            listed(BTC, ETH)
            have = candles[BTC].rows(slice(0, 0)) if not kept else chosen(candles[BTC], kept)
            store_candles({BTC: have}, source=CandleSource.IMPORT)

            done = check_gaps()

        assert (done.open, done.error) == (0, "")
        for name, without in zip((BTC, ETH), traded, strict=True):
            assert explained_minutes(name) == {minute for minute in without if minute < 125}
            assert stored_minutes(name) == set(range(125)) - without


def chosen(candles: Any, minutes: Iterable[int]) -> Any:
    wanted = [place for place, open_ms in enumerate(candles.open_ms.tolist()) if (open_ms - at(0)) // 60_000 in minutes]
    return candles.rows(wanted)


def explained_minutes(name: str) -> set[int]:
    return {minute for symbol, start, end, _ in gaps() if symbol == name for minute in range(start, end)}


def stored_minutes(name: str) -> set[int]:
    times = Candle.objects.filter(symbol=name).values_list("open_time", flat=True)
    return {int((time - to_datetime(at(0))) / timedelta(minutes=1)) for time in times}
