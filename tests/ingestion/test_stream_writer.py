"""From the queue into the database: bounded, in one transaction a batch, by one process at a time, nothing lost."""

import asyncio
import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from threading import Event, Thread
from typing import Any

import pytest
from django.db import DatabaseError, connection

from alphapulse_site.clock import advance_market_clock, market_now
from alphapulse_site.jobs import advisory_lock, lock_key
from ingestion.candles import to_datetime
from ingestion.kline import Kline
from ingestion.models import Candle, CandleRevision, QuarantinedMessage
from ingestion.stream.close_out import CloseOut
from ingestion.stream.exchange_time import ExchangeTime
from ingestion.stream.figures import Figures
from ingestion.stream.frames import ClosedCandle, refuse
from ingestion.stream.gap_checks import GapChecks
from ingestion.stream.inbox import Inbox, Item
from ingestion.stream.reception import Reception
from ingestion.stream.storing import Stored, store_batch
from ingestion.stream.writer import LOCK, Writer
from ingestion.timeframes import MINUTE_MS
from tests.ingestion.streams import MARCH_24, candles_locked, list_symbols, lock_holders, set_speed, wait_until


def kline(minute: int, symbol: str = "BTCUSDT", **changes: float) -> Kline:
    opens = MARCH_24 + minute * MINUTE_MS
    figures = {"open": 100.0, "high": 200.0, "low": 50.0, "close": 100.0, "volume": 5.0, "quote": 500.0, "trades": 9.0}
    figures |= {"base": 2.0, "taken": 200.0} | changes
    return Kline(symbol, opens, opens + 59_999, tuple(figures.values()))


def moment(minute: int) -> datetime:
    return to_datetime(MARCH_24 + minute * MINUTE_MS)


def minutes(symbol: str = "BTCUSDT") -> list[int]:
    opens = Candle.objects.filter(symbol=symbol).order_by("open_time").values_list("open_time", flat=True)
    return [round((each - moment(0)).total_seconds() / 60) for each in opens]


# --- a batch ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_batch_is_candles_kept_messages_and_the_market_clock() -> None:
    list_symbols("BTCUSDT", "ETHUSDT")
    set_speed(1.0)
    advance_market_clock(moment(0))
    items: list[Item] = [kline(1), kline(0, "ETHUSDT"), refuse(b"{}", "no"), kline(0), kline(1, "ETHUSDT")]

    assert store_batch(items, until_ms=MARCH_24 + 2 * MINUTE_MS) == Stored(candles=4, quarantined=1)
    assert minutes() == minutes("ETHUSDT") == [0, 1]
    assert QuarantinedMessage.objects.get().source == "stream"
    assert market_now() == moment(2)

    assert store_batch(items, until_ms=MARCH_24 + 2 * MINUTE_MS) == Stored(quarantined=1)
    assert QuarantinedMessage.objects.count() == 1


@pytest.mark.django_db
def test_figures_that_the_source_lacks_stay_empty() -> None:
    store_batch([kline(0, quote=math.nan, trades=math.nan, base=math.nan, taken=math.nan)], until_ms=None)

    assert list(Candle.objects.values_list("quote_volume", "trades", "taker_base", "taker_quote")) == [(None,) * 4]


@pytest.mark.django_db
def test_the_first_word_on_a_minute_stays_within_a_batch_and_after_it() -> None:
    assert store_batch([kline(0), kline(0, close=101.0)], until_ms=None).candles == 1
    assert store_batch([kline(0, close=102.0)], until_ms=None) == Stored(disagreeing=1)
    assert Candle.objects.get().close == 100.0
    assert not CandleRevision.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("changes", [{"high": 10.0}, {"trades": 1e300}, {"volume": -1.0}, {"low": math.nan}])
def test_a_row_that_postgresql_refuses_is_put_aside_and_the_others_are_stored(changes: dict[str, float]) -> None:
    list_symbols("BTCUSDT")
    batch = [kline(minute, "BTCUSDT", **(changes if minute == 7 else {})) for minute in range(20)]

    assert store_batch([*batch, refuse(b"x", "no")], until_ms=MARCH_24) == Stored(candles=19, quarantined=2)
    assert minutes() == [minute for minute in range(20) if minute != 7]
    kept = QuarantinedMessage.objects.get(reason__startswith="PostgreSQL refuses")
    assert json.loads(kept.payload)[:2] == ["BTCUSDT", MARCH_24 + 7 * MINUTE_MS]


# --- the queue --------------------------------------------------------------------------------------------------------


