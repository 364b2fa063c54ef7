"""Each of the 69 indicators is what its textbook says, written out bar by bar in plain Python, slow as it looks."""

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from signals.indicators import INDICATORS, computed

DATA = Path(__file__).resolve().parents[1] / "data" / "btcusdt_15m_2021-06.csv.gz"
BARS = 700
Line = list[float]
NAN = math.nan


@dataclass
class Market:
    open_ms: list[int]
    open: Line
    high: Line
    low: Line
    close: Line
    volume: Line

    @property
    def median(self) -> Line:
        return [(high + low) / 2 for high, low in zip(self.high, self.low, strict=True)]

    @property
    def typical(self) -> Line:
        return [sum(bar) / 3 for bar in zip(self.high, self.low, self.close, strict=True)]

    @property
    def true_range(self) -> Line:
        bars = zip(self.high[1:], self.low[1:], self.close, strict=False)
        return [NAN, *(max(high, before) - min(low, before) for high, low, before in bars)]


@pytest.fixture(scope="module")
def market() -> Market:
    table = np.genfromtxt(DATA, delimiter=",", skip_header=1, usecols=range(6))[:BARS].T
    columns = [column.tolist() for column in table]
    return Market([int(value) for value in columns[0]], *columns[1:])


def over(values: Line, period: int, summary: Callable[[Line], float]) -> Line:
    """`summary` of the last `period` values, NaN while one of them is NaN."""
    spans = (values[max(0, end - period) : end] for end in range(1, len(values) + 1))
    return [summary(span) if len(span) == period and not any(map(math.isnan, span)) else NAN for span in spans]


def mean(values: Line) -> float:
    return math.fsum(values) / len(values)


def sma(values: Line, period: int) -> Line:
    return over(values, period, mean)


def smoothed(values: Line, period: int, gain: float, first: int | None = None) -> Line:
    """A plain mean on the first bar that has `period` values, from there on `gain` of the way to each new value."""
    warm = next(i for i, value in enumerate(values) if not math.isnan(value)) + period - 1 if first is None else first
    line = [NAN] * len(values)
    line[warm] = mean(values[warm - period + 1 : warm + 1])
    for i in range(warm + 1, len(values)):
        line[i] = line[i - 1] + gain * (values[i] - line[i - 1])
    return line


def ema(values: Line, period: int, first: int | None = None) -> Line:
    return smoothed(values, period, 2 / (period + 1), first)


def wilder(values: Line, period: int) -> Line:
    return smoothed(values, period, 1 / period)


def wma(values: Line, period: int) -> Line:
    weight = period * (period + 1) / 2
    return over(values, period, lambda span: math.fsum((i + 1) * value for i, value in enumerate(span)) / weight)


def each(rule: Callable[..., float], *lines: Line) -> Line:
    return [rule(*values) for values in zip(*lines, strict=True)]


def changes(values: Line, bars: int = 1) -> Line:
    return [NAN] * bars + [now - before for now, before in zip(values[bars:], values, strict=False)]


def atr(market: Market, period: int) -> Line:
    return wilder(market.true_range, period)


def macd(market: Market) -> tuple[Line, Line]:
    """Line and signal: both averages seeded on bar 25, all shown from bar 33."""
    line = each(lambda fast, slow: fast - slow, ema(market.close, 12, 25), ema(market.close, 26))
    signal = ema(line, 9)
    return [NAN if math.isnan(late) else value for value, late in zip(line, signal, strict=True)], signal


def ppo(market: Market) -> Line:
    return each(lambda fast, slow: 100 * (fast / slow - 1), ema(market.close, 12), ema(market.close, 26))


def directional(market: Market, period: int = 14) -> tuple[Line, Line]:
    """Plus and minus DI: Wilder's sums, begun with the first 13 moves as TA-Lib does."""
    up, down = changes(market.high), [-move for move in changes(market.low)]
    plus = each(lambda rise, fall: rise if rise > fall and rise > 0 else 0.0, up, down)
    minus = each(lambda rise, fall: fall if fall > rise and fall > 0 else 0.0, up, down)

    def running(values: Line) -> Line:
        line = [NAN] * len(values)
        total = sum(values[1:period])
        for i in range(period, len(values)):
            line[i] = total = total - total / period + values[i]
        return line

    spread = running(market.true_range)

    def share(moves: Line) -> Line:
        return each(lambda move, size: 100 * move / size, running(moves), spread)

    return share(plus), share(minus)


def adx(market: Market) -> Line:
    return wilder(each(lambda plus, minus: 100 * abs(plus - minus) / (plus + minus), *directional(market)), 14)


def aroon(values: Line, best: Callable[[Line], float]) -> Line:
    """100 when the extreme of the last 26 values is the newest one, 0 when it is the oldest."""
    return over(values, 26, lambda span: 100 * max(i for i, value in enumerate(span) if value == best(span)) / 25)


