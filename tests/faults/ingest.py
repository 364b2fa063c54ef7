"""The whole of ingestion on a market of its own: the exchange over the wire, the stream, the gap keeper, the database.

What is done to it is undone again in the end, and then nothing may have been lost.
"""

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Thread
from typing import Any

from django.db import Error, connection

from alphapulse_site.clock import advance_market_clock, market_now, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion import tasks
from ingestion.candles import store_candles, to_datetime, to_ms
from ingestion.exchange.faults import Fault
from ingestion.exchange.state import Exchange
from ingestion.models import Candle, CandleGap, CandleSource, QuarantinedMessage, Symbol
from ingestion.selectors import unexplained_gaps
from ingestion.stream.process import stream
from ingestion.stream.rules import Rules
from ingestion.timeframes import MINUTE_MS, Candles
from tests.faults.truth import assert_as_the_exchange_says, made_market
from tests.ingestion.exchanges import RunningExchange, running_exchange
from tests.ingestion.market import MARCH_24
from tests.ingestion.streams import wait_until

# A minute of the market lasts a second.
SPEED = 60.0
SINCE_MS, HISTORY_MINUTES = MARCH_24, 30
START_MS = MARCH_24 + HISTORY_MINUTES * MINUTE_MS
# Two minutes after healing nothing may be open any more.
SETTLES_WITHIN = 120.0
REST_SECONDS, TICK_SECONDS = 1.0, 1.0
# Running frames come once a wall second, and a busy machine sends them late.
QUICK_RULES = {"silence": 2.5, "close_out": 8.0, "open_timeout": 2.0, "symbols_every": 0.5}
KLINES, STREAMS = "/api/v3/klines", "/stream"


@dataclass
class Ingest:
    """`working` ends whatever follows the market; what was broken by then is in `inflicted`."""

    running: RunningExchange
    working: ExitStack
    inflicted: list[str] = field(default_factory=list)

    @property
    def exchange(self) -> Exchange:
        return self.running.exchange

    def now_ms(self) -> int:
        return self.exchange.clock.now_ms()

    # --- what happens to it -------------------------------------------------------------------------------------------

    def inflict(self, kind: str, **order: Any) -> None:
        """A fault of the exchange, ordered as anybody outside would."""
        self.inflicted.append(kind)
        self.running.control.post("/faults", {"kind": kind, **order})

    def send_price(self, price: object, *, symbol: str, name: str = "c") -> None:
        """One final kline with this price, also one that no sound JSON can say."""
        self.inflicted.append("bad_price")
        parameters = {"price": price, "field": name}
        self.exchange.faults.add(Fault("bad_price", frozenset([symbol]), count=1, parameters=parameters))

    def live(self, minutes: float) -> None:
        """Let the market go on for so many of its minutes."""
        until_ms = self.now_ms() + int(minutes * MINUTE_MS)
        wait_until(lambda: self.now_ms() >= until_ms, seconds=60)

    def until_struck(self, *, seconds: float = 20.0) -> None:
        """Wait until the faults that come so many times have all happened."""
        wait_until(lambda: not [each for each in self.exchange.faults.active() if each.count], seconds=seconds)

    def until_struck_by(self, kind: str, *, seconds: float = 20.0) -> None:
        """The same of one kind, while others go on."""
        wait_until(
            lambda: not [each for each in self.exchange.faults.active() if each.kind == kind and each.count],
            seconds=seconds,
        )

    def on_air(self, *, seconds: float = 20.0) -> None:
        """Wait until a candle has come over the stream that closes after now."""
        since = to_datetime(self.now_ms() - MINUTE_MS)
        fresh = Candle.objects.filter(source=CandleSource.STREAM, open_time__gt=since)
        wait_until(fresh.exists, seconds=seconds)

    # --- what came of it ----------------------------------------------------------------------------------------------

    def refused(self, source: CandleSource = CandleSource.STREAM) -> list[str]:
        """Why each message in quarantine was refused."""
        return list(QuarantinedMessage.objects.filter(source=source).order_by("id").values_list("reason", flat=True))

    def settle(self, *, within: float = SETTLES_WITHIN) -> None:
        """Undo what was broken, and wait until every minute of before and two more are candles or explained.

        Then the gap check's next tick finds nothing open either: where it is Celery's, it comes within a minute.
        """
        self.exchange.faults.clear()
        healed_ms = self.now_ms()
        wait_until(lambda: self._is_settled(healed_ms + 2 * MINUTE_MS), seconds=within)
        wait_until(self._has_nothing_open, seconds=within)

    def _is_settled(self, until_ms: int) -> bool:
        now = market_now()
        if now is None or to_ms(now) < until_ms:
            return False
        return not unexplained_gaps(Symbol.objects.values_list("name", flat=True), 0, to_ms(now))

    def _has_nothing_open(self) -> bool:
        tasks.check_gaps()
        return not CandleGap.objects.filter(status="filling").exists()

    def assert_nothing_is_lost(self, *, within: float = SETTLES_WITHIN) -> None:
        """Heal, settle, stop everything but the exchange, and compare what is stored with what the exchange says."""
        self.settle(within=within)
        self.working.close()
        assert_as_the_exchange_says(self.exchange, SINCE_MS, was_restated="restated" in self.inflicted)


