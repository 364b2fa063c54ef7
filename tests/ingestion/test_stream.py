"""The stream as a whole: from a websocket into the database, through everything that can go wrong on the way."""

import asyncio
import signal
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.db import connection

from alphapulse_site.models import Heartbeat
from ingestion.candles import to_datetime
from ingestion.models import Candle, QuarantinedMessage, Symbol
from ingestion.stream.plan import stream_of
from tests.ingestion.streams import (
    MARCH_24,
    ServedConnection,
    candles_locked,
    kline_message,
    list_symbols,
    lock_holders,
    running_stream,
    serving,
    set_speed,
    stream_process,
    wait_until,
)

pytestmark = pytest.mark.django_db(transaction=True)


def stored(symbol: str = "BTCUSDT") -> list[int]:
    """The minutes after the start that are stored."""
    opens = Candle.objects.filter(symbol=symbol).order_by("open_time").values_list("open_time", flat=True)
    return [(each - to_datetime(MARCH_24)) // timedelta(minutes=1) for each in opens]


async def speak_for_ever(served: ServedConnection, *, start: int = 0, pause: float = 0.05) -> None:
    """A closed candle of every subscribed symbol again and again, minute after minute."""
    minute = start
    while True:
        await served.say(*(kline_message(name.partition("@")[0].upper(), minute) for name in sorted(served.streams)))
        minute += 1
        await asyncio.sleep(pause)


# --- what is said -----------------------------------------------------------------------------------------------------


def test_closing_frames_are_stored_and_running_ones_never() -> None:
    async def script(served: ServedConnection) -> None:
        for minute in range(3):
            await served.say(kline_message("BTCUSDT", minute, final=False, close=150.0))
            await served.say(kline_message("BTCUSDT", minute))
        await served.say(kline_message("BTCUSDT", 3, final=False))

    list_symbols("BTCUSDT")
    with serving(script) as server, running_stream(server.url):
        wait_until(lambda: stored() == [0, 1, 2])

    assert set(Candle.objects.values_list("close", "source")) == {(100.0, "stream")}
    assert stored() == [0, 1, 2]


BAD: dict[str, str | bytes] = {
    "malformed": '{"stream";"btcusdt@kline_1m"}',
    "truncated": kline_message("BTCUSDT", 1)[:-40],
    "binary": b"\x00\x9f\x92\x96 no text at all",
    "unknown": '{"stream":"btcusdt@kline_1m","data":{"e":"somethingNew","E":1}}',
    "wrong symbol": kline_message("WRONGUSDT", 0),
    "symbol of another stream": kline_message("ETHUSDT", 0).replace("ethusdt@", "btcusdt@"),
    "NaN": kline_message("BTCUSDT", 1, c="NaN"),
    "bare NaN": kline_message("BTCUSDT", 1).replace('"100.00"', "NaN"),
    "infinite": kline_message("BTCUSDT", 1, h="1e400"),
    "negative": kline_message("BTCUSDT", 1, l="-1.0"),
    "empty": kline_message("BTCUSDT", 1, o=""),
    "off the grid": kline_message("BTCUSDT", 1, t=MARCH_24 + 77_000, T=MARCH_24 + 136_999).replace("120010", "137010"),
    "of the future": kline_message("BTCUSDT", 600),
}


def test_every_bad_message_is_quarantined_once_and_the_connection_goes_on() -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(*(kline_message("ETHUSDT", 0, final=False) for _ in range(20)))
        for message in BAD.values():
            await served.say(kline_message("ETHUSDT", 0, final=False), message, message)
        await served.say(kline_message("BTCUSDT", 0))

    list_symbols("BTCUSDT", "ETHUSDT")
    with serving(script) as server, running_stream(server.url):
        wait_until(lambda: stored() == [0])

    kept = dict(QuarantinedMessage.objects.values_list("payload", "reason"))
    assert len(server.connections) == 1
    assert len(kept) == QuarantinedMessage.objects.filter(source="stream").count() == len(BAD)
    assert all(reason for reason in kept.values())
    assert set(Candle.objects.values_list("symbol", "open_time")) == {("BTCUSDT", to_datetime(MARCH_24))}


def test_a_candle_twice_late_or_restated_leaves_the_first_word() -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(kline_message("BTCUSDT", 1), kline_message("BTCUSDT", 1, close=101.0))
        await asyncio.sleep(0.5)
        await served.say(kline_message("BTCUSDT", 1), kline_message("BTCUSDT", 1, close=102.0))
        await served.say(kline_message("BTCUSDT", 2), kline_message("BTCUSDT", 0))

    list_symbols("BTCUSDT")
    with serving(script) as server, running_stream(server.url):
        wait_until(lambda: stored() == [0, 1, 2])

    assert set(Candle.objects.values_list("close", flat=True)) == {100.0}


# --- connections ------------------------------------------------------------------------------------------------------


def test_an_oversized_message_ends_the_connection_and_another_one_goes_on() -> None:
    async def script(served: ServedConnection) -> None:
        if served.number == 0:
            await served.say(kline_message("BTCUSDT", 0), '{"padding":"' + "x" * 10_000_000 + '"}')
        else:
            await served.say(kline_message("BTCUSDT", 1))

    list_symbols("BTCUSDT")
    with serving(script) as server, running_stream(server.url):
        wait_until(lambda: stored() == [0, 1])
        assert server.connections[0].socket.close_code == 1009


@pytest.mark.parametrize("how", ["closed", "cut", "silent", "rubbish"])
def test_a_connection_that_is_of_no_use_is_replaced_and_what_it_missed_is_asked_for(how: str) -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(kline_message("BTCUSDT", served.number))
        if served.number > 1:
            return
        if how == "closed":
            await served.socket.close(1001)
        elif how == "cut":
            served.socket.transport.abort()
        while how == "rubbish":
            await served.say("{}")
            await asyncio.sleep(0.05)

    list_symbols("BTCUSDT")
    with serving(script) as server, running_stream(server.url, silence=0.7) as running:
        wait_until(lambda: stored()[:3] == [0, 1, 2])
        # One at the start, one for each connection that spoke.
        wait_until(lambda: len(running.checks) >= 3)


def test_refusals_are_answered_with_patience() -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(kline_message("BTCUSDT", 0))

    list_symbols("BTCUSDT")
    with serving(script, refuse=lambda attempt: (503, {}) if attempt < 3 else None) as server:
        with running_stream(server.url):
            wait_until(lambda: stored() == [0], seconds=20)
        assert len(server.attempts) == 3


def test_nobody_knocks_before_the_time_that_the_exchange_has_given() -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(kline_message("BTCUSDT", 0))

    list_symbols("BTCUSDT")
    with serving(script, refuse=lambda attempt: (429, {"Retry-After": "2"}) if attempt == 1 else None) as server:
        with running_stream(server.url):
            wait_until(lambda: stored() == [0])
        first, second = server.attempts
        assert second - first >= 2


def test_a_port_that_nobody_listens_at_is_tried_again() -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(kline_message("BTCUSDT", 0))

    list_symbols("BTCUSDT")
    with serving(script) as server:
        url = server.url
    with running_stream(url) as running:
        wait_until(lambda: Heartbeat.objects.filter(name="stream"))
        assert stored() == []
        assert running.checks


@pytest.mark.parametrize("why", ["announced", "old"])
def test_a_connection_that_will_end_is_left_only_when_the_next_one_speaks(why: str) -> None:
    """The second connection is mute at first: meanwhile the first one is still listened to."""
    left_open = []

    async def script(served: ServedConnection) -> None:
        if served.number == 0:
            await served.say(kline_message("BTCUSDT", 0))
            if why == "announced":
                await served.say('{"e":"serverShutdown","E":1679616060012}')
            await speak_for_ever(served, start=1)
        await asyncio.sleep(0.8)
        left_open.append(server.connections[0].socket.close_code is None)
        await speak_for_ever(served, start=1000)

    list_symbols("BTCUSDT")
    # So fast that the second connection's minutes have come.
    set_speed(1_000_000)
    with serving(script) as server, running_stream(server.url, renew_after=600 if why == "announced" else 1.0):
        wait_until(lambda: server.connections and server.connections[0].socket.close_code is not None)
        served = len(server.connections)
    minutes = [minute for minute in stored() if minute < 1000]

    assert left_open[0] is True
    assert served == 2
    assert minutes == list(range(len(minutes)))
    assert len(minutes) > 10


def test_a_next_connection_that_fails_does_not_cost_the_one_that_works() -> None:
    async def script(served: ServedConnection) -> None:
        if served.number == 1:
            await served.socket.close(1011)
        if served.number == 2:
            first_was_open.append(server.connections[0].socket.close_code is None)
        await speak_for_ever(served)

    first_was_open: list[bool] = []
    list_symbols("BTCUSDT")
    set_speed(1200)
    with serving(script) as server, running_stream(server.url, renew_after=1.0):
        wait_until(lambda: len(server.connections) >= 3)
        wait_until(lambda: server.connections[0].socket.close_code is not None)
    assert first_was_open[0] is True


def test_symbols_come_and_go_on_the_connection_that_is_there() -> None:
    list_symbols("BTCUSDT", "ETHUSDT")
    set_speed(1200)
    with serving(speak_for_ever) as server, running_stream(server.url):
        wait_until(lambda: stored("ETHUSDT"))
        streams = server.connections[0].streams
        list_symbols("XRPUSDT")
        Symbol.objects.filter(name="ETHUSDT").update(delisted_at=to_datetime(MARCH_24))
        wait_until(lambda: streams == {stream_of("BTCUSDT"), stream_of("XRPUSDT")})
        wait_until(lambda: stored("XRPUSDT"))
        Symbol.objects.update(delisted_at=to_datetime(MARCH_24))
        wait_until(lambda: server.open == 0)
    assert len(server.connections) == 1
    assert not QuarantinedMessage.objects.exists()


def test_many_symbols_are_spread_over_connections_and_asked_for_at_a_tolerated_pace() -> None:
    names = [f"S{number:03}USDT" for number in range(1001)]
    list_symbols(*names)
    with serving(speak_once) as server, running_stream(server.url, streams=1000):
        wait_until(lambda: sum(len(served.streams) for served in server.connections) == 1001)
        wait_until(lambda: Candle.objects.count() >= 1000)
    shares = sorted((served.streams for served in server.connections), key=len)
    heard = next(served.heard_at for served in server.connections if len(served.streams) == 1000)

    assert [len(share) for share in shares] == [1, 1000]
    assert set().union(*shares) == {stream_of(name) for name in names}
    assert all(later - earlier > 1.0 for earlier, later in zip(heard, heard[4:], strict=False))


async def speak_once(served: ServedConnection) -> None:
    while len(served.streams) not in (1, 1000):
        await asyncio.sleep(0.05)
    await served.say(*(kline_message(name.partition("@")[0].upper(), 0) for name in served.streams))


def test_a_symbol_that_stays_silent_while_others_speak_is_asked_for_again() -> None:
    async def script(served: ServedConnection) -> None:
        while True:
            await served.say(kline_message("ETHUSDT", 0, final=False))
            await asyncio.sleep(0.05)

    list_symbols("BTCUSDT", "ETHUSDT")
    set_speed(600)
    with serving(script) as server, running_stream(server.url, silence=0.5):
        wait_until(lambda: server.connections)
        said = server.connections[0].requests
        wait_until(lambda: len(said) >= 3)

    assert [(each["method"], len(each["params"])) for each in said[:3]] == [
        *(("SUBSCRIBE", 2), ("UNSUBSCRIBE", 1), ("SUBSCRIBE", 1))
    ]
    assert said[1]["params"] == [stream_of("BTCUSDT")]
    assert len(server.connections) == 1


def test_a_candle_that_does_not_come_is_asked_for_over_rest() -> None:
    async def script(served: ServedConnection) -> None:
        await served.say(kline_message("BTCUSDT", 0), kline_message("ETHUSDT", 0))
        await asyncio.sleep(1.5)
        await served.say(kline_message("BTCUSDT", 1))

    list_symbols("BTCUSDT", "ETHUSDT")
    set_speed(30)
    with serving(script) as server, running_stream(server.url, silence=60) as running:
        wait_until(lambda: stored("ETHUSDT"))
        time.sleep(0.5)
        called = len(running.checks)
        wait_until(lambda: len(running.checks) > called)


# --- the database -----------------------------------------------------------------------------------------------------


def test_a_database_session_that_is_ended_costs_neither_candles_nor_the_connection() -> None:
    list_symbols("BTCUSDT")
    set_speed(1200)
    with serving(speak_for_ever) as server, running_stream(server.url):
        for _ in range(3):
            wait_for_more()
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", [wait_until(lock_holders)[0]])
        wait_until(lock_holders)
        wait_for_more()
        assert len(server.connections) == 1
    assert stored() == list(range(len(stored())))


def wait_for_more(*, seconds: float = 10.0) -> None:
    """Until more candles are stored than now."""
    seen = len(stored())
    wait_until(lambda: len(stored()) > seen, seconds=seconds)


def test_while_the_database_does_not_take_more_no_more_is_read() -> None:
    said: list[int] = []

    async def script(served: ServedConnection) -> None:
        for minute in range(4000):
            await served.say(kline_message("BTCUSDT", minute, padding="x" * 5000))
            said.append(minute)

    list_symbols("BTCUSDT")
    set_speed(1e9)
    with serving(script) as server, running_stream(server.url, queue=100):
        with candles_locked():
            wait_until(lambda: len(said) > 200)
            wait_until(lambda: is_standing_still(said))
            assert len(said) < 4000
        wait_until(lambda: len(stored()) == 4000, seconds=30)
        assert len(server.connections) == 1


def is_standing_still(said: list[int], *, seconds: float = 0.7) -> bool:
    before = len(said)
    time.sleep(seconds)
    return len(said) == before


def test_the_heartbeat_tells_how_the_stream_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.stream.writer.SECONDS_BETWEEN_BEATS", 0.1)

    async def script(served: ServedConnection) -> None:
        await served.say("{}")
        await speak_for_ever(served)

    def figures() -> dict[str, Any]:
        beat = Heartbeat.objects.filter(name="stream").first()
        return beat.figures if beat and beat.figures["candles"] > 5 else {}

    list_symbols("BTCUSDT")
    set_speed(1200)
    with serving(script) as server, running_stream(server.url):
        said = wait_until(figures)

    assert said["connections"] == 1
    assert (said["reconnects"], said["quarantined"], said["disagreeing"]) == (0, 1, 0)
    assert 0 <= said["latency_p50_ms"] <= said["latency_p99_ms"] < 1000
    assert 0 <= said["last_frame_seconds"] < 2
    assert said["queue"] >= 0


# --- the process ------------------------------------------------------------------------------------------------------


def test_sigterm_writes_what_has_been_heard_and_ends_well(process_environment: dict[str, str], tmp_path: Path) -> None:
    said: list[int] = []

    async def script(served: ServedConnection) -> None:
        for minute in range(500):
            await served.say(kline_message("BTCUSDT", minute))
            said.append(minute)

    list_symbols("BTCUSDT")
    set_speed(1e9)
    with serving(script) as server, stream_process(process_environment, server.url, tmp_path / "log") as process:
        with candles_locked():
            wait_until(lambda: len(said) == 500, seconds=30)
            time.sleep(0.5)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: server.open == 0)
            assert process.poll() is None
        assert process.wait(10) == 0
        assert stored() == list(range(500))
        assert lock_holders() == []


