"""What holds for each of the 69 indicators on any market: causal, pure, warm when it says, blind to the currency."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signals.indicators import INDICATORS, computed
from signals.indicators.base import FloatArray

DATA = Path(__file__).resolve().parents[1] / "data" / "btcusdt_15m_2021-06.csv.gz"
STEP_MS = 900_000
PRICES = ("open", "high", "low", "close")
Columns = dict[str, npt.NDArray[Any]]

NAMES = """
    ema_5 ema_8 ema_9 ema_12 ema_13 ema_21 ema_26 ema_34 ema_50 ema_55 ema_89
    sma_10 sma_20 sma_30 sma_50 sma_100 sma_200
    macd macd_signal macd_histogram adx_14 plus_di_14 minus_di_14 aroon_up_25 aroon_down_25 dema_20
    ppo ppo_signal ichimoku_base_26 hma_9 hma_14 hma_20 supertrend ema_spread_fast ema_spread_medium
    rsi_7 rsi_14 rsi_21 rsi_28 stoch_k stoch_d williams_r_14 cci_20 cmo_14 trix_15 ultimate_osc
    roc_9 roc_12 roc_25 tsi awesome_osc mass_index
    bb_upper bb_middle bb_lower bb_width bb_percent_b atr_14 atr_percent donchian_upper donchian_lower
    keltner_upper keltner_middle keltner_lower chandelier_long chandelier_short
    obv vwap cmf_20
