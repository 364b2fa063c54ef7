"""Each Wyckoff event where a reader of the chart expects it, its vote only from the bar that confirms it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ingestion.timeframes import TIMEFRAMES, Candles, FloatArray, resample
from signals.frame import Frame
from signals.heads.base import MOST_REASONS, Reason, Votes
from signals.heads.swings import KEPT, confirmed_swings
from signals.heads.trading_range import (
    CLIMAX_LOWEST_BARS,
    EDGE_SHARE,
    LEAST_BARS,
    NARROWEST_ATRS,
    SWING_BARS,
    VOLUME_BARS,
    WIDEST_ATRS,
    climaxes,
    last_climax,
    times_usual,
    trading_range,
)
from signals.heads.wyckoff import (
    CLIMAX_SLACK_BARS,
    CONFIDENCE,
    CONFIRM_BARS,
    GAIN,
    HOLD_BARS,
    MEMORY,
    PHASE_A_BARS,
    RETURN_BARS,
    SIGN_STRENGTH,
    SPRING_STRENGTH,
    STANDS_BARS,
    Wyckoff,
    read,
)
from signals.window import Span, stacked
from tests.signals.head_windows import (
    assert_inputs_untouched,
    assert_prefix_invariant,
    assert_same_bits,
    bars,
    from_closes,
    recorded,
    shared_bars,
    upside_down,
    window_of,
)

BLOCK = recorded().rows(slice(0, 1024))
Bar = tuple[float, float, float, float]
UP, DOWN = 1, -1

# --- a market that swings between 100 and 107, long enough for a head to speak ----------------------------------------

SUPPORT, RESISTANCE = 99.7, 107.3  # with the wicks
WAVE = [*range(100, 107), *range(107, 100, -1)]
FALLING, RISING = 560 + 14, 560 + 7  # bars after which price stands at 101 on its way down, at 106 on its way up


def sideways(length: int, level: float = 0.0) -> list[Bar]:
    closes = level + np.resize(np.array(WAVE, np.float64), length)
    made = from_closes(closes, wick=0.3)
    return list(zip(made.open.tolist(), made.high.tolist(), made.low.tolist(), made.close.tolist(), strict=True))


def ended(tail: Sequence[Bar], *, after: int, volumes: Sequence[float] | None = None) -> Candles:
    """The range, and then these bars; every bar trades 10 unless told."""
    return bars([*sideways(after), *tail], [10.0] * after + list(volumes or [10.0] * len(tail)))


def voted(tail: Sequence[Bar], *, after: int, volumes: Sequence[float] | None = None) -> list[int]:
    """The sides voted for on the bars of the tail; the head was silent on all before."""
    votes = Wyckoff().vote(window_of(ended(tail, after=after, volumes=volumes)))
    assert not votes.awake[:after].any()
    return votes.direction[after:].tolist()


def confidences(tail: Sequence[Bar], *, after: int, volumes: Sequence[float]) -> list[float]:
    votes = Wyckoff().vote(window_of(ended(tail, after=after, volumes=volumes)))
    return votes.confidence[after:][votes.awake[after:]].tolist()


def test_the_range_goes_from_the_lowest_swing_low_to_the_highest_swing_high() -> None:
    found = trading_range(window_of(ended([], after=FALLING)).base)

    assert (found.support[0, -1], found.resistance[0, -1]) == (SUPPORT, RESISTANCE)
    assert (found.support[1, -1], found.resistance[1, -1]) == (-RESISTANCE, -SUPPORT)
    assert found.bars[-1] == 13 + 14 * (KEPT - 1)


# --- springs ----------------------------------------------------------------------------------------------------------

SPRUNG: Bar = (101.0, 101.2, 98.9, 100.4)  # half an ATR below support, closed inside
REST: Bar = (100.4, 100.9, 99.9, 100.4)
LIFTED: Bar = (100.4, 102.0, 100.3, 101.6)  # above the spring's high
AWAY: Bar = (101.6, 102.0, 101.2, 101.6)
LOST: Bar = (100.4, 100.5, 98.2, 98.6)  # below the spring's low


def test_a_spring_votes_from_the_close_above_its_high() -> None:
    tail = [SPRUNG, REST, REST, LIFTED, *[AWAY] * STANDS_BARS]

    assert voted(tail, after=FALLING) == [0, 0, 0, *[UP] * STANDS_BARS, 0]


def test_a_spring_states_what_its_strength_is_worth() -> None:
    votes = Wyckoff().vote(window_of(ended([SPRUNG, LIFTED], after=FALLING)))

    assert SPRING_STRENGTH == 0.90
    assert votes.probability[-1] == 0.5 + 0.25 * 0.90
    assert votes.confidence[-1] == CONFIDENCE


def test_a_spring_that_lifts_nobody_has_no_vote_yet() -> None:
    assert voted([SPRUNG, REST, REST, REST], after=FALLING) == [0, 0, 0, 0]


@pytest.mark.parametrize(("rests", "sides"), [(CONFIRM_BARS - 1, [UP, UP]), (CONFIRM_BARS, [0, 0])])
def test_a_spring_is_waited_for_so_long_and_no_longer(rests: int, sides: list[int]) -> None:
    assert voted([SPRUNG, *[REST] * rests, LIFTED, AWAY], after=FALLING)[-2:] == sides


def test_a_spring_confirmed_at_the_last_moment_stands_as_long_as_any() -> None:
    tail = [SPRUNG, *[REST] * (CONFIRM_BARS - 1), LIFTED, *[AWAY] * STANDS_BARS]

    assert voted(tail, after=FALLING) == [*[0] * CONFIRM_BARS, *[UP] * STANDS_BARS, 0]


def test_a_spring_may_come_back_with_a_gap() -> None:
    under: Bar = (99.3, 99.6, 98.9, 99.3)
    above: Bar = (99.8, 100.6, 99.75, 100.4)

    assert voted([under, above, LIFTED], after=FALLING) == [0, 0, UP]


def test_a_spring_whose_low_is_lost_has_failed_for_good() -> None:
    back: Bar = (98.6, 102.0, 98.5, 101.6)

    assert voted([SPRUNG, REST, LOST, LOST, LOST, LOST, back, AWAY], after=FALLING) == [0] * 8


def test_a_vote_ends_with_the_close_below_the_low_of_its_spring() -> None:
    tail = [SPRUNG, LIFTED, AWAY, (101.6, 101.7, 98.4, 98.8), (98.8, 102.0, 98.8, 101.6)]

    assert voted(tail, after=FALLING)[:4] == [0, UP, UP, 0]


def test_a_low_too_far_below_support_is_a_breakdown_and_no_spring() -> None:
    deep: Bar = (101.0, 101.2, 97.6, 100.4)

    assert voted([deep, REST, LIFTED, AWAY], after=FALLING) == [0] * 4


@pytest.mark.parametrize(("below", "sides"), [(RETURN_BARS - 1, [0, UP]), (RETURN_BARS, [0, 0])])
def test_a_spring_is_back_inside_within_a_few_bars(below: int, sides: list[int]) -> None:
    under: Bar = (99.3, 99.6, 98.9, 99.3)
    back: Bar = (99.3, 100.5, 99.2, 100.4)

    assert voted([*[under] * below, back, LIFTED], after=FALLING) == [*[0] * below, *sides]


def test_a_low_that_holds_above_support_is_no_spring() -> None:
    assert voted([(101.0, 101.2, 99.8, 100.4), REST, LIFTED, AWAY], after=FALLING) == [0] * 4


def test_without_a_range_there_is_nothing_to_spring_from() -> None:
    trend = np.array(WAVE * 42, np.float64) + 0.5 * np.arange(14 * 42)
    market = from_closes(trend, wick=0.3)

    assert np.isnan(trading_range(window_of(market).base).bars).all()
    assert not Wyckoff().vote(window_of(market)).awake.any()


def test_a_test_on_less_volume_makes_the_head_surer() -> None:
    tail = [SPRUNG, REST, LIFTED, AWAY]

    assert confidences(tail, after=FALLING, volumes=[15.0, 10.0, 10.0, 10.0]) == [CONFIDENCE + GAIN] * 2
    assert confidences(tail, after=FALLING, volumes=[15.0, 15.0, 10.0, 10.0]) == [CONFIDENCE] * 2


def test_a_bar_far_from_the_edge_is_no_test() -> None:
    quiet: Bar = (100.9, 101.2, 100.7, 101.0)

    assert confidences([SPRUNG, quiet, LIFTED], after=FALLING, volumes=[10.0, 5.0, 10.0]) == [CONFIDENCE]


def test_volume_that_moves_price_is_no_effort_without_result() -> None:
    assert confidences([SPRUNG, LIFTED], after=FALLING, volumes=[50.0, 10.0]) == [CONFIDENCE]


def test_volume_that_moves_nothing_at_support_makes_the_head_surer() -> None:
    tail = [SPRUNG, REST, LIFTED, AWAY]

    assert confidences(tail, after=FALLING, volumes=[10.0, 30.0, 10.0, 10.0]) == [CONFIDENCE + GAIN] * 2


def test_volume_that_moves_nothing_at_resistance_makes_a_long_less_sure() -> None:
    rising: list[Bar] = [
        (101.6, 103.6, 101.5, 103.4),
        (103.4, 105.4, 103.3, 105.2),
        (105.2, 106.9, 105.1, 106.8),
        (106.8, 107.1, 106.5, 106.9),
    ]

    found = confidences([SPRUNG, LIFTED, *rising], after=FALLING, volumes=[10.0] * 5 + [40.0])

    assert found == pytest.approx([CONFIDENCE] * 4 + [CONFIDENCE - GAIN])


def test_effort_without_result_alone_is_no_vote() -> None:
    assert voted([(101.0, 101.1, 100.0, 100.7), REST], after=FALLING, volumes=[10.0, 50.0]) == [0, 0]


# --- upthrusts --------------------------------------------------------------------------------------------------------


def test_an_upthrust_votes_short_from_the_close_below_its_low() -> None:
    thrust: Bar = (106.0, 108.1, 105.8, 106.6)
    rest: Bar = (106.6, 107.0, 106.1, 106.6)
    broken: Bar = (106.6, 106.7, 105.0, 105.4)
    away: Bar = (105.4, 105.8, 105.0, 105.4)
    taken: Bar = (105.4, 108.6, 105.3, 108.3)

    assert voted([thrust, rest, broken, away, away], after=RISING) == [0, 0, DOWN, DOWN, DOWN]
    assert voted([thrust, rest, broken, away, taken, away], after=RISING)[:5] == [0, 0, DOWN, DOWN, 0]


# --- signs of strength and weakness -----------------------------------------------------------------------------------

STRONG: Bar = (106.0, 109.0, 105.9, 108.8)
HELD: Bar = (108.8, 109.1, 107.8, 108.5)
FALLEN: Bar = (108.5, 108.6, 106.8, 107.1)
LOUD = 30.0


def volumes_of(tail: Sequence[Bar], first: float = LOUD) -> list[float]:
    return [first, *[10.0] * (len(tail) - 1)]


def test_a_sign_of_strength_votes_once_price_has_held_beyond_the_range() -> None:
    tail = [STRONG, *[HELD] * (HOLD_BARS + 2)]
    votes = Wyckoff().vote(window_of(ended(tail, after=RISING, volumes=volumes_of(tail))))

    assert votes.direction[RISING:].tolist() == [*[0] * HOLD_BARS, UP, UP, UP]
    assert SIGN_STRENGTH == 0.75
    assert votes.probability[-1] == 0.5 + 0.25 * 0.75


@pytest.mark.parametrize("held", range(HOLD_BARS))
def test_a_sign_of_strength_that_falls_back_is_none(held: int) -> None:
    tail = [STRONG, *[HELD] * held, FALLEN, *[HELD] * 6]

    assert voted(tail, after=RISING, volumes=volumes_of(tail)) == [0] * len(tail)


def test_a_sign_of_strength_ends_when_price_falls_back_into_the_range_later() -> None:
    tail = [STRONG, *[HELD] * (HOLD_BARS + 1), FALLEN, HELD]

    assert voted(tail, after=RISING, volumes=volumes_of(tail)) == [*[0] * HOLD_BARS, UP, UP, 0, 0]


def test_a_break_without_volume_is_no_sign_of_strength() -> None:
    tail = [STRONG, *[HELD] * 6]

    assert voted(tail, after=RISING, volumes=volumes_of(tail, first=14.0)) == [0] * 7


@pytest.mark.parametrize(
    "bar",
    [(106.0, 110.9, 105.9, 107.6), (106.9, 107.9, 106.8, 107.8)],
    ids=["closed in its lower half", "no wide bar"],
)
def test_a_break_by_a_weak_bar_is_no_sign_of_strength(bar: Bar) -> None:
    tail = [bar, *[HELD] * 6]

    assert voted(tail, after=RISING, volumes=volumes_of(tail)) == [0] * 7


def test_a_sign_of_weakness_votes_short() -> None:
    tail: list[Bar] = [(101.0, 101.1, 98.0, 98.2), *[(98.2, 99.2, 97.9, 98.5)] * 4]

    assert voted(tail, after=FALLING, volumes=volumes_of(tail)) == [0, 0, 0, DOWN, DOWN]


# --- both at once -----------------------------------------------------------------------------------------------------

CROSSED: list[Bar] = [
    SPRUNG,
    LIFTED,
    (101.6, 103.6, 101.5, 103.4),
    (103.4, 105.4, 103.3, 105.2),
    (105.2, 106.9, 105.1, 106.6),
]


def test_while_a_spring_and_an_upthrust_both_stand_the_head_is_silent() -> None:
    thrust: Bar = (106.6, 108.1, 106.2, 106.7)
    broken: Bar = (106.7, 106.8, 105.2, 105.4)
    tail = [*CROSSED, thrust, broken, *[(105.4, 105.8, 105.0, 105.4)] * 3]

    assert voted(tail, after=FALLING) == [0, UP, UP, UP, UP, UP, 0, 0, 0, DOWN]
    reasons = told(ended(tail, after=FALLING), -2)
    assert (reasons["spring"].pull, reasons["upthrust"].pull) == (SPRING_STRENGTH, -SPRING_STRENGTH)


def test_a_spring_outweighs_the_sign_of_strength_that_follows_it() -> None:
    tail: list[Bar] = [*CROSSED, (106.6, 109.3, 106.5, 109.1), *[(109.1, 109.4, 108.2, 108.9)] * 4]
    market = ended(tail, after=FALLING, volumes=[*[10.0] * 5, LOUD, *[10.0] * 4])

    votes = Wyckoff().vote(window_of(market))

    assert votes.direction[-10:].tolist() == [0, *[UP] * 9]
    assert votes.probability[-9:].tolist() == [0.725] * 8 + [0.6875]


# --- climaxes ---------------------------------------------------------------------------------------------------------

CLIMAX: Bar = (106.0, 106.3, 99.7, 102.0)


def climactic(tail: Sequence[Bar], climax: Bar = CLIMAX, loud: float = 60.0, begun: int = 3) -> tuple[Candles, int]:
    """High ground, a decline, a climax, four waves from bar `begun` of the first on, the tail; and the climax's row."""
    above = sideways(518, level=30.0)
    falling = [(130.0 - 2 * bar, 130.3 - 2 * bar, 127.7 - 2 * bar, 128.0 - 2 * bar) for bar in range(12)]
    rows = [*above, *falling, climax, *sideways(14 * 4 + 1)[begun:], *tail]
    row = len(above) + len(falling)
    return bars(rows, [loud if place == row else 10.0 for place in range(len(rows))]), row


