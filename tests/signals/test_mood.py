"""The mood of the market: each figure against plain Python or pandas; the same bits in any order."""

import math
import statistics
from collections.abc import Callable
from functools import cache
from random import Random

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.timeframes import TIMEFRAMES, Candles, FloatArray, IntArray
from signals import mood
from signals.frame import Frame
from signals.mood import MOOD_FIELDS, SYMBOL_FIELDS, SymbolMood, market_mood, mood_series, symbol_mood
from tests.signals.frames import QUARTER, bars, live_frame, mirrored, recording, replayed, without

DAY_BARS = 96
NO_HISTORY = np.empty(0)


def walk(length: int, seed: int) -> Candles:
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0, 0.004, length)))
    return bars(close, volume=random.lognormal(2, 1, length))


def figures(candles: Candles) -> dict[str, FloatArray]:
    """A symbol's mood by name, at every bar."""
    rows = symbol_mood(Frame(QUARTER, candles)).rows
    return {name: rows[:, column] for column, name in enumerate(SYMBOL_FIELDS)}


def market(row: npt.NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(MOOD_FIELDS, row.tolist(), strict=True))


@cache
def universe() -> dict[str, tuple[IntArray, SymbolMood]]:
    """What replay knows of every symbol of the recording."""
    known = {}
    for symbol in recording():
        parts = replayed(symbol, "15m")
        closes = np.concatenate([part.window.base.close_ms[part.rows] for part in parts])
        moods = [symbol_mood(part.window.base).take(part.rows) for part in parts]
        known[symbol] = (closes, SymbolMood.concatenate(moods))
    return known


def day_by_the_clock(candles: Candles, row: int, until: int, since: int) -> list[int] | None:
    """Rows that closed from `since` to `until` days before a bar's close; None if the window does not reach back."""
    day, close_ms = 86_400_000, candles.open_ms + QUARTER.ms
    edges = [close_ms[row] - days * day for days in (since, until)]
    rows = [other for other in range(row + 1) if edges[0] < close_ms[other] <= edges[1]]
    return rows if close_ms[0] <= edges[0] and len(rows) >= 0.5 * DAY_BARS * (since - until) else None


def plain_figures(candles: Candles, row: int) -> list[float]:
    """The figures of SYMBOL_FIELDS by the definitions, one bar at a time."""
    close, volume = candles.close.tolist(), candles.volume.tolist()
    figures = dict.fromkeys(SYMBOL_FIELDS, math.nan)
    if usual := day_by_the_clock(candles, row, 1, 5):
        figures["usual_turnover"] = sum(close[other] * volume[other] for other in usual) / 4
    if day := day_by_the_clock(candles, row, 0, 1):
        figures["above_mean"] = float(close[row] > statistics.fmean(close[other] for other in day))
        figures["momentum"] = math.log(close[row] / close[day[0] - 1])
        squares = [math.log(close[other] / close[other - 1]) ** 2 for other in day]
        figures["realised_volatility"] = math.sqrt(sum(squares))
        figures["turnover"] = sum(close[other] * volume[other] for other in day)
    if day and usual:
        figures["volume_surge"] = sum(volume[other] for other in day) / (sum(volume[other] for other in usual) / 4)
    return [figures[name] for name in SYMBOL_FIELDS]


@pytest.mark.parametrize("outage", [slice(0, 0), slice(560, 590), slice(520, 600)], ids=["none", "7 hours", "20 hours"])
def test_a_symbols_figures_are_what_plain_python_counts(outage: slice) -> None:
    candles = without(walk(900, seed=1), outage)
    frame = Frame(QUARTER, candles)
    found = symbol_mood(frame).rows

    for row in np.flatnonzero(frame.ready)[::7]:
        np.testing.assert_allclose(found[row], plain_figures(candles, int(row)), rtol=1e-9)


def test_a_day_that_lost_most_of_its_bars_has_no_figures() -> None:
    candles = without(walk(900, seed=2), slice(520, 600))

    momentum = figures(candles)["momentum"]

    assert np.isfinite(momentum[519])
    assert np.isnan(momentum[520:530]).all()
    assert np.isfinite(momentum[-1])


def test_the_daily_mean_and_volatility_agree_with_pandas_on_real_candles() -> None:
    part = replayed("ETHUSDT", "15m")[1]
    frame = part.window.base
    table = pd.DataFrame({"close": frame["close"]}, index=pd.to_datetime(frame.close_ms, unit="ms"))
    mean = table.close.rolling("1D").mean().to_numpy()
    squares = (np.log(table.close).diff() ** 2).rolling("1D").sum().to_numpy()

    found = symbol_mood(frame).rows[part.rows]

    np.testing.assert_array_equal(found[:, mood.ABOVE], (frame["close"] > mean)[part.rows].astype(float))
    np.testing.assert_allclose(found[:, mood.VOLATILITY], np.sqrt(squares)[part.rows], rtol=1e-9)


def test_a_market_that_does_not_move_stands_on_its_mean() -> None:
    found = figures(bars(np.full(700, 0.1), volume=np.full(700, 3.3)))

    assert (found["above_mean"][512:] == 0.5).all()
    assert (found["momentum"][512:] == 0.0).all()
    assert (found["realised_volatility"][512:] == 0.0).all()


