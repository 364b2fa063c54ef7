"""The structure head on hand-made stairs, against a bar-by-bar reading, on real candles, upside down and cut short."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import TIMEFRAMES, Candles, FloatArray, Timeframe, resample
from signals.frame import Frame
from signals.heads.base import Votes
from signals.heads.structure import FRESH_BARS, SWING_BARS, Structure, place_in_range, read, screens
from signals.window import Window
from tests.signals.frames import bars, live_window, mirrored, recording, replayed, scaled

# The same three timeframes with small blocks, so that stairs made by hand are ready soon.
FAST, MIDDLE, SLOW = Timeframe("15m", 15, 16), Timeframe("1h", 60, 8), Timeframe("4h", 240, 4)
LEG = 128  # bars of 15m, eight of 4h: enough to confirm every turn on all three
SYMBOLS = ("BTCUSDT", "ETHUSDT", "DOGEUSDT")


def stairs(turns: list[float], leg: int = LEG) -> FloatArray:
    """Closes that run straight from turn to turn, `leg` bars each."""
    legs = [np.linspace(start, end, leg, endpoint=False) for start, end in pairwise(turns)]
    return np.concatenate([*legs, turns[-1:]])


# Each high and each low is higher than the one before, and each fall gives back more than half of the range.
RISE = stairs([1000, 2000, 1200, 2400, 1500, 3000, 1900, 4000])


def window_of(closes: FloatArray, contexts: tuple[Timeframe, ...] = (MIDDLE, SLOW)) -> Window:
    return window_from(bars(closes, FAST), contexts)


def window_from(candles: Candles, contexts: tuple[Timeframe, ...] = (MIDDLE, SLOW)) -> Window:
    slower = {context.name: Frame(context, resample(candles, context)) for context in contexts}
    return Window(Frame(FAST, candles), slower, {})


def at(leg: int, share: float) -> int:
    """The bar `share` of the way along a leg of the stairs."""
    return int(LEG * (leg + share))


def assert_same_votes(found: Votes, expected: Votes, sign: int = 1) -> None:
    np.testing.assert_array_equal(found.direction, sign * expected.direction)
    np.testing.assert_array_equal(found.probability, expected.probability)
    np.testing.assert_array_equal(found.confidence, expected.confidence)


def test_higher_highs_and_lows_with_a_break_up_are_a_full_trend() -> None:
    reading = read(Frame(FAST, bars(RISE, FAST)))

    assert reading.trend[-1] == 1.0
    assert np.isnan(reading.trend[: at(3, 0)]).all()  # two swings of each kind have not been seen before


def test_the_first_close_through_a_high_in_a_rise_is_a_break_of_structure() -> None:
    reading = read(Frame(FAST, bars(RISE, FAST)))

    broken = np.flatnonzero(reading.continued)
    # The first break, of 2000, has nothing to continue; those of 2400 and 3000 do.
    assert broken.tolist() == [int(np.argmax(RISE > 2400)), int(np.argmax(RISE > 3000))]
    assert not reading.turned.any()


def test_a_close_under_the_last_low_of_a_rise_changes_its_character() -> None:
    closes = stairs([1000, 2000, 1200, 2400, 1500, 3000, 1000])

    reading = read(Frame(FAST, bars(closes, FAST)))

    fall = at(5, 0)
    turned = np.flatnonzero(reading.turned)
    assert turned.tolist() == [fall + int(np.argmax(closes[fall:] < 1500))]
    assert reading.turned[turned[0]] == -1.0
    assert (reading.trend[turned[0] - 1], reading.trend[turned[0]]) == (1.0, 0.0)


def test_a_wick_through_a_level_breaks_nothing() -> None:
    candles = bars(stairs([1000, 2000, 1200, 2400, 1500, 2300]), FAST)
    wicked = candles.high.copy()
    wicked[at(4, 0.9)] = 2600.0

    reading = read(Frame(FAST, bars(candles.close, FAST, high=wicked, low=candles.low)))

    assert not reading.continued.any()
    assert not reading.turned.any()


def test_a_pullback_into_discount_is_bought() -> None:
    votes = Structure().vote(window_of(RISE))

    in_premium, in_discount = at(5, 0.35), at(5, 0.9)
    assert votes.direction[in_premium] == 0
    assert votes.direction[in_discount] == 1


def test_all_timeframes_aligned_in_the_right_zone_score_highest() -> None:
    window = window_of(RISE)
    votes = Structure().vote(window)

    pullback = at(5, 0.9)
    assert votes.probability[pullback] == pytest.approx(0.70)
    assert votes.confidence[pullback] == 1.0
    break_out = int(np.argmax(RISE > 3000))
    assert votes.direction[break_out] == 1
    assert votes.probability[break_out] == pytest.approx(0.65)
    assert votes.confidence[break_out] == pytest.approx(0.60)


def test_a_break_is_news_for_a_few_bars_only() -> None:
    votes = Structure().vote(window_of(RISE))

    break_out = int(np.argmax(RISE > 3000))
    assert (votes.direction[break_out : break_out + FRESH_BARS + 1] == 1).all()
    assert votes.direction[break_out + FRESH_BARS + 1] == 0


def test_a_fall_is_sold_where_a_rise_is_bought() -> None:
    candles = bars(RISE, FAST)

    rise, fall = (Structure().vote(window_from(market)) for market in (candles, mirrored(candles, 8192.0)))

    assert rise.awake.any()
    assert_same_votes(fall, rise, sign=-1)


def test_one_timeframe_alone_has_no_opinion() -> None:
    assert not Structure().vote(window_of(RISE, contexts=())).awake.any()


def test_a_context_that_is_not_ready_does_not_count() -> None:
    unready = Timeframe("1h", 60, 10_000)

    assert not Structure().vote(window_of(RISE, contexts=(unready,))).awake.any()


def test_a_context_without_bars_does_not_count() -> None:
    window = window_of(RISE, contexts=(SLOW,))
    empty = Frame(MIDDLE, resample(bars(np.empty(0), FAST), MIDDLE))

    votes = Structure().vote(Window(window.base, {"1h": empty, "4h": window.context["4h"]}, {}))

    assert_same_votes(votes, Structure().vote(window))
    assert votes.awake.any()


def test_a_bar_that_is_not_ready_has_no_vote() -> None:
    late = Timeframe("15m", 15, at(6, 0))
    window = window_of(RISE)

    votes = Structure().vote(Window(Frame(late, window.base.candles), window.context, {}))

    assert not votes.awake[: at(6, 0) - 1].any()
    assert votes.awake.any()


def test_two_timeframes_are_enough() -> None:
    assert Structure().vote(window_of(RISE, contexts=(SLOW,))).direction[at(5, 0.9)] == 1


def test_only_timeframes_slower_than_the_base_are_read() -> None:
    candles = bars(RISE, FAST)
    context = {frame.name: Frame(frame, resample(candles, frame)) for frame in (SLOW, MIDDLE)}

    chosen = screens(Window(Frame(MIDDLE, resample(candles, MIDDLE)), context, {}))

    assert [frame.timeframe.name for frame in chosen] == ["1h", "4h"]


def test_slower_timeframes_that_disagree_silence_the_faster() -> None:
    """The last quarter falls on 15m stairs of its own, inside a rise that the slower timeframes see."""
    down = stairs([4000, 3700, 3850, 3500, 3650, 3300, 3450, 3100], leg=16)
    closes = np.concatenate((RISE[:-1], down))

    votes = Structure().vote(window_of(closes))

    base = read(Frame(FAST, bars(closes, FAST)))
    falling = np.flatnonzero(base.trend == -1.0)
    assert len(falling)
    assert not (votes.direction[falling] == -1).any()


def test_the_place_in_the_range_runs_from_minus_one_to_one() -> None:
    window = window_of(RISE)
    frames = screens(window)[1:]

    place = place_in_range(window, frames, [read(frame) for frame in frames])

    # On the last fall the range of 1h is that of its confirmed turns at 1500 and 3000.
    expected = (2 * RISE - 3000 - 1500) / 1500
    for share in (0.5, 0.7, 0.95):
        assert place[at(5, share)] == pytest.approx(expected[at(5, share)], abs=0.02)


def read_bar_by_bar(candles: Candles) -> tuple[list[float], list[float], list[float]]:
    """trend, continued and turned by the words of the definitions, with nothing but loops."""
    highs, lows, side = [], [], 0.0
    trend, continued, turned = [], [], []
    up_before = down_before = None
    for bar in range(len(candles)):
        middle = bar - SWING_BARS
        if middle >= SWING_BARS:
            before, after = range(middle - SWING_BARS, middle), range(middle + 1, bar + 1)
            top, bottom = candles.high[middle], candles.low[middle]
            if all(candles.high[i] < top for i in before) and all(candles.high[i] <= top for i in after):
                highs.append(top)
            if all(candles.low[i] > bottom for i in before) and all(candles.low[i] >= bottom for i in after):
                lows.append(bottom)
        up = bool(highs and candles.close[bar] > highs[-1])
        down = bool(lows and candles.close[bar] < lows[-1])
        broke = 1.0 if up and up_before is False else -1.0 if down and down_before is False else 0.0
        continued.append(broke if broke == side else 0.0)
        turned.append(broke if broke == -side else 0.0)
        side = broke or side
        up_before, down_before = up, down
        if len(highs) < 2 or len(lows) < 2:
            trend.append(np.nan)
        else:
            order = 0.5 * (np.sign(highs[-1] - highs[-2]) + np.sign(lows[-1] - lows[-2]))
            trend.append(0.5 * (order + side))
    return trend, continued, turned


@pytest.mark.parametrize("timeframe", ["15m", "1h"])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_reading_is_that_of_a_reader_who_goes_bar_by_bar(symbol: str, timeframe: str) -> None:
    frame = replayed(symbol, timeframe)[0].window.base

    found = read(frame)

    trend, continued, turned = read_bar_by_bar(frame.candles)
    np.testing.assert_array_equal(found.trend, trend)
    np.testing.assert_array_equal(found.continued, continued)
    np.testing.assert_array_equal(found.turned, turned)


@settings(max_examples=30)
@given(data=st.data())
def test_live_votes_as_replay_does(data: st.DataObject) -> None:
    symbol = data.draw(st.sampled_from(SYMBOLS))
    timeframe = data.draw(st.sampled_from(["15m", "1h"]))
    part = data.draw(st.sampled_from(replayed(symbol, timeframe)))
    row = int(data.draw(st.sampled_from(part.rows.tolist())))
    close_ms = int(part.window.base.close_ms[row])
    whole = Structure().vote(part.window)

    live = Structure().vote(live_window(recording()[symbol], TIMEFRAMES[timeframe], close_ms))

    assert live.direction[-1] == whole.direction[row]
    np.testing.assert_array_equal(live.probability[-1], whole.probability[row])
    np.testing.assert_array_equal(live.confidence[-1], whole.confidence[row])


@settings(max_examples=20)
@given(data=st.data())
def test_a_reading_cut_short_has_the_same_bits(data: st.DataObject) -> None:
    frame = replayed("ETHUSDT", "15m")[1].window.base
    cut = data.draw(st.integers(0, len(frame)))

    early, whole = read(Frame(frame.timeframe, frame.candles.rows(slice(0, cut)))), read(frame)

    for name in whole.__dataclass_fields__:
        np.testing.assert_array_equal(getattr(early, name), getattr(whole, name)[:cut])


def test_real_candles_upside_down_give_the_opposite_votes() -> None:
    """Prices in whole ticks, so that turning them over rounds nothing."""
    for part in replayed("BTCUSDT", "15m"):
        window = part.window
        frames = [window.base, *window.context.values()]
        ticks = [Frame(frame.timeframe, in_ticks(frame.candles)) for frame in frames]
        over = [Frame(frame.timeframe, mirrored(frame.candles, 2.0**24)) for frame in ticks]

        upright, turned = (
            Structure().vote(Window(base, {frame.timeframe.name: frame for frame in slower}, {}))
            for base, *slower in (ticks, over)
        )

        assert_same_votes(turned, upright, sign=-1)


def in_ticks(candles: Candles) -> Candles:
    whole = scaled(candles, 100.0)
    for name in ("open", "high", "low", "close"):
        np.rint(getattr(whole, name), out=getattr(whole, name))
    return whole


def test_the_currency_does_not_change_a_vote() -> None:
    window = replayed("DOGEUSDT", "15m")[2].window
    other = {name: Frame(frame.timeframe, scaled(frame.candles, 1024.0)) for name, frame in window.context.items()}
    base = Frame(window.base.timeframe, scaled(window.base.candles, 1024.0))

    assert_same_votes(Structure().vote(Window(base, other, {})), Structure().vote(window))


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_on_real_candles_the_head_votes_both_ways_and_not_always(symbol: str) -> None:
    parts = replayed(symbol, "15m")
    directions = np.concatenate([Structure().vote(part.window).direction[part.rows] for part in parts])

    assert 0.0005 < (directions != 0).mean() < 0.60
    assert set(directions.tolist()) == {-1, 0, 1}


def test_the_four_hour_base_has_no_slower_timeframe_and_stays_silent() -> None:
    for part in replayed("BTCUSDT", "4h"):
        assert not Structure().vote(part.window).awake.any()