def test_a_climax_that_began_the_range_makes_the_head_surer() -> None:
    sure, row = climactic([SPRUNG, LIFTED])
    found = climaxes(window_of(sure).base)

    assert (found.side.tolist(), found.row.tolist(), found.low.tolist()) == ([0], [row], [CLIMAX[2]])
    assert found.times.tolist() == [6.0]
    assert Wyckoff().vote(window_of(sure)).confidence[-1] == CONFIDENCE + GAIN


@pytest.mark.parametrize(
    ("climax", "loud"),
    [(CLIMAX, 20.0), ((106.0, 106.3, 99.7, 100.0), 60.0), ((103.0, 103.3, 99.7, 102.0), 60.0)],
    ids=["quiet", "closed on its low", "narrow"],
)
def test_a_bar_that_stops_nothing_is_no_climax(climax: Bar, loud: float) -> None:
    plain, _ = climactic([SPRUNG, LIFTED], climax, loud)

    assert len(climaxes(window_of(plain).base)) == 0
    assert Wyckoff().vote(window_of(plain)).confidence[-1] == CONFIDENCE


def test_a_climax_long_before_the_range_has_no_part_in_it() -> None:
    started, _ = climactic([*sideways(14 * 3 + 14)[14:], SPRUNG, LIFTED])

    assert len(climaxes(window_of(started).base)) == 1
    assert Wyckoff().vote(window_of(started)).confidence[-1] == CONFIDENCE


