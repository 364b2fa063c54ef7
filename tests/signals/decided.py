"""Stored markets and made-up decisions, for tests of what happens around a scan."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from alphapulse_site.clock import advance_market_clock, set_market_clock
from alphapulse_site.models import MarketClock
from ingestion.candles import store_candles
from ingestion.models import CandleSource, Symbol
from ingestion.partitions import ensure_partitions
from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles
from signals.configuration import rules
from signals.consensus import Weights
from signals.gates import Thresholds
from signals.heads import HEADS
from signals.rows import to_time
from signals.scan import Decisions, Looks, decide, judge
from signals.version import Version

QUARTER = TIMEFRAMES["15m"]
HEAD_NAMES = tuple(head.name for head in HEADS)
# With these intercepts a bracket almost surely wins, so that a lean of three heads becomes a signal.
EAGER = Version(Weights(HEAD_NAMES, np.full(len(HEADS), 0.2), np.array([2.0, 2.0])), Thresholds(-10.0), 1, 1)


def end_of(minutes: Mapping[str, Candles]) -> datetime:
    return to_time(max(int(candles.open_ms[-1]) for candles in minutes.values()) + MINUTE_MS)


def store_market(minutes: Mapping[str, Candles], *, until: datetime | None = None) -> datetime:
    """Symbols listed, their candles stored, and the clock of a recording at the end of them, which is given back."""
    firsts = {symbol: to_time(int(candles.open_ms[0])) for symbol, candles in minutes.items()}
    until = until or end_of(minutes)
    Symbol.objects.bulk_create(
        Symbol(name=symbol, base_asset=symbol[:-4], quote_asset="USDT", listed_at=first)
        for symbol, first in firsts.items()
    )
    store_candles(minutes, source=CandleSource.IMPORT)
    ensure_partitions("scan_history", min(firsts.values()), until)
    set_market_clock(mode=MarketClock.Mode.RECORDING)
    advance_market_clock(until)
    return until


def looks_at_close(close_ms: int, prices: Mapping[str, float], votes: Mapping[str, list[int]], stop: float) -> Looks:
    """What scans saw in which each head voted as told, as sure as the next; `stop` is a share of the price."""
    symbols = sorted(prices)
    direction = np.array([votes[symbol] for symbol in symbols], dtype=np.int8)
    awake = direction != 0
    reference = np.array([prices[symbol] for symbol in symbols])
    return Looks(
        symbol=np.array(symbols),
        close_ms=np.full(len(symbols), close_ms),
        direction=direction,
        probability=np.where(awake, 0.7, np.nan),
        confidence=np.where(awake, 1.0, np.nan),
        reference=reference,
        risk=stop * reference,
        regime=np.zeros(len(symbols), np.int8),
        missing_minutes=np.zeros(len(symbols), np.int64),
        digest=np.array([f"{symbol} {close_ms}".encode()[:16] for symbol in symbols], dtype=object),
    )


def decided_at(
    close_ms: int, prices: Mapping[str, float], *, side: int = 1, stop: float = 0.005, version: Version = EAGER
) -> Decisions:
    """Decisions of one close in which all heads voted for one side, with nothing open before."""
    looks = looks_at_close(close_ms, prices, {symbol: [side] * len(HEADS) for symbol in prices}, stop)
    judged = judge(looks, version.weights, version.thresholds, rules())
    return decide(judged, [], version.weights, version.thresholds, rules())
