"""A recording as a market: history imported, the rest played minute by minute, each exactly once."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from threading import Event, Thread

import pytest
import redis
from django.conf import settings as django_settings
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from alphapulse_site.clock import market_now, set_market_clock
from alphapulse_site.jobs import lock_key
from alphapulse_site.models import Heartbeat, MarketClock
from ingestion.candles import load_candles, load_many, to_datetime, to_ms
from ingestion.csv_format import CandleFileError, load_recording, read_candle_file
from ingestion.models import Candle, CandleGap, Symbol
from ingestion.recording import PLAYER_LOCK, NoHistoryError, Player, history_span, import_history, play, wake_workers
from ingestion.selectors import unexplained_gaps
from ingestion.timeframes import MINUTE_MS, Candles
from tests.ingestion.market import DATA, MARCH_24, csv_rows, made_candles, write_csv

MANAGE = Path(__file__).resolve().parents[2] / "manage.py"
# Six hours to midnight, two hours after it. After midnight one minute has no candle at all and one lacks BTCUSDT's
# only; ADAUSDT is listed while the recording plays, ETHUSDT goes on for a minute longer.
START, CUT = MARCH_24 - 360 * MINUTE_MS, MARCH_24
BITCOIN = made_candles(count=480, start_ms=START, without=[10, 360 + 20, 360 + 30])
ETHER = made_candles(count=481, start_ms=START, without=[360 + 20], seed=1)
ADA = made_candles(count=60, start_ms=CUT + 60 * MINUTE_MS, seed=2)
END = CUT + 121 * MINUTE_MS


def assert_same(left: Candles, right: Candles) -> None:
    for field in fields(Candles):
        assert getattr(left, field.name).tobytes() == getattr(right, field.name).tobytes(), field.name


@pytest.fixture
def recording(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, candles in (("BTCUSDT", BITCOIN), ("ETHUSDT", ETHER), ("ADAUSDT", ADA)):
        write_csv(tmp_path / f"{name}-1m.csv", csv_rows(candles))
    monkeypatch.setattr(django_settings, "ALPHAPULSE_RECORDING", tmp_path)
    return tmp_path


@pytest.fixture
def market(recording: Path, db: None, empty_broker: None) -> Path:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    import_history(recording)
    return recording


def player(path: Path, *, speed: float = 1e9) -> Player:
    return Player(recording=load_recording(path), name=path.name, stop=Event(), speed=speed)


def play_minutes(path: Path, minutes: int) -> None:
    one = player(path)
    start = to_ms(market_now() or to_datetime(0))
    for minute_ms in range(start, start + minutes * MINUTE_MS, MINUTE_MS):
        one.play_minute(minute_ms)


def waiting_tasks() -> list[str]:
    """Names of the tasks that wait in the broker, sorted."""
    path, _, number = django_settings.CELERY_BROKER_URL.removeprefix("redis+socket://").partition("?virtual_host=")
    broker = redis.Redis(unix_socket_path=path, db=int(number))
    lists = [key for key in broker.scan_iter() if broker.type(key) == b"list"]
    return sorted(json.loads(message)["headers"]["task"] for key in lists for message in broker.lrange(key, 0, -1))


# --- history ----------------------------------------------------------------------------------------------------------


def test_history_is_three_quarters_of_the_span_down_to_a_midnight(market: Path) -> None:
    assert market_now() == to_datetime(CUT)
    assert_same(load_candles("BTCUSDT", 0, END), BITCOIN.between(0, CUT))
    assert_same(load_candles("ETHUSDT", 0, END), ETHER.between(0, CUT))
    assert unexplained_gaps(["BTCUSDT", "ETHUSDT", "ADAUSDT"], 0, CUT) == []


def test_the_figures_say_what_came_in(recording: Path, db: None) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)

    figures = import_history(recording)

    assert {name: figures[name] for name in ("inserted", "unchanged", "files", "symbols", "start", "end")} == {
        "inserted": 719,
        "unchanged": 0,
        "files": 3,
        "symbols": 3,
        "start": "2023-03-23T18:00:00+00:00",
        "end": "2023-03-24T00:00:00+00:00",
    }
    assert (figures["explained_minutes"], figures["gap_minutes_filled"], figures["gap_minutes_open"]) == (1, 0, 0)


def test_a_second_import_of_the_history_does_not_turn_the_clock_back(market: Path) -> None:
    play_minutes(market, 5)

    figures = import_history(market)

    assert (figures["inserted"], figures["unchanged"]) == (0, 719)
    assert market_now() == to_datetime(CUT + 5 * MINUTE_MS)


def test_the_shipped_recording_has_three_weeks_of_history() -> None:
    shipped = django_settings.BASE_DIR / "ingestion" / "recordings" / "2021-06-10_2021-07-10"

    start_ms, end_ms = history_span([read_candle_file(path) for path in sorted(shipped.glob("B*.csv.gz"))])

    assert (start_ms, end_ms) == (1_623_332_160_000, 1_625_270_400_000)  # 10 June 13:36, 3 July 00:00


def test_a_recording_without_a_midnight_is_refused(db: None) -> None:
    with pytest.raises(CandleFileError, match="too short to play"):
        import_history(DATA / "outage_2023-03-24")


# --- playing ----------------------------------------------------------------------------------------------------------


def test_a_minute_is_its_candles_and_the_clock_together(market: Path) -> None:
    play_minutes(market, 1)

    assert market_now() == to_datetime(CUT + MINUTE_MS)
    latest = Candle.objects.filter(open_time=to_datetime(CUT))
    assert sorted(latest.values_list("symbol", "source")) == [("BTCUSDT", "stream"), ("ETHUSDT", "stream")]


def test_a_minute_played_twice_counts_once_and_wakes_nobody_again(market: Path) -> None:
    play_minutes(market, 14)
    one = player(market)
    one.play_minute(CUT + 14 * MINUTE_MS)
    one.play_minute(CUT + 14 * MINUTE_MS)

    assert one.candles == 2
    assert market_now() == to_datetime(CUT + 15 * MINUTE_MS)
    assert waiting_tasks() == ["signals.scan_due"]


def test_what_the_recording_lacks_is_explained_as_it_goes_by(market: Path) -> None:
    play_minutes(market, 31)

    gaps = CandleGap.objects.filter(start__gte=to_datetime(CUT)).order_by("symbol", "start")
    assert [(gap.symbol, (to_ms(gap.start) - CUT) // MINUTE_MS, gap.reason) for gap in gaps] == [
        ("BTCUSDT", 20, CandleGap.Reason.EXCHANGE_OUTAGE),
        ("BTCUSDT", 30, CandleGap.Reason.SOURCE_HAS_NO_CANDLE),
        ("ETHUSDT", 20, CandleGap.Reason.EXCHANGE_OUTAGE),
    ]
    assert unexplained_gaps(["BTCUSDT", "ETHUSDT"], 0, CUT + 31 * MINUTE_MS) == []


def test_a_symbol_is_listed_when_its_first_candle_is_played(market: Path) -> None:
    play_minutes(market, 60)
    assert not Candle.objects.filter(symbol="ADAUSDT").exists()

    play_minutes(market, 1)
    assert Candle.objects.get(symbol="ADAUSDT").open_time == Symbol.objects.get(name="ADAUSDT").listed_at


def test_workers_are_woken_when_a_scan_bar_closes_and_at_midnight(market: Path) -> None:
    play_minutes(market, 14)
    assert waiting_tasks() == []

    play_minutes(market, 31)
    assert waiting_tasks() == ["signals.scan_due"] * 3

    wake_workers(CUT)
    assert waiting_tasks() == ["learning.resume_jobs"] + ["signals.scan_due"] * 4


def test_played_to_the_end_everything_is_stored_and_the_player_stays_alive(market: Path) -> None:
    one = player(market)
    told = Thread(target=stop_when, args=(one, lambda: one.candles == 118 + 120 + 60))
    told.start()
    one.run()
    told.join()

    stored = load_many(["ADAUSDT", "BTCUSDT", "ETHUSDT"], 0, END)
    for symbol, candles in (("ADAUSDT", ADA), ("BTCUSDT", BITCOIN), ("ETHUSDT", ETHER)):
        assert_same(stored[symbol], candles)
    assert market_now() == to_datetime(END)
    assert Heartbeat.objects.get(name="stream").figures["ended"] is True


def test_a_player_told_to_stop_stops_within_a_second(market: Path) -> None:
    one = player(market, speed=1)
    told = Thread(target=stop_when, args=(one, lambda: one.candles > 0))
    told.start()
    began = time.monotonic()
    one.run()
    told.join()

    assert time.monotonic() - began < 2.0
    assert market_now() == to_datetime(CUT + MINUTE_MS)
    assert Heartbeat.objects.get(name="stream").figures["ended"] is False


def test_the_speed_sets_the_pace(market: Path) -> None:
    one = player(market, speed=600)
    began = time.monotonic()
    told = Thread(target=stop_when, args=(one, lambda: one.candles >= 20))
    told.start()
    one.run()
    told.join()

    # Ten minutes of two symbols: nine waits of a tenth of a second before the tenth minute.
    assert time.monotonic() - began >= 0.9


def stop_when(one: Player, reached: Callable[[], bool]) -> None:
    """Tell the player to stop half a second after it has got there, or after a minute so that the test ends."""
    patience = time.monotonic() + 60
    while not reached() and time.monotonic() < patience:
        time.sleep(0.01)
    time.sleep(0.0 if one.speed < 1e6 else 0.5)
    one.stop.set()


def test_two_players_exclude_each_other_and_the_second_takes_over(
    transactional_db: None, recording: Path, empty_broker: None
) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    import_history(recording)
    other = connection.copy()
    other.cursor().execute("SELECT pg_advisory_lock(%s)", [lock_key(PLAYER_LOCK)])
    stop = Event()

    def free_the_place_later() -> None:
        time.sleep(0.8)
        seen.append(market_now_of(other))
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock_all()")
        wait_for(lambda: market_now_of(other) == to_datetime(END))
        other.close()
        stop.set()

    seen: list[object] = []
    other.inc_thread_sharing()
    helper = Thread(target=free_the_place_later)
    helper.start()
    play(recording, speed=1e9, stop=stop)
    helper.join()

    assert seen == [to_datetime(CUT)]
    assert market_now() == to_datetime(END)


def market_now_of(other: BaseDatabaseWrapper) -> object:
    with other.cursor() as cursor:
        cursor.execute("SELECT closed_until FROM market_clock")
        return cursor.fetchone()[0]


def test_without_history_the_player_says_what_to_do(recording: Path, db: None) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)

    with pytest.raises(NoHistoryError, match=r"run manage\.py up"):
        play(recording, speed=60, stop=Event())


def test_play_is_refused_while_the_clock_follows_the_wall(recording: Path, db: None) -> None:
    with pytest.raises(CommandError, match="the market clock follows the wall"):
        call_command("play")


@pytest.mark.parametrize("speed", ["0", "-1", "nan", "inf", "fast"])
def test_a_speed_that_is_none_is_refused(speed: str) -> None:
    with pytest.raises(CommandError, match="--speed"):
        call_command("play", f"--speed={speed}")


@pytest.fixture
def own_signals() -> Iterator[None]:
    """The command takes over SIGTERM and SIGINT; this gives them back."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.mark.slow
