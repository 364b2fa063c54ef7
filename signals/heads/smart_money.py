"""Head E: what ICT calls smart money: swept liquidity, gaps and blocks that price comes back to. Pure.

Only the bullish form of each concept is written down; the bearish form is the same code on the chart upside down.
After Huddleston (The Inner Circle Trader, mentorship of 2016-17); where he names no figure, a round one in ATR stands.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.frame import Frame
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.kill_zones import HOUR_MS, LONDON, MORNING, in_kill_zone, new_york_ms
from signals.heads.parts import stated_probability
from signals.heads.swings import Side, Swings, swings_of
from signals.indicators.primitives import ratio
from signals.window import Window

SWING_BARS = 5  # as in the structure head: levels that one sees on the chart
SWEEP_BARS = 3  # bars for which a sweep is news
DISPLACEMENT_ATRS = 1.0  # a body of one ATR is a bar that somebody meant
GAP_BARS = 20  # a fair value gap that is not come back to in so many bars is forgotten
BLOCK_SEARCH, BLOCK_BARS = 10, 48  # the opposite bar is sought so far back; the block stands half a day of 15m
ENTRY_SHALLOW, ENTRY_DEEP = 0.62, 0.79  # market.md, section 2: the optimal trade entry
LEG_ATRS = 3.0  # a leg worth entering on its retracement
JUDAS_HOURS = 2  # of the session in which its false move is made and taken back
JUDAS_ATRS = 0.5  # the false move at least
# What a concept counts; market.md, section 2: a sweep counts double.
WEIGHTS = {"sweep": 2.0, "fair_value_gap": 1.0, "order_block": 1.0, "optimal_entry": 1.0, "judas_swing": 1.0}
TOTAL = sum(WEIGHTS.values())
# A sweep alone, or two of the others: one of them alone is on every chart.
LEAST_WEIGHT = 2.0
CONFIDENCE, KILL_ZONE_CONFIDENCE = 0.60, 0.80
MEMORY = 122  # the two hours of a session in bars of 1m, which is more than blocks and gaps ask for


@dataclass(frozen=True)
class Chart:
    """Bars, their confirmed swings, and how many bars back the session's first bar lies (NaN outside); (bars,)."""

    open: FloatArray
    high: FloatArray
    low: FloatArray
    close: FloatArray
    atr: FloatArray
    swings: Swings
    since_open: FloatArray

    def upside_down(self) -> "Chart":
        swings = Swings(high=_negated(self.swings.low), low=_negated(self.swings.high))
        return replace(self, open=-self.open, high=-self.low, low=-self.high, close=-self.close, swings=swings)


def _negated(side: Side) -> Side:
    return replace(side, prices=-side.prices)


class SmartMoney:
    """Sides with the concepts that agree; a kill zone makes it surer of its side and never changes it."""

    name, letter = "smart_money", "E"
    needs = Needs(indicators=frozenset({"atr_14"}), memory=MEMORY)
    inputs = (*WEIGHTS, "kill_zone")

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,)."""
        recent = window.recent(MEMORY)
        weight = np.zeros(len(recent))
        for name, side in concepts(recent.base).items():
            weight = weight + WEIGHTS[name] * side
        speaks = recent.base.ready & (np.abs(weight) >= LEAST_WEIGHT)
        return Votes.of(
            side=np.where(speaks, weight, np.nan),
            probability=stated_probability(weight / TOTAL),
            confidence=np.where(in_kill_zone(local_time(recent.base)), KILL_ZONE_CONFIDENCE, CONFIDENCE),
        ).padded(len(window))

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The concepts that hold, 1 bullish and -1 bearish, each by its weight; and whether it was a kill zone."""
        recent = replace(window, first=row).recent(MEMORY)
        now = row - (len(window) - len(recent))
        sides = {name: float(side[now]) for name, side in concepts(recent.base).items()}
        zone = float(in_kill_zone(local_time(recent.base))[now])
        held = [Reason(name, side, WEIGHTS[name] * side / TOTAL) for name, side in sides.items() if side]
        return strongest((*held, Reason("kill_zone", zone, 0.0)))


def local_time(frame: Frame) -> IntArray:
    """The New York time of day at which each bar opened, in ms since midnight."""
    return new_york_ms(frame.open_ms)


def concepts(frame: Frame) -> dict[str, FloatArray]:
    """Each concept's side at every bar: 1 bullish, -1 bearish, 0 neither or both; shapes (bars,)."""
    chart = chart_of(frame)
    turned = chart.upside_down()
    return {name: find(chart) * 1.0 - find(turned) * 1.0 for name, find in CONCEPTS.items()}


def chart_of(frame: Frame) -> Chart:
    return Chart(
        open=frame["open"],
        high=frame["high"],
        low=frame["low"],
        close=frame["close"],
        atr=frame["atr_14"],
        swings=swings_of(frame, SWING_BARS, SWING_BARS),
        since_open=bars_since_open(frame),
    )


