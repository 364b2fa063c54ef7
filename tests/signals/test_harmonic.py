"""Each pattern at the bar where a reader of Carney's books marks D, silence around it, and its mirror for shorts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import TIMEFRAMES, Candles, FloatArray, Timeframe, resample
from signals.frame import Frame
from signals.heads.base import MOST_REASONS, Votes
from signals.heads.harmonic import (
    AGREE_GAIN,
    LEAST_CONFIDENCE,
    LEAST_PROBABILITY,
    LEG_BARS,
    NAMES,
    NEAR_GAIN,
    PATTERNS,
    RATIOS,
    SWING_BARS,
    TOLERANCE,
    Harmonic,
    legs_at,
    read,
    strain_of,
)
from signals.window import Span, Window, stacked
from tests.signals.frames import bars, recording
from tests.signals.head_windows import (
    assert_inputs_untouched,
    assert_prefix_invariant,
    assert_same_bits,
    recorded,
    upside_down,
    window_of,
)
from tests.signals.head_windows import bars as whole_bars
from tests.signals.test_zigzag import drawn_by_hand

# The same timeframe with a small block, so that a chart made by hand is ready soon.
FAST = Timeframe("15m", 15, 16)
LEG = 12  # bars a leg, enough to confirm the turns at both its ends
X, XA = 2000.0, 1000.0
BLOCK = recorded().rows(slice(0, 1024))

# Carney's ratios: B of XA, C of AB, D of XA and BC's projection; for AB=CD D is CD of AB.
BOOK = {
    "gartley": ((0.618, 0.618), (0.382, 0.886), 0.786, (1.13, 1.618)),
    "butterfly": ((0.786, 0.786), (0.382, 0.886), 1.27, (1.618, 2.24)),
    "bat": ((0.382, 0.50), (0.382, 0.886), 0.886, (1.618, 2.618)),
    "crab": ((0.382, 0.618), (0.382, 0.886), 1.618, (2.24, 3.618)),
    "abcd": (None, (0.382, 0.886), 1.0, (1.13, 2.618)),
}


@dataclass(frozen=True)
class Shape:
    """The turns of a chart by ratio; `d` is AD of XA."""

    b: float
    c: float
    d: float

    @property
    def turns(self) -> list[float]:
        """Prices at X, A, B and C."""
        a = X + XA
        return [X, a, a - self.b * XA, a - self.b * XA + self.c * self.b * XA]

    @property
    def end(self) -> float:
        return X + XA - self.d * XA


def projected(b: float, d: float, bc: float) -> Shape:
    """The shape whose C is such that CD is `bc` times BC."""
    return Shape(b, (d - b) / (b * (bc - 1.0)), d)


def equal_legs(b: float, c: float, times: float = 1.0) -> Shape:
    """The shape whose CD is `times` AB."""
    return Shape(b, c, b * (1.0 - c + times))


IDEAL = {
    "gartley": projected(0.618, 0.786, 1.5),
    "butterfly": projected(0.786, 1.27, 2.0),
    "bat": projected(0.45, 0.886, 2.2),
    "crab": projected(0.618, 1.618, 3.2),
    "abcd": equal_legs(0.30, 0.618),
}


def stairs(turns: Sequence[float]) -> FloatArray:
    """Closes that run straight from turn to turn, LEG bars each."""
    legs = [np.linspace(start, end, LEG, endpoint=False) for start, end in pairwise(turns)]
    return np.concatenate([*legs, turns[-1:]])


def chart(shape: Shape, closes: Sequence[float]) -> Candles:
    """A fall to X, the legs to C, then these closes."""
    return bars(np.concatenate((stairs([X + 0.7 * XA, *shape.turns]), closes)), FAST)


C_BAR = 4 * LEG
FALL = 6  # bars from C towards B, which confirm C and reach no zone


def falling(shape: Shape, *after: float) -> Candles:
    """The chart on which price falls from C nearly to B, and then closes at these prices."""
    *_, b, c = shape.turns
    return chart(shape, [*np.linspace(c, b + 0.1 * (c - b), FALL + 1)[1:].tolist(), *after])


def voted(candles: Candles) -> Votes:
    return Harmonic().vote(window_of_fast(candles))


def window_of_fast(candles: Candles) -> Window:
    return Window(Frame(FAST, candles), {}, {})


def sides(candles: Candles) -> list[int]:
    """The directions of the bars after C."""
    return voted(candles).direction[C_BAR + 1 :].tolist()


def held(candles: Candles) -> list[str]:
    """The patterns that hold at the last bar."""
    frame, rows = Frame(FAST, candles), np.array([len(candles) - 1])
    return [NAMES[each] for each in np.flatnonzero(read(frame, rows, legs_at(frame, rows)).held[:, 0]).tolist()]


def test_the_ratios_are_those_of_the_book() -> None:
    table = {each.name: (each.b, each.c, each.d[0], each.bc) for each in PATTERNS}

    assert table == BOOK
    assert all(each.d[0] == each.d[1] for each in PATTERNS)
    assert TOLERANCE == 0.05


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_is_bought_where_its_last_leg_ends_and_not_before(name: str) -> None:
    candles = falling(IDEAL[name], IDEAL[name].end)

    assert held(candles) == [name]
    assert sides(candles) == [0] * FALL + [1]


@pytest.mark.parametrize("name", NAMES)
def test_a_pattern_upside_down_is_sold(name: str) -> None:
    candles = upside_down(falling(IDEAL[name], IDEAL[name].end), 8000.0)

    assert held(candles) == [name]
    assert sides(candles) == [0] * FALL + [-1]


def test_without_x_there_is_still_ab_equal_to_cd() -> None:
    a, b, c = 3000.0, 2700.0, 2885.4
    fall = np.linspace(c, b, FALL + 1, endpoint=False)[1:].tolist()
    candles = bars(np.concatenate((stairs([2600.0, a, b, c]), fall, [c - (a - b)])), FAST)

    assert held(candles) == ["abcd"]
    assert voted(candles).direction[-2:].tolist() == [0, 1]


FIVE_POINTS = [name for name in NAMES if name != "abcd"]
EDGES = [(0.999, True), (1.001, False)]


def edge(bound: float, upper: bool, share: float) -> float:
    """A figure `share` of the tolerance beyond a bound."""
    return bound * (1.0 + TOLERANCE * share if upper else 1.0 - TOLERANCE * share)


# With B at .382 the Crab's BC would have to be projected further than its table allows.
B_EDGES = [(name, upper) for name in FIVE_POINTS for upper in (True, False) if (name, upper) != ("crab", False)]
# A projection of BC with which C stays between .382 and .886 of AB wherever B is.
PROJECTED = {"gartley": 1.5, "butterfly": 2.0, "bat": 2.6, "crab": 3.2}


@pytest.mark.parametrize(("share", "inside"), EDGES)
@pytest.mark.parametrize(("name", "upper"), B_EDGES)
def test_b_may_be_five_percent_off(name: str, upper: bool, share: float, inside: bool) -> None:
    bound = BOOK[name][0]
    assert bound is not None
    shape = projected(edge(bound[upper], upper, share), BOOK[name][2], PROJECTED[name])

    assert (name in held(falling(shape, shape.end))) is inside


@pytest.mark.parametrize(("share", "inside"), EDGES)
@pytest.mark.parametrize("name", FIVE_POINTS)
def test_c_may_be_five_percent_beyond_its_upper_bound(name: str, share: float, inside: bool) -> None:
    shape = replace(IDEAL[name], c=edge(0.886, True, share))

    assert (name in held(falling(shape, shape.end))) is inside


@pytest.mark.parametrize(("share", "inside"), EDGES)
@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("name", FIVE_POINTS)
def test_d_may_be_five_percent_off(name: str, upper: bool, share: float, inside: bool) -> None:
    shape = replace(IDEAL[name], d=edge(BOOK[name][2], upper, share))

    assert (name in held(falling(shape, shape.end))) is inside


@pytest.mark.parametrize(("share", "inside"), EDGES)
@pytest.mark.parametrize("upper", [True, False])
def test_cd_may_be_five_percent_longer_or_shorter_than_ab(upper: bool, share: float, inside: bool) -> None:
    shape = equal_legs(0.30, 0.618, edge(1.0, upper, share))

    assert (held(falling(shape, shape.end)) == ["abcd"]) is inside


@pytest.mark.parametrize(("share", "inside"), EDGES)
@pytest.mark.parametrize("name", FIVE_POINTS)
def test_the_projection_of_bc_may_be_five_percent_longer(name: str, share: float, inside: bool) -> None:
    ideal = IDEAL[name]
    shape = projected(ideal.b, ideal.d, edge(BOOK[name][3][1], True, share))

    assert (name in held(falling(shape, shape.end))) is inside


@pytest.mark.parametrize(("share", "inside"), EDGES)
@pytest.mark.parametrize("upper", [True, False])
@pytest.mark.parametrize("ratio", range(4))
@pytest.mark.parametrize("name", NAMES)
def test_each_ratio_by_itself_has_its_tolerance(name: str, ratio: int, upper: bool, share: float, inside: bool) -> None:
    b, c, d, bc = BOOK[name]
    asked = [b, c, (d, d), bc]
    bound = asked[ratio]
    middle = [0.5 if each is None else (each[0] + each[1]) / 2 for each in asked]
    if bound is not None:
        middle[ratio] = edge(bound[upper], upper, share)
    ratios = np.array(middle)[:, None, None] * np.ones((1, len(NAMES), 1))

    strain = strain_of(ratios)[:, NAMES.index(name), 0]

    assert bool((strain <= 1.0).all()) is (inside or bound is None)
    assert strain[[each for each in range(4) if each != ratio]].tolist() == [0.0, 0.0, 0.0]


def test_nothing_is_said_before_c_is_confirmed_nor_once_d_is() -> None:
    shape = IDEAL["gartley"]
    # Two bars after C price is in the zone already, and stays there.
    candles = chart(shape, [shape.turns[2], *[shape.end] * 10])

    assert sides(candles) == [*[0] * (SWING_BARS - 1), 1, 1, *[0] * (10 - SWING_BARS)]


def test_the_vote_lasts_as_long_as_price_is_in_the_zone() -> None:
    shape = IDEAL["bat"]
    above, top, bottom = (X + XA - share * 0.886 * XA for share in (0.94, 0.96, 1.04))

    assert sides(falling(shape, above, top, bottom, top, above)) == [0] * (FALL + 1) + [1, 1, 1, 0]


def test_a_wick_through_the_zone_breaks_nothing() -> None:
    shape = IDEAL["bat"]
    candles = falling(shape, shape.end, shape.end)
    low = candles.low.copy()
    low[-2] = X - 0.2 * XA

    assert sides(replace(candles, low=low))[-2:] == [1, 1]


def test_a_close_beyond_the_zone_ends_the_pattern_for_good() -> None:
    shape = IDEAL["bat"]
    beyond = X + XA - 1.06 * 0.886 * XA

    assert sides(falling(shape, shape.end, beyond, shape.end)) == [0] * FALL + [1, 0, 0]


def test_a_close_beyond_the_zone_counts_before_c_is_confirmed_too() -> None:
    shape = IDEAL["bat"]
    beyond = X + XA - 1.06 * 0.886 * XA

    assert sides(chart(shape, [beyond, *[shape.end] * 10])) == [0] * 11


def test_price_beyond_c_ends_the_pattern() -> None:
    shape = IDEAL["gartley"]
    candles = falling(shape, shape.end, shape.end)
    high = candles.high.copy()
    high[-2] = shape.turns[3] + 1.0

    assert sides(candles)[-2:] == [1, 1]
    assert sides(replace(candles, high=high))[-2:] == [0, 0]


def test_a_leg_that_takes_too_long_is_none() -> None:
    shape = IDEAL["gartley"]
    # A slow fall makes no swing, so C stays the last pivot.
    *_, b, c = shape.turns
    for legs, side in ((LEG_BARS, 1), (LEG_BARS + 1, 0)):
        slow = np.linspace(c, b, legs)[1:].tolist()
        assert sides(chart(shape, [*slow, shape.end]))[-1] == side


def test_nothing_is_said_before_the_window_is_ready() -> None:
    shape = IDEAL["gartley"]
    candles = falling(shape, shape.end)
    later = Timeframe("15m", 15, len(candles) + 1)

    assert not Harmonic().vote(Window(Frame(later, candles), {}, {})).awake.any()


def test_ratios_met_to_the_point_state_more_than_those_at_the_edge() -> None:
    edge_of_d = replace(IDEAL["bat"], d=edge(0.886, True, 0.999))
    near, far = (voted(falling(shape, shape.end)) for shape in (IDEAL["bat"], edge_of_d))

    assert near.probability[-1] == pytest.approx(LEAST_PROBABILITY + NEAR_GAIN)
    assert near.confidence[-1] == pytest.approx(1.0)
    # One of four rules at its edge takes a quarter away.
    assert far.probability[-1] == pytest.approx(LEAST_PROBABILITY + NEAR_GAIN * 0.75, abs=1e-3)
    assert far.confidence[-1] == pytest.approx(LEAST_CONFIDENCE + (1 - LEAST_CONFIDENCE) * 0.75, abs=1e-3)


def test_two_patterns_that_end_together_state_more_than_one() -> None:
    # AB = CD inside a Gartley: C such that both end at .786 of XA.
    shape = equal_legs(0.618, 1.0 - (0.786 - 0.618) / 0.618)
    candles = falling(shape, shape.end)

    assert held(candles) == ["gartley", "abcd"]
    assert voted(candles).probability[-1] == pytest.approx(LEAST_PROBABILITY + NEAR_GAIN + AGREE_GAIN)


def reach(bound: tuple[float, float]) -> tuple[float, float]:
    return bound[0] * (1 - TOLERANCE), bound[1] * (1 + TOLERANCE)


def side_by_hand(line: list[tuple[int, float, int]], candles: Candles, now: int) -> int:
    """The vote at a bar from the zones in prices, for the pivots that are known there."""
    if len(line) < 3 or now - line[-1][2] > LEG_BARS:
        return 0
    side, since = line[-1][0], slice(line[-1][2] + 1, now + 1)
    c, b, a, *x = (side * price for _, price, _ in line[::-1][:4])
    closes = (side * candles.close[since]).tolist()
    if max((candles.high if side > 0 else -candles.low)[since]) > c:
        return 0
    for b_of_xa, c_of_ab, d, bc in BOOK.values():
        if b_of_xa is not None and (not x or not is_within((a - b) / (a - x[0]), b_of_xa)):
            continue
        if not is_within((c - b) / (a - b), c_of_ab):
            continue
        start, leg = (c, a - b) if b_of_xa is None else (a, a - x[0])
        zone = [start - times * leg for times in reach((d, d))], [c - times * (c - b) for times in reach(bc)]
        top, bottom = min(each[0] for each in zone), max(each[1] for each in zone)
        if bottom <= closes[-1] <= top and min(closes) >= bottom:
            return side
    return 0


def is_within(value: float, bound: tuple[float, float]) -> bool:
    return reach(bound)[0] <= value <= reach(bound)[1]


@pytest.mark.parametrize("symbol", ["BTCUSDT", "ADAUSDT"])
def test_votes_on_real_candles_are_those_of_a_reading_bar_by_bar(symbol: str) -> None:
    candles = resample(recording()[symbol], TIMEFRAMES["5m"]).rows(slice(0, 5000))
    frame = Frame(TIMEFRAMES["5m"], candles)
    lines = drawn_by_hand(candles.high.tolist(), candles.low.tolist(), SWING_BARS, SWING_BARS)

    found = Harmonic().vote(Window(frame, {}, {})).direction.tolist()

    ready = np.flatnonzero(frame.ready).tolist()
    assert [found[now] for now in ready] == [side_by_hand(lines[now], candles, now) for now in ready]
    assert {-1, 0, 1} == set(found)


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
@pytest.mark.parametrize("symbol", ["BTCUSDT", "ETHUSDT", "ADAUSDT"])
def test_it_votes_neither_always_nor_never(symbol: str, timeframe: str) -> None:
    window = window_of(resample(recording()[symbol], TIMEFRAMES[timeframe]), timeframe)

    assert 0.0005 < Harmonic().vote(window).awake[window.base.ready].mean() < 0.6


@settings(max_examples=15)
@given(cut=st.integers(1, 1024))
def test_votes_on_a_prefix_are_the_first_votes_on_the_whole(cut: int) -> None:
    assert_prefix_invariant(Harmonic(), BLOCK, cut)


@settings(max_examples=15)
@given(first=st.integers(0, 1023))
def test_votes_are_the_same_from_whatever_row_they_are_read(first: int) -> None:
    window = window_of(BLOCK)

    whole, part = Harmonic().vote(window), Harmonic().vote(replace(window, first=first))

    assert len(part.direction) == len(window)
    assert_same_bits(*(Votes(*(vars(votes)[name][first:] for name in vars(votes))) for votes in (whole, part)))


def test_votes_on_stacked_rows_are_those_of_each_window() -> None:
    windows = [window_of(BLOCK), window_of(upside_down(BLOCK, 90_000.0)), window_of(BLOCK)]
    spans = [Span(windows[0], 500, 1024), Span(windows[1], 1023, 1024), Span(windows[2], 3, 900)]
    window, rows = stacked(spans, LEG_BARS)

    together = Harmonic().vote(window).take(rows)

    alone = [Harmonic().vote(each) for each in windows]
    for column in ("direction", "probability", "confidence"):
        parts = [getattr(votes, column)[span.start : span.stop] for votes, span in zip(alone, spans, strict=True)]
        assert getattr(together, column).tobytes() == np.concatenate(parts).tobytes()
    assert together.awake.any()


def test_mirrored_prices_mirror_the_vote_to_the_bit() -> None:
    straight, turned = (Harmonic().vote(window_of(candles)) for candles in (BLOCK, upside_down(BLOCK)))

    np.testing.assert_array_equal(straight.direction, -turned.direction)
    assert straight.probability.tobytes() == turned.probability.tobytes()
    assert straight.confidence.tobytes() == turned.confidence.tobytes()


def test_another_unit_of_price_changes_no_bit() -> None:
    columns = {name: 1024.0 * getattr(BLOCK, name) for name in ("open", "high", "low", "close")}

    straight, scaled = (Harmonic().vote(window_of(candles)) for candles in (BLOCK, replace(BLOCK, **columns)))

    assert_same_bits(straight, scaled)


def flat(volume: float) -> Candles:
    return whole_bars([(100.0, 100.0, 100.0, 100.0)] * 700, [volume] * 700)


@pytest.mark.parametrize(
    "candles",
    [flat(10.0), flat(0.0), whole_bars([(9.0, 9.5, 8.5, 9.0)], [1.0]), BLOCK.rows(slice(0, 0))],
    ids=["flat", "untraded", "one bar", "no bar"],
)
def test_a_market_that_does_not_move_has_no_vote(candles: Candles) -> None:
    assert not Harmonic().vote(window_of(candles)).awake.any()


def test_a_market_with_gaps_is_read_without_a_warning() -> None:
    steps = np.where(np.arange(1024) % 7 == 0, 40.0, -6.0).cumsum() + np.where(np.arange(1024) % 50 < 25, 900.0, 0.0)
    prices = 2000.0 + steps
    gapped = replace(BLOCK, open=prices, high=prices + 3.0, low=prices - 3.0, close=prices, volume=np.zeros(1024))

    votes = Harmonic().vote(window_of(gapped))

    assert np.isfinite(votes.probability[votes.awake]).all()


def test_inputs_stay_as_they_were() -> None:
    assert_inputs_untouched(Harmonic(), BLOCK)


def test_reasons_name_the_pattern_and_its_ratios() -> None:
    shape = IDEAL["gartley"]
    candles = falling(shape, shape.end)

    reasons = {reason.name: reason for reason in Harmonic().explain(window_of_fast(candles), len(candles) - 1)}

    assert {name: reason.value for name, reason in reasons.items()} == {
        "gartley": pytest.approx(0.786),
        "b_of_xa": pytest.approx(0.618),
        "c_of_ab": pytest.approx(shape.c),
        "cd_of_bc": pytest.approx(1.5),
    }
    assert reasons["gartley"].pull == pytest.approx(1.0)
    assert reasons["b_of_xa"].pull == pytest.approx(0.25)


def test_where_it_is_silent_the_ratios_are_told_and_pull_nowhere() -> None:
    candles = falling(IDEAL["gartley"])

    reasons = Harmonic().explain(window_of_fast(candles), len(candles) - 1)

    assert {reason.name for reason in reasons} == set(RATIOS)
    assert {reason.pull for reason in reasons} == {0.0}
    assert Harmonic().explain(window_of_fast(candles), 3) == ()


def test_reasons_pull_the_way_of_the_vote() -> None:
    window = window_of(resample(recording()["ADAUSDT"], TIMEFRAMES["5m"]), "5m")
    votes = Harmonic().vote(window)

    for row in np.flatnonzero(votes.awake).tolist():
        reasons = Harmonic().explain(window, row)
        assert {reason.name for reason in reasons} <= set(Harmonic.inputs)
        assert len(reasons) <= MOST_REASONS
        assert all(abs(reason.pull) <= 1.0 for reason in reasons)
        assert {np.sign(reason.pull) for reason in reasons if reason.pull} == {votes.direction[row]}
    assert votes.awake.any()
