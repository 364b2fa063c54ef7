"""1m candle files: ours (csv, csv.gz), Binance's archives (zip, csv), with or without header. No database, no clock."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ingestion.csv_lines import CandleFileError, CutShort, read_blocks
from ingestion.csv_rows import (
    BINANCE_HEADER,
    LATEST_MS,
    OUR_HEADER,
    BadRow,
    Rows,
    column_count,
    join_rows,
    parse_block,
)
from ingestion.symbols import split_symbol
from ingestion.timeframes import FIGURES, BoolArray, Candles

__all__ = ["BadRow", "CandleFile", "CandleFileError", "candle_files", "load_recording", "read_candle_file", "symbol_of"]

FILE_NAME = re.compile(r"(?P<symbol>[^-]+)-1m(-\d{4}-\d{2}(-\d{2})?)?\.(csv\.gz|csv|zip)")
CONFLICT = "another candle of the same minute stands in an earlier row"


@dataclass(frozen=True)
class CandleFile:
    """What a file holds: sound candles in order, bad rows, and what was odd but harmless."""

    path: Path
    symbol: str
    candles: Candles
    bad_rows: tuple[BadRow, ...]
    duplicates: int
    unordered: int

    @property
    def zero_volume(self) -> int:
        return int(np.count_nonzero(self.candles.volume == 0))


def symbol_of(path: Path) -> str:
    """The symbol a candle file is named after (BTCUSDT-1m.csv.gz). Raises CandleFileError if there is none."""
    found = FILE_NAME.fullmatch(path.name)
    if found is None:
        raise CandleFileError(
            f"{path}: not a name of a 1m candle file; expected SYMBOL-1m.csv.gz, SYMBOL-1m.csv or an archive"
            " such as SYMBOL-1m-2021-06.zip"
        )
    try:
        split_symbol(found["symbol"])
    except ValueError as error:
        raise CandleFileError(f"{path}: {error}") from error
    return found["symbol"]


def candle_files(paths: Iterable[Path | str]) -> list[Path]:
    """The candle files meant: files as given, of a directory those named as 1m candle files (no deeper), sorted."""
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            files += _files_in(path)
        elif path.exists():
            files.append(path)
        else:
            raise CandleFileError(f"{path}: no such file or directory")
    return list(dict.fromkeys(files))


def _files_in(directory: Path) -> list[Path]:
    found = sorted(path for path in directory.iterdir() if FILE_NAME.fullmatch(path.name))
    if not found:
        deeper = sorted({path.parent for path in directory.glob("*/*") if FILE_NAME.fullmatch(path.name)})
        advice = f"; name one of {', '.join(map(str, deeper))}" if deeper else ""
        raise CandleFileError(f"{directory}: no file named SYMBOL-1m.csv.gz, .csv or .zip in it{advice}")
    return found


def read_candle_file(path: Path, *, closed_by_ms: int = LATEST_MS) -> CandleFile:
    """All sound candles of a file, ascending, and its bad rows. A candle that closes after `closed_by_ms` is a bad row.

    Of two rows of one minute the earlier one stays; the other is a duplicate if it says the same, else a bad row.
    Raises CandleFileError if the file as a whole is unusable: unreadable, empty, or with another header.
    """
    symbol = symbol_of(path)
    try:
        rows, bad = _read_rows(path, closed_by_ms)
    except OSError as error:
        raise CandleFileError(f"{path}: cannot be read: {error.strerror or error}") from error
    unordered = int(np.count_nonzero(rows.open_ms[1:] < np.maximum.accumulate(rows.open_ms)[:-1]))
    rows = rows.chosen(np.argsort(rows.open_ms, kind="stable"))
    repeats, conflicts = _repeats(rows)
    bad += _refuse_conflicts(path, rows.line[conflicts].tolist())
    return CandleFile(
        path=path,
        symbol=symbol,
        candles=_candles(rows.chosen(~repeats)),
        bad_rows=tuple(sorted(bad, key=lambda row: row.line)),
        duplicates=int(np.count_nonzero(repeats & ~conflicts)),
        unordered=unordered,
    )


def _read_rows(path: Path, closed_by_ms: int) -> tuple[Rows, list[BadRow]]:
    parts: list[Rows] = []
    bad: list[BadRow] = []
    columns, line = 0, 1
    for block in read_blocks(path):
        if isinstance(block, CutShort):
            bad.append(BadRow(line, block.text, block.reason))
            break
        lines, first_line = block, line
        line += len(block)
        if not columns:
            columns, has_header = _format_of(path, block[0])
            lines, first_line = (block[1:], 2) if has_header else (block, 1)
        rows, faulty = parse_block(lines, first_line, columns, closed_by_ms)
        parts.append(rows)
        bad += faulty
    if not columns and not bad:
        raise CandleFileError(f"{path}: the file is empty")
    return join_rows(parts), bad


def _format_of(path: Path, first_line: str) -> tuple[int, bool]:
    found = column_count(first_line)
    if found is None:
        raise CandleFileError(
            f"{path}:1: wrong header {first_line[:200]!r}; expected {OUR_HEADER!r}, or of a Binance archive"
            f" {BINANCE_HEADER!r} or no header at all"
        )
    return found


def _repeats(rows: Rows) -> tuple[BoolArray, BoolArray]:
    """Which sorted rows repeat the minute of a row before them, and which of those say something else."""
    repeats = np.r_[False, rows.open_ms[1:] == rows.open_ms[:-1]] if len(rows.open_ms) else np.empty(0, np.bool_)
    first = np.maximum.accumulate(np.where(repeats, 0, np.arange(len(repeats))))
    here, there = rows.figures, rows.figures[first]
    same = ((here == there) | (np.isnan(here) & np.isnan(there))).all(axis=1)
    return repeats, repeats & ~same


def _refuse_conflicts(path: Path, lines: Sequence[int]) -> list[BadRow]:
    """The file is read again for the texts of these lines: keeping every text for this rare case costs too much."""
    wanted, texts, line = set(lines), {}, 1
    for block in read_blocks(path) if wanted else ():
        if isinstance(block, CutShort):
            break
        texts.update({number: text for number, text in enumerate(block, line) if number in wanted})
        line += len(block)
    return [BadRow(number, texts[number], CONFLICT) for number in lines]


def _candles(rows: Rows) -> Candles:
    figures = {name: np.ascontiguousarray(rows.figures[:, place]) for place, name in enumerate(FIGURES)}
    return Candles(open_ms=rows.open_ms, minutes=np.ones(len(rows.open_ms), np.int64), **figures)


def load_recording(
    paths: Path | str | Sequence[Path | str],
    symbols: Sequence[str] | None = None,
    start: int | None = None,
    end: int | None = None,
) -> dict[str, Candles]:
    """1m candles by symbol (sorted) of [start, end), in ms since the epoch, from files or directories; no database.

    A minute that stands in two files is taken from the first one, as `import_candles` does it. Strict: a bad row
    raises CandleFileError with file and line, and so does a symbol there is no file for.
    """
    files = candle_files([paths] if isinstance(paths, Path | str) else paths)
    by_symbol: dict[str, list[Path]] = {}
    for path in files:
        by_symbol.setdefault(symbol_of(path), []).append(path)
    unknown = sorted(set(symbols or ()) - set(by_symbol))
    if unknown:
        raise CandleFileError(f"no candle file for {', '.join(unknown)}; there is: {', '.join(sorted(by_symbol))}")
    wanted = sorted(set(symbols) if symbols is not None else by_symbol)
    recording = {symbol: merge_candles([_read_strictly(path) for path in by_symbol[symbol]]) for symbol in wanted}
    return {symbol: _cut(candles, start, end) for symbol, candles in recording.items()}


def _read_strictly(path: Path) -> Candles:
    file = read_candle_file(path)
    if file.bad_rows:
        others = f" (and {len(file.bad_rows) - 1} more)" if len(file.bad_rows) > 1 else ""
        row = file.bad_rows[0]
        raise CandleFileError(
            f"{path}:{row.line}: {row.reason}{others}: {row.text[:200]!r}; correct the file, or let import_candles"
            " store the good rows and quarantine the bad ones"
        )
    return file.candles


def merge_candles(parts: Sequence[Candles]) -> Candles:
    """One ascending series of several; of two candles of one minute the one of the earlier part stays."""
    if len(parts) == 1:
        return parts[0]
    columns = {name: np.concatenate([getattr(part, name) for part in parts]) for name in parts[0].__dataclass_fields__}
    _, first = np.unique(columns["open_ms"], return_index=True)
    return Candles(**{name: values[first] for name, values in columns.items()})


def _cut(candles: Candles, start: int | None, end: int | None) -> Candles:
    return candles.between(0 if start is None else start, LATEST_MS if end is None else end)
