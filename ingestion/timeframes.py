"""Timeframes on the clock grid, and the anchored windows that make live and replay agree bit for bit. Pure numpy."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

MINUTE_MS = 60_000
# The figures of a candle, in the order of the table, of files and of everything that holds them as one array.
FIGURES = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_base", "taker_quote")

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Timeframe:
    """A candle length on the UTC clock grid, and W, the bars in one anchored block of it."""

    name: str
    minutes: int
    block: int

    @property
    def ms(self) -> int:
        return self.minutes * MINUTE_MS

    def bar_index(self, open_ms: IntArray) -> IntArray:
        """Bars since the epoch of each open time (ms)."""
        return open_ms // self.ms

    def block_of(self, open_ms: IntArray) -> IntArray:
        """Number of the anchored block each bar lies in (shape of `open_ms`)."""
        return self.bar_index(open_ms) // self.block

    def window_start_ms(self, block: int) -> int:
        """Open time (ms) of the first bar that the windows of this block's bars may hold: one block earlier."""
        return (block - 1) * self.block * self.ms

    def last_closed_open_ms(self, close_ms: int) -> int:
        """Open time (ms) of the last bar that has closed by `close_ms`."""
        return close_ms // self.ms * self.ms - self.ms


TIMEFRAMES: dict[str, Timeframe] = {
    timeframe.name: timeframe
    for timeframe in (
        Timeframe("1m", 1, 512),
        Timeframe("5m", 5, 512),
        Timeframe("15m", 15, 512),
        Timeframe("1h", 60, 256),
        Timeframe("4h", 240, 128),
        Timeframe("1d", 1440, 64),
    )
}


@dataclass(frozen=True)
class Candles:
    """Candles of one symbol and timeframe, ascending and unique in open time; arrays of one shape (n,).

    `minutes` counts the 1m candles inside each bar: a bar that lacks some is partial. Columns that the source did
    not have are NaN. Prices in quote currency, volumes in base currency, times in ms since the epoch.
    """

    open_ms: IntArray
    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    volume: FloatArray
    quote_volume: FloatArray
    trades: FloatArray
    taker_base: FloatArray
    taker_quote: FloatArray
    minutes: IntArray

    def __len__(self) -> int:
        return len(self.open_ms)

    def rows(self, chosen: slice) -> "Candles":
        return Candles(*(getattr(self, name)[chosen] for name in self.__dataclass_fields__))

    def between(self, start_ms: int, end_ms: int) -> "Candles":
        """The candles whose open time lies in [start_ms, end_ms)."""
        first, last = np.searchsorted(self.open_ms, [start_ms, end_ms])
        return self.rows(slice(int(first), int(last)))


def sum_by_bar(values: FloatArray, starts: IntArray) -> FloatArray:
    """Sums of consecutive groups; a group's bits depend on its own values only, however many groups are asked for."""
    # reduceat adds each group on its own, in an order that its length alone decides.
    return np.add.reduceat(values, starts) if len(starts) else np.empty(0)


def resample(minutes: Candles, timeframe: Timeframe) -> Candles:
    """Bars of `timeframe` from 1m candles, on the clock grid. A bar without a single minute is absent, not filled."""
    if timeframe.minutes == 1:
        return minutes
    bar = timeframe.bar_index(minutes.open_ms)
    starts = np.flatnonzero(np.r_[True, bar[1:] != bar[:-1]]) if len(bar) else np.empty(0, np.int64)
    if not len(starts):
        return minutes.rows(slice(0, 0))
    ends = np.r_[starts[1:], len(bar)] - 1
    return Candles(
        open_ms=bar[starts] * timeframe.ms,
        open=minutes.open[starts],
        high=np.maximum.reduceat(minutes.high, starts),
        low=np.minimum.reduceat(minutes.low, starts),
        close=minutes.close[ends],
        volume=sum_by_bar(minutes.volume, starts),
        quote_volume=sum_by_bar(minutes.quote_volume, starts),
        trades=sum_by_bar(minutes.trades, starts),
        taker_base=sum_by_bar(minutes.taker_base, starts),
        taker_quote=sum_by_bar(minutes.taker_quote, starts),
        minutes=np.diff(np.r_[starts, len(bar)]),
    )
