"""The symbols in line with what the exchange lists, asked at its wire."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from datetime import timedelta
from typing import Any

import pytest

from alphapulse_site.clock import set_market_clock
from alphapulse_site.models import JobRun, MarketClock
from ingestion import listing
from ingestion.binance import SpotDoor
from ingestion.candles import store_candles, to_datetime
from ingestion.csv_format import load_recording
from ingestion.gaps import check_gaps
from ingestion.importing import list_symbol
from ingestion.listing import Refreshed
from ingestion.listing_facts import SuspiciousAnswerError
from ingestion.models import CandleGap, CandleSource, Symbol
from ingestion.rest import ExchangeDownError, MalformedAnswerError
from ingestion.selectors import delisted_at_ms, delistings, unexplained_gaps
from ingestion.timeframes import Candles
from tests.ingestion.exchanges import RunningExchange
from tests.ingestion.market import made_candles
from tests.ingestion.spot import ADA, BTC, ETH, at, complete_until, gaps, history, minute, misbehave, spot
from tests.learning.conftest import RECORDING

INFO, TICKERS = "/api/v3/exchangeInfo", "/api/v3/ticker/24hr"
DAY = 1440

Open = Callable[..., RunningExchange]


@pytest.fixture
def market(settings: Any, monkeypatch: pytest.MonkeyPatch, db: None) -> Iterator[Open]:
    """Open an exchange for the rest of the test, or another one in its place."""
    settings.ALPHAPULSE_MINIMUM_QUOTE_VOLUME = 1000.0
    with ExitStack() as stack:
        yield lambda candles, *, now, **parts: stack.enter_context(
            spot(settings, monkeypatch, candles, now=now, **parts)
        )


def refresh() -> Refreshed:
    with SpotDoor() as door:
        return listing.refresh_universe(door=door)


def symbol(name: str) -> Symbol:
    return Symbol.objects.get(name=name)


def scanned() -> list[str]:
    return list(Symbol.objects.filter(is_active=True).values_list("name", flat=True))


def streamed(candles: Mapping[str, Candles]) -> None:
    store_candles(candles, source=CandleSource.STREAM)


# --- new ones ---------------------------------------------------------------------------------------------------------


def test_a_first_refresh_lists_what_the_rule_chooses_with_the_steps_of_the_exchange(market: Open) -> None:
    market(history(BTC, ETH), now=100)

    done = refresh()

    assert (done.listed, done.taken_up, done.scanned) == ((BTC, ETH), (BTC, ETH), 2)
    found = symbol(BTC)
    assert (found.base_asset, found.quote_asset, found.trading_status) == ("BTC", "USDT", "TRADING")
    assert (found.min_notional, found.is_active, found.delisted_at) == (5.0, True, None)
    assert found.tick_size is not None
    assert found.step_size is not None


def test_a_new_symbol_is_wanted_from_its_first_candle_on(market: Open) -> None:
    market({BTC: made_candles(count=100), ADA: made_candles(count=40, start_ms=at(60))}, now=100)

    refresh()

    assert {each.name: minute(each.listed_at) for each in Symbol.objects.all()} == {BTC: 0, ADA: 60}


def test_and_not_from_longer_ago_than_history_is_wanted(market: Open, settings: Any) -> None:
    settings.ALPHAPULSE_HISTORY_DAYS = 1
    market({BTC: made_candles(count=3 * DAY)}, now=3 * DAY - 7)

    refresh()

    assert minute(symbol(BTC).listed_at) == 2 * DAY - 7


def test_what_the_rule_leaves_out_is_not_even_listed(market: Open, settings: Any) -> None:
    settings.ALPHAPULSE_TOP_SYMBOLS, settings.ALPHAPULSE_EXCLUDED_SYMBOLS = 1, [ETH.lower()]
    market(history(BTC, ETH, ADA), now=100)

    assert len(refresh().listed) == 1
    assert not Symbol.objects.filter(name=ETH).exists()


def test_a_second_refresh_changes_nothing(market: Open) -> None:
    market(history(BTC, ETH), now=100)
    refresh()
    before = list(Symbol.objects.values())

    assert refresh() == Refreshed(scanned=2)
    assert list(Symbol.objects.values()) == before


def test_the_gap_keeper_brings_the_history_of_what_was_listed(market: Open) -> None:
    market(history(BTC, ETH), now=100)
    refresh()

    assert check_gaps().filled == 200
    assert complete_until() == {BTC: 100, ETH: 100}


def test_the_shipped_recording_is_scanned_as_a_whole(market: Open, settings: Any) -> None:
    settings.ALPHAPULSE_MINIMUM_QUOTE_VOLUME = 5_000_000.0
    day_ms = 1_624_320_000_000  # 2021-06-22
    candles = load_recording(RECORDING, start=day_ms - 2 * DAY * 60_000, end=day_ms)
    exchange = market(candles, now=0)
    exchange.exchange.clock.set(day_ms)

    refresh()

    assert scanned() == sorted(candles)


# --- those we have ----------------------------------------------------------------------------------------------------


def test_a_symbol_that_falls_far_below_is_kept_complete_but_not_scanned(market: Open, settings: Any) -> None:
    market(history(BTC, ETH), now=100)
    refresh()
    settings.ALPHAPULSE_TOP_SYMBOLS, settings.ALPHAPULSE_SYMBOLS = 0, [BTC]

    done = refresh()

    assert (done.left_out, scanned()) == ((ETH,), [BTC])
    assert symbol(ETH).delisted_at is None


def test_a_halted_symbol_stays_listed_and_is_not_scanned_until_it_is_traded_again(market: Open) -> None:
    exchange = market(history(BTC, ETH), now=100)
    refresh()

    exchange.exchange.market.halt([ETH], at(100))
    halted = refresh()
    exchange.exchange.market.resume([ETH], at(100))
    resumed = refresh()

    assert (halted.left_out, halted.delisted, resumed.taken_up) == ((ETH,), (), (ETH,))
    assert symbol(ETH).delisted_at is None


def test_the_exchanges_word_on_a_symbol_can_be_taken_over_alone(market: Open) -> None:
    exchange = market(history(BTC, ETH), now=100)
    refresh()
    exchange.exchange.market.halt([ETH], at(100), status="HALT")

    with SpotDoor() as door:
        noted = [listing.note_statuses(door=door) for _ in range(2)]

    assert (noted, symbol(ETH).trading_status, scanned()) == ([1, 0], "HALT", [BTC, ETH])


# --- lost and found ---------------------------------------------------------------------------------------------------


def test_a_symbol_that_is_lost_is_delisted_at_the_close_of_its_last_stored_candle(market: Open) -> None:
    candles = history(BTC, ETH, ADA)
    exchange = market(candles, now=100)
    refresh()
    streamed({**candles, ADA: candles[ADA].between(0, at(70))})
    exchange.exchange.market.remove([ADA])

    done = refresh()

    gone = symbol(ADA)
    assert (done.delisted, minute(gone.delisted_at), gone.is_active) == ((ADA,), 70, False)
    assert gaps() == [(ADA, 70, 100, "not_listed")]
    assert unexplained_gaps([ADA], 0, at(100)) == []
    assert delisted_at_ms([ADA, BTC])[ADA].tolist() == [at(70)]
    assert delistings([ADA])[ADA][0].noted_at is not None


def test_it_takes_the_place_of_what_the_gap_keeper_had_found_out(market: Open) -> None:
    candles = history(BTC, ETH, ADA)
    exchange = market(candles, now=100)
    refresh()
    streamed({**candles, ADA: candles[ADA].between(0, at(70))})
    CandleGap.objects.create(
        symbol=ADA, start=to_datetime(at(70)), end=to_datetime(at(90)), status="explained", reason="not_listed",
        evidence={"answer": "Invalid symbol."}, first_seen=to_datetime(at(90)), last_checked=to_datetime(at(90)),
    )  # fmt: skip
    exchange.exchange.market.remove([ADA])

    refresh()

    row = CandleGap.objects.get()
    assert (minute(row.start), minute(row.end)) == (70, 100)
    assert {"answer", "delisted_at", "noted_at"} <= row.evidence.keys()


def test_a_symbol_whose_candles_still_come_is_not_delisted(market: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = market(history(BTC, ETH, ADA), now=100)
    refresh()
    # Lost from the list only: an answer from a cache, or one that was cut and is still JSON.
    monkeypatch.setattr(exchange.exchange.market, "symbols", lambda now_ms: [BTC, ETH])

    assert refresh().delisted == ()
    assert symbol(ADA).delisted_at is None


def test_a_symbol_that_the_exchange_still_has_candles_of_ends_with_the_last_of_them(
    market: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    candles = history(BTC, ETH) | {ADA: made_candles(count=80)}
    exchange = market(candles, now=100)
    refresh()
    streamed({ADA: candles[ADA].between(0, at(70))})
    monkeypatch.setattr(exchange.exchange.market, "symbols", lambda now_ms: [BTC, ETH])

    refresh()

    assert minute(symbol(ADA).delisted_at) == 80


def test_symbols_from_files_that_the_exchange_never_had_are_left_alone(market: Open) -> None:
    market(history(BTC, ETH), now=100)
    list_symbol("LUNAUSDT", to_datetime(at(0)))
    store_candles({"LUNAUSDT": made_candles(count=50)}, source=CandleSource.IMPORT)

    done = refresh()

    assert (done.delisted, symbol("LUNAUSDT").is_active) == ((), True)


def test_one_that_was_streamed_before_the_exchange_lost_it_is_delisted(market: Open) -> None:
    market(history(BTC, ETH), now=100)
    list_symbol("LUNAUSDT", to_datetime(at(0)))
    streamed({"LUNAUSDT": made_candles(count=50)})

    assert refresh().delisted == ("LUNAUSDT",)


def test_a_symbol_that_comes_back_is_expected_again_and_its_absence_explained(market: Open) -> None:
    candles = history(BTC, ETH, ADA, count=300)
    exchange = market(candles, now=100)
    refresh()
    check_gaps()
    exchange.exchange.market.remove([ADA])
    refresh()
    exchange.exchange.clock.set(at(150) + 30_000)
    check_gaps()
    back = candles[ADA]
    market(candles | {ADA: back.rows(slice(200, None))}, now=250)

    done = refresh()

    assert (done.returned, done.taken_up, symbol(ADA).delisted_at) == ((ADA,), (ADA,), None)
    assert gaps() == [(ADA, 100, 200, "not_listed")]
    assert complete_until()[ADA] == 100
    assert delisted_at_ms([ADA])[ADA].tolist() == [at(100)]
    check_gaps()
    assert unexplained_gaps([ADA], 0, at(250)) == []
    assert CandleGap.objects.get().evidence["listed_again"] == to_datetime(at(200)).isoformat()


def test_a_symbol_that_is_listed_again_but_not_traded_stays_delisted(market: Open) -> None:
    exchange = market(history(BTC, ETH), now=100)
    refresh()
    Symbol.objects.filter(name=ETH).update(delisted_at=to_datetime(at(60)))
    exchange.exchange.market.halt([ETH], at(60))

    assert refresh().returned == ()
    assert minute(symbol(ETH).delisted_at) == 60


def test_a_symbol_that_is_listed_again_and_has_no_candle_yet_is_not_scanned(market: Open) -> None:
    market(history(BTC, ETH), now=100)
    refresh()
    Symbol.objects.filter(name=ETH).update(delisted_at=to_datetime(at(100)))

    assert (refresh().returned, scanned()) == ((), [BTC])


# --- answers that are not believed ------------------------------------------------------------------------------------


@pytest.mark.parametrize("left", [[], [BTC]])
def test_a_list_that_has_lost_most_of_our_symbols_is_refused(market: Open, left: list[str]) -> None:
    names = (BTC, ETH, ADA, "SOLUSDT")
    exchange = market(history(*names), now=100)
    refresh()
    before = list(Symbol.objects.values())
    exchange.exchange.market.remove([name for name in names if name not in left])

    with pytest.raises(SuspiciousAnswerError):
        refresh()

    assert list(Symbol.objects.values()) == before


def test_tickers_without_turnover_are_refused(market: Open) -> None:
    exchange = market(history(BTC, ETH, count=100), now=100)
    refresh()
    exchange.exchange.clock.set(at(100 + 2 * DAY))

    with pytest.raises(SuspiciousAnswerError):
        refresh()

    assert scanned() == [BTC, ETH]


@pytest.mark.parametrize("path", [INFO, TICKERS])
def test_an_exchange_that_is_down_changes_nothing(market: Open, path: str) -> None:
    exchange = market(history(BTC, ETH), now=100)
    misbehave(exchange, "5xx", paths=[path])

    with pytest.raises(ExchangeDownError):
        refresh()

    assert not Symbol.objects.exists()


# --- once a day -------------------------------------------------------------------------------------------------------


def of_the_day() -> JobRun | None:
    with SpotDoor() as door:
        return listing.refresh_of_the_day(door=door)


def test_it_is_done_once_a_day_of_the_market_and_made_up_when_missed(transactional_db: None, market: Open) -> None:
    exchange = market(history(BTC, ETH), now=100)
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    noon = to_datetime(at(100))
    MarketClock.objects.update(closed_until=noon)

    first, again = of_the_day(), of_the_day()
    asked = len(exchange.exchange.log.lines(INFO))
    MarketClock.objects.update(closed_until=noon + timedelta(days=3))
    later = of_the_day()

    assert first is not None
    assert first.is_done
    assert first.report["listed"] == [BTC, ETH]
    assert (again, asked) == (None, 1)
    assert later is not None
    assert [run.period for run in JobRun.objects.order_by("period")] == ["2023-03-24", "2023-03-27"]


def test_a_day_that_failed_is_tried_again(transactional_db: None, market: Open) -> None:
    exchange = market(history(BTC, ETH), now=100)
    misbehave(exchange, "malformed", paths=[INFO], count=1)

    with pytest.raises(MalformedAnswerError):
        of_the_day()

    run = of_the_day()
    assert run is not None
    assert run.is_done
