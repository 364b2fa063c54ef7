"""The head report made: recordings from candle files, every head over each of them, the clock beside it."""

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from ingestion.csv_format import CandleFileError, load_recording
from ingestion.timeframes import MINUTE_MS, Candles, Timeframe
from learning.head_looks import Timed, Watched, pooled, watch
from learning.head_report import FrameResult, HeadReport, Origin, claims_of, frame_result
from signals.heads import HEADS
from signals.scan import Rules

Recordings = dict[str, dict[str, Candles]]


def recordings(paths: Sequence[str], symbols: Sequence[str] | None) -> Recordings:
    """The recordings of `read_apart`; raises CandleFileError also where two hold the same time of a symbol."""
    found = read_apart(paths, symbols)
    _refuse_overlap(found)
    return found


def read_apart(paths: Sequence[str], symbols: Sequence[str] | None) -> Recordings:
    """Candles by symbol of each recording: a directory is one, and so are files given from one directory.

    Raises CandleFileError where files cannot be used, or hold nothing.
    """
    groups: dict[str, list[str]] = {}
    for path in paths:
        groups.setdefault(str(Path(path) if Path(path).is_dir() else Path(path).parent), []).append(path)
    return {name: _loaded(f"{name}: " * (len(groups) > 1), files, symbols) for name, files in groups.items()}


def _loaded(which: str, files: Sequence[str], symbols: Sequence[str] | None) -> dict[str, Candles]:
    try:
        loaded = load_recording(files, symbols)
    except CandleFileError as error:
        raise CandleFileError(f"{which}{error}") from error
    filled = {symbol: candles for symbol, candles in loaded.items() if len(candles)}
    if not filled:
        raise CandleFileError(f"{which}the files hold no candles; see the README of the recording for their format")
    return filled


def _refuse_overlap(found: Recordings) -> None:
    """A bar that stands in two recordings would count twice."""
    spans = sorted(
        (symbol, int(candles.open_ms[0]), int(candles.open_ms[-1]), name)
        for name, minutes in found.items()
        for symbol, candles in minutes.items()
    )
    for (symbol, _, last_ms, name), (next_symbol, first_ms, _, next_name) in pairwise(spans):
        if symbol == next_symbol and first_ms <= last_ms:
            raise CandleFileError(
                f"{name} and {next_name} hold the same time of {symbol}; name one of them, or put the files of one"
                " period into one directory"
            )


def study(
    found: Recordings,
    timeframes: Sequence[Timeframe],
    rules: Rules,
    clock: Callable[[], float],
    progress: Callable[[str, float], None] = lambda step, share: None,
) -> HeadReport:
    """Measure all heads on all timeframes; each recording is looked at on its own and never joined to another."""
    claims = claims_of(len(HEADS), len(timeframes))
    frames = [_frame(found, timeframe, rules, claims, clock, progress) for timeframe in timeframes]
    return HeadReport(origins(found), rules, claims, tuple(frames))


def _frame(
    found: Recordings,
    timeframe: Timeframe,
    rules: Rules,
    claims: int,
    clock: Callable[[], float],
    progress: Callable[[str, float], None],
) -> FrameResult:
    heads = [Timed(head, clock) for head in HEADS]
    symbols = sum(map(len, found.values()))
    looked = iter(range(1, symbols + 1))
    watched = [
        watch(minutes, timeframe, heads, rules, lambda _: progress(timeframe.name, next(looked) / symbols))
        for minutes in found.values()
    ]
    times = {head.name: head.ms_per_1000_bars for head in heads}
    together: Watched = pooled(watched, timeframe, rules)
    return frame_result(together, timeframe, heads, rules, claims=claims, costs_of_time=times)


def origins(found: Mapping[str, Mapping[str, Candles]]) -> tuple[Origin, ...]:
    """Where the data came from and what it holds, a recording each."""
    return tuple(
        Origin(
            name=name,
            symbols=tuple(sorted(minutes)),
            candles=sum(len(candles) for candles in minutes.values()),
            first_ms=min(int(candles.open_ms[0]) for candles in minutes.values()),
            last_ms=max(int(candles.open_ms[-1]) for candles in minutes.values()) + MINUTE_MS,
        )
        for name, minutes in found.items()
    )
