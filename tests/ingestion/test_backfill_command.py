"""The backfill command: fills to the end, says what it did, and refuses nonsense in clear words."""

import io
import json
from contextlib import nullcontext
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import to_datetime
from ingestion.management.commands import backfill
from ingestion.models import Candle, CandleGap, Symbol
from tests.ingestion.spot import (
    BTC,
    ETH,
    TIME,
    Spot,
    assert_stored,
    at,
    complete_until,
    gaps,
    history,
    listed,
    misbehave,
)


@pytest.fixture(autouse=True)
def recording(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The market's clock stands at minute 2000."""
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(to_datetime(at(2000)))


def run(*arguments: str, code: int = 0) -> dict[str, Any]:
    out = io.StringIO()
    with pytest.raises(SystemExit) if code else nullcontext() as ended:
        call_command("backfill", *arguments, "--json", stdout=out)
    assert ended is None or ended.value.code == code
    report: dict[str, Any] = json.loads(out.getvalue())
    return report


def told(*arguments: str) -> str:
    out = io.StringIO()
    call_command("backfill", *arguments, stdout=out)
    return out.getvalue()


def day(minute: int) -> str:
    return to_datetime(at(minute)).isoformat()


def test_everything_missing_is_filled_and_explained_and_told(market: Spot) -> None:
    market(history(BTC, ETH, count=2010, without=range(700, 710)), now=2000)
    listed(BTC, ETH)

    report = run()

    assert report["candles"] == 2 * 1990
    assert report["explained_minutes_by_reason"] == {"exchange_outage": 20}
    assert (report["open_minutes"], report["error"]) == (0, "")
    assert (report["requests"], report["weight"]) == (5, 9)
    assert report["candles_per_second"] > 0
    assert complete_until() == {BTC: 2000, ETH: 2000}
    assert run()["candles"] == 0


def test_the_report_is_readable(market: Spot, capsys: pytest.CaptureFixture[str]) -> None:
    market(history(BTC, ETH, count=2010, without=range(700, 710)), now=2000)
    listed(BTC, ETH)

    said = told()

    assert said.startswith("3,980 candles in ")
    assert "5 requests, weight 9\n20 missing minutes explained, 0 stay open\n  20 x exchange_outage\n" in said
    assert "filling" in capsys.readouterr().err


def test_only_some_symbols_and_some_time_are_filled_first(market: Spot, monkeypatch: pytest.MonkeyPatch) -> None:
    market(history(BTC, ETH, count=2010), now=2000)
    listed(BTC, ETH)
    monkeypatch.setattr(backfill, "SECONDS_FOR_THE_REST", 0.0)

    report = run("--symbols", "ethusdt", "--since", day(100), "--until", day(200))

    assert report["candles"] == 100
    assert Candle.objects.filter(symbol=ETH).count() == 100


def test_what_others_lack_does_not_wait_for_a_long_backfill(market: Spot, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page of ours, then everybody's turn."""
    market(history(BTC, ETH, count=2010), now=2000)
    listed(BTC)
    listed(ETH, since=1999)
    monkeypatch.setattr(backfill, "SECONDS", 0.0)

    assert run("--symbols", BTC)["candles"] <= 2000

    assert Candle.objects.filter(symbol=ETH).count() == 1
    assert Candle.objects.filter(symbol=BTC).count() == 2000


def test_history_is_extended_to_before_the_listing_we_know(market: Spot) -> None:
    candles = history(BTC, ETH, count=2010)
    market(candles, now=2000)
    listed(BTC, ETH, since=1500)
    run()

    assert run("--symbols", BTC, "--since", day(1000))["candles"] == 500

    assert Symbol.objects.get(name=BTC).listed_at == to_datetime(at(1000))
    assert Symbol.objects.get(name=ETH).listed_at == to_datetime(at(1500))
    assert_stored(BTC, candles[BTC].between(at(1000), at(2000)))


def test_history_from_before_the_exchange_listed_it_is_explained(market: Spot) -> None:
    market(history(BTC, count=2010), now=2000)
    listed(BTC)

    report = run("--since", day(-3000))

    assert (report["candles"], report["explained_minutes_by_reason"]) == (2000, {"not_listed": 3000})
    assert gaps() == [(BTC, -3000, 0, "not_listed")]


def test_rows_that_cannot_be_read_are_met_often_enough_to_explain_their_minutes(market: Spot) -> None:
    candles = history(BTC, ETH, count=2010)
    candles[BTC].open_ms[500:600] += 17_000
    market(candles, now=2000)
    listed(BTC, ETH)

    assert run()["explained_minutes_by_reason"] == {"row_quarantined": 100}


def test_minutes_that_may_still_come_stay_open_and_the_exit_code_says_so(market: Spot) -> None:
    market(history(BTC, ETH, count=1900), now=2000)
    listed(BTC, ETH)

    assert run(code=3)["open_minutes"] == 200
    assert CandleGap.objects.filter(status="filling").count() == 2


def test_an_exchange_that_is_down_ends_it_with_a_word(market: Spot) -> None:
    exchange = market(history(BTC, count=2010), now=2000)
    listed(BTC)
    misbehave(exchange, "5xx", paths=[TIME], status=502)

    assert "answers 502" in run(code=1)["error"]


def test_a_long_ban_ends_it_and_nothing_is_sent_meanwhile(market: Spot) -> None:
    exchange = market(history(BTC, count=2010), now=2000)
    listed(BTC)
    misbehave(exchange, "418", count=1, seconds=600)

    assert "no request before" in run(code=1)["error"]
    sent = len(exchange.exchange.log.lines())
    assert "no request before" in run(code=1)["error"]
    assert len(exchange.exchange.log.lines()) == sent


def test_it_waits_for_weight_and_for_short_pauses(market: Spot, monkeypatch: pytest.MonkeyPatch) -> None:
    exchange = market(history(BTC, count=2010), now=2000)
    listed(BTC)
    misbehave(exchange, "429", count=1, seconds=1)
    monkeypatch.setattr(backfill, "SECONDS", 0.2)

    assert run()["candles"] == 2000
    assert exchange.exchange.log.defied(429) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--symbols", "NONEUSDT,BTCUSDT"], "not listed: NONEUSDT; there is BTCUSDT"),
        (["--symbols", ","], "name at least one symbol"),
        (["--since", "yesterday"], "is not a time"),
        (["--since", "2033-01-01"], "has not come yet: the market stands at 2023-03-25 09:20"),
        (["--since", "2023-03-24", "--until", "2023-03-24"], "is not before --until"),
    ],
)
def test_nonsense_is_refused_in_clear_words(arguments: list[str], said: str) -> None:
    listed(BTC)

    with pytest.raises(CommandError, match=said):
        call_command("backfill", *arguments)


def test_without_a_symbol_there_is_nothing_to_fill() -> None:
    with pytest.raises(CommandError, match="no symbol is listed yet"):
        call_command("backfill")