def hull(market: Market, half: int, full: int, root: int) -> Line:
    return wma(each(lambda fast, slow: 2 * fast - slow, wma(market.close, half), wma(market.close, full)), root)


def supertrend(market: Market) -> Line:
    """The band tightens, never loosens, until a close passes it; the first warm bar is an up trend above its band."""
    spread, line, rising = atr(market, 14), [NAN] * BARS, True
    upper = lower = NAN
    for i in range(14, BARS):
        high, low = market.median[i] + 3 * spread[i], market.median[i] - 3 * spread[i]
        before = market.close[i - 1]
        upper = high if math.isnan(upper) or high < upper or before > upper else upper
        lower = low if math.isnan(lower) or low > lower or before < lower else lower
        rising = market.close[i] >= lower if rising else market.close[i] > upper
        line[i] = lower if rising else upper
    return line


def spread(market: Market, fast: int, slow: int) -> Line:
    return each(
        lambda a, b, close: 100 * (a - b) / close, ema(market.close, fast), ema(market.close, slow), market.close
    )


def gains_and_losses(close: Line, period: int) -> tuple[Line, Line]:
    moves = changes(close)
    gains, losses = ([NAN] + [max(sign * move, 0.0) for move in moves[1:]] for sign in (1, -1))
    return wilder(gains, period), wilder(losses, period)


def rsi(close: Line, period: int) -> Line:
    return each(lambda gain, loss: 100 * gain / (gain + loss), *gains_and_losses(close, period))


def range_position(market: Market, period: int = 14) -> Line:
    top, bottom = over(market.high, period, max), over(market.low, period, min)
    return each(lambda close, high, low: 100 * (close - low) / (high - low), market.close, top, bottom)


def stochastic(market: Market) -> tuple[Line, Line]:
    slow_k = sma(range_position(market), 3)
    slow_d = sma(slow_k, 3)
    return [NAN if math.isnan(late) else value for value, late in zip(slow_k, slow_d, strict=True)], slow_d


def cci(market: Market) -> Line:
    def distance(span: Line) -> float:
        return (span[-1] - mean(span)) / (0.015 * mean([abs(value - mean(span)) for value in span]))

    return over(market.typical, 20, distance)


def trix(market: Market) -> Line:
    triple = ema(ema(ema(market.close, 15), 15), 15)
    return [NAN, *(100 * (now / before - 1) for before, now in pairwise(triple))]


def ultimate(market: Market) -> Line:
    floor = [NAN, *(min(low, before) for low, before in zip(market.low[1:], market.close, strict=False))]
    pressure = each(lambda close, low: close - low, market.close, floor)

    def share(period: int) -> Line:
        total = over(market.true_range, period, sum)
        return each(lambda bought, size: bought / size, over(pressure, period, sum), total)

    return each(lambda fast, middle, slow: 100 * (4 * fast + 2 * middle + slow) / 7, share(7), share(14), share(28))


def roc(close: Line, bars: int) -> Line:
    before = [NAN] * bars + close[:-bars]
    return each(lambda now, then: 100 * (now / then - 1), close, before)


def tsi(market: Market) -> Line:
    def twice(values: Line) -> Line:
        return ema(ema(values, 25), 13)

    moves = changes(market.close)
    return each(lambda move, size: 100 * move / size, twice(moves), twice([abs(move) for move in moves]))


def mass_index(market: Market) -> Line:
    once = ema(each(lambda high, low: high - low, market.high, market.low), 9)
    return over(each(lambda single, double: single / double, once, ema(once, 9)), 25, sum)


def deviation(market: Market) -> Line:
    return over(market.close, 20, lambda span: math.sqrt(mean([(value - mean(span)) ** 2 for value in span])))


def bollinger(market: Market, deviations: float) -> Line:
    return each(lambda middle, size: middle + deviations * size, sma(market.close, 20), deviation(market))


def percent_b(market: Market) -> Line:
    bands = bollinger(market, -2), bollinger(market, 2)
    return each(lambda close, lower, upper: (close - lower) / (upper - lower), market.close, *bands)


def keltner(market: Market, atrs: float) -> Line:
    return each(lambda middle, size: middle + atrs * size, ema(market.close, 20), atr(market, 10))


def chandelier(market: Market, extreme: Line, atrs: float) -> Line:
    return each(lambda edge, size: edge + atrs * size, extreme, atr(market, 22))


def obv(market: Market) -> Line:
    line = [market.volume[0]]
    for move, volume in zip(changes(market.close)[1:], market.volume[1:], strict=True):
        line.append(line[-1] + (volume if move > 0 else -volume if move < 0 else 0.0))
    return line


