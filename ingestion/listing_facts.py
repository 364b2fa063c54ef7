"""What the exchange says of the symbols we have and of those we want, asked for before anything is stored."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeVar

from django.conf import settings

from ingestion.candles import to_ms
from ingestion.kline_pages import MOST_ROWS, Page, read_page
from ingestion.models import Candle, CandleSource, Symbol
from ingestion.rest import Answer, ExchangeError, MalformedAnswerError, UnknownSymbolError
from ingestion.selectors import candle_coverage
from ingestion.timeframes import MINUTE_MS
from ingestion.universe import Listed, Rule, UnreadableListingError, chosen, listed_in, turnover_in

Found = TypeVar("Found")

# A symbol whose candles still come is traded, whatever the list says.
STILL_TRADED_MS = 10 * MINUTE_MS
# A list without more of the symbols we know is not believed, nor are tickers without turnover for more of them.
CREDIBLE_SHARE = 0.5
# Where a candle comes from that the exchange itself has told us.
TOLD = (CandleSource.STREAM, CandleSource.REST, CandleSource.ARCHIVE)


class SuspiciousAnswerError(ExchangeError):
    """The exchange's answer would have us give up most of the market."""


class Door(Protocol):
    """The spot exchange, one request at a time."""

    def server_time_ms(self) -> int: ...

    def exchange_info(self) -> Answer: ...

    def tickers_24h(self) -> Answer: ...

    def klines(self, symbol: str, start_ms: int, end_ms: int, limit: int) -> Answer: ...


@dataclass(frozen=True)
class Facts:
    """What is listed, what to scan of it, and from when to when; all times in ms on the minute grid.

    `begins`: from when on each new symbol is wanted. `ends`: the close of the last candle of each that is lost.
    `returns`: the first candle after its absence of each that is back.
    """

    now_ms: int
    listed: Mapping[str, Listed]
    scanned: frozenset[str]
    begins: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, int] = field(default_factory=dict)
    returns: Mapping[str, int] = field(default_factory=dict)


