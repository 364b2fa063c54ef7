"""What the exchange of a test has traded, and whether the database says exactly the same."""

from dataclasses import replace
from functools import cache

import numpy as np

from alphapulse_site.clock import market_now
from analytics.invariants import Moment, candles_are_sane, every_minute_is_there, no_open_candle
from ingestion.candles import load_candles, to_datetime, to_ms
from ingestion.exchange.market import Bars
from ingestion.exchange.state import Exchange
from ingestion.models import Candle, CandleGap, CandleRevision, CandleSource, Symbol
from ingestion.timeframes import FIGURES, MINUTE_MS, BoolArray, Candles
from tests.ingestion.market import made_candles

NAMES = ("BTCUSDT", "ETHUSDT", "BNBUSDT", "SOLUSDT")
BEYOND_MS = 4_000_000_000_000
# By how much the simulator changes what it restates.
RESTATED = 1.001


@cache
def made_market(*names: str, minutes: int = 2000) -> dict[str, Candles]:
    """Candles in the eight decimals of the wire. Of the last symbol only prices and volume are known."""
    chosen = names or NAMES
    return {
        name: on_the_wire(made_candles(count=minutes, seed=seed, full=name != chosen[-1]))
        for seed, name in enumerate(chosen)
    }


def quiet_market() -> dict[str, Candles]:
    """The same, but in three minutes of four the first two symbols are not traded: the last price, and no volume."""
    market = dict(made_market())
    for name in NAMES[:2]:
        market[name] = _without_trades(market[name], np.arange(len(market[name])) % 4 != 0)
    return market


def _without_trades(candles: Candles, is_quiet: BoolArray) -> Candles:
    last = np.r_[candles.open[0], candles.close[:-1]]
    prices = {name: np.where(is_quiet, last, getattr(candles, name)) for name in ("open", "high", "low", "close")}
    amounts = ("volume", "quote_volume", "trades", "taker_base", "taker_quote")
    return replace(candles, **prices, **{name: np.where(is_quiet, 0.0, getattr(candles, name)) for name in amounts})


def on_the_wire(candles: Candles) -> Candles:
    """As the exchange can say them: rounded, and no volume without a trade, which is the mark of a poor source."""
    told = {name: np.array([float(f"{each:.8f}") for each in getattr(candles, name)]) for name in FIGURES}
    told["trades"] = np.where((told["volume"] > 0) & (told["trades"] == 0), 1.0, told["trades"])
    return replace(candles, **told)


def assert_as_the_exchange_says(exchange: Exchange, since_ms: int, *, was_restated: bool) -> None:
    """Every minute up to the market clock is stored bit for bit, or explained because the exchange has none."""
    moment, until = Moment.read(), market_now()
    assert until is not None
    for invariant in (every_minute_is_there, no_open_candle, candles_are_sane):
        finding = invariant(moment)
        assert finding.passed, f"{finding.name}: {finding.seen}"
    for symbol in Symbol.objects.filter(delisted_at=None):
        _assert_complete(exchange, symbol.name, since_ms, to_ms(until), was_restated=was_restated)
    _assert_revisions(exchange, was_restated=was_restated)
    assert not exchange.log.defied(418), "the exchange was asked during a ban"
    assert not exchange.log.defied(429), "the exchange was asked while it had asked to wait"


def traded(exchange: Exchange, symbol: str, since_ms: int, until_ms: int) -> Bars:
    """What REST says of the closed minutes that open in [since, until)."""
    now_ms = exchange.clock.now_ms()
    last_ms = min(until_ms, now_ms // MINUTE_MS * MINUTE_MS) - 1
    return exchange.market.klines(symbol, start_ms=since_ms, end_ms=last_ms, limit=1_000_000, now_ms=now_ms)


def _assert_complete(exchange: Exchange, symbol: str, since_ms: int, until_ms: int, *, was_restated: bool) -> None:
    bars, stored = traded(exchange, symbol, since_ms, BEYOND_MS), load_candles(symbol, 0, BEYOND_MS)
    told, kept = set(bars.open_ms.tolist()), set(stored.open_ms.tolist())
    assert kept <= told, f"{symbol}: stored and never traded: {_times(kept - told)}"
    missing = {minute for minute in told - kept if minute < until_ms}
    assert not missing, f"{symbol}: traded and not stored: {_times(missing)}"
    explained = _explained_minutes(symbol)
    assert not explained & told, f"{symbol}: explained away although traded: {_times(explained & told)}"
    absent = set(range(since_ms, until_ms, MINUTE_MS)) - told
    assert absent <= explained, f"{symbol}: missing and not explained: {_times(absent - explained)}"
    _assert_same_figures(symbol, bars, stored, was_restated=was_restated)


def _times(minutes: set[int]) -> str:
    return ", ".join(f"{to_datetime(minute):%H:%M}" for minute in sorted(minutes))


def _explained_minutes(symbol: str) -> set[int]:
    rows = CandleGap.objects.filter(symbol=symbol, status=CandleGap.Status.EXPLAINED)
    return {minute for row in rows for minute in range(to_ms(row.start), to_ms(row.end), MINUTE_MS)}


def _assert_same_figures(symbol: str, bars: Bars, stored: Candles, *, was_restated: bool) -> None:
    told = bars.figures[np.searchsorted(bars.open_ms, stored.open_ms)]
    kept = np.stack([getattr(stored, name) for name in FIGURES], axis=1)
    differs = ~((told == kept) | (np.isnan(told) & np.isnan(kept))).all(axis=1)
    if was_restated:
        # The first word stays until REST is asked about this minute for another reason.
        close = FIGURES.index("close")
        streamed = _streamed_minutes(symbol)
        was_said = np.isclose(kept[:, close], told[:, close] * RESTATED, rtol=1e-7)
        differs &= ~(was_said & np.isin(stored.open_ms, streamed))
    assert not differs.any(), f"{symbol}: other figures than REST says: {_times(set(stored.open_ms[differs].tolist()))}"


def _streamed_minutes(symbol: str) -> list[int]:
    rows = Candle.objects.filter(symbol=symbol, source=CandleSource.STREAM)
    return [to_ms(open_time) for open_time in rows.values_list("open_time", flat=True)]


def _assert_revisions(exchange: Exchange, *, was_restated: bool) -> None:
    """What was replaced is on record, and what it was replaced with is what REST says."""
    revisions = list(CandleRevision.objects.all())
    assert was_restated or not revisions, f"replaced without a reason: {revisions}"
    for revision in revisions:
        minute = to_ms(revision.open_time)
        told = traded(exchange, revision.symbol, minute, minute + MINUTE_MS).figures[0]
        new = [np.nan if figure is None else figure for figure in revision.new_figures]
        np.testing.assert_array_equal(new, told)