@pytest.mark.slow
def test_the_one_that_stands_by_takes_over_within_15_seconds(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    """First the one at work hangs, as on a host that froze; then the other one is killed while the first is back."""

    def another_one_takes_over() -> None:
        began, streams = time.monotonic(), len(server.connections)
        wait_until(lambda: len(server.connections) > streams, seconds=15)
        wait_for_more(seconds=15 - (time.monotonic() - began))

    list_symbols("BTCUSDT")
    set_speed(1e9)
    logs = tmp_path / "first", tmp_path / "second"
    with serving(speak_for_ever_on) as server, stream_process(process_environment, server.url, logs[0]) as first:
        wait_until(stored, seconds=20)
        with stream_process(process_environment, server.url, logs[1]) as second:
            wait_until(lambda: "standing by" in logs[1].read_text(), seconds=20)
            first.send_signal(signal.SIGSTOP)
            another_one_takes_over()
            first.send_signal(signal.SIGCONT)
            wait_until(lambda: "standing by" in logs[0].read_text())
            second.kill()
            another_one_takes_over()
            assert len(lock_holders()) == 1


async def speak_for_ever_on(served: ServedConnection) -> None:
    """Each connection goes on far behind the one before it."""
    await speak_for_ever(served, start=served.number * 10_000)


@pytest.mark.slow
def test_memory_stays_flat_while_a_burst_meets_a_slow_database(
    process_environment: dict[str, str], tmp_path: Path
) -> None:
    """200 minutes of 500 symbols, as fast as they can be sent, while nothing can be written for the first seconds."""
    names = [f"S{number:03}USDT" for number in range(500)]
    said: list[int] = []

    async def script(served: ServedConnection) -> None:
        while len(served.streams) < len(names):
            await asyncio.sleep(0.05)
        for minute in range(200):
            await served.say(*(kline_message(name, minute) for name in names))
            said.append(minute)

    list_symbols(*names)
    set_speed(1e9)
    settings = {"queue": 2000, "silence": 60}
    with (
        serving(script) as server,
        stream_process(process_environment, server.url, tmp_path / "log", **settings) as one,
    ):
        watched = psutil.Process(one.pid)
        with candles_locked():
            wait_until(lambda: len(said) >= 2, seconds=30)
            wait_until(lambda: is_standing_still(said, seconds=3.0), seconds=60)
            before = watched.memory_info().rss
            assert len(said) < 200
        wait_until(lambda: Candle.objects.count() == 100_000 or _grew(watched, before), seconds=100)
        assert not _grew(watched, before)
        assert len(server.connections) == 1


def _grew(process: psutil.Process, before: int) -> bool:
    return process.memory_info().rss > before + 40_000_000
