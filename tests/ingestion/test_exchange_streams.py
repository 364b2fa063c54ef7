"""The simulator's websocket streams: frames as recorded, one a minute that never fails, and limits."""

import asyncio
import json
import socket
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import aiohttp
import numpy as np
import pytest
import requests
from websockets.exceptions import InvalidStatus

from ingestion import kline
from ingestion.exchange.audience import StreamLimits
from ingestion.exchange.faults import Fault
from ingestion.exchange.frames import text_frame
from ingestion.exchange.intervals import INTERVALS
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.listeners import listening, subscribed, wait_until
from tests.ingestion.market import MARCH_24, SHARED, made_candles

BTC, ETH = "BTCUSDT", "ETHUSDT"
BTC_1M, ETH_1M = "btcusdt@kline_1m", "ethusdt@kline_1m"
START_MS = MARCH_24 + 60 * MINUTE_MS
RECORDED = SHARED / "data" / "binance_api"
LOST, SILENT = 64, 63


def quiet_in(candles: Candles, minute: int) -> Candles:
    """The same without a trade in that minute."""
    volume = candles.volume.copy()
    volume[candles.open_ms == MARCH_24 + minute * MINUTE_MS] = 0.0
    return made_like(candles, volume=volume)


def made_like(candles: Candles, **columns: Any) -> Candles:
    return Candles(**{name: columns.get(name, getattr(candles, name)) for name in candles.__dataclass_fields__})


@pytest.fixture
def running() -> Iterator[RunningExchange]:
    """Half an hour into the second hour of 24 March 2023; time stands still until it is moved."""
    candles = {
        BTC: made_candles(count=1440),
        ETH: quiet_in(made_candles(count=1440, without=[LOST], full=False), SILENT),
    }
    with running_exchange(candles, start_ms=START_MS, frozen=True) as exchange:
        yield exchange


def rest_rows(running: RunningExchange, symbol: str, interval: str = "1m", **query: Any) -> list[list[Any]]:
    query |= {"symbol": symbol, "interval": interval}
    rows: list[list[Any]] = requests.get(running.rest_url + "/api/v3/klines", params=query, timeout=5).json()
    return rows


def as_rest(k: dict[str, Any]) -> list[Any]:
    """The figures of a frame in the order of a row of REST."""
    return [k[name] for name in ("t", "o", "h", "l", "c", "v", "T", "q", "n", "V", "Q", "B")]


# --- frames -----------------------------------------------------------------------------------------------------------


def shape(value: Any) -> Any:
    """Keys in their order and types, without the figures."""
    return [(key, shape(each)) for key, each in value.items()] if isinstance(value, dict) else type(value).__name__


@pytest.mark.skipif(not RECORDED.exists(), reason="the recorded frames are not there")
def test_frames_have_the_keys_types_and_order_of_recorded_ones(running: RunningExchange) -> None:
    combined = (RECORDED / "cryptofeed" / "binance_kline_frames.jsonl").read_text().splitlines()
    closed = (RECORDED / "cryptofeed" / "binance_us_kline_frames.jsonl").read_text().splitlines()
    alone = (RECORDED / "hummingbot" / "ws_kline_1m_btcusdt.json").read_text()
    with subscribed(running, BTC_1M) as named, listening(running, f"/ws/{BTC_1M}") as raw:
        named.minute()
        ours, ours_alone = named.frame(), raw.frame()

    assert {json.dumps(shape(json.loads(line))) for line in [*combined, *closed]} == {json.dumps(shape(ours))}
    assert shape(ours_alone) == shape(json.loads(alone))
    assert ours["data"] == ours_alone
    assert " " not in json.dumps(ours, separators=(",", ":"))


def test_a_closing_frame_says_what_rest_says(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M, ETH_1M) as listener:
        listener.minute()
        found = {k["s"]: k for k in (listener.kline(), listener.kline())}

    for symbol, k in found.items():
        (row,) = rest_rows(running, symbol, startTime=START_MS, limit=1)
        assert as_rest(k) == row
        assert (k["i"], k["x"]) == ("1m", True)
    assert found[BTC]["L"] - found[BTC]["f"] + 1 == found[BTC]["n"] > 0
    # The source of ETHUSDT has no trades: 0 for all that, as over REST, and the reader takes it for unknown.
    assert [found[ETH][name] for name in ("n", "q", "V", "Q", "f", "L")] == [0, *["0.00000000"] * 3, -1, -1]
    assert np.isnan(kline.from_frame(found[ETH]).figures[-1])


