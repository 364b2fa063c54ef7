"""The mood of the whole market at one close, from the bars of every symbol of our universe. Pure.

Two steps, so that live and replay do the same thing: each symbol's own figures from its anchored window, then one row
a close over all symbols. Sums over symbols run from the smallest to the largest, so the symbols' order cannot matter.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ingestion.timeframes import TIMEFRAMES, FloatArray, IntArray, Timeframe
from signals.frame import Frame

DAY_MS = TIMEFRAMES["1d"].ms
BITCOIN = "BTCUSDT"

# A day with an outage inside still counts while half of its bars are there.
MIN_DAY_COVERAGE = 0.5
# "Usual" volume is that of the four days before the last one: with it the five days that fit into 512 bars of 15m.
USUAL_DAYS = 4
# Closes nearer to their mean than this share of it stand on it: a flat market has no side, whatever rounding says.
ON_THE_MEAN = 1e-9

# market.md 2, head B: volatility against its 30-day median, and no opinion on fewer than 5 symbols.
HISTORY_DAYS, MIN_HISTORY_DAYS = 30, 5
MIN_SYMBOLS = 5

SYMBOL_FIELDS = ("above_mean", "momentum", "realised_volatility", "volume_surge", "turnover", "usual_turnover")
ABOVE, MOMENTUM, VOLATILITY, SURGE, TURNOVER, USUAL_TURNOVER = range(len(SYMBOL_FIELDS))

MOOD_FIELDS = (
    "symbols",
    "breadth",
    "momentum",
    "realised_volatility",
    "volatility_ratio",
    "volume_surge",
    "btc_dominance",
    "btc_dominance_ratio",
    "fear_greed",
)
REALISED_VOLATILITY = MOOD_FIELDS.index("realised_volatility")

# Parts of fear_greed and their weights. The parts and the share of volatility and dominance follow the index of
# alternative.me (volatility 25 %, market momentum and volume 25 %, dominance 10 %); surveys and searches, which we
# have not, give their share to breadth and momentum, as in CNN's index of seven market figures.
GREED_WEIGHTS = {"breadth": 0.25, "momentum": 0.25, "volatility": 0.25, "volume": 0.15, "dominance": 0.10}
# The logistic curve with this slope is the normal distribution function within 0.01 (Haley 1952; Camilli 1994).
NORMAL_SLOPE = 1.702


@dataclass(frozen=True)
class SymbolMood:
    """One symbol's figures a bar: `rows` of shape (bars, SYMBOL_FIELDS), NaN where a figure is not known.

    above_mean: 1 above the mean close of the last day, 0 below, 0.5 on it. momentum: log return over the last day.
    realised_volatility: root of the day's summed squared log returns. volume_surge: the day's volume over the mean of
    the four days before. turnover: the day's sum of close x volume, in quote currency; usual_turnover: the daily mean
    of the four days before.
    """

    timeframe: Timeframe
    rows: FloatArray

    def take(self, chosen: slice | IntArray) -> "SymbolMood":
        return SymbolMood(self.timeframe, self.rows[chosen])

    @classmethod
    def concatenate(cls, parts: Sequence["SymbolMood"]) -> "SymbolMood":
        """The bars of several blocks one after the other; raises ValueError without parts or with mixed timeframes."""
        return cls(_common_timeframe(parts), np.concatenate([part.rows for part in parts]))


def symbol_mood(frame: Frame) -> SymbolMood:
    """The mood figures of one symbol at every bar of its frame; NaN before a bar is ready or a day stands behind it.

    A timeframe whose window does not hold a day (1m) has none: take the frames of a slower one. Days are counted by
    the clock, not in bars. Every figure is a difference of running sums from the window's start, so a prefix of the
    window gives the same bits. Realised volatility: Andersen & Bollerslev (1998).
    """
    close, volume = frame["close"], frame["volume"]
    day, usual = _Span(frame, 0, 1), _Span(frame, 1, 1 + USUAL_DAYS)
    height = np.log(close)
    returns = np.diff(height, prepend=height[:1])
    turnover = close * volume
    rows = np.full((len(frame), len(SYMBOL_FIELDS)), np.nan)
    rows[:, ABOVE] = _side_of_mean(close, day.sum(close) / day.bars)
    rows[:, MOMENTUM] = day.change(height)
    rows[:, VOLATILITY] = np.sqrt(day.sum(returns * returns))
    rows[:, SURGE] = _ratio(day.sum(volume), usual.sum(volume) / USUAL_DAYS)
    rows[:, TURNOVER] = day.sum(turnover)
    rows[:, USUAL_TURNOVER] = usual.sum(turnover) / USUAL_DAYS
    rows[~frame.ready] = np.nan
    return SymbolMood(frame.timeframe, rows)


class _Span:
    """For each bar of a frame, the bars that closed from `until` days before its own close back to `since` days."""

    def __init__(self, frame: Frame, until: int, since: int) -> None:
        self._first = _row_days_ago(frame, since)
        self._last = _row_days_ago(frame, until)
        self.bars = (self._last - self._first).astype(np.float64)
        full = (since - until) * DAY_MS / frame.timeframe.ms
        self._whole = (self._first >= 0) & (self.bars >= max(1.0, MIN_DAY_COVERAGE * full))

    def change(self, values: FloatArray) -> FloatArray:
        """Change of `values` over the span; NaN where the window does not reach back far enough or bars are lacking."""
        change = values[np.maximum(self._last, 0)] - values[np.maximum(self._first, 0)]
        return np.where(self._whole, change, np.nan)

    def sum(self, values: FloatArray) -> FloatArray:
        """Sum over the span's bars, NaN as in `change`."""
        return self.change(np.cumsum(values))


