"""Rows of a candle file into arrays, a block at a time; what is wrong with a bad row, in words. Pure."""

import re
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import MINUTE_MS, BoolArray, FloatArray, IntArray

OUR_HEADER = "open_time_ms,open,high,low,close,volume,close_time_ms,quote_volume,trades,taker_buy_base,taker_buy_quote"
BINANCE_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore"
)
TIMES = (0, 6)
REQUIRED = (1, 2, 3, 4, 5)
OPTIONAL = (7, 8, 9, 10)

# Binance's spot archives count microseconds from 2025 on. No candle has 17 digits of milliseconds before the year 5138.
MICROSECOND_STAMPS = 10**14
EARLIEST_MS = 1_230_940_800_000  # 2009-01-03, the first bitcoin block
LATEST_MS = 4_102_444_800_000  # 2100-01-01

TIME = r"[+-]?\d{1,18}"
NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
COLUMN_NAMES = [*OUR_HEADER.split(","), "ignore"]
_KINDS = [TIME if i in TIMES else NUMBER if i in REQUIRED else f"(?:{NUMBER})?" for i in range(len(COLUMN_NAMES))]
_CELLS = [re.compile(kind, re.ASCII) for kind in _KINDS]
_PLAIN_BLOCK = re.compile(r"[0-9eE+\-.,\n]*")


@dataclass(frozen=True)
class BadRow:
    """A row we refuse: its line in the file (from 1), its text, and why."""

    line: int
    text: str
    reason: str


@dataclass(frozen=True)
class Rows:
    """Readable rows in file order: line numbers and open times (n,), figures (n, 9) as in `candles.FIGURES`."""

    line: IntArray
    open_ms: IntArray
    figures: FloatArray

    def chosen(self, which: BoolArray | IntArray) -> "Rows":
        return Rows(self.line[which], self.open_ms[which], self.figures[which])


def join_rows(parts: list[Rows]) -> Rows:
    if not parts:
        return Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, 9)))
    return Rows(
        np.concatenate([part.line for part in parts]),
        np.concatenate([part.open_ms for part in parts]),
        np.concatenate([part.figures for part in parts]),
    )


def column_count(first_line: str) -> tuple[int, bool] | None:
    """How many columns the file has and whether its first line is a header; None if it is neither format."""
    header = first_line.removeprefix("\ufeff").strip()
    if header == OUR_HEADER:
        return 11, True
    if header == BINANCE_HEADER:
        return 12, True
    columns = first_line.count(",") + 1
    if first_line[:1].isdigit() and columns in (11, 12):
        return columns, False
    return None


def parse_block(lines: list[str], first_line: int, columns: int, closed_by_ms: int) -> tuple[Rows, list[BadRow]]:
    """The sound rows of a block and the bad ones; blank lines are skipped."""
    numbered = [(number, line) for number, line in enumerate(lines, first_line) if line]
    bad: list[BadRow] = []
    try:
        rows, close_ms = _convert(numbered, columns)
    except (ValueError, OverflowError):
        bad = [BadRow(n, line, fault) for n, line in numbered if (fault := text_fault(line, columns))]
        refused = {row.line for row in bad}
        numbered = [(n, line) for n, line in numbered if n not in refused]
        rows, close_ms = _convert(numbered, columns)
    fault_of = _value_faults(rows, close_ms, closed_by_ms)
    bad += [BadRow(*numbered[i], REASONS[fault_of[i]]) for i in np.flatnonzero(fault_of)]
    return rows.chosen(fault_of == 0), sorted(bad, key=lambda row: row.line)


def text_fault(line: str, columns: int) -> str:
    """Why the line cannot be read as numbers; '' if it can."""
    cells = line.split(",")
    if len(cells) != columns:
        return f"the row has {len(cells)} columns instead of {columns}"
    for place, cell in enumerate(cells):
        if not _CELLS[place].fullmatch(cell):
            wanted = "whole" if place in TIMES else "finite"
            return f"{COLUMN_NAMES[place]} is {f'not a {wanted} number' if cell.strip() else 'empty'}"
    return ""