def test_a_killed_player_is_resumed_where_it_was_and_a_told_one_leaves_cleanly(
    process_environment: dict[str, str], recording: Path, empty_broker: None, own_signals: None
) -> None:
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    import_history(recording)
    with playing(recording, process_environment) as process:
        wait_for(lambda: clock_ms() >= CUT + 20 * MINUTE_MS)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    killed_at = clock_ms()
    other = connection.copy()
    other.inc_thread_sharing()
    told = Thread(target=say_goodbye_at_the_end, args=(other, signal.SIGTERM))
    told.start()
    call_command("play", "--speed=6000")
    told.join()

    assert CUT + 20 * MINUTE_MS <= killed_at < END
    assert clock_ms() == END
    for symbol, candles in load_many(["ADAUSDT", "BTCUSDT", "ETHUSDT"], 0, END).items():
        assert_same(candles, {"ADAUSDT": ADA, "BTCUSDT": BITCOIN, "ETHUSDT": ETHER}[symbol])


@contextmanager
def playing(recording: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, str(MANAGE), "play", "--speed", "6000", "--recording", str(recording)]
    process = subprocess.Popen(command, env=environment)
    try:
        yield process
    finally:
        process.kill()
        process.wait(timeout=10)


def say_goodbye_at_the_end(other: BaseDatabaseWrapper, number: int) -> None:
    wait_for(lambda: market_now_of(other) == to_datetime(END))
    other.close()
    os.kill(os.getpid(), number)


def wait_for(condition: Callable[[], bool], *, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def clock_ms() -> int:
    now = market_now()
    assert now is not None
    return to_ms(now)