def _row_days_ago(frame: Frame, days: int) -> IntArray:
    """Row of the last bar that had closed `days` days before each bar's close; -1 if the window holds none."""
    return np.searchsorted(frame.close_ms, frame.close_ms - days * DAY_MS, side="right") - 1


def _side_of_mean(close: FloatArray, mean: FloatArray) -> FloatArray:
    margin = mean * ON_THE_MEAN
    side = np.where(close > mean + margin, 1.0, np.where(close < mean - margin, 0.0, 0.5))
    return np.where(np.isfinite(mean), side, np.nan)


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """part / whole, NaN where the whole is not positive."""
    positive = whole > 0
    return np.where(positive, part / np.where(positive, whole, 1.0), np.nan)


def market_mood(rows: FloatArray, btc_position: int | None, volatility_history: FloatArray) -> FloatArray:
    """The mood at one close, shape (MOOD_FIELDS,): `market_moods` of one.

    `rows` (symbols, SYMBOL_FIELDS): one row for each symbol with a bar at that close, in any order.
    `volatility_history`: what `recent_volatility` gives, the stored realised volatility of the last 30 days before
    this close, or nothing.
    """
    usual = np.array([_median_of(volatility_history)])
    mood: FloatArray = market_moods(rows[None], btc_position, usual)[0]
    return mood


def market_moods(rows: FloatArray, btc_position: int | None, usual_volatility: FloatArray) -> FloatArray:
    """The mood at n closes, shape (n, MOOD_FIELDS), NaN where a field is not known.

    `rows` (n, symbols, SYMBOL_FIELDS), NaN where a symbol has no bar or no figure: it is not counted there.
    `btc_position`: bitcoin's place among the symbols, None if it has none. `usual_volatility` (n,): the median of the
    realised volatility of the 30 days before. Fields: symbols counted; breadth, the share of them above their 1-day
    mean; momentum, the mean 1-day log return; realised_volatility and volume_surge, medians over symbols;
    volatility_ratio, realised volatility over its usual; btc_dominance, bitcoin's share of the day's turnover;
    btc_dominance_ratio, that share over its share of the four days before; fear_greed 0..100.
    """
    turnover, usual = rows[..., TURNOVER], rows[..., USUAL_TURNOVER]
    # Two shares can be compared only among the symbols that stand in both.
    steady = np.isnan(turnover + usual)
    both, before = np.where(steady, np.nan, turnover), np.where(steady, np.nan, usual)
    volatility = medians(rows[..., VOLATILITY])
    mood = {
        "symbols": np.isfinite(rows[..., MOMENTUM]).sum(axis=1).astype(np.float64),
        "breadth": _means(rows[..., ABOVE]),
        "momentum": _means(rows[..., MOMENTUM]),
        "realised_volatility": volatility,
        "volatility_ratio": _ratio(volatility, usual_volatility),
        "volume_surge": medians(rows[..., SURGE]),
        "btc_dominance": _shares(turnover, btc_position),
        "btc_dominance_ratio": _ratio(_shares(both, btc_position), _shares(before, btc_position)),
    }
    mood["fear_greed"] = fear_greed(mood)
    return np.column_stack([mood[field] for field in MOOD_FIELDS])


