"""What to ask to fill holes over REST, and what an answer says: candles, refused rows, minutes that have none. Pure.

The rows of one answer follow each other at the exchange. So there is nothing between two of them, nor between the
start and the first; about what comes after the last one an answer says nothing, however short it is.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from ingestion.csv_rows import EARLIEST_MS, LATEST_MS
from ingestion.kline import BadKlineError, Kline, from_rest
from ingestion.refused import Refused
from ingestion.timeframes import MINUTE_MS

# Rows of one answer, as the exchange allows them.
MOST_ROWS = 1000

Span = tuple[int, int]


@dataclass(frozen=True)
class Question:
    """The first `limit` rows from `start_ms` on."""

    start_ms: int
    limit: int


@dataclass(frozen=True)
class Page:
    """What an answer says about the minutes from where it was asked up to `end_ms`.

    `empties` are spans without a row that have a later one; `is_silent`: there is no row at all from the start on.
    """

    klines: tuple[Kline, ...]
    refused: tuple[Refused, ...]
    refused_minutes: frozenset[int]
    empties: tuple[Span, ...]
    end_ms: int
    is_silent: bool


def next_question(holes: Sequence[Span], at_ms: int) -> Question | None:
    """For the first hole minutes from `at_ms` on, and for all holes that begin within a page of there."""
    ahead = [(max(start, at_ms), end) for start, end in holes if end > at_ms]
    if not ahead:
        return None
    start = min(ahead)[0]
    within = [end for begin, end in ahead if begin < start + MOST_ROWS * MINUTE_MS]
    # One row more than there are minutes: the candle behind a hole is what proves it.
    return Question(start, min(MOST_ROWS, (max(within) - start) // MINUTE_MS + 1))


def read_page(symbol: str, rows: Iterable[object], start_ms: int, until_ms: int) -> Page:
    """Sort an answer's rows. What opens at `until_ms` or later may still be running: it is left out."""
    reading = _Reading(symbol, start_ms - MINUTE_MS)
    for row in rows:
        minute = _minute_of(row)
        if minute is None or minute < until_ms:
            reading.take(row, minute)
    return reading.page(start_ms, until_ms)


def _minute_of(row: object) -> int | None:
    """The minute that a row claims to open in, if that can be read."""
    stamp = row[0] if isinstance(row, list) and row else None
    if isinstance(stamp, bool) or not isinstance(stamp, int) or not EARLIEST_MS <= stamp <= LATEST_MS:
        return None
    return stamp // MINUTE_MS * MINUTE_MS


@dataclass
class _Reading:
    """The state of reading an answer row by row; `known_ms` is the last minute that has been accounted for."""

    symbol: str
    known_ms: int
    klines: list[Kline] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    refused_minutes: set[int] = field(default_factory=set)
    empties: list[Span] = field(default_factory=list)
    is_unclear: bool = False

    def take(self, row: object, minute: int | None) -> None:
        kline = self._sound(row)
        if minute is None:
            # It stands for a minute between its neighbours, but nobody knows which.
            self.is_unclear = True
            return
        self._account(minute)
        if kline is not None:
            self.klines.append(kline)
        else:
            self.refused_minutes.add(minute)

    def _sound(self, row: object) -> Kline | None:
        try:
            kline = from_rest(self.symbol, row)
        except BadKlineError as error:
            self._refuse(row, str(error))
            return None
        if kline.is_off_grid:
            self._refuse(row, "the open time is not on the minute grid")
            return None
        return kline

    def _refuse(self, row: object, reason: str) -> None:
        self.refused.append(Refused.of(f"{self.symbol} {json.dumps(row)}", reason))

    def _account(self, minute: int) -> None:
        between = (self.known_ms + MINUTE_MS, minute)
        if between[0] < between[1] and self.is_unclear:
            self.refused_minutes.update(range(*between, MINUTE_MS))
        elif between[0] < between[1]:
            self.empties.append(between)
        self.is_unclear = False
        self.known_ms = max(self.known_ms, minute)

    def page(self, start_ms: int, until_ms: int) -> Page:
        is_silent = not self.klines and not self.refused
        return Page(
            klines=tuple(self.klines),
            refused=tuple(self.refused),
            refused_minutes=frozenset(minute for minute in self.refused_minutes if minute >= start_ms),
            empties=tuple(self.empties),
            end_ms=until_ms if is_silent else self.known_ms + MINUTE_MS,
            is_silent=is_silent,
        )


@dataclass
class Heard:
    """What the exchange has said about a symbol in the course of one check, all in ms.

    `silent_from`: it has nothing from there to the end; `unknown`: its words, if it does not know the symbol.
    """

    empties: list[Span] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    silent_from: int | None = None
    unknown: str = ""

    def note(self, page: Page, start_ms: int) -> None:
        self.empties += page.empties
        self.refused |= page.refused_minutes
        if page.is_silent:
            self.silent_from = start_ms if self.silent_from is None else min(self.silent_from, start_ms)

    def is_empty(self, start_ms: int, end_ms: int) -> bool:
        """Whether it has no row there, but later ones."""
        return any(start <= start_ms and end_ms <= end for start, end in self.empties)

    def has_nothing(self, start_ms: int, end_ms: int) -> bool:
        """Whether it has no row there, or none from there on."""
        is_silent = self.silent_from is not None and self.silent_from <= start_ms
        return is_silent or self.is_empty(start_ms, end_ms)