def test_a_climax_above_the_lower_edge_is_not_what_held_the_range() -> None:
    above, row = climactic([SPRUNG, LIFTED], climax=(106.0, 108.8, 103.0, 105.0), begun=11)
    ranged = trading_range(window_of(above).base)

    assert climaxes(window_of(above).base).low.tolist() == [103.0]
    assert len(above) - 1 - row <= ranged.bars[-1] + CLIMAX_SLACK_BARS
    assert Wyckoff().vote(window_of(above)).confidence[-1] == CONFIDENCE


def test_the_last_climax_is_found_in_every_part_of_a_stack() -> None:
    first, row = climactic([SPRUNG, LIFTED])
    second = upside_down(climactic([], loud=80.0)[0])
    window, rows = stacked([Span(window_of(first), 560, 590), Span(window_of(second), 570, 572)], MEMORY)

    low, since, times = last_climax(window.base, np.repeat([0, 1], len(rows)), np.tile(rows, 2))

    assert low[: len(rows)].tolist() == pytest.approx([CLIMAX[2]] * 30 + [np.nan] * 2, nan_ok=True)
    assert low[len(rows) :].tolist() == pytest.approx([np.nan] * 30 + [CLIMAX[2]] * 2, nan_ok=True)
    assert since[:30].tolist() == list(range(560 - row, 590 - row))
    assert times[-2:].tolist() == [8.0, 8.0]


