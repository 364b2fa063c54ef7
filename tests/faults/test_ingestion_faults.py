"""Websockets that break, stall and lie: when the fault is over, every minute is there as the exchange says it."""

from typing import Any

import pytest

from ingestion.exchange.audience import StreamLimits
from ingestion.models import CandleRevision
from tests.faults.ingest import KLINES, STREAMS, Ingest, ingesting
from tests.faults.truth import NAMES, quiet_market
from tests.ingestion.streams import wait_until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.timeout(180)]
BTC, ETH, BNB, SOL = NAMES


def handshakes(ingest: Ingest) -> int:
    return len(ingest.exchange.log.lines(STREAMS))


# --- connections ------------------------------------------------------------------------------------------------------


def test_a_websocket_that_the_exchange_closes(stream_only: Ingest) -> None:
    before = handshakes(stream_only)
    stream_only.running.control.post("/disconnect", {"code": 1001})

    stream_only.assert_nothing_is_lost()
    assert handshakes(stream_only) > before


def test_a_websocket_that_is_cut_without_a_word(stream_only: Ingest) -> None:
    before = handshakes(stream_only)
    stream_only.running.control.post("/disconnect", {"abort": True})

    stream_only.assert_nothing_is_lost()
    assert handshakes(stream_only) > before


def test_connections_that_stay_open_and_say_nothing_for_three_minutes(stream_only: Ingest) -> None:
    before = handshakes(stream_only)
    stream_only.inflict("stall")
    stream_only.live(minutes=3)
    # The watchdog is what brings them back, since nothing else ends a connection that is silent.
    wait_until(lambda: handshakes(stream_only) > before)

    stream_only.assert_nothing_is_lost()


def test_one_symbol_that_falls_silent(stream_only: Ingest) -> None:
    stream_only.inflict("stall", symbols=[ETH])
    stream_only.live(minutes=4)

    stream_only.assert_nothing_is_lost()


def test_connections_refused_for_half_an_hour(transactional_db: None, empty_broker: None, settings: Any) -> None:
    with ingesting(settings, speed=600.0) as ingest:
        ingest.inflict("refuse_streams", parameters={"how": "abort"})
        ingest.running.control.post("/disconnect", {"abort": True})
        ingest.live(minutes=30)
        ingest.exchange.faults.clear()
        ingest.on_air(seconds=60)

        ingest.assert_nothing_is_lost()


def test_a_handshake_answered_with_503(stream_only: Ingest) -> None:
    before = handshakes(stream_only)
    stream_only.inflict("refuse_streams", count=2)
    stream_only.running.control.post("/disconnect")
    wait_until(lambda: handshakes(stream_only) >= before + 3, seconds=30)

    stream_only.assert_nothing_is_lost()


def test_a_server_that_announces_its_shutdown_is_left_before_it_goes(stream_only: Ingest) -> None:
    (left,) = stream_only.exchange.audience.connections
    stream_only.running.control.post("/shutdown_event", {"after": 8.0})
    wait_until(lambda: left not in stream_only.exchange.audience.connections, seconds=7.0)

    stream_only.assert_nothing_is_lost()


def test_a_server_that_goes_right_after_it_has_said_so(stream_only: Ingest) -> None:
    stream_only.running.control.post("/shutdown_event", {"after": 0.0})
    stream_only.live(minutes=1)

    stream_only.assert_nothing_is_lost()


def test_the_end_of_24_hours_cuts_a_connection(transactional_db: None, empty_broker: None, settings: Any) -> None:
    with ingesting(settings, with_ticks=False, stream_limits=StreamLimits(life=2.0)) as ingest:
        wait_until(lambda: handshakes(ingest) >= 3, seconds=30)

        ingest.assert_nothing_is_lost()


def test_another_connection_takes_over_before_the_24_hours_end(
    transactional_db: None, empty_broker: None, settings: Any
) -> None:
    with ingesting(settings, with_ticks=False, rules={"renew_after": 1.5}) as ingest:
        wait_until(lambda: handshakes(ingest) >= 3, seconds=30)

        ingest.assert_nothing_is_lost()


# --- messages ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("malformed_frame", "the message is no JSON"),
        ("truncated_frame", "the message is no JSON"),
        ("binary_frame", "the message is no JSON"),
        ("wrong_symbol", "the kline is of a symbol that was not asked for"),
        ("off_grid", "the open time is not on the minute grid"),
    ],
)
def test_frames_that_are_of_no_use_are_kept_and_fetched(stream_only: Ingest, kind: str, reason: str) -> None:
    instead = {} if kind == "off_grid" else {"instead": True}
    stream_only.inflict(kind, count=5, parameters=instead)
    stream_only.until_struck()

    stream_only.assert_nothing_is_lost()
    assert stream_only.refused() == [reason] * 5


