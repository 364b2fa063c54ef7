"""A kline of the exchange, a row of REST or the "k" of a frame, as a sound candle or a reason to refuse it. Pure."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.csv_rows import EARLIEST_MS, LATEST_MS
from ingestion.timeframes import FIGURES, MINUTE_MS, Candles

# Where open time, the figures and close time stand in a row of REST, and their letters in a frame.
ROW_FIELDS, ROW_OPEN_TIME, ROW_FIGURES, ROW_CLOSE_TIME = 12, 0, (1, 2, 3, 4, 5, 7, 8, 9, 10), 6
FRAME_OPEN_TIME, FRAME_FIGURES, FRAME_CLOSE_TIME = "t", ("o", "h", "l", "c", "v", "q", "n", "V", "Q"), "T"
TRADES = FIGURES.index("trades")

# What float() reads beside this (underscores, blanks, other scripts' digits, nan) is no number of an exchange.
NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][-+]?[0-9]{1,3})?")
# As the exchange documents it; there are names in other scripts, but none with small Latin letters.
SYMBOL = re.compile(r"(?!.*[a-z])[\w\-.]{1,50}")
MOST_TRADES = 10**12


class BadKlineError(ValueError):
    """A kline that is no sound 1m candle; the message says what is wrong with it."""


@dataclass(frozen=True)
class Kline:
    """One 1m candle of a symbol. Figures in the order of FIGURES; the last four are NaN if the source lacks them."""

    symbol: str
    open_ms: int
    close_ms: int
    figures: tuple[float, ...]

    @property
    def is_off_grid(self) -> bool:
        """Some candles of February 2018 open between two minutes; only REST is believed when it says so."""
        return self.open_ms % MINUTE_MS != 0


def from_rest(symbol: str, row: object) -> Kline:
    """A row of the klines endpoint, which may be off the grid. Whether the candle has closed is not in it."""
    if not isinstance(row, list) or len(row) != ROW_FIELDS:
        raise BadKlineError(f"the row is no list of {ROW_FIELDS} fields")
    return _kline(symbol, row[ROW_OPEN_TIME], row[ROW_CLOSE_TIME], [row[place] for place in ROW_FIGURES])


def from_frame(k: object) -> Kline:
    """The "k" object of a kline frame; whether it is final, `is_final` says."""
    if not isinstance(k, dict):
        raise BadKlineError("the kline is no object")
    missing = [key for key in (FRAME_OPEN_TIME, FRAME_CLOSE_TIME, *FRAME_FIGURES) if key not in k]
    if missing:
        raise BadKlineError(f"the kline lacks {', '.join(missing)}")
    symbol = k.get("s")
    if not isinstance(symbol, str) or not SYMBOL.fullmatch(symbol):
        raise BadKlineError("the kline's symbol is no name of a market")
    if k.get("i") != "1m":
        raise BadKlineError("the kline is not of 1m")
    kline = _kline(symbol, k[FRAME_OPEN_TIME], k[FRAME_CLOSE_TIME], [k[key] for key in FRAME_FIGURES])
    if kline.is_off_grid:
        raise BadKlineError("the open time is not on the minute grid")
    return kline


def is_final(k: object) -> bool:
    """Whether the candle has closed: only if the exchange says exactly that."""
    return isinstance(k, dict) and k.get("x") is True


def candles(klines: Iterable[Kline]) -> dict[str, Candles]:
    """Candles by symbol, ascending and unique in open time; of two klines of one minute the later one counts."""
    newest = {(kline.symbol, kline.open_ms): kline for kline in klines}
    if not newest:
        return {}
    ordered = [newest[key] for key in sorted(newest)]
    # One set of columns, cut by symbol: at a minute's close there are hundreds of symbols with one candle each.
    every = _columns(ordered)
    starts = [place for place, kline in enumerate(ordered) if not place or kline.symbol != ordered[place - 1].symbol]
    return {
        ordered[start].symbol: every.rows(slice(start, end))
        for start, end in zip(starts, [*starts[1:], len(ordered)], strict=True)
    }


def _columns(klines: Sequence[Kline]) -> Candles:
    figures = np.array([kline.figures for kline in klines], np.float64)
    columns = {name: np.ascontiguousarray(figures[:, place]) for place, name in enumerate(FIGURES)}
    open_ms = np.array([kline.open_ms for kline in klines], np.int64)
    return Candles(open_ms=open_ms, minutes=np.ones(len(klines), np.int64), **columns)


def _kline(symbol: str, opens: object, closes: object, cells: Sequence[object]) -> Kline:
    open_ms, close_ms = _whole(opens, "open time", LATEST_MS), _whole(closes, "close time", LATEST_MS)
    if open_ms < EARLIEST_MS:
        raise BadKlineError("the open time is not in milliseconds between 2009 and 2100")
    if close_ms != open_ms + MINUTE_MS - 1:
        raise BadKlineError("the close time is not 59999 ms after the open time")
    figures = tuple(
        float(_whole(cell, name, MOST_TRADES)) if place == TRADES else _number(cell, name)
        for place, (name, cell) in enumerate(zip(FIGURES, cells, strict=True))
    )
    _refuse_impossible(figures)
    return Kline(symbol, open_ms, close_ms, _without_unknown(figures))


def _whole(cell: object, name: str, most: int) -> int:
    if isinstance(cell, bool) or not isinstance(cell, int) or not 0 <= cell <= most:
        raise BadKlineError(f"the {name} is no whole number from 0 to {most}")
    return cell


def _number(cell: object, name: str) -> float:
    """The exchange writes prices and volumes as text, so that no reader rounds them twice."""
    if not isinstance(cell, str) or not NUMBER.fullmatch(cell):
        raise BadKlineError(f"the {name} is no decimal number in a text")
    value = float(cell)
    if not 0 <= value < float("inf"):
        raise BadKlineError(f"the {name} is negative or infinite")
    return value


def _refuse_impossible(figures: tuple[float, ...]) -> None:
    opened, high, low, close = figures[:4]
    if not min(opened, high, low, close) > 0:
        raise BadKlineError("a price is zero")
    if high < max(opened, low, close):
        raise BadKlineError("high is below open, low or close")
    if low > min(opened, close):
        raise BadKlineError("low is above open or close")


def _without_unknown(figures: tuple[float, ...]) -> tuple[float, ...]:
    """Volume without a single trade comes from a source that has prices and volume only and writes 0 for the rest."""
    volume = figures[FIGURES.index("volume")]
    if volume > 0 and figures[TRADES] == 0:
        return (*figures[:5], *[float("nan")] * 4)
    return figures