def test_a_climax_is_the_lowest_bar_for_long_and_heavier_than_its_like() -> None:
    base = window_of(BLOCK).base
    high, low, close, volume = (base[name] for name in ("high", "low", "close", "volume"))
    found = [
        row
        for row in range(CLIMAX_LOWEST_BARS, len(base))
        if high[row] - low[row] >= 2.0 * base["atr_14"][row]
        and low[row] <= low[row - CLIMAX_LOWEST_BARS : row].min()
        and close[row] - low[row] >= 0.25 * (high[row] - low[row])
        and volume[row] >= 2.5 * np.median(volume[row - VOLUME_BARS : row])
    ]
    selling = climaxes(base)

    assert len(found) > 0
    assert selling.row[selling.side == 0].tolist() == found


# --- against slow versions --------------------------------------------------------------------------------------------


def range_at(highs_: FloatArray, lows_: FloatArray, begun: FloatArray, atr: float) -> tuple[float, float]:
    for count in range(KEPT, 1, -1):
        highs, lows = sorted(highs_[:count].tolist(), reverse=True), sorted(lows_[:count].tolist())
        width = highs[0] - lows[0]
        tested = highs[0] - highs[1] <= EDGE_SHARE * width and lows[1] - lows[0] <= EDGE_SHARE * width
        if tested and NARROWEST_ATRS * atr <= width <= WIDEST_ATRS * atr and begun[count - 1] >= LEAST_BARS:
            return lows[0], highs[0]
    return np.nan, np.nan


