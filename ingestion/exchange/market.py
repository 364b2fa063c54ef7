"""The market that the exchange runs: 1m candles by symbol, and every other interval made from them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ingestion.exchange.intervals import INTERVALS
from ingestion.exchange.listings import BREAK, TRADING, Listing, listings_of
from ingestion.exchange.running import Row, as_it_stands
from ingestion.exchange.series import Bars, Series, joined, no_bars
from ingestion.timeframes import MINUTE_MS, Candles, FloatArray

__all__ = ["Bars", "Market", "Row"]

BEYOND_ALL_MS = 2**62


class Market:
    """Candles and listings. What happens to it (a halt, lost minutes, a correction) is there to stay.

    Nothing is shown before its time: a candle from its first millisecond on, as far as it has come.
    """

    def __init__(self, candles: Mapping[str, Candles], listings: Iterable[Listing] | None = None) -> None:
        self._series = {symbol: Series.of(found) for symbol, found in candles.items()}
        # What the streams say: a correction never reaches them.
        self._streamed = dict(self._series)
        chosen = listings_of(candles) if listings is None else list(listings)
        self._listings = {listing.symbol: listing for listing in chosen if listing.symbol in candles}
        self._halted_since: dict[str, int] = {}
        self._removed: set[str] = set()

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
        return listing is not None and symbol not in self._removed and self._listed_ms(listing) <= now_ms

    def listing(self, symbol: str) -> Listing:
        return self._listings[symbol]

    def _listed_ms(self, listing: Listing) -> int:
        if listing.listed_ms is not None:
            return listing.listed_ms
        series = self._series[listing.symbol]
        return int(series.open_ms[0]) if len(series) else 0

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
        opens, places = series.places(length, zone_ms)
        begun = series.count_until(self._visible_until(symbol, now_ms))
        first = 0 if start_ms is None else int(np.searchsorted(opens, start_ms))
        last = int(np.searchsorted(opens, BEYOND_ALL_MS if end_ms is None else end_ms, "right"))
        last = min(last, int(np.searchsorted(places, begun)))
        if start_ms is None:
            first = max(first, last - limit)
        last = min(last, first + limit)
        if last <= first:
            return no_bars()
        before, until = int(places[first]), min(begun, int(places[last]) if last < len(places) else begun)
        figures = joined(self._figures(symbol, before, until, now_ms), places[first:last] - before)
        return Bars(opens[first:last], length.closes(opens[first:last], zone_ms), figures)

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

    def _figures(self, symbol: str, first: int, last: int, now_ms: int) -> FloatArray:
        """Figures of the minutes [first, last), the last one as it stands if it is still running."""
        series = self._series[symbol]
        figures = series.figures(first, last)
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
        # Their listings stay, for an answer that is being put together at this moment.
        self._removed |= set(symbols)

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