"""
IN_PRICE_UNITS = {
    *(f"ema_{n}" for n in (5, 8, 9, 12, 13, 21, 26, 34, 50, 55, 89)),
    *(f"sma_{n}" for n in (10, 20, 30, 50, 100, 200)),
    *("macd", "macd_signal", "macd_histogram", "dema_20", "ichimoku_base_26", "hma_9", "hma_14", "hma_20"),
    *("supertrend", "awesome_osc", "bb_upper", "bb_middle", "bb_lower", "atr_14", "donchian_upper", "donchian_lower"),
    *("keltner_upper", "keltner_middle", "keltner_lower", "chandelier_long", "chandelier_short", "vwap"),
}
# Rounding of a recursive average may step over a bound by its last digits; what is computed afresh may not.
ROUNDING = 1e-9
BOUNDS = {
    **dict.fromkeys(("rsi_7", "rsi_14", "rsi_21", "rsi_28", "stoch_k", "stoch_d", "ultimate_osc"), (0.0, 100.0)),
    **dict.fromkeys(("adx_14", "plus_di_14", "minus_di_14", "aroon_up_25", "aroon_down_25"), (0.0, 100.0)),
    **dict.fromkeys(("cmo_14", "tsi"), (-100.0, 100.0)),
    "williams_r_14": (-100.0, 0.0),
    "cmf_20": (-1.0, 1.0),
    "cci_20": (-20 / 0.03, 20 / 0.03),
}


def real_market() -> Columns:
    table = np.genfromtxt(DATA, delimiter=",", skip_header=1, usecols=range(6)).T
    names = ("open_ms", *PRICES, "volume")
    columns: Columns = {name: np.ascontiguousarray(column) for name, column in zip(names, table, strict=True)}
    return columns | {"open_ms": table[0].astype(np.int64)}


REAL = real_market()


def market_of(bars: list[tuple[int, int, int, int]], *, tick: float, start_ms: int) -> Columns:
    """Candles from whole ticks: (move of the close, upper wick, lower wick, volume) a bar, around 50 ticks."""
    move, above, below, volume = (np.array(column, np.int64) for column in zip(*bars, strict=True))
    close = 50 + np.cumsum(move) % 25
    opened = np.r_[close[:1], close[:-1]]
    ticks = {"open": opened, "high": np.maximum(opened, close) + above, "low": np.minimum(opened, close) - below}
    times = start_ms + STEP_MS * np.arange(len(bars))
    prices = {name: column * tick for name, column in (ticks | {"close": close}).items()}
    return {"open_ms": times, **prices, "volume": volume.astype(np.float64)}


@st.composite
def odd_markets(draw: st.DrawFn) -> Columns:
    """Flat, one-tick, silent and repeating markets in tiny and huge ticks, long enough to warm up every indicator."""
    bar = st.tuples(st.integers(-2, 2), st.integers(0, 2), st.integers(0, 2), st.sampled_from((0, 0, 1, 10**9)))
    pieces = draw(
        st.lists(st.tuples(st.lists(bar, min_size=1, max_size=6), st.integers(1, 60)), min_size=1, max_size=6)
    )
    still = draw(st.booleans())
    bars = [bar for piece, times in pieces for bar in piece * times]
    bars = [(0, 0, 0, volume) for *_, volume in bars] if still else bars
    tick = draw(st.sampled_from((1e-10, 0.01, 1.0, 1e9)))
    return market_of(bars, tick=tick, start_ms=STEP_MS * draw(st.integers(0, 10**6)))


def compute(name: str, columns: Columns, rows: slice = slice(None)) -> FloatArray:
    return computed(name, {column: values[rows] for column, values in columns.items()})


def assert_same_bits(found: FloatArray, expected: FloatArray, name: str) -> None:
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected), err_msg=name)
    warm = ~np.isnan(found)
    np.testing.assert_array_equal(found[warm].view(np.int64), expected[warm].view(np.int64), err_msg=name)


WHOLE = {name: compute(name, REAL) for name in INDICATORS}


def test_the_69_names_and_their_order_are_fixed() -> None:
    assert list(INDICATORS) == NAMES.split()
    assert len(INDICATORS) == 69
    assert all(name == indicator.name for name, indicator in INDICATORS.items())


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(0, len(REAL["close"])))
def test_a_prefix_of_real_candles_gives_the_same_bits(cut: int) -> None:
    for name in INDICATORS:
        assert_same_bits(compute(name, REAL, slice(cut)), WHOLE[name][:cut], name)


@settings(max_examples=60, deadline=None)
@given(market=odd_markets(), share=st.floats(0, 1))
def test_a_prefix_of_an_odd_market_gives_the_same_bits(market: Columns, share: float) -> None:
    cut = int(share * len(market["close"]))
    for name in INDICATORS:
        assert_same_bits(compute(name, market, slice(cut)), compute(name, market)[:cut], name)


@settings(max_examples=60, deadline=None)
@given(market=odd_markets())
def test_an_odd_market_never_gives_an_infinity_nor_a_value_out_of_bounds(market: Columns) -> None:
    for name in INDICATORS:
        series = compute(name, market)
        low, high = BOUNDS.get(name, (-np.inf, np.inf))
        warm = series[~np.isnan(series)]
        assert not np.isinf(warm).any(), name
        assert ((warm >= low - ROUNDING) & (warm <= high + ROUNDING)).all(), name


@settings(max_examples=40, deadline=None)
@given(market=odd_markets())
def test_only_missing_volume_makes_a_warm_row_nan(market: Columns) -> None:
    for name in INDICATORS.keys() - {"vwap", "cmf_20"}:
        assert np.isfinite(compute(name, market)[INDICATORS[name].lookback :]).all(), name


@pytest.mark.parametrize("name", INDICATORS)
def test_lookback_is_the_number_of_leading_nan_rows(name: str) -> None:
    lookback = INDICATORS[name].lookback

    assert np.isnan(WHOLE[name][:lookback]).all()
    assert np.isfinite(WHOLE[name][lookback:]).all()


@pytest.mark.parametrize("bars", [0, 1, 2, 10, 20, 40])
def test_a_series_shorter_than_the_lookback_is_all_nan(bars: int) -> None:
    for name, indicator in INDICATORS.items():
        series = compute(name, REAL, slice(bars))
        assert series.shape == (bars,)
        assert np.isnan(series[: indicator.lookback]).all(), name
        assert np.isfinite(series[indicator.lookback :]).all(), name


@pytest.mark.parametrize("name", INDICATORS)
def test_inputs_stay_untouched_and_the_result_is_a_new_array(name: str) -> None:
    inputs = {each: computed(each, REAL).copy() for each in INDICATORS[name].inputs}
    before = {each: values.tobytes() for each, values in inputs.items()}
    for column in inputs.values():
        column.flags.writeable = False

    series = INDICATORS[name].compute(*inputs.values())

    assert series.dtype == np.float64
    assert series.flags.writeable
    assert not any(np.shares_memory(series, column) for column in inputs.values())
    assert {each: values.tobytes() for each, values in inputs.items()} == before


@pytest.mark.parametrize("power", [-60, -33, -1, 1, 40])
def test_a_market_in_another_price_unit_scales_levels_and_leaves_the_rest(power: int) -> None:
    scaled = REAL | {name: REAL[name] * 2.0**power for name in PRICES}

    for name in INDICATORS:
        factor = 2.0**power if name in IN_PRICE_UNITS else 1.0
        assert_same_bits(compute(name, scaled), WHOLE[name] * factor, name)


# Not below 2^-12: TA-Lib's PPO takes a price under 1e-14 for zero, ten thousand times less than the smallest tick.
@settings(max_examples=40, deadline=None)
@given(market=odd_markets(), power=st.integers(-12, 40))
def test_an_odd_market_in_another_price_unit_scales_too(market: Columns, power: int) -> None:
    scaled = market | {name: market[name] * 2.0**power for name in PRICES}

    for name in INDICATORS:
        factor = 2.0**power if name in IN_PRICE_UNITS else 1.0
        assert_same_bits(compute(name, scaled), compute(name, market) * factor, name)


@pytest.mark.parametrize("power", [-30, 20])
def test_volume_in_another_unit_scales_obv_and_leaves_the_rest(power: int) -> None:
    scaled = REAL | {"volume": REAL["volume"] * 2.0**power}

    for name in INDICATORS:
        factor = 2.0**power if name == "obv" else 1.0
        assert_same_bits(compute(name, scaled), WHOLE[name] * factor, name)