def test_ranges_of_real_candles_are_those_of_a_slow_search() -> None:
    base = window_of(BLOCK).base
    swings = confirmed_swings(base["high"], base["low"], left=SWING_BARS, right=SWING_BARS)
    begun = np.maximum(swings.high.ages, swings.low.ages)
    expected = [
        range_at(swings.high.prices[:, row], swings.low.prices[:, row], begun[:, row], atr)
        for row, atr in enumerate(base["atr_14"].tolist())
    ]
    found = trading_range(base)

    np.testing.assert_array_equal(np.transpose([found.support[0], found.resistance[0]]), expected)
    assert 0.2 < np.isfinite(found.bars).mean() < 0.8


def stands_at(candles: Candles, row: int, floor: float, goal: float, soonest: int, latest: int) -> list[int]:
    """The rows at which an event of the chart stands, found bar by bar."""
    confirmed, rows = None, []
    for later in range(1, len(candles) - row):
        close = candles.close[row + later]
        if close < floor or (confirmed is None and later > latest):
            break
        if confirmed is None and later >= soonest and close > goal:
            confirmed = later
        if confirmed is not None and later - confirmed >= STANDS_BARS:
            break
        if confirmed is not None:
            rows.append(row + later)
    return rows


@pytest.mark.parametrize("turned", [False, True])
def test_events_of_real_candles_stand_as_long_as_a_slow_search_says(turned: bool) -> None:
    candles = upside_down(BLOCK) if turned else BLOCK
    reading = read(window_of(candles).base)
    seen = np.full(len(candles), False)

    assert len(reading.events) > 20
    for event in np.flatnonzero(reading.events.side == 0).tolist():
        rule = (getattr(reading.events, name)[event] for name in ("row", "floor", "goal", "soonest", "latest"))
        rows = stands_at(candles, *rule)
        assert (reading.events.row[event] + 1 + np.flatnonzero(reading.course.stands[event])).tolist() == rows
        seen[rows] = True
    np.testing.assert_array_equal(reading.governs[0] >= 0, seen)


