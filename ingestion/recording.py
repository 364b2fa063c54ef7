"""A recording as a market: its first part imported as history, the rest played on as if it were live."""

import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from threading import Event
from typing import Any

from django.conf import settings
from django.db import transaction

from alphapulse_site.clock import advance_market_clock, market_now
from alphapulse_site.hints import hint
from alphapulse_site.jobs import advisory_lock, beat
from ingestion.candles import store_candles, to_datetime, to_ms
from ingestion.csv_format import CandleFile, CandleFileError, candle_files, load_recording, read_candle_file
from ingestion.gaps import check_gaps, record_explanations
from ingestion.holes import Explanation, Hole, neighbours, split_by_reason
from ingestion.importing import import_files, list_symbol
from ingestion.models import CandleSource
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles

logger = logging.getLogger(__name__)

PLAYER_LOCK = "stream"
DAY_MS = 86_400_000
SECONDS_BETWEEN_BEATS = 5.0
# Behind by more than this, the player drops the debt instead of racing through it.
LARGEST_DEBT_SECONDS = 1.0
STANDBY_SECONDS = 0.5


class NoHistoryError(Exception):
    """The recording cannot be played because its history has not been imported."""


# --- history ----------------------------------------------------------------------------------------------------------


def import_history(path: Path) -> dict[str, Any]:
    """Import the first three quarters of a recording's time span, to a UTC midnight, and set the market clock there.

    Returns the figures of the import and the `start` and `end` of the history. Bad rows are quarantined. A second
    call adds nothing and does not turn the clock back.
    """
    files = [read_candle_file(file) for file in candle_files([path])]
    start_ms, end_ms = history_span(files)
    report = import_files(files, until_ms=end_ms)
    advance_market_clock(to_datetime(end_ms))
    gaps = check_gaps()
    return report.as_json() | {
        "symbols": len({file.symbol for file in files}),
        "start": to_datetime(start_ms).isoformat(),
        "end": to_datetime(end_ms).isoformat(),
        "gap_minutes_filled": gaps.filled,
        "gap_minutes_open": gaps.open,
    }


def history_span(files: list[CandleFile]) -> tuple[int, int]:
    """Open time (ms) of the first candle, and the UTC midnight at or before three quarters of the time span."""
    filled = [file.candles for file in files if len(file.candles)]
    if not filled:
        raise CandleFileError("the recording holds no candle; it cannot be played")
    first = min(int(candles.open_ms[0]) for candles in filled)
    last = max(int(candles.open_ms[-1]) for candles in filled) + MINUTE_MS
    midnight = (first + (last - first) * 3 // 4) // DAY_MS * DAY_MS
    if midnight <= first:
        raise CandleFileError("the recording is too short to play: no UTC midnight lies in its first three quarters")
    return first, midnight


# --- playing ----------------------------------------------------------------------------------------------------------


@dataclass
class Player:
    """Plays a recording from where the market clock stands: one transaction a minute, candles and clock together."""

    recording: Mapping[str, Candles]
    name: str
    stop: Event
    speed: float
    candles: int = 0
    _beat_due: float = field(default=0.0, repr=False)

    def run(self) -> None:
        """Play to the end or until `stop` is set, at the pace of the speed; then stay alive and say so."""
        due = time.monotonic()
        for minute_ms in self._minutes_left():
            self.play_minute(minute_ms)
            due = max(due + 60 / self.speed, time.monotonic() - LARGEST_DEBT_SECONDS)
            self._beat(ended=False)
            if self._wait_until(due):
                return
        self._beat_due = 0.0
        logger.info("the recording has ended at %s; nothing more will come", market_now())
        while not self.stop.is_set():
            self._beat(ended=True)
            self.stop.wait(STANDBY_SECONDS)

    def _wait_until(self, due: float) -> bool:
        """True if the player was told to stop. Slow playing waits in short steps, to go on giving signs of life."""
        while (rest := due - time.monotonic()) > 0 and not self.stop.wait(min(rest, STANDBY_SECONDS)):
            self._beat(ended=False)
        return self.stop.is_set()

    def _minutes_left(self) -> Iterator[int]:
        """Every minute on the clock grid from the market clock to the recording's end, with or without candles."""
        last = max((int(candles.open_ms[-1]) for candles in self.recording.values() if len(candles)), default=-1)
        return iter(range(to_ms(_clock()), last + 1, MINUTE_MS))

    def play_minute(self, minute_ms: int) -> None:
        """Store the minute's candles, explain the missing ones, move the clock to its close, then wake the workers."""
        close_ms = minute_ms + MINUTE_MS
        found = {symbol: candles.between(minute_ms, close_ms) for symbol, candles in self.recording.items()}
        with transaction.atomic():
            if not advance_market_clock(to_datetime(close_ms)):
                # Somebody has played this minute already: its candles are there.
                return
            self._list_newcomers(minute_ms)
            stored = store_candles(found, source=CandleSource.STREAM)
            self._explain_missing(minute_ms, [symbol for symbol, candles in found.items() if not len(candles)])
        self.candles += stored.inserted
        wake_workers(close_ms)

    def _list_newcomers(self, minute_ms: int) -> None:
        for symbol, candles in self.recording.items():
            if len(candles) and candles.open_ms[0] == minute_ms:
                list_symbol(symbol, to_datetime(minute_ms))

    def _explain_missing(self, minute_ms: int, symbols: list[str]) -> None:
        """A listed symbol without a candle in the recording will not get one later: that is known now."""
        spans = {
            symbol: (int(candles.open_ms[0]), minute_ms + MINUTE_MS)
            for symbol, candles in self.recording.items()
            if len(candles) and candles.open_ms[0] <= minute_ms
        }
        holes = [Hole(symbol, minute_ms, minute_ms + MINUTE_MS) for symbol in symbols if symbol in spans]
        for hole, reason in split_by_reason(holes, spans):
            evidence = {"recording": self.name} | neighbours(self.recording[hole.symbol], hole)
            record_explanations([Explanation(hole, reason, evidence)])

    def _beat(self, *, ended: bool) -> None:
        if time.monotonic() >= self._beat_due:
            beat("stream", ended=ended, candles=self.candles, speed=self.speed)
            self._beat_due = time.monotonic() + SECONDS_BETWEEN_BEATS


def wake_workers(close_ms: int) -> None:
    """Hint at what is due at this market time: a scan when its bar has closed, the nightly jobs at midnight."""
    timeframe = TIMEFRAMES[getattr(settings, "ALPHAPULSE_SCAN_TIMEFRAME", "15m")]
    if close_ms % timeframe.ms == 0:
        hint("signals.scan_due")
    if close_ms % DAY_MS == 0:
        hint("learning.resume_jobs")


def play(path: Path, *, speed: float, stop: Event) -> None:
    """Play the recording until `stop` is set. Beside another player it waits, and takes over if that one dies."""
    recording = load_recording(path)
    waiting = False
    while not stop.is_set():
        with advisory_lock(PLAYER_LOCK) as is_ours:
            if is_ours:
                logger.info("playing %s from %s, %g times as fast as life", path, _clock(), speed)
                Player(recording=recording, name=path.name, stop=stop, speed=speed).run()
                return
        if not waiting:
            logger.info("another player is at work; standing by to take over")
            waiting = True
        stop.wait(STANDBY_SECONDS)


def _clock() -> datetime:
    now = market_now()
    if now is None:
        raise NoHistoryError("nothing of the recording has been imported yet; run manage.py up, which does it first")
    return now
