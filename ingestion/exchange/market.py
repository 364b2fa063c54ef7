"""The market that the exchange runs: 1m candles by symbol, and every other interval made from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ingestion.exchange.intervals import INTERVALS, Interval
from ingestion.exchange.listings import BREAK, TRADING, Listing, listings_of
from ingestion.exchange.running import Row, as_it_stands
from ingestion.timeframes import MINUTE_MS, Candles, FloatArray, IntArray

FIGURES = ("open", "high", "low", "close", "volume", "quote_volume", "trades", "taker_base", "taker_quote")
BEYOND_ALL_MS = 2**62


@dataclass(frozen=True)
class Bars:
    """Candles of one symbol and interval, ascending: open and close times (n,), figures (n, 9) in FIGURES' order."""

    open_ms: IntArray
    close_ms: IntArray
    figures: FloatArray

    def __len__(self) -> int:
        return len(self.open_ms)

    def rows(self) -> list[Row]:
        return [
            Row(opened, closed, *figures)
            for opened, closed, figures in zip(
                self.open_ms.tolist(), self.close_ms.tolist(), self.figures.tolist(), strict=True
            )
        ]


class Series:
    """The minutes of one symbol, and where among them the candles of longer intervals begin."""

    def __init__(self, candles: Candles) -> None:
        self.open_ms = candles.open_ms
        self.columns = [_slim(getattr(candles, name)) for name in FIGURES]
        self._bars: dict[tuple[str, int], tuple[IntArray, IntArray]] = {}

    def __len__(self) -> int:
        return len(self.open_ms)

    def bars(self, interval: Interval, zone_ms: int) -> tuple[IntArray, IntArray]:
        """Open time of every bar, and the place of its first minute."""
        if interval.ms == MINUTE_MS:
            return self.open_ms, np.arange(len(self))
        key = (interval.name, zone_ms)
        if key not in self._bars:
            opens = interval.opens(self.open_ms, zone_ms)
            places = np.flatnonzero(np.r_[True, opens[1:] != opens[:-1]]) if len(opens) else np.empty(0, np.int64)
            self._bars[key] = opens[places], places
        return self._bars[key]

    def figures(self, chosen: slice) -> FloatArray:
        return np.stack([column[chosen] for column in self.columns], axis=1)

    def row(self, place: int) -> Row:
        open_ms = int(self.open_ms[place])
        return Row(open_ms, open_ms + MINUTE_MS - 1, *(float(column[place]) for column in self.columns))

    def place_of(self, open_ms: int) -> int | None:
        place = int(np.searchsorted(self.open_ms, open_ms))
        return place if place < len(self) and self.open_ms[place] == open_ms else None

    def count_until(self, ms: int) -> int:
        """How many minutes have begun by then."""
        return int(np.searchsorted(self.open_ms, ms, "right"))

    def without(self, start_ms: int, end_ms: int) -> "Series":
        return self._chosen((self.open_ms < start_ms) | (self.open_ms >= end_ms))

    def _chosen(self, kept: np.ndarray) -> "Series":
        changed = object.__new__(Series)
        changed.open_ms, changed._bars = self.open_ms[kept], {}
        changed.columns = [_slim(column[kept]) for column in self.columns]
        return changed

    def restated(self, place: int, figures: Mapping[str, float]) -> "Series":
        changed = object.__new__(Series)
        changed.open_ms, changed._bars = self.open_ms, self._bars
        changed.columns = [column.copy() for column in self.columns]
        for name, value in figures.items():
            changed.columns[FIGURES.index(name)][place] = value
        return changed


def _slim(column: FloatArray) -> FloatArray:
    """A column that is NaN throughout takes no memory."""
    return np.broadcast_to(np.nan, len(column)) if np.isnan(column).all() else column