def test_volume_is_told_in_times_the_median_of_the_bars_before() -> None:
    volume, rows = BLOCK.volume, np.arange(len(BLOCK))
    usual = [np.median(volume[row - VOLUME_BARS : row]) if row >= VOLUME_BARS else np.nan for row in rows.tolist()]

    np.testing.assert_array_equal(times_usual(volume, rows), volume / usual)
    assert times_usual(volume, np.empty(0, np.int64)).shape == (0,)


# --- bits -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [600, 777, 1000, 1023])
def test_votes_on_a_prefix_are_the_first_votes_on_the_whole(cut: int) -> None:
    assert_prefix_invariant(Wyckoff(), BLOCK, cut)


def test_every_event_is_known_from_its_own_bar_on() -> None:
    whole = Wyckoff().vote(window_of(BLOCK))

    for row in np.flatnonzero(np.diff(whole.direction) != 0)[::3].tolist():
        assert_prefix_invariant(Wyckoff(), BLOCK, row + 2)


@pytest.mark.parametrize("first", [1, 512, 700, 900, 1023])
def test_votes_do_not_depend_on_where_reading_begins(first: int) -> None:
    whole = Wyckoff().vote(window_of(BLOCK))
    part = Wyckoff().vote(replace(window_of(BLOCK), first=first))

    assert_same_bits(rows_from(part, first), rows_from(whole, first))


def test_the_vote_of_a_bar_that_is_read_alone_is_that_of_the_whole() -> None:
    whole = Wyckoff().vote(window_of(BLOCK))

    for row in range(512, 1024):
        alone = Wyckoff().vote(replace(window_of(BLOCK.rows(slice(0, row + 1))), first=row))
        assert_same_bits(rows_from(alone, row), whole.take(slice(row, row + 1)))


def rows_from(votes: Votes, first: int) -> Votes:
    return votes.take(slice(first, None))


