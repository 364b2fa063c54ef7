"""Why a symbol has no scan at a close, or was refused for its data: from the closes, the listing and the gaps."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from alphapulse_site.clock import market_now
from analytics.selectors.scans import last_scan
from ingestion.candles import to_datetime, to_ms
from ingestion.models import Candle, CandleGap, Symbol
from ingestion.selectors import delistings
from ingestion.timeframes import TIMEFRAMES, Timeframe
from signals.configuration import scan_timeframe
from signals.models import LateScan, ScanClose, ScanHistory
from signals.segments import history_start_ms
from signals.selectors import first_close

MOST_GAPS = 20
FORM = "%Y-%m-%d %H:%M UTC"


@dataclass(frozen=True)
class Looked:
    """What is known of the close that a question is about: its scan if there is one, else why there is none.

    `close`: the last close of the timeframe up to the time asked for. `last`: the last scan up to then, of whatever
    close. `obstacles`: sentences; empty where the close has its scan. `gaps`: of the candles that the scan would read.
    """

    symbol: str
    timeframe: str
    at: datetime
    close: datetime
    last: ScanHistory | None
    obstacles: tuple[str, ...]
    gaps: tuple[CandleGap, ...]

    @property
    def is_of_close(self) -> bool:
        return self.last is not None and self.last.close_time == self.close


def looked(symbol: str, at: datetime, timeframe: str = "") -> Looked:
    """Answer for the last close up to a market time; that of the running system's timeframe if none is named."""
    frame = TIMEFRAMES[timeframe or scan_timeframe().name]
    close_ms = to_ms(at) // frame.ms * frame.ms
    close, last = to_datetime(close_ms), last_scan(symbol, at, frame.name)
    has_scan = last is not None and last.close_time == close
    return Looked(
        symbol=symbol,
        timeframe=frame.name,
        at=at,
        close=close,
        last=last,
        obstacles=() if has_scan else obstacles(symbol, close, frame),
        gaps=() if last and has_scan and not last.missing_minutes else gaps_before(symbol, close, frame),
    )


def obstacles(symbol: str, close: datetime, frame: Timeframe) -> tuple[str, ...]:
    """Everything on record that keeps a symbol from having a scan at a close; never empty."""
    found = (*_of_close(symbol, close, frame), *_of_listing(symbol, close), *_of_candles(symbol, close, frame))
    return found or (f"Nothing on record explains it: {symbol} has the candles, and its scan is not stored.",)


def _of_close(symbol: str, close: datetime, frame: Timeframe) -> Iterator[str]:
    now, began = market_now(), first_close(frame.name)
    if now is None or close > now:
        yield f"This close has not come yet: the market clock stands at {_said(now)}."
    elif began is None:
        yield f"Nothing was ever scanned at {frame.name}; this system scans at {scan_timeframe().name}."
    elif close < began:
        yield f"Scanning at {frame.name} began with the close of {_said(began)}."
    else:
        yield from _of_record(symbol, ScanClose.objects.filter(timeframe=frame.name, close_time=close).first())


def _of_record(symbol: str, row: ScanClose | None) -> Iterator[str]:
    if row is None:
        yield "This close was not scanned, for any symbol."
    elif row.decided_at is None:
        yield "This close is not decided yet: its scans are still being made."
    elif late := LateScan.objects.filter(timeframe=row.timeframe, close_time=row.close_time, symbol=symbol).first():
        yield _of_late(late)
    elif row.chunks is not None and not any(symbol in chunk for chunk in row.chunks):
        yield f"{symbol} was not among the symbols that were scanned at this close."


def _of_late(late: LateScan) -> str:
    lacked = (
        f"{late.symbol} was late: {late.missing_minutes} minutes of its bar had not come when this close was scanned."
    )
    return lacked + (" It is scanned when they have." if late.scanned_at is None else " With them it has no ready bar.")


def _of_listing(symbol: str, close: datetime) -> Iterator[str]:
    known = Symbol.objects.get(pk=symbol)
    if known.listed_at and known.listed_at >= close:
        yield f"{symbol} was not listed yet: its first minute is {_said(known.listed_at)}."
    gone = [each for each in delistings([symbol]).get(symbol, []) if to_datetime(each.at_ms) < close]
    if gone:
        yield f"{symbol} was delisted at {_said(to_datetime(gone[-1].at_ms))}."
    if not known.is_active:
        yield f"{symbol} is not scanned any more; the exchange calls it {known.trading_status}."


def _of_candles(symbol: str, close: datetime, frame: Timeframe) -> Iterator[str]:
    """The bar before the close must be there, and far enough behind it the first one of its window."""
    bar_ms = to_ms(close) - frame.ms
    window_ms = frame.window_start_ms(int(frame.block_of(np.array(bar_ms))))
    stored = Candle.objects.filter(symbol=symbol, off_grid=False, open_time__lt=close)
    seen = (
        stored.filter(open_time__gte=to_datetime(window_ms)).order_by("open_time").values_list("open_time", flat=True)
    )
    if not stored.filter(open_time__gte=to_datetime(bar_ms)).exists():
        yield f"No candle of {symbol} is stored for the {frame.name} before this close."
    elif first := seen.first():
        bars = (to_ms(close) - to_ms(first)) // frame.ms
        if bars < frame.block:
            yield f"A scan needs {frame.block} bars of history and had {bars}: its candles begin at {_said(first)}."


def gaps_before(symbol: str, close: datetime, frame: Timeframe) -> tuple[CandleGap, ...]:
    """Gaps in the candles that a scan of a close reads, newest first."""
    start = to_datetime(history_start_ms(frame, to_ms(close)))
    inside = CandleGap.objects.filter(symbol=symbol, start__lt=close, end__gt=start)
    return tuple(inside.order_by("-start")[:MOST_GAPS])


def _said(moment: datetime | None) -> str:
    return f"{moment:{FORM}}" if moment else "no time at all"