def test_a_market_without_trades_has_no_surge() -> None:
    found = figures(bars(np.full(700, 5.0), volume=np.zeros(700)))

    assert np.isnan(found["volume_surge"]).all()
    assert (found["turnover"][512:] == 0.0).all()


def test_figures_begin_with_the_first_ready_bar() -> None:
    frame = Frame(QUARTER, walk(700, seed=3))

    found = symbol_mood(frame).rows

    np.testing.assert_array_equal(np.isfinite(found).all(axis=1), frame.ready)


def test_in_every_timeframe_a_day_and_its_usual_days_stand_behind_each_ready_bar_or_none() -> None:
    """Else a figure would be there in some windows and not in others."""
    for timeframe in TIMEFRAMES.values():
        for days in (1, 1 + mood.USUAL_DAYS):
            steps = days * mood.DAY_MS / timeframe.ms
            assert steps <= timeframe.block - 1 or steps > 2 * timeframe.block - 1, (timeframe.name, days)


def test_one_minute_bars_have_no_mood_of_their_own() -> None:
    minute = TIMEFRAMES["1m"]

    found = symbol_mood(Frame(minute, bars(100.0 + np.arange(1024.0), minute)))

    assert np.isnan(found.rows).all()


@pytest.mark.parametrize("length", [0, 1, 2])
def test_a_frame_of_few_bars_has_no_figures_and_no_error(length: int) -> None:
    assert np.isnan(symbol_mood(Frame(QUARTER, walk(length, seed=4))).rows).all()


@settings(max_examples=25)
@given(data=st.data())
def test_live_and_replay_see_the_same_figures_of_a_symbol(data: st.DataObject) -> None:
    symbol = data.draw(st.sampled_from(["BTCUSDT", "AAVEUSDT"]))
    part = data.draw(st.sampled_from(replayed(symbol, "15m")))
    row = int(data.draw(st.sampled_from(part.rows.tolist())))
    base = part.window.base

    live = symbol_mood(live_frame(recording()[symbol], QUARTER, int(base.close_ms[row])))

    np.testing.assert_array_equal(live.rows, symbol_mood(base).rows[: row + 1])


TABLES = st.integers(1, 12).flatmap(
    lambda count: st.lists(
        st.lists(
            st.one_of(st.floats(1e-6, 1e6), st.just(math.nan)), min_size=len(SYMBOL_FIELDS), max_size=len(SYMBOL_FIELDS)
        ),
        min_size=count,
        max_size=count,
    ).map(np.array)
)


@given(rows=TABLES, random=st.randoms(use_true_random=False))
def test_the_order_of_symbols_does_not_change_a_bit(rows: FloatArray, random: Random) -> None:
    shuffled = list(range(len(rows)))
    random.shuffle(shuffled)
    history = np.array([0.1, 0.2, 0.3])

    found = market_mood(rows[shuffled], shuffled.index(0), history)

    np.testing.assert_array_equal(found, market_mood(rows, 0, history))


@given(rows=TABLES)
def test_the_market_is_the_mean_or_median_of_its_symbols(rows: FloatArray) -> None:
    known = {
        name: [value for value in rows[:, column].tolist() if not math.isnan(value)]
        for column, name in enumerate(SYMBOL_FIELDS)
    }

    found = market(market_mood(rows, None, NO_HISTORY))

    def expected(values: list[float], summary: Callable[[list[float]], float]) -> float:
        return summary(values) if values else math.nan

    assert found["symbols"] == len(known["momentum"])
    assert found["breadth"] == pytest.approx(expected(known["above_mean"], statistics.mean), nan_ok=True)
    assert found["momentum"] == pytest.approx(expected(known["momentum"], statistics.mean), nan_ok=True)
    volatility = expected(known["realised_volatility"], statistics.median)
    assert found["realised_volatility"] == pytest.approx(volatility, nan_ok=True)
    assert found["volume_surge"] == pytest.approx(expected(known["volume_surge"], statistics.median), nan_ok=True)
    assert math.isnan(found["volatility_ratio"])
    assert math.isnan(found["btc_dominance"])


def test_bitcoins_share_is_that_of_all_turnover() -> None:
    rows = np.full((3, len(SYMBOL_FIELDS)), np.nan)
    rows[:, mood.TURNOVER] = [60.0, 30.0, 10.0]
    rows[:, mood.USUAL_TURNOVER] = [30.0, 60.0, 10.0]

    found = market(market_mood(rows, 0, NO_HISTORY))

    assert found["btc_dominance"] == pytest.approx(0.6)
    assert found["btc_dominance_ratio"] == pytest.approx(2.0)


def test_a_newcomer_does_not_look_like_a_flight_from_bitcoin() -> None:
    rows = np.full((3, len(SYMBOL_FIELDS)), np.nan)
    rows[:, mood.TURNOVER] = [60.0, 60.0, 500.0]
    rows[:2, mood.USUAL_TURNOVER] = [60.0, 60.0]

    assert market(market_mood(rows, 0, NO_HISTORY))["btc_dominance_ratio"] == pytest.approx(1.0)