@pytest.mark.parametrize("stop", [1024, 1000, 871])
def test_votes_on_stacked_rows_are_those_of_each_window(stop: int) -> None:
    windows = [window_of(BLOCK), window_of(upside_down(BLOCK, 90_000.0)), window_of(ended([SPRUNG, LIFTED], after=574))]
    spans = [Span(windows[0], 700, stop), Span(windows[1], 600, 1024), Span(windows[2], 575, 576)]
    window, rows = stacked(spans, MEMORY)

    together = Wyckoff().vote(window).take(rows)

    alone = [Wyckoff().vote(each.window).take(slice(each.start, each.stop)) for each in spans]
    assert_same_bits(together, Votes.concatenate(alone))
    assert alone[2].direction.tolist() == [UP]


def test_mirrored_prices_mirror_the_vote_to_the_bit() -> None:
    straight, turned = (Wyckoff().vote(window_of(candles)) for candles in (BLOCK, upside_down(BLOCK)))

    np.testing.assert_array_equal(straight.direction, -turned.direction)
    assert straight.probability.tobytes() == turned.probability.tobytes()
    assert straight.confidence.tobytes() == turned.confidence.tobytes()


@pytest.mark.parametrize("names", [("open", "high", "low", "close"), ("volume",)])
def test_another_unit_changes_no_bit(names: tuple[str, ...]) -> None:
    scaled = replace(BLOCK, **{name: 1024.0 * getattr(BLOCK, name) for name in names})

    assert_same_bits(Wyckoff().vote(window_of(BLOCK)), Wyckoff().vote(window_of(scaled)))


def flat(volume: float) -> Candles:
    return bars([(100.0, 100.0, 100.0, 100.0)] * 700, [volume] * 700)


@pytest.mark.parametrize("candles", [flat(10.0), flat(0.0), bars([REST], [1.0])], ids=["flat", "untraded", "one bar"])
def test_a_market_that_does_not_move_has_no_vote(candles: Candles) -> None:
    assert not Wyckoff().vote(window_of(candles)).awake.any()


def test_without_volume_a_spring_still_votes_and_a_sign_of_strength_does_not() -> None:
    spring = ended([SPRUNG, LIFTED], after=FALLING)
    sign = ended([STRONG, *[HELD] * 5], after=RISING)

    for candles, sides in ((spring, [0, UP]), (sign, [0] * 6)):
        untraded = replace(candles, volume=np.zeros(len(candles)))
        assert Wyckoff().vote(window_of(untraded)).direction[-len(sides) :].tolist() == sides


def test_a_market_with_holes_is_read_bar_by_bar() -> None:
    kept = np.r_[0:300, 340:700, 705:1024]
    holed = Candles(*(getattr(BLOCK, name)[kept] for name in Candles.__dataclass_fields__))

    votes = Wyckoff().vote(window_of(holed))

    assert votes.awake.any()
    assert not votes.awake[~window_of(holed).base.ready].any()


def test_inputs_stay_as_they_were() -> None:
    assert_inputs_untouched(Wyckoff(), BLOCK)


# --- real candles -----------------------------------------------------------------------------------------------------


def test_it_votes_neither_always_nor_never() -> None:
    votes = Wyckoff().vote(window_of(BLOCK))

    assert 0.003 < votes.awake[window_of(BLOCK).base.ready].mean() < 0.3
    assert {-1, 1} <= set(votes.direction.tolist())


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
@pytest.mark.parametrize("coin", ["BTC", "ETH", "ADA"])
def test_it_votes_now_and_then_on_every_market(coin: str, timeframe: str) -> None:
    candles = shared_bars(f"spot_1m/2023-03-16_2023-05-01/{coin}USDT-1m.csv.gz")
    frame = Frame(TIMEFRAMES[timeframe], resample(candles, TIMEFRAMES[timeframe]))
    votes = Wyckoff().vote(replace(window_of(candles), base=frame))

    assert 0.003 < votes.awake[frame.ready].mean() < 0.3


# --- reasons ----------------------------------------------------------------------------------------------------------


