"""The bulk archive in the layout of data.binance.vision: months and days of 1m candles as zips, each with a checksum.

Files are made from the market when they are asked for or written, always the same bytes for the same candles. What
the market's source did not have is left empty, and a period without a single candle has no file.
"""

import hashlib
import io
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path

import numpy as np

from ingestion.exchange.market import Market
from ingestion.exchange.series import CLOSE, HIGH, LOW, OPEN, TRADES, VOLUME, Bars
from ingestion.timeframes import MINUTE_MS

DAY = timedelta(days=1)
# From then on spot archives count microseconds.
MICROSECONDS_SINCE_MS = 1_735_689_600_000
ROWS_A_PIECE = 1000


@dataclass(frozen=True)
class Period:
    """One month or day, named as in the archive: 2021-06 or 2021-06-30."""

    label: str
    start: datetime
    end: datetime

    @property
    def is_month(self) -> bool:
        return len(self.label) == len("2021-06")

    def place(self, symbol: str) -> str:
        """Where the file lies, from the archive's root."""
        kind = "monthly" if self.is_month else "daily"
        return f"spot/{kind}/klines/{symbol}/1m/{symbol}-1m-{self.label}.zip"


def period_of(label: str) -> Period:
    """Raises ValueError if there is no such month or day."""
    if len(label) == len("2021-06"):
        start = datetime.strptime(label, "%Y-%m").replace(tzinfo=UTC)
        return Period(label, start, (start + 31 * DAY).replace(day=1))
    start = datetime.strptime(label, "%Y-%m-%d").replace(tzinfo=UTC)
    return Period(label, start, start + DAY)


# --- files ------------------------------------------------------------------------------------------------------------


def candles_of(market: Market, symbol: str, period: Period, *, now_ms: int) -> Bars | None:
    """The candles of a period that is over; None if it is not, or has none."""
    if not market.is_listed(symbol, now_ms) or _ms(period.end) > now_ms:
        return None
    minutes = (_ms(period.end) - _ms(period.start)) // MINUTE_MS
    bars = market.klines(symbol, start_ms=_ms(period.start), end_ms=_ms(period.end) - 1, limit=minutes, now_ms=now_ms)
    return bars if len(bars) else None


def zipped(symbol: str, period: Period, bars: Bars) -> bytes:
    # The date in the zip is the period's end: the same candles make the same bytes on any day.
    entry = zipfile.ZipInfo(f"{symbol}-1m-{period.label}.csv", date_time=period.end.timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr(entry, "".join(_lines(bars)), compresslevel=1)
    return content.getvalue()


def checksum_line(content: bytes, name: str) -> str:
    return f"{hashlib.sha256(content).hexdigest()}  {name}\n"


def write_archive(market: Market, directory: Path, *, now_ms: int, symbols: Sequence[str] | None = None) -> list[Path]:
    """Every month and every day that is over by then, as zips with checksums below the directory; what was written."""
    written = []
    for symbol in market.symbols(now_ms) if symbols is None else symbols:
        for period in _periods(market.start_ms, now_ms):
            bars = candles_of(market, symbol, period, now_ms=now_ms)
            if bars is not None:
                written.append(_write(directory / period.place(symbol), zipped(symbol, period, bars)))
    return written


def _write(file: Path, content: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)
    file.with_name(f"{file.name}.CHECKSUM").write_text(checksum_line(content, file.name), encoding="ascii")
    return file


def _periods(start_ms: int, end_ms: int) -> Iterator[Period]:
    """The months and days that [start, end) touches."""
    day, end = datetime.fromtimestamp(start_ms // 1000, UTC), datetime.fromtimestamp(end_ms // 1000, UTC)
    day = day.replace(hour=0, minute=0, second=0)
    month = ""
    while day < end:
        if f"{day:%Y-%m}" != month:
            month = f"{day:%Y-%m}"
            yield period_of(month)
        yield period_of(f"{day:%Y-%m-%d}")
        day += DAY


def _lines(bars: Bars) -> Iterator[str]:
    """In pieces, so that other threads get their turn."""
    row = _row_format([bool(np.isfinite(column).all()) for column in bars.figures.T])
    unit = np.where(bars.open_ms >= MICROSECONDS_SINCE_MS, 1000, 1)
    opened, closed = bars.open_ms * unit, (bars.close_ms + 1) * unit - 1
    columns = [opened, *bars.figures[:, : VOLUME + 1].T, closed, *bars.figures[:, VOLUME + 1 :].T]
    for first in range(0, len(bars), ROWS_A_PIECE):
        cells = zip(*(column[first : first + ROWS_A_PIECE].tolist() for column in columns), strict=True)
        rows = list(cells)
        yield row * len(rows) % tuple(chain.from_iterable(rows))


def _row_format(known: list[bool]) -> str:
    """How a row is written; the cell of a figure that is not known throughout stays empty."""
    figures = ["%d" if place == TRADES else "%.8f" for place in range(len(known))]
    cells = [figure if is_known else "%.0s" for figure, is_known in zip(figures, known, strict=True)]
    return ",".join(["%d", *cells[: VOLUME + 1], "%d", *cells[VOLUME + 1 :], "0"]) + "\n"


def falsified(bars: Bars, factor: float) -> Bars:
    """Other candles, sound ones: closes and volumes are `factor` times as much."""
    figures = bars.figures.copy()
    figures[:, [CLOSE, VOLUME]] *= factor
    figures[:, HIGH] = figures[:, [OPEN, HIGH, CLOSE]].max(axis=1)
    figures[:, LOW] = figures[:, [OPEN, LOW, CLOSE]].min(axis=1)
    return replace(bars, figures=figures)


def _ms(moment: datetime) -> int:
    return int(moment.timestamp()) * 1000