def gather_facts(door: Door) -> Facts:
    """Ask for everything that a refresh needs. Raises SuspiciousAnswerError where an answer is not to be believed."""
    asked = _Asked(door, door.server_time_ms() // MINUTE_MS * MINUTE_MS)
    listed = read_listed(door)
    turnover = _read(turnover_in, door.tickers_24h())
    known = {symbol.name: symbol for symbol in Symbol.objects.all()}
    lost = [symbol for symbol in known.values() if symbol.name not in listed and _was_told(symbol)]
    held = {name for name, symbol in known.items() if symbol.is_active}
    _refuse_if_suspicious(known.keys() & listed.keys(), lost, listed, turnover, held)
    scanned = chosen(listed, turnover, rule_of_settings(), held)
    return Facts(
        now_ms=asked.now_ms,
        listed=listed,
        scanned=scanned,
        begins=asked.begins(sorted(scanned - known.keys())),
        ends=asked.ends(lost),
        returns=asked.returns(known[name] for name in sorted(known.keys() & listed.keys()) if listed[name].is_traded),
    )


def read_listed(door: Door) -> dict[str, Listed]:
    listed = _read(listed_in, door.exchange_info())
    if not listed:
        raise SuspiciousAnswerError("the exchange lists no market at all; nothing was changed")
    return listed


def rule_of_settings() -> Rule:
    """The rule; names may be written in small letters."""
    return Rule(
        quote_asset=settings.ALPHAPULSE_QUOTE_ASSET.upper(),
        minimum=settings.ALPHAPULSE_MINIMUM_QUOTE_VOLUME,
        top=settings.ALPHAPULSE_TOP_SYMBOLS,
        included=frozenset(name.upper() for name in settings.ALPHAPULSE_SYMBOLS),
        excluded=frozenset(name.upper() for name in settings.ALPHAPULSE_EXCLUDED_SYMBOLS),
    )


def _read(read: Callable[[object], Found], answer: Answer) -> Found:
    try:
        return read(answer.body)
    except UnreadableListingError as error:
        raise MalformedAnswerError(str(error), answer.text) from error


def _was_told(symbol: Symbol) -> bool:
    """Whether the exchange ever told us of a symbol that is not delisted; files may hold what it never had."""
    if symbol.delisted_at is not None:
        return False
    return symbol.tick_size is not None or Candle.objects.filter(symbol=symbol.name, source__in=TOLD).exists()


def _refuse_if_suspicious(
    there: Iterable[str],
    lost: list[Symbol],
    listed: Mapping[str, Listed],
    turnover: Mapping[str, float],
    scanned: Iterable[str],
) -> None:
    known = len(lost) + len(list(there))
    if len(lost) > 1 and len(lost) > (1 - CREDIBLE_SHARE) * known:
        raise SuspiciousAnswerError(f"the exchange lists {len(lost)} of our {known} symbols no more; nothing changed")
    traded = [name for name in scanned if name in listed and listed[name].is_traded]
    idle = [name for name in traded if not turnover.get(name)]
    if len(idle) > (1 - CREDIBLE_SHARE) * len(traded):
        raise SuspiciousAnswerError(f"{len(idle)} of {len(traded)} scanned symbols have no turnover; nothing changed")


@dataclass(frozen=True)
class _Asked:
    """Questions about the first and last candles of single symbols, as of the minute `now_ms`."""

    door: Door
    now_ms: int

    def begins(self, names: Iterable[str]) -> dict[str, int]:
        """One without a candle yet is left for the next refresh."""
        oldest_ms = self.now_ms - timedelta(days=settings.ALPHAPULSE_HISTORY_DAYS) // timedelta(milliseconds=1)
        firsts = {name: self._first(name, 0) for name in names}
        return {name: max(first_ms, oldest_ms) for name, first_ms in firsts.items() if first_ms is not None}

    def returns(self, symbols: Iterable[Symbol]) -> dict[str, int]:
        absent = {symbol.name: to_ms(symbol.delisted_at) for symbol in symbols if symbol.delisted_at is not None}
        firsts = {name: self._first(name, since_ms) for name, since_ms in absent.items()}
        return {name: first_ms for name, first_ms in firsts.items() if first_ms is not None}

    def ends(self, lost: Iterable[Symbol]) -> dict[str, int]:
        """Never later than a candle that there was; one whose candles still come has not ended."""
        found: dict[str, int] = {}
        for symbol in lost:
            stored_ms = _end_of_stored(symbol)
            told_ms = self._last_end(symbol.name, stored_ms)
            if told_ms is None or told_ms <= self.now_ms - STILL_TRADED_MS:
                found[symbol.name] = min(told_ms or stored_ms, self.now_ms)
        return found

    def _first(self, name: str, since_ms: int) -> int | None:
        page = self._page(name, since_ms, 1)
        minutes = [] if page is None else [*(kline.open_ms for kline in page.klines), *page.refused_minutes]
        return min(minutes, default=None)

    def _last_end(self, name: str, since_ms: int) -> int | None:
        """The close of the exchange's last candle after a moment; None if it does not know the symbol any more."""
        while (page := self._page(name, since_ms, MOST_ROWS)) is not None and not page.is_silent:
            since_ms = page.end_ms
        return None if page is None else since_ms

    def _page(self, name: str, since_ms: int, limit: int) -> Page | None:
        try:
            answer = self.door.klines(name, since_ms, self.now_ms, limit)
        except UnknownSymbolError:
            return None
        if not isinstance(answer.body, list):
            raise MalformedAnswerError("the answer is no list", answer.text)
        return read_page(name, answer.body, since_ms, self.now_ms)


def _end_of_stored(symbol: Symbol) -> int:
    """The close of the last stored candle; without any, where the first was to be."""
    last = candle_coverage([symbol.name])[0].last
    if last is not None:
        return to_ms(last) + MINUTE_MS
    return 0 if symbol.listed_at is None else to_ms(symbol.listed_at)