def bars_since_open(frame: Frame) -> FloatArray:
    """Bars since the London or New York session opened, in its first JUDAS_HOURS; NaN outside and on slow bars.

    NaN too where the first bar of the session or one after it is missing.
    """
    local, bar = local_time(frame), frame.timeframe.ms
    since = np.full(len(local), np.nan)
    if bar <= HOUR_MS:
        for session in (LONDON, MORNING):
            passed = local - session.begins * HOUR_MS
            since = np.where((passed >= 0) & (passed < JUDAS_HOURS * HOUR_MS), passed // bar, since)
    index = np.arange(len(local))
    opened = np.maximum.accumulate(np.where(since == 0, index, -1))
    return np.where((opened >= 0) & (index - opened == since), since, np.nan)


def sweep(chart: Chart) -> BoolArray:
    """Price went through the last confirmed swing low and closed back above it, at this bar or just before."""
    level = chart.swings.low.price
    swept = np.zeros(len(level), np.bool_)
    swept[1:] = (chart.low[1:] < level[1:]) & (chart.close[1:] > level[1:]) & (chart.close[:-1] > level[1:])
    return happened(swept, SWEEP_BARS) & (chart.close > level)


def happened(event: BoolArray, bars: int) -> BoolArray:
    """True where it happened at one of the last `bars` bars."""
    found = event.copy()
    for lag in range(1, min(bars, len(event))):
        found[lag:] |= event[:-lag]
    return found


def last_at(event: BoolArray, bars: int) -> IntArray:
    """Row of the last event before each row, -1 where it lies more than `bars` back."""
    index = np.arange(len(event))
    before = np.full(len(event), -1)
    before[1:] = np.maximum.accumulate(np.where(event, index, -1))[:-1]
    return np.where(index - before <= bars, before, -1)


def displaced(chart: Chart) -> BoolArray:
    """A bar whose body is at least DISPLACEMENT_ATRS up."""
    found: BoolArray = chart.close - chart.open >= DISPLACEMENT_ATRS * chart.atr
    return found


def fair_value_gap(chart: Chart) -> BoolArray:
    """Price is back in the last gap that a displacement left between the bars beside it, and has not closed it."""
    gap = np.zeros(len(chart.close), np.bool_)
    gap[2:] = (chart.low[2:] > chart.high[:-2]) & displaced(chart)[1:-1]
    row = last_at(gap, GAP_BARS)
    top, bottom = chart.low[row], chart.high[np.maximum(row - 2, 0)]
    return (row >= 2) & (chart.low <= top) & (chart.close >= bottom)


def order_block(chart: Chart) -> BoolArray:
    """Price is back in the last bar that closed down before the displacement that broke a swing high."""
    level = chart.swings.high.price
    broke = np.zeros(len(level), np.bool_)
    broke[1:] = (chart.close[1:] > level[1:]) & (chart.close[:-1] <= level[1:])
    row = last_at(broke & displaced(chart), BLOCK_BARS)
    down = last_at(chart.close < chart.open, BLOCK_SEARCH)[np.maximum(row, 0)]
    known = (row >= 0) & (down >= 0)
    return known & (chart.low <= chart.high[down]) & (chart.close >= chart.low[down])


def retracement(chart: Chart) -> FloatArray:
    """How much of the last leg up, from swing low to the swing high after it, the close has given back; else NaN."""
    high, low = chart.swings.high, chart.swings.low
    leg = np.where(
        (high.age < low.age) & (high.price - low.price >= LEG_ATRS * chart.atr), high.price - low.price, np.nan
    )
    return ratio(high.price - chart.close, leg, at_zero=np.nan)


def optimal_entry(chart: Chart) -> BoolArray:
    """The close lies between 62 and 79 percent back into the last leg up."""
    back = retracement(chart)
    found: BoolArray = (back >= ENTRY_SHALLOW) & (back <= ENTRY_DEEP)
    return found


def judas_swing(chart: Chart) -> BoolArray:
    """The session began with a move down that is taken back: the close is above the session's open again."""
    bars, since = len(chart.close), chart.since_open
    opened, lowest = np.full((2, bars), np.nan)
    low = chart.low
    for lag in range(int(np.nanmax(since, initial=-1.0)) + 1):
        here = since == lag
        opened[here] = chart.open[np.maximum(np.flatnonzero(here) - lag, 0)]
        lowest = np.where(here, low, lowest)
        low = np.minimum(low, np.concatenate((low[:1], low[:-1])))
    found: BoolArray = (since >= 1) & (opened - lowest >= JUDAS_ATRS * chart.atr) & (chart.close > opened)
    return found


CONCEPTS: dict[str, Callable[[Chart], BoolArray]] = {
    "sweep": sweep,
    "fair_value_gap": fair_value_gap,
    "order_block": order_block,
    "optimal_entry": optimal_entry,
    "judas_swing": judas_swing,
}