def _convert(numbered: list[tuple[int, str]], columns: int) -> tuple[Rows, IntArray]:
    """Rows and close times (ms). Raises ValueError or OverflowError if one cell of the block is not a plain number."""
    if not numbered:
        return join_rows([]), np.empty(0, np.int64)
    # Python's int and float also take underscores, blanks and foreign digits; candles are written without.
    if not _PLAIN_BLOCK.fullmatch("\n".join(line for _, line in numbered)):
        raise ValueError("a cell is not a plain number")
    lines = [line for _, line in numbered]
    heads = [line.split(",", TIMES[-1] + 1) for line in lines]
    if any(line.count(",") != columns - 1 for line in lines):
        raise ValueError("a row has another number of columns")
    open_ms, close_ms = (np.array([int(cells[i]) for cells in heads], np.int64) for i in TIMES)
    figures = _with_known_nothing(_figures(lines))
    line = np.array([number for number, _ in numbered], np.int64)
    return Rows(line, _raw_to_ms(open_ms), figures), _raw_to_ms(close_ms)


def _figures(lines: list[str]) -> FloatArray:
    """All cells at once if none is empty, which is several times faster; else column by column."""
    try:
        return np.loadtxt(lines, delimiter=",", comments=None, usecols=REQUIRED + OPTIONAL, ndmin=2)
    except ValueError:
        column = list(zip(*(line.split(",") for line in lines), strict=True))
        required, optional = ([column[i] for i in places] for places in (REQUIRED, OPTIONAL))
        return np.column_stack([*map(_floats, required), *map(_floats_or_nan, optional)])


def _with_known_nothing(figures: FloatArray) -> FloatArray:
    """Where nothing was traded, the figures that the source did not have are known: nobody traded anything."""
    figures[np.isnan(figures) & (figures[:, 4:5] == 0)] = 0.0
    return figures


def _floats(cells: tuple[str, ...]) -> FloatArray:
    return np.array(list(map(float, cells)))


def _floats_or_nan(cells: tuple[str, ...]) -> FloatArray:
    if not any(cells):
        return np.full(len(cells), np.nan)
    return np.array([float(cell) if cell else np.nan for cell in cells])


def _raw_to_ms(stamps: IntArray) -> IntArray:
    """Milliseconds; a microsecond stamp that is not a whole millisecond becomes a stamp off the grid."""
    whole_ms = stamps // 1000
    # Binance's last microsecond of a minute, ...999999, is our last millisecond of it.
    return np.where(np.abs(stamps) >= MICROSECOND_STAMPS, whole_ms, stamps)


REASONS = (
    "",
    "open_time_ms is not a time in milliseconds between 2009 and 2100",
    "open_time_ms is not on the minute grid",
    "close_time_ms is not 59999 ms after open_time_ms: not a 1m candle, or not a closed one",
    "the candle has not closed yet",
    "a price or the volume is not a finite number",
    "a price is zero or negative",
    "the volume is negative",
    "high is below open, close or low",
    "low is above open, close or high",
    "quote_volume, trades or a taker volume is negative or not finite",
    "trades is not a whole number",
)


def _value_faults(rows: Rows, close_ms: IntArray, closed_by_ms: int) -> IntArray:
    """For each row the place of its first fault in REASONS, 0 if it is sound."""
    opened, high, low, close, volume = rows.figures[:, :5].T
    optional = rows.figures[:, 5:]
    trades = rows.figures[:, 6]
    with np.errstate(invalid="ignore"):
        faults = (
            (rows.open_ms < EARLIEST_MS) | (rows.open_ms > LATEST_MS),
            rows.open_ms % MINUTE_MS != 0,
            close_ms != rows.open_ms + MINUTE_MS - 1,
            close_ms >= closed_by_ms,
            ~np.isfinite(rows.figures[:, :5]).all(axis=1),
            np.minimum(np.minimum(opened, close), np.minimum(high, low)) <= 0,
            volume < 0,
            high < np.maximum(np.maximum(opened, close), low),
            low > np.minimum(opened, close),
            (~np.isnan(optional) & ~((optional >= 0) & (optional < np.inf))).any(axis=1),
            np.isfinite(trades) & (trades != np.floor(trades)),
        )
    first = np.zeros(len(close_ms), np.int64)
    for place, fault in reversed(list(enumerate(faults, 1))):
        first[fault] = place
    return first
