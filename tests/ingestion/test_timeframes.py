"""Bars on the clock grid against pandas, which nobody here wrote."""

from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.timeframes import MINUTE_MS, TIMEFRAMES, Candles, Timeframe, resample
from tests.ingestion.market import MARCH_24, made_candles

SLOWER = [timeframe for timeframe in TIMEFRAMES.values() if timeframe.minutes > 1]
HOW = {
    "open": "first",
    "high": "max",
    "low": "min",
    "close": "last",
    "volume": "sum",
    "quote_volume": "sum",
    "trades": "sum",
    "taker_base": "sum",
    "taker_quote": "sum",
    "minutes": "sum",
}


def pandas_bars(minutes: Candles, timeframe: Timeframe) -> pd.DataFrame:
    """What pandas makes of the same minutes, bars without a minute left out."""
    frame = pd.DataFrame({name: getattr(minutes, name) for name in HOW})
    frame.index = pd.to_datetime(minutes.open_ms, unit="ms", utc=True)
    bars = frame.resample(f"{timeframe.minutes}min", origin="epoch", closed="left", label="left")
    return bars.agg(HOW)[bars["minutes"].count() > 0]


@pytest.mark.parametrize("timeframe", SLOWER, ids=lambda timeframe: timeframe.name)
def test_bars_agree_with_pandas_across_a_hole(timeframe: Timeframe) -> None:
    minutes = made_candles(count=4000, without=range(700, 1500))

    bars = resample(minutes, timeframe)

    expected = pandas_bars(minutes, timeframe)
    assert bars.open_ms.tolist() == [int(stamp.value // 1_000_000) for stamp in expected.index]
    for name in ("open", "high", "low", "close", "minutes"):
        np.testing.assert_array_equal(getattr(bars, name), expected[name].to_numpy(), err_msg=name)
    for name in ("volume", "quote_volume", "trades", "taker_base", "taker_quote"):
        # pandas adds with Kahan's correction, we add in a fixed order: the last bits may differ.
        np.testing.assert_allclose(getattr(bars, name), expected[name].to_numpy(), rtol=1e-12, err_msg=name)


def test_a_bar_that_lacks_a_minute_counts_the_ones_it_has() -> None:
    minutes = made_candles(count=30, without=[17])

    bars = resample(minutes, TIMEFRAMES["15m"])

    assert bars.minutes.tolist() == [15, 14]


def test_a_bar_without_a_minute_is_absent() -> None:
    minutes = made_candles(count=45, without=range(15, 30))

    bars = resample(minutes, TIMEFRAMES["15m"])

    assert bars.open_ms.tolist() == [MARCH_24, MARCH_24 + 30 * MINUTE_MS]


def test_a_series_that_starts_inside_a_bar_gives_a_partial_first_bar_on_the_grid() -> None:
    minutes = made_candles(count=30, without=range(7))

    bars = resample(minutes, TIMEFRAMES["15m"])

    assert (bars.open_ms[0], bars.minutes[0]) == (MARCH_24, 8)


def test_a_figure_the_source_lacks_stays_missing_in_the_bar() -> None:
    minutes = made_candles(count=30)
    trades = minutes.trades.copy()
    trades[3] = np.nan

    bars = resample(replace(minutes, trades=trades), TIMEFRAMES["15m"])

    assert np.isnan(bars.trades).tolist() == [True, False]


def test_no_minutes_make_no_bars() -> None:
    nothing = made_candles(count=0)

    assert all(len(resample(nothing, timeframe)) == 0 for timeframe in TIMEFRAMES.values())


@given(
    cut=st.integers(1, 2000),
    missing=st.lists(st.integers(0, 1999), max_size=60, unique=True),
    timeframe=st.sampled_from(SLOWER),
)
def test_a_closed_bar_does_not_change_when_time_goes_on(cut: int, missing: list[int], timeframe: Timeframe) -> None:
    minutes = made_candles(count=2000, without=missing)
    early = minutes.between(0, MARCH_24 + cut * MINUTE_MS)

    then, now = resample(early, timeframe), resample(minutes, timeframe)

    closed = int(np.searchsorted(then.open_ms + timeframe.ms, MARCH_24 + cut * MINUTE_MS, side="right"))
    for field in fields(Candles):
        before, after = getattr(then, field.name)[:closed], getattr(now, field.name)[:closed]
        assert before.tobytes() == after.tobytes(), field.name


@given(start=st.integers(0, 1500), timeframe=st.sampled_from(SLOWER))
def test_a_bar_does_not_depend_on_the_bars_before_it(start: int, timeframe: Timeframe) -> None:
    minutes = made_candles(count=2000)
    boundary = -(-(MARCH_24 + start * MINUTE_MS) // timeframe.ms) * timeframe.ms

    whole = resample(minutes, timeframe).between(boundary, MARCH_24 + 10**9)
    alone = resample(minutes.between(boundary, MARCH_24 + 10**9), timeframe)

    for field in fields(Candles):
        assert getattr(whole, field.name).tobytes() == getattr(alone, field.name).tobytes(), field.name


@pytest.mark.parametrize("timeframe", TIMEFRAMES.values(), ids=lambda timeframe: timeframe.name)
def test_the_last_closed_bar_has_closed_and_the_next_has_not(timeframe: Timeframe) -> None:
    for close_ms in (MARCH_24, MARCH_24 + 1, MARCH_24 + timeframe.ms - 1, MARCH_24 + timeframe.ms):
        open_ms = timeframe.last_closed_open_ms(close_ms)
        assert open_ms + timeframe.ms <= close_ms < open_ms + 2 * timeframe.ms


@pytest.mark.parametrize("timeframe", TIMEFRAMES.values(), ids=lambda timeframe: timeframe.name)
def test_a_window_starts_one_whole_block_before_the_bars_own_block(timeframe: Timeframe) -> None:
    open_ms = np.array([MARCH_24 // timeframe.ms * timeframe.ms])
    (block,) = timeframe.block_of(open_ms).tolist()

    bars = (open_ms[0] - timeframe.window_start_ms(block)) // timeframe.ms + 1

    assert timeframe.block < bars <= 2 * timeframe.block