def test_a_full_queue_makes_readers_wait_and_keeps_the_order() -> None:
    """Four readers of 2500 each against a slow taker: never more waits than the bound, and one a reader on its way."""
    taken: list[Item] = []
    longest = 0

    async def read(inbox: Inbox, reader: int) -> None:
        nonlocal longest
        for minute in range(2500):
            await inbox.put(kline(minute, f"S{reader}USDT"))
            longest = max(longest, len(inbox))

    def take(inbox: Inbox) -> None:
        while items := inbox.take(900, seconds=5):
            taken.extend(items)

    async def all_of_it() -> None:
        inbox = Inbox(1000)
        taking = asyncio.create_task(asyncio.to_thread(take, inbox))
        await asyncio.gather(*(read(inbox, reader) for reader in range(4)))
        inbox.close()
        await taking

    asyncio.run(all_of_it())

    assert longest <= 1000
    assert len(taken) == 10_000
    for reader in range(4):
        mine = [each.open_ms for each in taken if isinstance(each, Kline) and each.symbol == f"S{reader}USDT"]
        assert mine == sorted(mine)


def test_what_comes_together_is_taken_together() -> None:
    async def all_of_it() -> list[int]:
        inbox = Inbox(1000)
        taking = asyncio.create_task(asyncio.to_thread(inbox.take, 500, seconds=5))
        for minute in range(20):
            await inbox.put(kline(minute))
            await asyncio.sleep(0.001)
        return [len(await taking), len(inbox.take(500, seconds=0.01))]

    assert asyncio.run(all_of_it()) == [20, 0]


# --- the thread -------------------------------------------------------------------------------------------------------


@dataclass
class Harness:
    """A writer, the loop it is fed from, and what it has told."""

    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    leads: list[bool] = field(default_factory=list)
    symbols: list[frozenset[str]] = field(default_factory=list)
    ended: Event = field(default_factory=Event)
    is_orderly: bool | None = None

    def __post_init__(self) -> None:
        self.clock, self.figures = ExchangeTime(), Figures()
        self._thread = Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()
        self.inbox = asyncio.run_coroutine_threadsafe(self._make_inbox(), self.loop).result(5)
        self.writer = Writer(
            self.inbox,
            self.clock,
            self.figures,
            symbols_every=0.2,
            on_lead=self.leads.append,
            on_symbols=self.symbols.append,
            on_end=self._note_end,
        )

    async def _make_inbox(self) -> Inbox:
        return Inbox(500)

    def _note_end(self, is_orderly: bool) -> None:
        self.is_orderly = is_orderly
        self.ended.set()

    def put(self, *items: Item) -> None:
        async def put_all() -> None:
            for item in items:
                await self.inbox.put(item)

        asyncio.run_coroutine_threadsafe(put_all(), self.loop).result(10)

    def close(self) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)
        self.loop.close()


@contextmanager
def writing() -> Iterator[Harness]:
    harness = Harness()
    harness.writer.start()
    try:
        yield harness
    finally:
        harness.writer.stop()
        assert harness.ended.wait(10)
        harness.close()


@pytest.mark.django_db(transaction=True)
def test_the_writer_tells_which_symbols_are_listed_and_follows_changes() -> None:
    list_symbols("BTCUSDT")
    with writing() as harness:
        wait_until(lambda: harness.symbols)
        list_symbols("ETHUSDT")
        wait_until(lambda: harness.symbols[-1] == {"BTCUSDT", "ETHUSDT"})
    assert harness.symbols[0] == {"BTCUSDT"}
    assert harness.leads == [True]
    assert harness.is_orderly


@pytest.mark.django_db(transaction=True)
def test_everything_in_the_queue_is_written_before_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingestion.stream.writer.LARGEST_BATCH", 50)
    with writing() as harness:
        wait_until(lambda: harness.leads)
        with candles_locked():
            harness.put(*(kline(minute) for minute in range(300)))
            harness.writer.stop()
            time.sleep(0.2)
    assert minutes() == list(range(300))
    assert harness.figures.candles == 300


def test_latency_is_that_of_candles_that_are_new() -> None:
    figures = Figures()
    figures.note_written([kline(0), kline(1, "ETHUSDT"), kline(1)], lambda close_ms: 0.1)
    figures.note_written([kline(0), kline(1), kline(0, "ETHUSDT")], lambda close_ms: 3600.0)

    said = figures.as_json()
    assert (said["latency_p50_ms"], said["latency_p99_ms"]) == (100.0, 100.0)

    figures.note_written([kline(minute) for minute in range(2, 100)], lambda close_ms: 0.3)
    assert figures.as_json()["latency_p50_ms"] == 300.0


@pytest.mark.django_db(transaction=True)
def test_a_second_writer_stands_by_and_leads_when_the_lock_is_free() -> None:
    with advisory_lock("stream") as is_ours, writing() as harness:
        assert is_ours
        wait_until(lambda: harness.leads == [False])
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        wait_until(lambda: harness.leads == [False, True])


@pytest.mark.django_db(transaction=True)
def test_what_was_heard_waits_while_another_process_has_the_lock() -> None:
    """The session is ended and the lock taken at once by somebody else; nothing is written before it is ours again."""
    with writing() as harness:
        wait_until(lambda: harness.leads)
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s), pg_advisory_lock(%s)", [*lock_holders(), lock_key(LOCK)])
        wait_until(lambda: harness.leads == [True, False])
        harness.put(kline(0), kline(1))
        time.sleep(0.3)
        assert minutes() == []
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        wait_until(lambda: minutes() == [0, 1])
        assert harness.leads == [True, False, True]


