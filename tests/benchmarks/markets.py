"""Many markets out of eight: each recorded symbol at many closes stands for as many symbols."""

from collections.abc import Iterator, Sequence

import numpy as np
import talib
from django.conf import settings

from ingestion.timeframes import TIMEFRAMES, Candles
from signals.consensus import Weights
from signals.explanation import packed, reasons_at
from signals.frame import Frame
from signals.gates import Thresholds
from signals.heads import HEADS
from signals.scan import Looks, Rules, decide, judge, look_together, windows_seen
from signals.segments import Segment, frames_between
from signals.window import Window
from tests.benchmarks.drawn_feeds import market_feeds, own_feeds
from tests.signals.frames import recording

SCANNED = ("5m", "15m", "1h", "4h")
CHUNK = settings.ALPHAPULSE_SCAN_CHUNK
Market = dict[str, Candles]  # the anchored window of each timeframe


def markets(count: int) -> dict[str, Market]:
    """`count` markets, each the windows of one recorded symbol at one close of the 4h grid, late in the recording."""
    slowest, symbols = TIMEFRAMES["4h"], recording()
    last = min(int(candles.open_ms[-1]) for candles in symbols.values()) // slowest.ms * slowest.ms
    found = {}
    for number in range(count):
        symbol, back = list(symbols)[number % len(symbols)], number // len(symbols)
        found[f"{symbol}{back}"] = windows_at(symbols[symbol], last - back * slowest.ms)
    return found


def windows_at(minutes: Candles, close_ms: int) -> Market:
    found = {}
    for name in SCANNED:
        timeframe = TIMEFRAMES[name]
        last_ms = timeframe.last_closed_open_ms(close_ms)
        found[name] = list(frames_between(minutes, timeframe, last_ms, last_ms).values())[-1].candles
    return found


def scan(chosen: dict[str, Market]) -> int:
    """Every timeframe's closed bar of every market: votes, pool, gates, decisions; the number of decisions."""
    decided, closes = 0, closes_of(chosen)
    feeds = market_feeds(closes.values())
    for chunk in in_chunks(list(chosen)):
        frames = {symbol: as_frames(chosen[symbol]) for symbol in chunk}
        own = own_feeds({symbol: closes[symbol] for symbol in chunk})
        for name in SCANNED:
            seen = {symbol: [last_row(frames[symbol], name)] for symbol in chunk}
            decided += decide_all(look_together(seen, feeds, HEADS, Rules(), own))
    return decided


def scan_one_by_one(chosen: dict[str, Market]) -> int:
    """The same decisions by a plain loop: every market and timeframe on its own."""
    decided, closes = 0, closes_of(chosen)
    feeds = market_feeds(closes.values())
    for symbol, market in chosen.items():
        for name in SCANNED:
            seen = {symbol: [last_row(as_frames(market), name)]}
            decided += decide_all(look_together(seen, feeds, HEADS, Rules(), own_feeds({symbol: closes[symbol]})))
    return decided


def reasons(chosen: dict[str, Market], name: str) -> int:
    """Why every head voted as it did at one timeframe, packed; the number of bytes."""
    closes, size = closes_of(chosen), 0
    feeds = market_feeds(closes.values())
    for chunk in in_chunks(list(chosen)):
        seen = {symbol: [last_row(as_frames(chosen[symbol]), name)] for symbol in chunk}
        own = own_feeds({symbol: closes[symbol] for symbol in chunk})
        for symbol, segments in seen.items():
            (window,) = windows_seen(symbol, segments, HEADS, feeds, own)
            size += len(packed(reasons_at(window, window.first, HEADS), HEADS))
    return size


def closes_of(chosen: dict[str, Market]) -> dict[str, int]:
    slowest = TIMEFRAMES["4h"]
    return {symbol: int(market[slowest.name].open_ms[-1]) + slowest.ms for symbol, market in chosen.items()}


def decide_all(looks: Looks) -> int:
    weights, thresholds, rules = Weights.at_birth(tuple(head.name for head in HEADS)), Thresholds(), Rules()
    looks.close_ms[:] = looks.close_ms.max()  # the markets stand for symbols at one close
    return len(decide(judge(looks, weights, thresholds, rules), [], weights, thresholds, rules))


def in_chunks(symbols: Sequence[str]) -> Iterator[Sequence[str]]:
    return (symbols[at : at + CHUNK] for at in range(0, len(symbols), CHUNK))


def as_frames(market: Market) -> dict[str, Frame]:
    return {name: Frame(TIMEFRAMES[name], candles) for name, candles in market.items()}


def last_row(frames: dict[str, Frame], name: str) -> Segment:
    slower = {each: frames[each] for each in ("1h", "4h") if TIMEFRAMES[each].minutes > TIMEFRAMES[name].minutes}
    return Segment(Window(frames[name], slower, {}), np.array([len(frames[name]) - 1]))


def talib_alone(chosen: dict[str, Market]) -> None:
    """The 69 indicators of every window, straight from TA-Lib."""
    for market in chosen.values():
        for candles in market.values():
            sixty_nine(candles)


def sixty_nine(candles: Candles) -> None:
    high, low, close, volume = candles.high, candles.low, candles.close, candles.volume
    for period in (5, 8, 9, 12, 13, 21, 26, 34, 50, 55, 89):
        talib.EMA(close, period)
    for period in (10, 20, 30, 50, 100, 200):
        talib.SMA(close, period)
    talib.MACD(close, 12, 26, 9)
    talib.ADX(high, low, close, 14)
    talib.PLUS_DI(high, low, close, 14)
    talib.MINUS_DI(high, low, close, 14)
    talib.AROON(high, low, 25)
    talib.DEMA(close, 20)
    talib.EMA(talib.PPO(close, 12, 26, talib.MA_Type.EMA), 9)
    talib.MIDPRICE(high, low, 26)
    for period in (9, 14, 20):
        talib.HMA(close, period)
    talib.SUPERTREND(high, low, close, 14, 3.0)
    for period in (12, 26, 21, 50):  # the two spreads
        talib.EMA(close, period)
    for period in (7, 14, 21, 28):
        talib.RSI(close, period)
    talib.STOCH(high, low, close, 14, 3, talib.MA_Type.SMA, 3, talib.MA_Type.SMA)
    talib.WILLR(high, low, close, 14)
    talib.CCI(high, low, close, 20)
    talib.CMO(close, 14)
    talib.TRIX(close, 15)
    talib.ULTOSC(high, low, close, 7, 14, 28)
    for period in (9, 12, 25):
        talib.ROC(close, period)
    talib.TSI(close, 25, 13)
    talib.AO(high, low, 5, 34)
    talib.MASSI(high, low, 9, 25)
    talib.BBANDS(close, 20, 2.0, 2.0, talib.MA_Type.SMA)
    talib.STDDEV(close, 20)  # width and %b
    talib.ATR(high, low, close, 14)
    talib.NATR(high, low, close, 14)
    talib.MAX(high, 20)
    talib.MIN(low, 20)
    talib.EMA(close, 20)  # Keltner
    talib.ATR(high, low, close, 10)
    talib.MAX(high, 22)  # chandelier
    talib.MIN(low, 22)
    talib.ATR(high, low, close, 22)
    talib.OBV(close, volume)
    np.cumsum(talib.TYPPRICE(high, low, close) * volume)  # VWAP
    np.cumsum(volume)
    talib.CMF(high, low, close, volume, 20)