def test_a_market_where_nothing_is_traded_has_no_dominance() -> None:
    rows = np.zeros((3, len(SYMBOL_FIELDS)))

    assert math.isnan(market(market_mood(rows, 0, NO_HISTORY))["btc_dominance"])


def test_the_volatility_history_is_thirty_days_long_and_begins_after_five() -> None:
    closes = QUARTER.ms * np.arange(1, 40 * DAY_BARS, dtype=np.int64)
    stored = np.arange(len(closes), dtype=np.float64)
    stored[5::7] = np.nan
    day = mood.DAY_MS

    young = mood.recent_volatility(QUARTER, 5 * day, closes[: 5 * DAY_BARS - 1], stored[: 5 * DAY_BARS - 1])
    old = mood.recent_volatility(QUARTER, 38 * day, closes, stored)

    assert len(young) == 0
    wanted = [v for ms, v in zip(closes, stored, strict=True) if 8 * day <= ms < 38 * day and not math.isnan(v)]
    assert old.tolist() == wanted


def test_volatility_is_measured_against_the_median_of_its_history() -> None:
    rows = np.full((5, len(SYMBOL_FIELDS)), 0.5)

    assert market(market_mood(rows, None, np.array([0.1, 0.25, 0.9])))["volatility_ratio"] == pytest.approx(2.0)


def test_the_series_is_the_mood_of_each_close_with_the_rows_before_it() -> None:
    closes, found = mood_series(universe())
    place = {symbol: dict(zip(ms.tolist(), range(len(ms)), strict=True)) for symbol, (ms, _) in universe().items()}

    for index in [*range(0, len(closes), 97), len(closes) - 1]:
        at_ms = int(closes[index])
        there = [symbol for symbol in sorted(universe(), reverse=True) if at_ms in place[symbol]]
        rows = np.array([universe()[symbol][1].rows[place[symbol][at_ms]] for symbol in there])
        history = mood.recent_volatility(QUARTER, at_ms, closes[:index], found[:index, mood.REALISED_VOLATILITY])
        btc = there.index("BTCUSDT") if "BTCUSDT" in there else None
        np.testing.assert_array_equal(market_mood(rows, btc, history), found[index])


def test_every_close_of_any_symbol_has_a_mood() -> None:
    closes, found = mood_series(universe())

    assert closes.tolist() == sorted({int(ms) for own, _ in universe().values() for ms in own})
    assert found.shape == (len(closes), len(MOOD_FIELDS))
    counted = found[:, MOOD_FIELDS.index("symbols")]
    assert counted.max() == 8
    fear_greed = found[:, MOOD_FIELDS.index("fear_greed")]
    np.testing.assert_array_equal(np.isfinite(fear_greed), counted >= mood.MIN_SYMBOLS)


def test_a_series_cut_short_has_the_same_bits() -> None:
    closes, found = mood_series(universe())

    for cut in (1, 700, 1800):
        end = np.searchsorted(closes, closes[cut])
        early = {
            symbol: (ms[ms < closes[cut]], figures.take(np.flatnonzero(ms < closes[cut])))
            for symbol, (ms, figures) in universe().items()
        }
        early_closes, early_found = mood_series(early)
        np.testing.assert_array_equal(early_closes, closes[:end])
        np.testing.assert_array_equal(early_found, found[:end])


def test_the_order_in_which_symbols_are_given_does_not_change_the_series() -> None:
    few = {symbol: universe()[symbol] for symbol in ("BTCUSDT", "ADAUSDT", "ETHUSDT", "AXSUSDT", "DOTUSDT")}
    few = {symbol: (ms[:300], figures.take(slice(0, 300))) for symbol, (ms, figures) in few.items()}

    _, found = mood_series(few)
    _, reversed_found = mood_series(dict(reversed(few.items())))

    np.testing.assert_array_equal(found, reversed_found)


def test_the_series_of_no_symbols_is_empty() -> None:
    closes, found = mood_series({})

    assert (closes.shape, found.shape) == ((0,), (0, len(MOOD_FIELDS)))


def test_figures_of_two_timeframes_do_not_mix() -> None:
    hour = TIMEFRAMES["1h"]
    slow = SymbolMood(hour, np.full((1, len(SYMBOL_FIELDS)), np.nan))
    fast = SymbolMood(QUARTER, slow.rows)
    at = np.array([hour.ms], dtype=np.int64)

    with pytest.raises(ValueError, match="15m, 1h: pass symbols of one timeframe"):
        mood_series({"A": (at, slow), "B": (at, fast)})
    with pytest.raises(ValueError, match="15m, 1h: pass symbols of one timeframe"):
        SymbolMood.concatenate([slow, fast])


def test_a_market_upside_down_has_the_other_breadth() -> None:
    frames = [Frame(QUARTER, candles) for candles in (walk(700, 5), mirrored(walk(700, 5), 500.0))]

    above, below = (symbol_mood(frame).rows[512:, mood.ABOVE] for frame in frames)

    np.testing.assert_array_equal(above, 1.0 - below)