def told(candles: Candles, row: int = -1) -> dict[str, Reason]:
    reasons = Wyckoff().explain(window_of(candles), row % len(candles))
    return {reason.name: reason for reason in reasons}


def test_a_confirmed_spring_is_told_with_its_depth() -> None:
    reasons = told(ended([SPRUNG, LIFTED], after=FALLING))

    assert reasons["spring"].pull == SPRING_STRENGTH
    assert reasons["spring"].value == pytest.approx(0.8 / 1.65, abs=0.03)
    assert reasons["phase"] == Reason("phase", 4.0, 0.0)


def test_a_spring_that_waits_is_seen_and_pulls_nowhere() -> None:
    for tail in ([SPRUNG], [SPRUNG, REST]):
        reasons = told(ended(tail, after=FALLING))

        assert reasons["spring"].pull == 0.0
        assert reasons["phase"].value == 3.0


def test_a_spring_that_failed_is_told_no_more() -> None:
    assert "spring" not in told(ended([SPRUNG, LOST], after=FALLING))


def test_a_sign_of_weakness_is_told_with_its_volume() -> None:
    tail: list[Bar] = [(101.0, 101.1, 98.0, 98.2), *[(98.2, 99.2, 97.9, 98.5)] * 3]
    market = ended(tail, after=FALLING, volumes=volumes_of(tail))

    assert told(market, -2)["sign_of_weakness"] == Reason("sign_of_weakness", 3.0, 0.0)
    assert told(market, -2)["phase"].value == 4.0
    assert told(market)["sign_of_weakness"] == Reason("sign_of_weakness", 3.0, -SIGN_STRENGTH)
    assert told(market)["phase"].value == 5.0


def test_company_is_told_with_what_it_adds() -> None:
    climactic_, row = climactic([SPRUNG, REST, LIFTED])
    volume = climactic_.volume.copy()
    volume[-3:] = 15.0, 10.0, 10.0
    reasons = told(replace(climactic_, volume=volume))

    assert reasons["selling_climax"] == Reason("selling_climax", 6.0, GAIN)
    assert reasons["test"] == Reason("test", 1.0, GAIN)
    assert told(climactic_, row + 3)["phase"].value == 1.0
    assert told(climactic_, row + PHASE_A_BARS - 1)["selling_climax"] == Reason("selling_climax", 6.0, 0.0)
    assert "selling_climax" not in told(climactic_, row + PHASE_A_BARS)


def test_effort_without_result_is_told_where_the_head_is_silent() -> None:
    market = ended([(101.0, 101.1, 100.0, 100.7), REST], after=FALLING, volumes=[10.0, 50.0])

    assert told(market)["effort_at_support"] == Reason("effort_at_support", 5.0, GAIN)
    assert told(upside_down(market))["effort_at_resistance"] == Reason("effort_at_resistance", 5.0, -GAIN)
    assert told(market)["phase"].value == 2.0
    assert told(market)["place_in_range"].value == pytest.approx(0.7 / 7.6)


def test_volume_far_below_support_is_no_effort_at_it() -> None:
    tail: list[Bar] = [(101.0, 101.1, 97.5, 97.8), (97.8, 98.1, 97.4, 97.8)]

    assert "effort_at_support" not in told(ended(tail, after=FALLING, volumes=[10.0, 50.0]))


def test_reasons_are_those_behind_the_vote_and_keep_their_bounds() -> None:
    window = window_of(BLOCK)
    votes = Wyckoff().vote(window)

    for row in range(512, 1024, 7):
        reasons = Wyckoff().explain(window, row)
        pulls = [reason.pull for reason in reasons]
        assert len(reasons) <= MOST_REASONS
        assert len({reason.name for reason in reasons}) == len(reasons)
        assert {reason.name for reason in reasons} <= set(Wyckoff.inputs)
        assert all(-1 <= pull <= 1 for pull in pulls)
        if votes.direction[row]:
            assert np.sign(sum(pulls)) == votes.direction[row]
            assert 0.5 + 0.25 * max(map(abs, pulls)) == votes.probability[row]