def test_an_event_that_nobody_knows_is_kept_once(stream_only: Ingest) -> None:
    stream_only.inflict("unknown_event", count=5, symbols=[BTC], parameters={"instead": True})
    stream_only.until_struck()

    stream_only.assert_nothing_is_lost()
    assert stream_only.refused() == ["the message is of an unknown kind"]


def test_a_frame_of_ten_megabytes_ends_only_its_connection(
    transactional_db: None, empty_broker: None, settings: Any
) -> None:
    with ingesting(settings, with_ticks=False, rules={"streams": 2}) as ingest:
        made, before = handshakes(ingest), set(ingest.exchange.audience.connections)
        ingest.inflict("oversized_frame", count=1, symbols=[BTC], parameters={"instead": True})
        ingest.until_struck()
        wait_until(lambda: handshakes(ingest) > made)
        ingest.settle()

        assert [len(before), len(before & set(ingest.exchange.audience.connections))] == [2, 1]
        ingest.assert_nothing_is_lost()


NO_NUMBER, BEYOND = "the close is no decimal number in a text", "the close is negative or infinite"
NO_PRICES: list[tuple[object, str]] = [
    ("NaN", NO_NUMBER),
    ("Infinity", NO_NUMBER),
    ("-Infinity", NO_NUMBER),
    ("-1.0", BEYOND),
    ("", NO_NUMBER),
    ("1e400", BEYOND),
    ("0", "a price is zero"),
    ("1_000.0", NO_NUMBER),
    (float("nan"), NO_NUMBER),
    (None, NO_NUMBER),
    (99.5, NO_NUMBER),
    ([], NO_NUMBER),
]


def test_prices_that_are_none_are_kept_and_fetched(stream_only: Ingest) -> None:
    """Four a minute, each in the closing frame of another symbol; the look at each figure finds them, not the table."""
    for first in range(0, len(NO_PRICES), len(NAMES)):
        for symbol, (price, _) in zip(NAMES, NO_PRICES[first : first + len(NAMES)], strict=True):
            stream_only.send_price(price, symbol=symbol)
        stream_only.until_struck()

    stream_only.assert_nothing_is_lost()
    assert sorted(stream_only.refused()) == sorted(reason for _, reason in NO_PRICES)


def test_a_high_below_the_close_is_kept_and_fetched(stream_only: Ingest) -> None:
    stream_only.send_price("0.5", symbol=BTC, name="h")
    stream_only.until_struck()

    stream_only.assert_nothing_is_lost()
    assert stream_only.refused() == ["high is below open, low or close"]


# --- candles ----------------------------------------------------------------------------------------------------------


def test_minutes_without_a_trade_are_candles_and_no_gaps(
    transactional_db: None, empty_broker: None, settings: Any
) -> None:
    with ingesting(settings, with_ticks=False, candles=quiet_market()) as ingest:
        ingest.live(minutes=5)

        ingest.assert_nothing_is_lost()


def test_candles_that_come_three_times(stream_only: Ingest) -> None:
    stream_only.inflict("duplicate", count=20, parameters={"times": 3})
    stream_only.until_struck()

    stream_only.assert_nothing_is_lost()
    assert not stream_only.refused()


def test_candles_that_come_after_the_gap_check_has_fetched_them(stream_only: Ingest) -> None:
    stream_only.inflict("late", count=8, parameters={"delay": 3.0})
    stream_only.until_struck()
    stream_only.live(minutes=4)

    stream_only.assert_nothing_is_lost()
    assert not stream_only.refused()


def test_candles_in_the_wrong_order(stream_only: Ingest) -> None:
    stream_only.inflict("out_of_order", count=8)
    stream_only.until_struck()

    stream_only.assert_nothing_is_lost()


def test_candles_that_are_never_closed(stream_only: Ingest) -> None:
    stream_only.inflict("never_closed", count=8)
    stream_only.until_struck()

    stream_only.assert_nothing_is_lost()


def test_a_restated_candle_is_replaced_by_what_rest_says_and_stays_on_record(ingest: Ingest) -> None:
    """It lies between two minutes that never come, so that they are asked for with it."""
    ingest.inflict("5xx", paths=[KLINES])
    ingest.inflict("never_closed", count=1, symbols=[BTC])
    ingest.until_struck()
    ingest.inflict("restated", count=1, symbols=[BTC])
    ingest.until_struck()
    ingest.inflict("never_closed", count=1, symbols=[BTC])
    ingest.until_struck()
    # The later one has to be known as missing before REST answers again.
    ingest.live(minutes=3)

    ingest.assert_nothing_is_lost()
    revision = CandleRevision.objects.get()
    assert (revision.symbol, revision.old_source, revision.new_source) == (BTC, "stream", "rest")


def test_a_burst_of_the_last_two_hours(stream_only: Ingest) -> None:
    for _ in range(3):
        stream_only.inflict("burst", parameters={"minutes": 120})
        stream_only.live(minutes=1)

    stream_only.assert_nothing_is_lost()
    assert not stream_only.refused()