@pytest.mark.parametrize(
    ("length", "header"),
    [(0, "8100"), (125, "817d"), (126, "817e007e"), (65_535, "817effff"), (65_536, "817f0000000000010000")],
)
def test_the_header_of_a_frame_is_as_short_as_the_protocol_has_it(length: int, header: str) -> None:
    assert text_frame("x" * length).hex() == header + "78" * length


def test_a_frame_tells_when_it_was_sent(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M) as listener:
        listener.minute()

        assert listener.frame()["data"]["E"] == START_MS + MINUTE_MS


def test_a_minute_without_trades_closes_with_zeros_and_one_that_is_lost_not_at_all(running: RunningExchange) -> None:
    with subscribed(running, ETH_1M) as listener:
        listener.minute(6)
        found = {(k["t"] - MARCH_24) // MINUTE_MS: k for k in listener.finals(5)}

    assert list(found) == [60, 61, 62, 63, 65]
    assert [found[SILENT][name] for name in ("v", "n", "f", "L")] == ["0.00000000", 0, -1, -1]


def test_the_running_candle_is_told_about_once_a_second_whatever_the_speed() -> None:
    candles = {f"S{number}USDT": made_candles(count=1440) for number in range(8)}
    streams = [f"{symbol.lower()}@kline_1m" for symbol in candles]
    with running_exchange(candles, start_ms=START_MS, speed=97.0) as running, subscribed(running, *streams) as listener:
        ks = [json.loads(text)["data"]["k"] for text in listener.texts(0, then=2.3)]

    running_frames = Counter(k["s"] for k in ks if not k["x"])
    assert set(running_frames) == set(candles)
    assert set(running_frames.values()) <= {1, 2, 3}
    assert {k["x"] for k in ks} == {True, False}


def test_a_candle_that_has_not_moved_is_not_told_again(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M) as listener:
        running.exchange.clock.set(START_MS + 20_000)
        told = listener.kline(final=False)

        assert listener.texts(0, then=1.3) == []
    assert as_rest(told) == rest_rows(running, BTC, limit=1)[0]


def test_nothing_is_told_of_a_running_candle_without_trades(running: RunningExchange) -> None:
    with subscribed(running, ETH_1M) as listener:
        running.exchange.clock.set(MARCH_24 + SILENT * MINUTE_MS)
        listener.finals(3)
        running.exchange.clock.set(MARCH_24 + SILENT * MINUTE_MS + 30_000)

        assert listener.texts(0, then=1.2) == []


@pytest.mark.parametrize("speed", [60.0, 6000.0])
def test_every_minute_closes_in_order_however_fast_the_clock_is(speed: float) -> None:
    candles = {symbol: made_candles(count=3000) for symbol in (BTC, ETH)}
    traded = running_exchange(candles, start_ms=START_MS, frozen=True)
    with traded as running, subscribed(running, BTC_1M, ETH_1M) as listener:
        running.exchange.clock.set_speed(speed)
        running.exchange.clock.thaw()
        ks = listener.finals(int(speed / 30))

    for symbol in (BTC, ETH):
        opens = [k["t"] for k in ks if k["s"] == symbol]
        assert opens == list(range(START_MS, START_MS + len(opens) * MINUTE_MS, MINUTE_MS))
        assert len(opens) >= speed / 60 - 1


def test_five_hundred_symbols_close_ten_times_a_second() -> None:
    same = made_candles(count=400)
    candles = {f"S{number}USDT": same for number in range(500)}
    with (
        running_exchange(candles, start_ms=START_MS, frozen=True) as running,
        listening(running, "/stream") as listener,
    ):
        listener.say({"method": "SUBSCRIBE", "params": [f"s{n}usdt@kline_1m" for n in range(500)], "id": 1})
        running.exchange.clock.set_speed(600.0)
        running.exchange.clock.thaw()
        began = time.monotonic()
        ks = listener.finals(500 * 8)
        took = time.monotonic() - began

    counts = Counter((k["s"], k["t"]) for k in ks)
    assert set(counts.values()) == {1}
    assert len({symbol for symbol, _ in counts}) == 500
    assert took < 4


def test_longer_candles_close_when_their_time_is_over() -> None:
    candles = {BTC: made_candles(count=10 * 1440, start_ms=MARCH_24)}
    # The last minute of a Sunday, and then of a month.
    sunday, month = MARCH_24 + 3 * 86_400_000, MARCH_24 + 8 * 86_400_000
    streams = [f"btcusdt@kline_{name}" for name in INTERVALS]
    traded = running_exchange(candles, start_ms=sunday - MINUTE_MS, frozen=True)
    with traded as running, subscribed(running, *streams) as listener:
        listener.minute()
        at_week = {k["i"]: k for k in listener.finals(len(INTERVALS) - 2)}
        running.exchange.clock.set(month - MINUTE_MS)
        listener.finals(0, then=0.2)
        listener.minute()
        at_month = {k["i"]: k for k in listener.finals(len(INTERVALS) - 2)}
        listener.minute()
        later = [k["i"] for k in listener.finals(1)]
        rows = {name: rest_rows(running, BTC, name, endTime=month - 1, limit=1)[0] for name in INTERVALS}

    assert set(INTERVALS) - set(at_week) == {"1M", "3d"}
    assert set(INTERVALS) - set(at_month) == {"1w", "3d"}
    assert later == ["1m"]
    assert {name: as_rest(k) for name, k in at_month.items()} == {name: rows[name] for name in at_month}


def test_a_longer_candle_is_told_while_it_runs(running: RunningExchange) -> None:
    with subscribed(running, "btcusdt@kline_1h") as listener:
        running.exchange.clock.set(START_MS + 17 * MINUTE_MS + 31_000)
        told = listener.kline(final=False)

    assert as_rest(told) == rest_rows(running, BTC, "1h", limit=1)[0]


def test_a_clock_that_is_set_far_ahead_or_back_tells_nothing_of_the_time_between(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M) as listener:
        running.exchange.clock.set(START_MS + 200 * MINUTE_MS)
        assert listener.finals(0, then=0.2) == []
        running.exchange.clock.set(START_MS)
        assert listener.finals(0, then=0.2) == []
        listener.minute()
        assert [k["t"] for k in listener.finals(1)] == [START_MS]


# --- connections ------------------------------------------------------------------------------------------------------


def test_raw_streams_come_without_a_name_and_several_can_be_in_an_address(running: RunningExchange) -> None:
    with listening(running, f"/ws/{BTC_1M}/{ETH_1M}") as listener:
        listener.minute()
        frames = [listener.frame(), listener.frame()]

    assert {frame["s"] for frame in frames} == {BTC, ETH}
    assert {frame["e"] for frame in frames} == {"kline"}


@pytest.mark.parametrize("stream", ["BTCUSDT@kline_1m", "btcusdt@kline_7m", "xusdt@kline_1m", "btcusdt@trade", "0"])
def test_of_streams_that_do_not_exist_nothing_is_ever_heard(running: RunningExchange, stream: str) -> None:
    with listening(running, f"/ws/{stream}") as listener:
        listener.minute()
        assert listener.texts(0, then=0.15) == []
        assert listener.say({"method": "SUBSCRIBE", "params": [BTC_1M], "id": 1}) == {"result": None, "id": 1}
        listener.minute()
        assert listener.kline()["t"] == START_MS + MINUTE_MS


def test_a_plain_request_is_no_websocket(running: RunningExchange) -> None:
    assert requests.get(f"{running.rest_url}/ws/{BTC_1M}", timeout=5).status_code == 400


def test_everybody_gets_the_same_frame(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M) as one, subscribed(running, BTC_1M, ETH_1M) as other:
        one.minute()
        assert one.text() in {other.text(), other.text()}


@pytest.fixture
def strict() -> Iterator[RunningExchange]:
    """The exchange with seconds and counts so short that tests can wait for them."""
    limits = StreamLimits(life=1.2, ping_every=0.25, pong_within=0.4, attempts=3, attempts_within=30.0)
    with running_exchange({BTC: made_candles(count=1440)}, start_ms=START_MS, stream_limits=limits) as exchange:
        yield exchange


def test_the_exchange_has_the_limits_that_binance_documents() -> None:
    limits = StreamLimits()

    assert (limits.life, limits.ping_every, limits.pong_within) == (86_400, 20, 60)
    assert (limits.messages, limits.attempts, limits.attempts_within) == (5, 300, 300)


def test_a_connection_lives_so_long_and_no_longer(strict: RunningExchange) -> None:
    began = time.monotonic()
    with listening(strict, "/ws") as listener:
        assert listener.goodbye() == (1001, "")
    assert time.monotonic() - began > 1.1


@pytest.mark.parametrize("answer", ["nothing", "another"])
def test_who_does_not_answer_pings_is_cut_off(strict: RunningExchange, answer: str) -> None:
    async def listen() -> tuple[list[bytes], int | None]:
        pings = []
        url = strict.stream_url + "/ws"
        async with aiohttp.ClientSession() as session, session.ws_connect(url, autoping=False) as socket:
            async for message in socket:
                pings.append(message.data)
                if answer == "another":
                    await socket.pong(b"unasked")
            return pings, socket.close_code

    pings, code = asyncio.run(listen())

    # A connection that has only come of age is closed with another code.
    assert code == 1008
    assert len(pings) >= 2
    assert all(ping.isdigit() for ping in pings)


def test_too_many_attempts_from_one_address_are_refused(strict: RunningExchange) -> None:
    for _ in range(3):
        with listening(strict, "/ws"):
            pass
    with pytest.raises(InvalidStatus) as refused, listening(strict, "/ws"):
        pass

    assert refused.value.response.status_code == 429
    assert refused.value.response.headers["Retry-After"] == "30"
    assert strict.control.get("/requests")["statuses"] == {"101": 3, "429": 1}


def test_who_talks_too_much_is_cut_off(running: RunningExchange) -> None:
    with listening(running, "/ws") as listener:
        for number in range(6):
            listener.socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": number}))
        assert listener.goodbye() == (1008, "Too many requests")


def test_five_messages_a_second_are_allowed_and_pings_are_among_them(running: RunningExchange) -> None:
    with listening(running, "/ws") as listener:
        for number in range(4):
            assert listener.say({"method": "LIST_SUBSCRIPTIONS", "id": number})["id"] == number
        assert listener.socket.ping().wait(2)
        listener.socket.ping()
        assert listener.goodbye() == (1008, "Too many requests")


def test_a_reader_that_does_not_read_is_dropped_and_holds_up_nobody() -> None:
    limits, candles = StreamLimits(drain_within=0.3), {BTC: made_candles(count=1440)}
    traded = running_exchange(candles, start_ms=START_MS, frozen=True, stream_limits=limits)
    with traded as running, deaf_client(running, f"/ws/{BTC_1M}"), subscribed(running, BTC_1M) as listener:
        audience = running.exchange.audience
        wait_until(lambda: len(audience.connections) == 2)
        running.exchange.faults.add(Fault("oversized_frame", parameters={"bytes": 20_000_000}, count=1))
        listener.minute()
        assert listener.kline()["t"] == START_MS
        wait_until(lambda: len(audience.connections) == 1)
        listener.minute()
        assert [listener.kline()["t"] for _ in range(2)] == [START_MS, START_MS + MINUTE_MS]


def deaf_client(running: RunningExchange, path: str) -> socket.socket:
    """A socket that shakes hands and then reads nothing any more."""
    client = socket.create_connection(("127.0.0.1", running.places.port))
    client.sendall(
        f"GET {path} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert b"101" in client.recv(1000)
    return client


def test_subscriptions_end_with_their_connection(running: RunningExchange) -> None:
    with subscribed(running, BTC_1M):
        assert set(running.exchange.audience.channels) == {BTC_1M}
    wait_until(lambda: not running.exchange.audience.connections)

    assert running.exchange.audience.channels == {}