def recent_volatility(timeframe: Timeframe, close_ms: int, stored_ms: IntArray, stored: FloatArray) -> FloatArray:
    """The finite stored values of realised volatility from the 30 days before `close_ms` (excluded).

    `stored_ms` ascends, beside `stored`. Empty while they are fewer than five days' worth of closes.
    """
    first, last = np.searchsorted(stored_ms, [close_ms - HISTORY_DAYS * DAY_MS, close_ms])
    recent = stored[first:last]
    recent = recent[np.isfinite(recent)]
    return recent if len(recent) * timeframe.ms >= MIN_HISTORY_DAYS * DAY_MS else recent[:0]


def fear_greed(mood: Mapping[str, FloatArray]) -> FloatArray:
    """0 (fear) to 100 (greed) from the other mood fields, shape (n,); NaN below 5 symbols, or no breadth or momentum.

    Each part is a fixed map to 0..1, the same for every market and fitted to nothing: breadth as it is; momentum in
    units of the day's volatility, through the normal curve; volatility and dominance against what is usual, high is
    fear; volume above the usual on the side of momentum. Parts that are not known drop out and the weights of the rest
    are scaled up. After the indices of CNN and alternative.me.
    """
    parts = {
        "breadth": mood["breadth"],
        "momentum": _normal_curve(_strides(mood["momentum"], mood["realised_volatility"])),
        "volatility": _calm(mood["volatility_ratio"]),
        "volume": _conviction(mood["volume_surge"], mood["momentum"]),
        "dominance": _calm(mood["btc_dominance_ratio"]),
    }
    greed, weight = np.zeros((2, len(mood["symbols"])))
    for part, values in parts.items():
        known = np.isfinite(values)
        greed = greed + np.where(known, GREED_WEIGHTS[part] * values, 0.0)
        weight = weight + np.where(known, GREED_WEIGHTS[part], 0.0)
    counts = (mood["symbols"] >= MIN_SYMBOLS) & np.isfinite(mood["breadth"]) & np.isfinite(mood["momentum"])
    return np.where(counts, 100.0 * _ratio(greed, weight), np.nan)


def _strides(momentum: FloatArray, volatility: FloatArray) -> FloatArray:
    """Momentum in units of volatility; 0 in a market that did not move at all."""
    with np.errstate(over="ignore"):  # infinitely many of them are full greed or full fear
        return np.where(momentum == 0.0, 0.0, _ratio(momentum, volatility))


def _normal_curve(deviations: FloatArray) -> FloatArray:
    """About the normal distribution function; the logistic curve written so that it cannot overflow."""
    curve: FloatArray = 0.5 * (1.0 + np.tanh(0.5 * NORMAL_SLOPE * deviations))
    return curve


def _calm(ratio: FloatArray) -> FloatArray:
    """1 for nothing of it, 0.5 for as much as usual, 0.2 for twice, towards 0 for more; its own mirror in the log."""
    with np.errstate(over="ignore"):  # infinitely much of it is 0 of calm
        calm: FloatArray = 1.0 / (1.0 + ratio * ratio)
    return calm


def _conviction(surge: FloatArray, momentum: FloatArray) -> FloatArray:
    """0.5 for no more volume than usual or no move; more of it tends to 1 on the way up and to 0 on the way down."""
    calm = _calm(np.maximum(surge, 1.0))
    moved = np.where(momentum < 0.0, calm, 1.0 - calm)
    return np.where(np.isnan(surge), np.nan, np.where(momentum == 0.0, 0.5, moved))


def _sums(values: FloatArray) -> FloatArray:
    """Sum of the finite values of each row, shape (n,) of (n, symbols); 0 where there are none.

    Smallest first: the order in which the symbols come, and how many of them are absent, change no bit.
    """
    ordered = np.sort(values, axis=1)
    total = np.cumsum(np.where(np.isnan(ordered), 0.0, ordered), axis=1)
    return total[:, -1] if values.shape[1] else np.zeros(len(values))


def _means(values: FloatArray) -> FloatArray:
    return _ratio(_sums(values), np.isfinite(values).sum(axis=1).astype(np.float64))