class Market:
    """Candles and listings. What happens to it (a halt, lost minutes, a correction) is there to stay.

    Nothing is shown before its time: a candle from its first millisecond on, as far as it has come.
    """

    def __init__(self, candles: Mapping[str, Candles], listings: Iterable[Listing] | None = None) -> None:
        self._series = {symbol: Series(found) for symbol, found in candles.items()}
        # What the streams say: a correction never reaches them.
        self._streamed = dict(self._series)
        chosen = listings_of(candles) if listings is None else list(listings)
        self._listings = {listing.symbol: listing for listing in chosen}
        self._halted_since: dict[str, int] = {}

    @property
    def start_ms(self) -> int:
        """Open time of the first candle; 0 without any."""
        return min((int(series.open_ms[0]) for series in self._series.values() if len(series)), default=0)

    @property
    def end_ms(self) -> int:
        """Close of the last candle; 0 without any."""
        ends = (int(series.open_ms[-1]) + MINUTE_MS for series in self._series.values() if len(series))
        return max(ends, default=0)

    # --- what is listed -----------------------------------------------------------------------------------------------

    def symbols(self, now_ms: int) -> list[str]:
        """The symbols that are listed by then, traded or not."""
        return [symbol for symbol in list(self._listings) if self.is_listed(symbol, now_ms)]

    def is_listed(self, symbol: str, now_ms: int) -> bool:
        listing = self._listings.get(symbol)
        return listing is not None and self._listed_ms(listing) <= now_ms

    def listing(self, symbol: str) -> Listing:
        return self._listings[symbol]

    def _listed_ms(self, listing: Listing) -> int:
        series = self._series.get(listing.symbol)
        if listing.listed_ms is not None or series is None or not len(series):
            return listing.listed_ms or 0
        return int(series.open_ms[0])

    # --- candles ------------------------------------------------------------------------------------------------------

    def klines(
        self,
        symbol: str,
        interval: str = "1m",
        *,
        start_ms: int | None = None,
        end_ms: int | None = None,
        limit: int = 500,
        now_ms: int,
        zone_ms: int = 0,
    ) -> Bars:
        """Candles that open in [start, end], the running one last: the first `limit` from a start, else the last."""
        series, length = self._series[symbol], INTERVALS[interval]
        opens, places = series.bars(length, zone_ms)
        begun = series.count_until(self._visible_until(symbol, now_ms))
        first = 0 if start_ms is None else int(np.searchsorted(opens, start_ms))
        last = int(np.searchsorted(opens, BEYOND_ALL_MS if end_ms is None else end_ms, "right"))
        last = min(last, int(np.searchsorted(places, begun)))
        if start_ms is None:
            first = max(first, last - limit)
        last = min(last, first + limit)
        if last <= first:
            return _no_bars()
        minutes_end = min(begun, int(places[last]) if last < len(places) else begun)
        minutes = self._figures(symbol, series, int(places[first]), minutes_end, now_ms)
        return Bars(
            opens[first:last],
            length.closes(opens[first:last], zone_ms),
            _joined(minutes, places[first:last] - places[first]),
        )

    def minute(self, symbol: str, open_ms: int, now_ms: int) -> Row | None:
        """The minute's candle as the streams tell it at `now_ms`; None if there is none, or not yet."""
        series = self._streamed[symbol]
        place = series.place_of(open_ms)
        if place is None or open_ms > self._visible_until(symbol, now_ms):
            return None
        return as_it_stands(series.row(place), now_ms, self._listings[symbol].tick_size)

    def _visible_until(self, symbol: str, now_ms: int) -> int:
        since = self._halted_since.get(symbol)
        return now_ms if since is None else min(now_ms, since - 1)

    def _figures(self, symbol: str, series: Series, first: int, last: int, now_ms: int) -> FloatArray:
        """Figures of the minutes [first, last), the last one as it stands if it is still running."""
        figures = series.figures(slice(first, last))
        if series.open_ms[last - 1] + MINUTE_MS > now_ms:
            running = as_it_stands(series.row(last - 1), now_ms, self._listings[symbol].tick_size)
            figures[-1] = running[2:]
        return figures

    # --- what happens to it -------------------------------------------------------------------------------------------

    def halt(self, symbols: Sequence[str], at_ms: int, *, status: str = BREAK) -> None:
        """No candle opens from then on, and the listing says why; a minute under way is finished."""
        for symbol in symbols:
            self._halted_since.setdefault(symbol, at_ms)
            self._listings[symbol] = replace(self._listings[symbol], status=status)

    def resume(self, symbols: Sequence[str], at_ms: int) -> None:
        """Trading goes on; the minutes of the halt stay without candles for ever."""
        for symbol in symbols:
            since = self._halted_since.get(symbol)
            self._listings[symbol] = replace(self._listings[symbol], status=TRADING)
            if since is not None:
                self.lose([symbol], since, at_ms)
                del self._halted_since[symbol]

    def remove(self, symbols: Sequence[str]) -> None:
        """The exchange does not know these symbols any more."""
        for symbol in symbols:
            self._listings.pop(symbol)

    def lose(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> None:
        """There never were candles that open in [start, end)."""
        for symbol in symbols:
            for kept in (self._series, self._streamed):
                kept[symbol] = kept[symbol].without(start_ms, end_ms)

    def restate(self, symbol: str, open_ms: int, figures: Mapping[str, float]) -> None:
        """From now on REST gives other figures for this minute, while the streams tell what they always told."""
        series = self._series[symbol]
        place = series.place_of(open_ms)
        if place is None:
            raise KeyError(f"{symbol} has no candle that opens at {open_ms}")
        self._series[symbol] = series.restated(place, figures)


def _no_bars() -> Bars:
    return Bars(np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, len(FIGURES))))


def _joined(minutes: FloatArray, places: IntArray) -> FloatArray:
    """One row of figures for every group of minutes that begins at a place."""
    if len(places) == len(minutes):
        return minutes
    ends = np.r_[places[1:], len(minutes)] - 1
    joined = np.add.reduceat(minutes, places)
    joined[:, 0], joined[:, 3] = minutes[places, 0], minutes[ends, 3]
    joined[:, 1], joined[:, 2] = np.maximum.reduceat(minutes[:, 1], places), np.minimum.reduceat(minutes[:, 2], places)
    return joined
