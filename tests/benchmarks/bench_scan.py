"""What `make bench` prints of the scan and of replay: ratios within one run. Nothing here can fail a build."""

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pandas as pd

from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles
from learning.lessons import born_version
from learning.replay import replay
from learning.walk import Constant
from signals import mood_feed
from signals.frame import Frame
from signals.heads import HEADS
from signals.scan import Looks, Rules, decide, judge, look
from signals.segments import CONTEXT, Segment, history_start_ms, slower_than
from signals.window import Window
from tests.benchmarks.markets import CHUNK, SCANNED, markets, reasons, scan, scan_one_by_one, talib_alone
from tests.signals.frames import recording

QUARTER = TIMEFRAMES["15m"]
SYMBOLS = 600
ROUNDS = 5
PANDAS_CLOSES = 6


def cpu_seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def bench_scan() -> None:
    chosen = markets(SYMBOLS)
    few = dict(list(chosen.items())[:CHUNK])
    scan(few)
    talib_alone(few)
    pairs = [(cpu_seconds(lambda: scan(chosen)), cpu_seconds(lambda: talib_alone(chosen))) for _ in range(ROUNDS)]
    ours, alone = (float(np.median(seconds)) for seconds in zip(*pairs, strict=True))
    plain = cpu_seconds(lambda: scan_one_by_one(few)) * SYMBOLS / CHUNK
    print(
        f"\nscan of {SYMBOLS} symbols x {len(SCANNED)} timeframes, {len(HEADS)} heads: {ours:.2f} CPU s,"
        f" {ours / alone:.2f} x TA-Lib alone ({alone:.2f} s), {plain / ours:.1f} x as fast as a plain loop;"
        f" peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB"
    )
    told = cpu_seconds(lambda: reasons(chosen, "15m"))
    print(f"reasons of the {SYMBOLS} scans of 15m, kept beside them: {told:.2f} CPU s")
    one, two = wall_seconds(1), wall_seconds(2)
    print(f"scan in one process {one:.2f} s, in two {two:.2f} s: {one / two:.2f} x")


def wall_seconds(processes: int) -> float:
    """The scan of all symbols shared by so many fresh processes, their own set-up left out; the best of some rounds."""
    spawn = get_context("spawn")
    barrier = spawn.Barrier(processes)
    with ProcessPoolExecutor(processes, mp_context=spawn, initializer=_wait_with, initargs=(barrier,)) as pool:
        shares = pool.map(scan_share, [(number, processes) for number in range(processes)])
        return min(max(each) for each in zip(*shares, strict=True))


_together: list[object] = []


def _wait_with(barrier: object) -> None:
    _together[:] = [barrier]


def scan_share(share: tuple[int, int]) -> list[float]:
    """Wall seconds of one process's share of the symbols, round after round, each begun when all are ready."""
    number, processes = share
    chosen = dict(list(markets(SYMBOLS).items())[number::processes])
    scan(dict(list(chosen.items())[:CHUNK]))
    seconds = []
    for _ in range(ROUNDS):
        _together[0].wait()  # type: ignore[attr-defined]
        began = time.perf_counter()
        scan(chosen)
        seconds.append(time.perf_counter() - began)
    return seconds


def bench_replay() -> None:
    minutes = recording()
    first = min(int(candles.open_ms[0]) for candles in minutes.values())
    last = max(int(candles.open_ms[-1]) for candles in minutes.values()) + MINUTE_MS

    def walk(until_ms: int) -> float:
        return replay(
            minutes,
            timeframe=QUARTER,
            rules=Rules(),
            teacher=Constant(born_version()),
            first_close_ms=first,
            last_close_ms=until_ms // QUARTER.ms * QUARTER.ms,
        ).cpu_seconds

    walk(last)
    candles = sum(map(len, minutes.values()))
    ours = candles / walk(last)
    closes = last // QUARTER.ms * QUARTER.ms - np.arange(PANDAS_CLOSES) * QUARTER.ms
    spent = cpu_seconds(lambda: [pandas_close(minutes, int(close_ms)) for close_ms in closes])
    plain = PANDAS_CLOSES * QUARTER.minutes * len(minutes) / spent
    print(
        f"\nreplay without learning: {ours:,.0f} candles a CPU second ({candles:,} candles);"
        f" {ours / plain:,.0f} x a pandas loop over the closes ({plain:,.0f})"
    )


def pandas_close(minutes: dict[str, Candles], close_ms: int) -> int:
    """One close of the plain loop: every symbol's windows by pandas, then the same heads, pool and gates."""
    version, found = born_version(), {s: [pandas_window(candles, close_ms)] for s, candles in minutes.items()}
    mood = mood_feed.mood_at(found, close_ms, np.empty(0, np.int64), np.empty((0, 9)))
    feeds = {} if mood is None else mood_feed.feeds(np.array([close_ms]), mood[None])
    looks = Looks.concatenate([look(symbol, parts, feeds, HEADS, Rules()) for symbol, parts in found.items()])
    judged = judge(looks, version.weights, version.thresholds, Rules())
    return len(decide(judged, [], version.weights, version.thresholds, Rules()))


def pandas_window(candles: Candles, close_ms: int) -> Segment:
    before = candles.between(history_start_ms(QUARTER, close_ms), close_ms)
    table = pd.DataFrame({name: getattr(before, name) for name in Candles.__dataclass_fields__})
    table.index = pd.to_datetime(before.open_ms, unit="ms")
    frames = {}
    for timeframe in (QUARTER, *slower_than(QUARTER, CONTEXT)):
        block = int(timeframe.block_of(np.array(timeframe.last_closed_open_ms(close_ms))))
        start = pd.Timestamp(timeframe.window_start_ms(block), unit="ms")
        end = pd.Timestamp(close_ms // timeframe.ms * timeframe.ms, unit="ms")
        frames[timeframe.name] = Frame(
            timeframe, pandas_bars(table[(table.index >= start) & (table.index < end)], timeframe.minutes)
        )
    base = frames.pop("15m")
    return Segment(Window(base, frames, {}), np.array([len(base) - 1]))


def pandas_bars(table: pd.DataFrame, minutes: int) -> Candles:
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "minutes": "sum"}
    summed = ("volume", "quote_volume", "trades", "taker_base", "taker_quote")
    bars = table.resample(f"{minutes}min").agg({**how, **dict.fromkeys(summed, "sum")}).dropna()
    columns = {name: bars[name].to_numpy(np.float64).copy() for name in (*how, *summed)}
    return Candles(
        open_ms=bars.index.to_numpy("datetime64[ms]").astype(np.int64),
        **{**columns, "minutes": columns["minutes"].astype(np.int64)},
    )