def vwap(market: Market) -> Line:
    line, day, turnover, traded = [], None, 0.0, 0.0
    for open_ms, price, volume in zip(market.open_ms, market.typical, market.volume, strict=True):
        if (today := datetime.fromtimestamp(open_ms / 1000, UTC).date()) != day:
            day, turnover, traded = today, 0.0, 0.0
        turnover, traded = turnover + price * volume, traded + volume
        line.append(turnover / traded)
    return line


def cmf(market: Market) -> Line:
    bars = zip(market.high, market.low, market.close, market.volume, strict=True)
    flow = [
        volume * (2 * close - high - low) / (high - low) if high > low else 0.0 for high, low, close, volume in bars
    ]
    return each(lambda net, traded: net / traded, over(flow, 20, sum), over(market.volume, 20, sum))


Definition = Callable[[Market], Line]


def of_close(rule: Callable[[Line, int], Line], period: int) -> Definition:
    return lambda market: rule(market.close, period)


DEFINITIONS: dict[str, Definition] = {
    **{f"ema_{n}": of_close(ema, n) for n in (5, 8, 9, 12, 13, 21, 26, 34, 50, 55, 89)},
    **{f"sma_{n}": of_close(sma, n) for n in (10, 20, 30, 50, 100, 200)},
    "macd": lambda m: macd(m)[0],
    "macd_signal": lambda m: macd(m)[1],
    "macd_histogram": lambda m: each(lambda line, signal: line - signal, *macd(m)),
    "adx_14": adx,
    "plus_di_14": lambda m: directional(m)[0],
    "minus_di_14": lambda m: directional(m)[1],
    "aroon_up_25": lambda m: aroon(m.high, max),
    "aroon_down_25": lambda m: aroon(m.low, min),
    "dema_20": lambda m: each(lambda one, two: 2 * one - two, ema(m.close, 20), ema(ema(m.close, 20), 20)),
    "ppo": ppo,
    "ppo_signal": lambda m: ema(ppo(m), 9),
    "ichimoku_base_26": lambda m: each(lambda a, b: (a + b) / 2, over(m.high, 26, max), over(m.low, 26, min)),
    "hma_9": lambda m: hull(m, 4, 9, 3),
    "hma_14": lambda m: hull(m, 7, 14, 3),
    "hma_20": lambda m: hull(m, 10, 20, 4),
    "supertrend": supertrend,
    "ema_spread_fast": lambda m: spread(m, 12, 26),
    "ema_spread_medium": lambda m: spread(m, 21, 50),
    **{f"rsi_{n}": of_close(rsi, n) for n in (7, 14, 21, 28)},
    "stoch_k": lambda m: stochastic(m)[0],
    "stoch_d": lambda m: stochastic(m)[1],
    "williams_r_14": lambda m: [position - 100 for position in range_position(m)],
    "cci_20": cci,
    "cmo_14": lambda m: each(lambda gain, loss: 100 * (gain - loss) / (gain + loss), *gains_and_losses(m.close, 14)),
    "trix_15": trix,
    "ultimate_osc": ultimate,
    **{f"roc_{n}": of_close(roc, n) for n in (9, 12, 25)},
    "tsi": tsi,
    "awesome_osc": lambda m: each(lambda fast, slow: fast - slow, sma(m.median, 5), sma(m.median, 34)),
    "mass_index": mass_index,
    "bb_upper": lambda m: bollinger(m, 2),
    "bb_middle": lambda m: sma(m.close, 20),
    "bb_lower": lambda m: bollinger(m, -2),
    "bb_width": lambda m: each(
        lambda up, down, mid: (up - down) / mid, bollinger(m, 2), bollinger(m, -2), sma(m.close, 20)
    ),
    "bb_percent_b": percent_b,
    "atr_14": lambda m: atr(m, 14),
    "atr_percent": lambda m: each(lambda size, close: 100 * size / close, atr(m, 14), m.close),
    "donchian_upper": lambda m: over(m.high, 20, max),
    "donchian_lower": lambda m: over(m.low, 20, min),
    "keltner_upper": lambda m: keltner(m, 2),
    "keltner_middle": lambda m: ema(m.close, 20),
    "keltner_lower": lambda m: keltner(m, -2),
    "chandelier_long": lambda m: chandelier(m, over(m.high, 22, max), -3),
    "chandelier_short": lambda m: chandelier(m, over(m.low, 22, min), 3),
    "obv": obv,
    "vwap": vwap,
    "cmf_20": cmf,
}


def test_every_indicator_has_a_definition_here() -> None:
    assert list(DEFINITIONS) == list(INDICATORS)


@pytest.mark.parametrize("name", DEFINITIONS)
def test_an_indicator_is_what_its_textbook_says(name: str, market: Market) -> None:
    expected = DEFINITIONS[name](market)

    found = computed(name, {field.name: np.array(getattr(market, field.name)) for field in fields(market)})

    # Recursions round differently by association; 1e-9 of the largest value is a millionth of a dollar on BTC's EMA.
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9 * np.nanmax(np.abs(expected)), equal_nan=True)
