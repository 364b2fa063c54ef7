"""Mistakes found in public trading systems, one test each: none of them may come in by a rewrite."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import talib

from ingestion.timeframes import TIMEFRAMES, Candles
from signals.frame import Frame
from signals.indicators import INDICATORS, computed
from signals.indicators.base import FloatArray

DAY_MS = 86_400_000
MIDNIGHT_MS = 18_700 * DAY_MS
HOUR_MS = 3_600_000

# The worked example of an RSI over 14 closes in StockCharts' ChartSchool ("Relative Strength Index").
PUBLISHED_CLOSES = """
    44.3389 44.0902 44.1497 43.6124 44.3278 44.8264 45.0955 45.4245 45.8433 46.0826 45.8931
    46.0328 45.6140 46.2820 46.2820 46.0028 46.0328 46.4116 46.2222 45.6439 46.2122 46.2521
    45.7137 46.4515 45.7835 45.3548 44.0288 44.1783 44.2181 44.5672 43.4205 42.6628 43.1314
"""
PUBLISHED_RSI = """
    70.53 66.32 66.55 69.41 66.36 57.97 62.93 63.26 56.06 62.38 54.71
    50.42 39.99 41.46 41.87 45.46 37.30 33.08 37.77
"""


def compute(name: str, **columns: npt.NDArray[Any]) -> FloatArray:
    return computed(name, columns)


def around(close: FloatArray, *, reach: float = 1.0) -> dict[str, FloatArray]:
    """Candles that reach as far above the close as below."""
    return {"high": close + reach, "low": close - reach, "close": close}


def flat(price: float, bars: int = 300) -> dict[str, FloatArray]:
    return around(np.full(bars, price), reach=0.0) | {"volume": np.ones(bars)}


def wandering(bars: int = 300) -> FloatArray:
    return 100 + np.cumsum(np.random.default_rng(7).normal(size=bars))


def hours(bars: int, *, start_ms: int = MIDNIGHT_MS) -> dict[str, npt.NDArray[Any]]:
    """Hourly candles around a wandering price with one unit of volume more every bar."""
    return {
        "open_ms": start_ms + HOUR_MS * np.arange(bars),
        "volume": 1.0 + np.arange(bars),
        **around(wandering(bars)),
    }


def test_rsi_is_the_published_one() -> None:
    closes = np.array([float(close) for close in PUBLISHED_CLOSES.split()])

    strength = compute("rsi_14", close=closes)

    assert [f"{value:.2f}" for value in strength[14:]] == PUBLISHED_RSI.split()


@pytest.mark.parametrize("name", ["rsi_14", "adx_14", "atr_14", "plus_di_14"])
def test_wilders_smoothing_still_feels_a_shock_that_a_simple_mean_has_forgotten(name: str) -> None:
    calm = wandering()
    shocked = calm.copy()
    shocked[200] += 15

    # Thirty bars after the shock no window of 14 (or 28, for the ADX) holds it any more.
    after = compute(name, **around(shocked))[232] - compute(name, **around(calm))[232]

    assert abs(after) > 0.01


@pytest.mark.parametrize("price", [1e-8, 3.3, 60_000.01, 1e12])
def test_rsi_of_a_flat_market_is_neutral_though_talib_says_0(price: float) -> None:
    close = np.full(100, price)

    assert talib.RSI(close, 14)[-1] == 0
    for name in ("rsi_7", "rsi_14", "rsi_21", "rsi_28"):
        assert set(compute(name, close=close)[28:]) == {50.0}


def test_rsi_knows_a_market_that_only_falls_from_one_that_does_not_move() -> None:
    falling, rising = np.arange(200.0, 100.0, -1), np.arange(100.0, 200.0)

    assert set(compute("rsi_14", close=falling)[14:]) == {0.0}
    assert set(compute("rsi_14", close=rising)[14:]) == {100.0}


def test_rsi_is_neutral_until_the_first_move_and_no_longer() -> None:
    close = np.r_[np.full(40, 5.0), np.full(10, 4.0)]

    assert set(compute("rsi_14", close=close)[14:40]) == {50.0}
    assert set(compute("rsi_14", close=close)[40:]) == {0.0}


@pytest.mark.parametrize("price", [1e-8, 3.3, 60_000.01])
@pytest.mark.parametrize(
    ("name", "neutral"),
    [
        ("stoch_k", 50.0),
        ("stoch_d", 50.0),
        ("williams_r_14", -50.0),
        ("ultimate_osc", 50.0),
        ("cci_20", 0.0),
        ("cmo_14", 0.0),
        ("tsi", 0.0),
        ("mass_index", 25.0),
        ("adx_14", 0.0),
        ("plus_di_14", 0.0),
        ("minus_di_14", 0.0),
        ("aroon_up_25", 100.0),
        ("aroon_down_25", 100.0),
        ("bb_percent_b", 0.5),
        ("bb_width", 0.0),
        ("atr_percent", 0.0),
        ("roc_9", 0.0),
        ("cmf_20", 0.0),
    ],
)
def test_a_flat_market_is_neutral_and_not_oversold(name: str, neutral: float, price: float) -> None:
    series = compute(name, **flat(price))

    assert set(series[INDICATORS[name].lookback :]) == {neutral}


def test_a_market_that_stops_moving_becomes_neutral_to_the_last_bit() -> None:
    # What a running sum rounded away while price moved must not look like a range once it stands still.
    close = np.r_[60_000 + 100 * wandering(), np.full(40, 60_000.01)]
    candles = {"high": close, "low": close, "close": close}

    assert compute("stoch_k", **candles)[-1] == 50.0
    assert compute("williams_r_14", **candles)[-1] == -50.0
    assert compute("ultimate_osc", **candles)[-1] == 50.0
    assert compute("cci_20", **candles)[-1] == 0.0
    assert compute("bb_width", **candles)[-1] == 0.0
    assert compute("bb_percent_b", **candles)[-1] == 0.5


def test_cci_divides_by_the_mean_deviation_and_not_by_the_standard_deviation() -> None:
    # Twenty prices a unit apart: the last is 9.5 above their mean, the mean deviation is 5, the standard one 5.77.
    close = np.arange(100.0, 120.0)

    assert compute("cci_20", **around(close))[-1] == pytest.approx(9.5 / (0.015 * 5))


def test_hull_is_made_of_weighted_averages() -> None:
    # Behind a price that rises by 1 a bar a weighted average of n lags (n - 1) / 3 and a simple one (n - 1) / 2:
    # from weighted ones hma_20 lags 2 * 3 - 19 / 3 + 1 = 2 / 3 of a bar, from simple ones a whole bar.
    close = np.arange(100.0, 200.0)

    assert close[-1] - compute("hma_20", close=close)[-1] == pytest.approx(2 / 3)


def test_aroon_reads_highs_and_lows_and_not_closes() -> None:
    high, low = np.full(60, 110.0), np.full(60, 90.0)
    high[50], low[55] = 130.0, 70.0

    assert compute("aroon_up_25", high=high, low=low)[-1] == 100 * (25 - 9) / 25
    assert compute("aroon_down_25", high=high, low=low)[-1] == 100 * (25 - 4) / 25


def test_vwap_starts_afresh_at_midnight_utc() -> None:
    candles = hours(72)

    average = compute("vwap", **candles)

    typical = (candles["high"] + candles["low"] + candles["close"]) / 3
    np.testing.assert_array_equal(average[[0, 24, 48]], typical[[0, 24, 48]])
    assert average[25] == pytest.approx((typical[24] * 25 + typical[25] * 26) / 51)


def test_vwap_has_no_value_before_the_first_midnight_it_sees() -> None:
    average = compute("vwap", **hours(48, start_ms=MIDNIGHT_MS + 5 * HOUR_MS))

    assert np.isnan(average[:19]).all()
    assert np.isfinite(average[19:]).all()


@pytest.mark.parametrize("start", [1, 5, 24, 30, 49])
def test_vwap_is_the_same_to_the_last_bit_wherever_the_window_starts(start: int) -> None:
    candles = hours(96)
    whole = compute("vwap", **candles)

    later = compute("vwap", **{name: column[start:] for name, column in candles.items()})

    known = np.isfinite(later)
    assert known.sum() == 96 - 24 * -(-start // 24)
    np.testing.assert_array_equal(later[known], whole[start:][known])


def test_vwap_begins_with_the_first_candle_after_midnight_when_an_outage_swallowed_the_rest() -> None:
    candles = hours(72)
    kept = np.delete(np.arange(72), slice(22, 27))

    average = compute("vwap", **{name: column[kept] for name, column in candles.items()})

    assert average[22] == pytest.approx((candles["high"] + candles["low"] + candles["close"])[27] / 3)


def test_vwap_is_nan_while_the_day_has_no_volume() -> None:
    candles = hours(48)
    candles["volume"][24:30] = 0.0

    average = compute("vwap", **candles)

    assert np.isnan(average[24:30]).all()
    assert np.isfinite(np.delete(average, slice(24, 30))).all()


def test_cmf_counts_a_bar_without_a_range_as_volume_without_flow() -> None:
    candles = {"high": np.full(20, 11.0), "low": np.full(20, 9.0), "close": np.full(20, 11.0), "volume": np.ones(20)}
    candles["low"][:5] = candles["high"][:5]

    assert compute("cmf_20", **candles)[-1] == 15 / 20


def test_cmf_of_twenty_bars_without_volume_is_nan_even_after_a_burst() -> None:
    candles = around(wandering(60)) | {"volume": np.full(60, 1e9 / 3)}
    candles["volume"][30:50] = 0.0

    flow = compute("cmf_20", **candles)

    assert np.flatnonzero(np.isnan(flow)).tolist() == [*range(19), 49]


def test_obv_differences_do_not_depend_on_where_the_series_starts() -> None:
    close, volume = wandering(100), np.arange(100.0) % 7

    whole, later = compute("obv", close=close, volume=volume), compute("obv", close=close[30:], volume=volume[30:])

    np.testing.assert_array_equal(np.diff(later), np.diff(whole)[30:])
    assert whole[30] != later[0]


@pytest.mark.parametrize("price", [0.00002, 0.3, 60_000.0, 1_000_000.0])
def test_bollinger_bands_keep_a_width_of_one_tick_at_any_price(price: float) -> None:
    # From a mean of squares less a squared mean a tick of a millionth has hardly a digit left.
    tick = price * 1e-7
    close = price + tick * (np.arange(60) % 2)
    sigma = float(close[1] - close[0]) / 2

    assert compute("bb_width", close=close)[-1] == pytest.approx(4 * sigma / (price + tick / 2), rel=1e-6)
    assert compute("bb_percent_b", close=close)[-1] == pytest.approx(0.75, rel=1e-6)


@pytest.mark.parametrize("name", ["ppo", "ema_spread_fast", "ema_spread_medium", "atr_percent", "bb_width", "roc_9"])
def test_what_thresholds_are_laid_on_is_the_same_for_btc_and_for_ada(name: str) -> None:
    btc, ada = around(600 * wandering(), reach=600.0), around(0.012 * wandering(), reach=0.012)

    np.testing.assert_allclose(compute(name, **btc), compute(name, **ada), rtol=1e-6, atol=1e-9)


def test_macd_is_in_price_units_and_says_so() -> None:
    close = wandering()

    np.testing.assert_allclose(compute("macd", close=1000 * close), 1000 * compute("macd", close=close), rtol=1e-6)
    assert "price units" in (INDICATORS["macd"].compute.__doc__ or "")


def test_sma_200_is_never_shortened() -> None:
    assert np.isnan(compute("sma_200", close=wandering(199))).all()
    assert np.flatnonzero(np.isfinite(compute("sma_200", close=wandering(200)))).tolist() == [199]


@pytest.mark.parametrize(("timeframe", "defined"), [("4h", False), ("1h", True)])
def test_sma_200_is_undefined_where_a_block_has_fewer_bars(timeframe: str, defined: bool) -> None:
    chosen = TIMEFRAMES[timeframe]
    bars = 2 * chosen.block
    close, none = wandering(bars), np.full(bars, np.nan)
    open_ms = chosen.ms * (chosen.block * 100 + np.arange(bars))
    candles = Candles(open_ms, close, close, close, close, close, none, none, none, none, np.ones(bars, np.int64))

    series = Frame(chosen, candles)["sma_200"]

    assert bool(np.isfinite(series).any()) is defined


def test_donchian_and_keltner_are_drawn_as_market_practice_has_them() -> None:
    candles = around(wandering())

    upper, lower = compute("donchian_upper", **candles), compute("donchian_lower", **candles)
    assert upper[-1] == candles["high"][-20:].max()
    assert lower[-1] == candles["low"][-20:].min()
    reach = compute("keltner_upper", **candles)[19:] - compute("keltner_middle", **candles)[19:]
    atr = talib.ATR(candles["high"], candles["low"], candles["close"], 10)
    np.testing.assert_allclose(reach, 2 * atr[19:], rtol=1e-9)
