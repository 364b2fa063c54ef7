"""Head F: how a trading range ends, by Wyckoff: springs and upthrusts, signs of strength and weakness. Pure.

Only the bullish form is written down; the bearish form is the same code on the chart upside down, which stands beside
it as the second row of every array. After Pruden, The Three Skills of Top Trading, 2007, and Weis, Trades About to
Happen, 2013; market.md, section 2, for what an event is worth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.columns import Rows
from signals.frame import Frame
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.parts import stated_probability
from signals.heads.trading_range import (
    EDGE_SHARE,
    VOLUME_BARS,
    TradingRange,
    bars_since,
    earlier,
    last_climax,
    mirrored,
    times_usual,
    trading_range,
)
from signals.indicators.primitives import ratio
from signals.window import Window

SPRING_STRENGTH, SIGN_STRENGTH = 0.90, 0.75  # market.md, section 2
RETURN_BARS = 3  # a spring is back inside by the close of the third bar below; later it is a breakdown that was bought
DEEPEST_ATRS = 1.0  # deeper is a breakdown too
CONFIRM_BARS = 10  # a spring that lifts nobody in so many bars has not sprung
SIGN_ATRS, SIGN_TIMES = 1.2, 1.5  # a wide bar on volume; 1.5 times as in market.md's patterns
HOLD_BARS = 3  # closes beyond the range before the break is believed
STANDS_BARS = 8  # bars for which a confirmed event votes
TEST_ATRS = 0.5  # a test comes back so near to the edge
EFFORT_TIMES, STILL_ATRS, EFFORT_BARS = 2.0, 0.3, 10  # twice the volume moved the close by less; news for ten bars
CLIMAX_SLACK_BARS = 10  # bars by which the climax may precede the first swing of its range
# A confirmed event is a rule kept; a test on less volume, a climax and effort without result are its company.
CONFIDENCE, GAIN = 0.60, 0.10
# Bars that an event has before its vote is over at the latest.
AHEAD_BARS = CONFIRM_BARS + STANDS_BARS - 1
# What a vote looks back on: a spring that long ago; the usual volume before a sign that still stands, or an effort.
MEMORY = max(AHEAD_BARS + RETURN_BARS, VOLUME_BARS + max(HOLD_BARS + STANDS_BARS, EFFORT_BARS) - 1)
A, B, C, D, E = 1.0, 2.0, 3.0, 4.0, 5.0  # Pruden's phases: stopping, building, testing, leaving the range, gone
PHASE_A_BARS = 30
# What is told of each kind of event, on the chart and upside down; the kinds are the places in STRENGTHS.
SIGN, SPRING = 0, 1
STRENGTHS = np.array((SIGN_STRENGTH, SPRING_STRENGTH))
EVENT_NAMES = (("sign_of_strength", "sign_of_weakness"), ("spring", "upthrust"))
CLIMAX_NAMES = ("selling_climax", "buying_climax")
EFFORT_NAMES = ("effort_at_support", "effort_at_resistance")


@dataclass(frozen=True)
class Chart:
    """The chart (row 0) and the chart upside down (row 1), shapes (2, bars); atr and volume are (bars,).

    `before` is the close before. The range is the one known at each bar.
    """

    high: FloatArray
    low: FloatArray
    close: FloatArray
    before: FloatArray
    atr: FloatArray
    volume: FloatArray
    range: TradingRange


@dataclass(frozen=True)
class Events(Rows):
    """Signs of strength and springs, arrays (events,): `side` 0 on the chart and 1 upside down, `row` the bar.

    A close beyond `goal`, `soonest` to `latest` bars later, confirms it; one below `floor` fails it, then or later.
    `edge` is the border of the range that it happened at; `measure` is told of it: a sign's volume over the usual, the
    depth of a spring in ATR.
    """

    kind: IntArray
    side: IntArray
    row: IntArray
    edge: FloatArray
    floor: FloatArray
    goal: FloatArray
    soonest: IntArray
    latest: IntArray
    measure: FloatArray


@dataclass(frozen=True)
class Course:
    """What became of each event in the AHEAD_BARS bars after it, the next bar first; shapes (events, AHEAD_BARS).

    `waits`: neither confirmed nor failed nor out of time. `stands`: confirmed, still news, and not failed. `tested`,
    shape (events,): before it was confirmed price came back to the edge on less volume.
    """

    waits: BoolArray
    stands: BoolArray
    tested: BoolArray


@dataclass(frozen=True)
class Reading:
    """All that the head sees; arrays by side and bar, (2, bars), where nothing else is said.

    `times`, shape (bars,): volume over the usual, at the bars where a rule asks for it. `effort`: bars since effort
    without result at support. `governs`: the event that stands at a bar, -1 if none does.
    """

    chart: Chart
    times: FloatArray
    effort: FloatArray
    events: Events
    course: Course
    governs: IntArray


class Wyckoff:
    """Sides with the event that ended the trading range, once it is confirmed and until it fails."""

    name, letter = "wyckoff", "F"
    needs = Needs(indicators=frozenset({"atr_14"}), memory=MEMORY)
    inputs = (*EVENT_NAMES[SPRING], *EVENT_NAMES[SIGN], *CLIMAX_NAMES, *EFFORT_NAMES, "test", "phase", "place_in_range")

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,). Silent while a bullish and a bearish event both stand."""
        recent = window.recent(MEMORY)
        reading = read(recent.base)
        stands = reading.governs >= 0
        side = np.where(recent.base.ready, stands[0] * 1.0 - stands[1], 0.0)
        strength, confidence = np.full((2, len(recent)), np.nan)
        at = recent.wanted[side[recent.wanted] != 0]
        turned = (side[at] < 0).astype(np.int64)
        strength[at] = STRENGTHS[reading.events.kind[reading.governs[turned, at]]]
        confidence[at] = CONFIDENCE + GAIN * company(reading, recent.base, turned, at)
        return Votes.of(side, stated_probability(strength), confidence).padded(len(window))

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The events that stand, each by its strength, their company by what it adds; those that still wait; the phase.

        An event's value is a sign's volume over the usual or a spring's depth in ATR, that of a climax and of an effort
        the volume over the usual; a test is 1; phases count from A = 1; the range goes from 0 to 1.
        """
        recent = replace(window, first=row).recent(MEMORY)
        now = row - (len(window) - len(recent))
        frame = recent.base
        reading = read(frame)
        _, since, times = last_climax(frame, np.arange(2), np.full(2, now))
        lately = np.where(since < PHASE_A_BARS, times, np.nan)
        return strongest(
            (
                *(reason for side in (0, 1) for reason in reasons_of(reading, frame, side, now, float(lately[side]))),
                Reason("phase", phase(reading, now, stopped=bool(np.isfinite(lately).any())), 0.0),
                Reason("place_in_range", place_in_range(reading.chart, now), 0.0),
            )
        )


def read(frame: Frame) -> Reading:
    chart = chart_of(frame)
    broke, stalled = breaks_out(chart), stalls(chart)
    times = np.full(len(frame), np.nan)
    asked = np.flatnonzero((broke | stalled).any(axis=0))
    times[asked] = times_usual(chart.volume, asked)
    # Of two that stand on one side the later in this order governs: the spring, and the newer of two of a kind.
    events = Events.concatenate((signs(chart, broke & (times >= SIGN_TIMES), times), springs(chart)))
    course = course_of(chart, events)
    governs = np.full(chart.close.shape, -1)
    event, ahead = np.nonzero(course.stands)
    governs[events.side[event], events.row[event] + 1 + ahead] = event
    return Reading(
        chart,
        times,
        bars_since(stalled & (times >= EFFORT_TIMES)),
        events,
        course,
        governs,
    )


def chart_of(frame: Frame) -> Chart:
    high, low = frame["high"], frame["low"]
    close = mirrored(frame["close"], frame["close"])
    return Chart(
        high=mirrored(high, low),
        low=mirrored(low, high),
        close=close,
        before=earlier(close, 1),
        atr=frame["atr_14"],
        volume=frame["volume"],
        range=trading_range(frame),
    )


def springs(chart: Chart) -> Events:
    """The bars that close back inside after at most RETURN_BARS bars below support, none of them far below.

    A later close above the bar's high confirms it (most often after a test), one below the lowest low fails it.
    """
    support = chart.range.support
    lowest, inside = chart.low, chart.before
    for lag in range(1, RETURN_BARS):
        lowest = np.minimum(lowest, earlier(chart.low, lag))
        inside = np.maximum(inside, earlier(chart.before, lag))
    below = (chart.low < support) | (chart.before < support)
    near = support - lowest <= DEEPEST_ATRS * chart.atr
    side, row = np.nonzero(below & (chart.close > support) & (inside >= support) & near)
    edge, floor = support[side, row], lowest[side, row]
    return Events(
        kind=np.full(len(row), SPRING),
        side=side,
        row=row,
        edge=edge,
        floor=floor,
        goal=chart.high[side, row],
        soonest=np.ones(len(row), np.int64),
        latest=np.full(len(row), CONFIRM_BARS),
        measure=ratio(edge - floor, chart.atr[row], at_zero=np.nan),
    )


def breaks_out(chart: Chart) -> BoolArray:
    """A wide bar closes above resistance, in its own upper half, where the close before did not."""
    resistance, tall = chart.range.resistance, chart.high - chart.low
    crossed: BoolArray = (chart.close > resistance) & (chart.before <= resistance)
    return crossed & (tall >= SIGN_ATRS * chart.atr) & (chart.close - chart.low >= 0.5 * tall)


def signs(chart: Chart, found: BoolArray, times: FloatArray) -> Events:
    """Signs of strength: HOLD_BARS closes beyond the old resistance confirm one, the first that is not fails it."""
    side, row = np.nonzero(found)
    edge, hold = chart.range.resistance[side, row], np.full(len(row), HOLD_BARS)
    return Events(
        kind=np.full(len(row), SIGN),
        side=side,
        row=row,
        edge=edge,
        floor=edge,
        goal=edge,
        soonest=hold,
        latest=hold,
        measure=times[row],
    )


def stalls(chart: Chart) -> BoolArray:
    """At support, and the close hardly another than the last one: what effort there was had no result."""
    support, slack = chart.range.support, TEST_ATRS * chart.atr
    still = np.abs(chart.close - chart.before) <= STILL_ATRS * chart.atr
    found: BoolArray = still & (chart.low <= support + slack) & (chart.close >= support - slack)
    return found


def course_of(chart: Chart, events: Events) -> Course:
    bars, later = chart.close.shape[1], np.arange(1, AHEAD_BARS + 1)
    row, side = events.row[:, None], events.side[:, None]
    there = row + later < bars
    ahead = np.minimum(row + later, bars - 1)
    close, latest = chart.close[side, ahead], events.latest[:, None]
    unfailed = np.logical_and.accumulate(close >= events.floor[:, None], axis=1)
    confirms = unfailed & (close > events.goal[:, None]) & (later >= events.soonest[:, None]) & (later <= latest)
    confirmed = np.logical_or.accumulate(confirms, axis=1)
    alive = unfailed & there
    waits = alive & ~confirmed & (later <= latest)
    near = chart.low[side, ahead] <= (events.edge + TEST_ATRS * chart.atr[events.row])[:, None]
    return Course(
        waits=waits,
        stands=alive & confirmed & (np.cumsum(confirmed, axis=1) <= STANDS_BARS),
        tested=(waits & near & (chart.volume[ahead] < chart.volume[row])).any(axis=1),
    )


def began_with_climax(reading: Reading, frame: Frame, event: IntArray) -> BoolArray:
    """The last climax before each event asked for lies at the support of its range, and the range began with it."""
    range_, side, row = reading.chart.range, reading.events.side[event], reading.events.row[event]
    low, since, _ = last_climax(frame, side, row)
    lower_edge = range_.support[side, row] + EDGE_SHARE * range_.width[row]
    began: BoolArray = (since <= range_.bars[row] + CLIMAX_SLACK_BARS) & (low <= lower_edge)
    return began


def company(reading: Reading, frame: Frame, side: IntArray, row: IntArray) -> FloatArray:
    """What speaks for the event that governs: test, climax and effort at its support, less effort at resistance."""
    event, lately = reading.governs[side, row], reading.effort < EFFORT_BARS
    company_ = np.zeros(len(row))
    for each in (reading.course.tested[event], began_with_climax(reading, frame, event), lately[side, row]):
        company_ = company_ + each
    return company_ - lately[1 - side, row]


def reasons_of(reading: Reading, frame: Frame, side: int, now: int, climax: float) -> Iterator[Reason]:
    """What one side has to say at a bar; all of it pulls that way or not at all.

    `climax`: the volume of one lately, over the usual, NaN without; that of the range takes its place where it counts.
    """
    pull = 1.0 - 2.0 * side
    event, governs = event_at(reading, side, now), bool(reading.governs[side, now] >= 0)
    votes = governs and bool(reading.governs[1 - side, now] < 0)
    if event >= 0:
        kind = int(reading.events.kind[event])
        strength = float(STRENGTHS[kind]) if governs else 0.0
        yield Reason(EVENT_NAMES[kind][side], float(reading.events.measure[event]), pull * strength)
    if votes and reading.course.tested[event]:
        yield Reason("test", 1.0, pull * GAIN)
    counts = votes and bool(began_with_climax(reading, frame, np.array([event]))[0])
    if counts:
        climax = float(last_climax(frame, np.array([side]), reading.events.row[[event]])[2][0])
    yield Reason(CLIMAX_NAMES[side], climax, pull * GAIN if counts else 0.0)
    since = reading.effort[side, now]
    if since < EFFORT_BARS:
        yield Reason(EFFORT_NAMES[side], float(reading.times[now - int(since)]), pull * GAIN)


def event_at(reading: Reading, side: int, now: int) -> int:
    """The event that governs a side at a bar, else the last one that still waits for its confirmation, else -1."""
    if reading.governs[side, now] >= 0:
        return int(reading.governs[side, now])
    ahead = now - reading.events.row - 1
    waits = (ahead == -1) | ((ahead >= 0) & (ahead < AHEAD_BARS))
    waits &= (ahead == -1) | reading.course.waits[np.arange(len(ahead)), np.clip(ahead, 0, AHEAD_BARS - 1)]
    waiting = np.flatnonzero(waits & (reading.events.side == side))
    return int(waiting[-1]) if len(waiting) else -1


def phase(reading: Reading, now: int, *, stopped: bool) -> float:
    """Pruden's phase as far as it can be told at a bar; NaN where price is in no range, and neither before nor after.

    A: a climax (`stopped`), and no range yet. B: in the range. C: a spring or upthrust. D: it is confirmed, or price
    has broken out. E: the break has held.
    """
    told = B if 0.0 <= place_in_range(reading.chart, now) <= 1.0 else A if stopped else np.nan
    for side in (0, 1):
        event = event_at(reading, side, now)
        if event >= 0:
            seen = C if reading.events.kind[event] == SPRING else D
            told = np.fmax(told, seen + (reading.governs[side, now] >= 0))
    return float(told)


def place_in_range(chart: Chart, now: int) -> float:
    """Where the close is in the range: 0 at its support, 1 at its resistance; NaN without a range."""
    return float((chart.close[0, now] - chart.range.support[0, now]) / chart.range.width[now])