def medians(values: FloatArray) -> FloatArray:
    """Middle finite value of each row, or the mean of the two middle ones; NaN where there is none."""
    if not values.shape[1]:
        return np.full(len(values), np.nan)
    ordered, count = np.sort(values, axis=1), np.isfinite(values).sum(axis=1)
    row = np.arange(len(values))
    middle: FloatArray = (ordered[row, np.maximum(count - 1, 0) // 2] + ordered[row, count // 2]) / 2.0
    return np.where(count > 0, middle, np.nan)


def _median_of(values: FloatArray) -> float:
    return float(medians(values[None])[0])


def _shares(turnover: FloatArray, position: int | None) -> FloatArray:
    """One symbol's share of each row's turnover, NaN where it has none or all together had none."""
    if position is None:
        return np.full(len(turnover), np.nan)
    return _ratio(turnover[:, position], _sums(turnover))


CLOSES_AT_ONCE = 4096


def mood_series(
    per_symbol: Mapping[str, tuple[IntArray, SymbolMood]], *, bitcoin: str = BITCOIN
) -> tuple[IntArray, FloatArray]:
    """The mood at every close that any symbol has, ascending: close times (closes,) in ms and (closes, MOOD_FIELDS).

    `per_symbol`: ascending close times (ms) and figures beside them. Each close has the closes before it as its
    history, so these are the bits that live stored. Raises ValueError on mixed timeframes.
    """
    if not per_symbol:
        return np.empty(0, np.int64), np.empty((0, len(MOOD_FIELDS)))
    timeframe = _common_timeframe([mood for _, mood in per_symbol.values()])
    symbols = sorted(per_symbol)
    closes = np.unique(np.concatenate([per_symbol[symbol][0] for symbol in symbols]))
    btc = symbols.index(bitcoin) if bitcoin in per_symbol else None
    moods, volatility = np.empty((len(closes), len(MOOD_FIELDS))), np.empty(0)
    for first in range(0, len(closes), CLOSES_AT_ONCE):
        part = slice(first, first + CLOSES_AT_ONCE)
        rows = _rows_at(closes[part], [per_symbol[symbol] for symbol in symbols])
        volatility = np.concatenate((volatility, medians(rows[..., VOLATILITY])))
        usual = usual_volatility(timeframe, closes[: len(volatility)], volatility, first)
        moods[part] = market_moods(rows, btc, usual)
    return closes, moods


def _rows_at(closes: IntArray, figures: Sequence[tuple[IntArray, SymbolMood]]) -> FloatArray:
    """Every symbol's figures at some closes, shape (closes, symbols, SYMBOL_FIELDS), NaN where it has no bar."""
    rows = np.full((len(closes), len(figures), len(SYMBOL_FIELDS)), np.nan)
    for place, (close_ms, mood) in enumerate(figures):
        first, last = np.searchsorted(close_ms, [closes[0], closes[-1] + 1])
        rows[np.searchsorted(closes, close_ms[first:last]), place] = mood.rows[first:last]
    return rows


def usual_volatility(timeframe: Timeframe, closes: IntArray, volatility: FloatArray, first: int) -> FloatArray:
    """For each close from row `first` on, the median of `recent_volatility`, shape (closes - first,)."""
    oldest = np.searchsorted(closes, closes - HISTORY_DAYS * DAY_MS)
    least = MIN_HISTORY_DAYS * DAY_MS / timeframe.ms
    begun = int(oldest[first]) if first < len(closes) else 0
    held = sorted(volatility[begun:first][np.isfinite(volatility[begun:first])].tolist())
    values, usual = volatility.tolist(), np.full(len(closes) - first, np.nan)
    for place in range(first, len(closes)):
        for leaves in values[begun : oldest[place]]:
            if leaves == leaves:
                del held[bisect_left(held, leaves)]
        begun = int(oldest[place])
        if held and len(held) >= least:
            usual[place - first] = (held[(len(held) - 1) // 2] + held[len(held) // 2]) / 2.0
        if values[place] == values[place]:
            insort(held, values[place])
    return usual


def _common_timeframe(moods: Iterable[SymbolMood]) -> Timeframe:
    timeframes = {mood.timeframe for mood in moods}
    if len(timeframes) != 1:
        names = ", ".join(sorted(timeframe.name for timeframe in timeframes)) or "none"
        raise ValueError(f"market mood needs the figures of one timeframe, got {names}: pass symbols of one timeframe")
    return timeframes.pop()