@contextmanager
def market_with_history(
    settings: Any, *, speed: float = SPEED, candles: Mapping[str, Candles] | None = None, **parts: Any
) -> Iterator[Ingest]:
    """An exchange whose clock runs, and half an hour of its candles in the database; nobody follows it yet."""
    candles = made_market() if candles is None else candles
    list_and_import(candles, speed)
    with running_exchange(candles, start_ms=START_MS, speed=speed, **parts) as running, ExitStack() as working:
        settings.ALPHAPULSE_SPOT_URL, settings.ALPHAPULSE_STREAM_URL = running.rest_url, running.stream_url
        settings.ALPHAPULSE_EXCHANGE_TIMEOUT = REST_SECONDS
        yield Ingest(running, working)


def list_and_import(candles: Mapping[str, Candles], speed: float) -> None:
    since, start = to_datetime(SINCE_MS), to_datetime(START_MS)
    Symbol.objects.bulk_create(
        [Symbol(name=name, base_asset=name[:-4], quote_asset="USDT", listed_at=since) for name in candles]
    )
    history = {name: minutes.between(SINCE_MS, START_MS) for name, minutes in candles.items()}
    store_candles(history, source=CandleSource.IMPORT)
    set_market_clock(mode=MarketClock.Mode.RECORDING, speed=speed)
    advance_market_clock(start)


@contextmanager
def ingesting(
    settings: Any, *, rules: Mapping[str, Any] | None = None, with_ticks: bool = True, **market: Any
) -> Iterator[Ingest]:
    """The stream in a thread and, as Celery does, a gap check now and then, on a market that is on the air."""
    with market_with_history(settings, **market) as ingest:
        chosen = Rules(url=ingest.running.stream_url, **(QUICK_RULES | dict(rules or {})))
        ingest.working.enter_context(stream_thread(chosen))
        if with_ticks:
            ingest.working.enter_context(gap_ticks())
        ingest.on_air()
        yield ingest


# --- who follows the market -------------------------------------------------------------------------------------------


@contextmanager
def stream_thread(rules: Rules) -> Iterator[None]:
    """The stream with its own gap checks, in a thread."""
    loop, stop = asyncio.new_event_loop(), asyncio.Event()
    thread = Thread(target=_stream, args=(loop, rules, stop), name="stream", daemon=True)
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        _join([thread, *_named("gap check")])


def _stream(loop: asyncio.AbstractEventLoop, rules: Rules, stop: asyncio.Event) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(stream(rules, stop))
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        loop.close()


@contextmanager
def gap_ticks() -> Iterator[None]:
    """The body of Celery's gap check once a second, as beat has it run once a minute."""
    stop = threading.Event()
    thread = Thread(target=_tick, args=(stop,), name="gap ticks", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        _join([thread])


def _tick(stop: threading.Event) -> None:
    while not stop.wait(TICK_SECONDS):
        try:
            tasks.check_gaps()
        except Error:
            # A task that fails is run again by the next tick, with another session.
            connection.close()
    connection.close()


def _named(name: str) -> list[Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def _join(threads: Iterable[Thread], *, seconds: float = 20.0) -> None:
    """No thread of a test may write into the database of the next one."""
    ends = time.monotonic() + seconds
    for thread in threads:
        thread.join(max(ends - time.monotonic(), 0.1))
        assert not thread.is_alive(), f"{thread.name} did not end"
