"""What a row of a feed's answer says: a reading, or a reason to refuse it. Pure."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ingestion import feeds
from ingestion.feeds import DAY_MS, FeedSource
from ingestion.kline import NUMBER

STAMP = re.compile(r"[0-9]{1,15}")
KLINE_FIELDS = 7


class BadReadingError(ValueError):
    """A row that is no reading of its feed; the message says what is wrong with it."""


@dataclass(frozen=True)
class RefusedReading:
    """A row that is no reading, why, and the moment it claims if that can be read."""

    payload: str
    reason: str
    as_of_ms: int | None


@dataclass(frozen=True)
class SortedRows:
    """An answer's readings by their moment, and its refused rows."""

    readings: Mapping[int, tuple[float, ...]]
    refused: tuple[RefusedReading, ...]


def sort_rows(source: FeedSource, rows: Iterable[object], symbol: str, closed_by_ms: int) -> SortedRows:
    """Readings and refused rows of an answer. A period that still runs at `closed_by_ms` is neither.

    Of two rows of one moment the first counts.
    """
    readings: dict[int, tuple[float, ...]] = {}
    refused = []
    for row in rows:
        as_of_ms = None
        try:
            as_of_ms = _moment(source, row, closed_by_ms)
            values = _values(source, row, symbol)
        except BadReadingError as error:
            refused.append(RefusedReading(json.dumps(row), str(error), as_of_ms))
            continue
        if as_of_ms <= closed_by_ms:
            readings.setdefault(as_of_ms, values)
    return SortedRows(readings, tuple(refused))


def _moment(source: FeedSource, row: object, closed_by_ms: int) -> int:
    """The moment a row speaks of: the end of its period, if it has one."""
    stamp = STAMPS[source.name](row) // source.stamp_ms * source.stamp_ms
    as_of_ms = stamp + source.lasts_ms
    if as_of_ms > closed_by_ms + DAY_MS:
        raise BadReadingError("its time lies in the future")
    if source.is_regular and as_of_ms % source.grid_ms:
        raise BadReadingError("its time lies off the grid")
    return as_of_ms


def _values(source: FeedSource, row: object, symbol: str) -> tuple[float, ...]:
    if isinstance(row, dict) and row.get("symbol", symbol) != symbol:
        raise BadReadingError("it is of another symbol")
    return VALUES[source.name](row)


def _field(row: object, name: str | int) -> object:
    """A field of a row, which is an object or, as in klines, a list."""
    if isinstance(row, dict) and name in row:
        value: object = row[name]
        return value
    if isinstance(row, list) and isinstance(name, int) and len(row) >= KLINE_FIELDS:
        return row[name]
    raise BadReadingError(f"{_called(name)} is not there")


def _called(name: str | int) -> str:
    return f"field {name}" if isinstance(name, int) else name


def _stamp(row: object, name: str | int) -> int:
    value = _field(row, name)
    if isinstance(value, bool) or not isinstance(value, int | str) or not STAMP.fullmatch(str(value)):
        raise BadReadingError(f"{_called(name)} is not a time")
    return int(value)


def _number(row: object, name: str | int) -> float:
    value = _field(row, name)
    if isinstance(value, bool) or not isinstance(value, int | float | str) or not NUMBER.fullmatch(str(value)):
        raise BadReadingError(f"{_called(name)} is not a finite number")
    number = float(value)
    if not -1e300 < number < 1e300:
        raise BadReadingError(f"{_called(name)} is not a finite number")
    return number


def _fraction(row: object, name: str | int) -> float:
    """A rate or a distance from a price, which is never as much as the price itself."""
    number = _number(row, name)
    if not -1 < number < 1:
        raise BadReadingError(f"{_called(name)} is not a fraction")
    return number


def _positive(row: object, name: str | int) -> float:
    number = _number(row, name)
    if number <= 0:
        raise BadReadingError(f"{_called(name)} is zero or negative")
    return number


def _volume(row: object, name: str | int) -> float:
    """In a quiet period nothing may have been traded."""
    number = _number(row, name)
    if number < 0:
        raise BadReadingError(f"{_called(name)} is negative")
    return number


def _percentage(row: object, name: str | int) -> float:
    number = _number(row, name)
    if not 0 <= number <= 100:
        raise BadReadingError(f"{_called(name)} is not from 0 to 100")
    return number


def _kline_opening(row: object) -> int:
    opened, closed = _stamp(row, 0), _stamp(row, 6)
    if closed - opened != feeds.FIVE_MINUTES_MS - 1:
        raise BadReadingError("it is not five minutes long")
    return opened


def _fields(read: Callable[[object, str | int], float], *names: str | int) -> Callable[[object], tuple[float, ...]]:
    return lambda row: tuple(read(row, name) for name in names)


STAMPS: Mapping[str, Callable[[Any], int]] = {
    feeds.PREMIUM: _kline_opening,
    feeds.FUNDING: lambda row: _stamp(row, "fundingTime"),
    feeds.OPEN_INTEREST: lambda row: _stamp(row, "timestamp"),
    feeds.LONG_SHORT: lambda row: _stamp(row, "timestamp"),
    feeds.TAKER_RATIO: lambda row: _stamp(row, "timestamp"),
    feeds.EXTERNAL: lambda row: _stamp(row, "timestamp") * feeds.SECOND_MS,
}
# What is stored of a row, in the order signals.derivatives reads it: a contract without any open interest, or without
# anybody on one side, is a fault of the source and no reading.
VALUES: Mapping[str, Callable[[Any], tuple[float, ...]]] = {
    feeds.PREMIUM: _fields(_fraction, 4),
    feeds.FUNDING: _fields(_fraction, "fundingRate"),
    feeds.OPEN_INTEREST: _fields(_positive, "sumOpenInterest", "sumOpenInterestValue"),
    feeds.LONG_SHORT: _fields(_positive, "longShortRatio"),
    feeds.TAKER_RATIO: _fields(_volume, "buyVol", "sellVol"),
    feeds.EXTERNAL: _fields(_percentage, "value"),
}