@pytest.mark.django_db(transaction=True)
def test_a_failure_that_leaves_the_session_whole_is_waited_out(caplog: pytest.LogCaptureFixture) -> None:
    """A statement that is cancelled stands for a deadlock and a full disk, which end no session either."""
    with writing() as harness:
        wait_until(lambda: harness.leads)
        with candles_locked(), connection.cursor() as cursor:
            harness.put(kline(0), kline(1))
            time.sleep(0.2)
            cursor.execute("SELECT pg_cancel_backend(%s)", lock_holders())
            wait_until(lambda: "canceling statement" in caplog.text)
        wait_until(lambda: minutes() == [0, 1])
        assert harness.leads == [True]


@pytest.mark.django_db(transaction=True)
def test_without_a_database_the_writer_gives_up_in_the_end_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ingestion.stream.writer.SECONDS_TO_FLUSH", 0.5)
    with advisory_lock("stream"), writing() as harness:
        wait_until(lambda: harness.leads == [False])
        harness.put(kline(0))
    assert harness.is_orderly
    assert minutes() == []
    assert "1 items not written" in caplog.text


# --- calls for what is missing ----------------------------------------------------------------------------------------


def test_a_minute_is_looked_at_once_some_seconds_after_its_close() -> None:
    calls: list[int] = []

    async def look() -> None:
        reception = Reception(Inbox(10), ExchangeTime(), Figures())
        close_out = CloseOut(reception, grace=8.0, call=lambda: calls.append(1))
        close_out.want(["BTCUSDT", "ETHUSDT"])
        assert close_out.look(99.0) == 1.0
        reception.clock.note(MARCH_24 + 60_000, 100.0)
        reception.closed |= {"BTCUSDT": MARCH_24, "ETHUSDT": MARCH_24 - MINUTE_MS}
        assert close_out.look(107.0) == pytest.approx(1.0)
        assert calls == []
        assert close_out.look(108.0) == pytest.approx(60.0)
        assert calls == [1]
        close_out.look(109.0)
        assert calls == [1]
        reception.closed |= dict.fromkeys(("BTCUSDT", "ETHUSDT"), MARCH_24 + MINUTE_MS)
        close_out.look(168.0)
        assert calls == [1]

    asyncio.run(look())


def test_a_candle_that_came_without_the_one_before_it_is_noticed_once() -> None:
    """However late the look is: by then the next candle may have come, and nothing is late any more."""
    calls: list[int] = []

    async def look() -> None:
        reception = Reception(Inbox(10), ExchangeTime(), Figures())
        close_out = CloseOut(reception, grace=8.0, call=lambda: calls.append(1))
        close_out.want(["BTCUSDT"])
        reception.clock.note(MARCH_24 + 4 * MINUTE_MS, time.monotonic())
        for minute in (0, 1, 3):
            closing = kline(minute)
            await reception.take(ClosedCandle(closing, MARCH_24 + 4 * MINUTE_MS), b"")
        close_out.look(time.monotonic() + 60)
        assert calls == [1]
        reception.closed["BTCUSDT"] = MARCH_24 + 10 * MINUTE_MS
        close_out.look(time.monotonic() + 120)
        assert calls == [1]

    asyncio.run(look())


def test_in_a_fast_market_candles_have_a_second_of_the_wall_to_come() -> None:
    async def look() -> Any:
        reception = Reception(Inbox(10), ExchangeTime(60.0), Figures())
        called: list[int] = []
        close_out = CloseOut(reception, grace=8.0, call=lambda: called.append(1))
        close_out.want(["BTCUSDT"])
        reception.clock.note(MARCH_24 + 60_000, 100.0)
        reception.closed["BTCUSDT"] = MARCH_24 - MINUTE_MS
        close_out.look(100.9)
        before = list(called)
        close_out.look(101.1)
        return before, called

    assert asyncio.run(look()) == ([], [1])


def test_one_gap_check_runs_at_a_time_and_a_call_meanwhile_is_answered_after_it() -> None:
    running, most, done = 0, 0, 0
    go_on = Event()

    def check() -> None:
        nonlocal running, most, done
        running += 1
        most = max(most, running)
        go_on.wait(5)
        running -= 1
        done += 1

    checks = GapChecks(check)
    for _ in range(5):
        checks.call()
    wait_until(lambda: running == 1)
    checks.call()
    go_on.set()
    wait_until(lambda: done == 2)
    checks.stop(seconds=5)
    checks.call()

    assert (most, done, running) == (1, 2, 0)


def test_a_gap_check_that_fails_is_made_again_when_called() -> None:
    calls: list[int] = []

    def check() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise DatabaseError("gone")

    checks = GapChecks(check)
    checks.call()
    wait_until(lambda: len(calls) == 1)
    checks.call()
    wait_until(lambda: len(calls) == 2)
    checks.stop(seconds=5)
