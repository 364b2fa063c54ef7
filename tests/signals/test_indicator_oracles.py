"""Each of the 69 indicators against a library nobody here wrote, on real candles and on candles that break formulas.

The largest difference of each is told at the end of a test run. The oracles are TA-Lib's own call where it has the
function, and pandas-ta-classic in its native form (not its TA-Lib form).
"""

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib

from signals.indicators import INDICATORS, computed
from signals.indicators.base import FloatArray
from tests.signals import oracle_table
from tests.signals.test_indicators import IN_PRICE_UNITS

with warnings.catch_warnings():
    # The library asks pandas for the day of the year, by a name pandas means to drop, on being imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pandas_ta_classic as pta

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HERE = Path(__file__).resolve()
SHARED = HERE.parents[2].parent / "shared" / "data" / "candles"
BARS = 700
# Of the largest absolute value in the series, at least (see scale_of). The worst are Bollinger widths: pandas adds
# squares up on the move and keeps eleven to thirteen digits of a deviation, TA-Lib takes it in two passes and keeps
# fifteen.
TOLERANCE = 1e-11

Oracle = Callable[[pd.DataFrame], pd.Series]


def of_close(function: Callable[..., pd.Series], period: int) -> Oracle:
    return lambda candles: function(candles.close, period)


def macd_line(index: int) -> Oracle:
    return lambda candles: talib.MACD(candles.close)[index]


ORACLES: dict[str, Oracle] = {
    **{f"ema_{n}": of_close(pta.ema, n) for n in (5, 8, 9, 12, 13, 21, 26, 34, 50, 55, 89)},
    **{f"sma_{n}": of_close(pta.sma, n) for n in (10, 20, 30, 50, 100, 200)},
    "adx_14": lambda d: pta.adx(d.high, d.low, d.close, 14)["ADX_14"],
    "plus_di_14": lambda d: pta.adx(d.high, d.low, d.close, 14)["DMP_14"],
    "minus_di_14": lambda d: pta.adx(d.high, d.low, d.close, 14)["DMN_14"],
    "aroon_up_25": lambda d: pta.aroon(d.high, d.low, 25)["AROONU_25"],
    "aroon_down_25": lambda d: pta.aroon(d.high, d.low, 25)["AROOND_25"],
    "dema_20": lambda d: pta.dema(d.close, 20),
    "ppo": lambda d: pta.ppo(d.close, mamode="ema")["PPO_12_26_9"],
    "ppo_signal": lambda d: pta.ppo(d.close, mamode="ema")["PPOs_12_26_9"],
    "ichimoku_base_26": lambda d: pta.ichimoku(d.high, d.low, d.close)[0]["IKS_26"],
    **{f"hma_{n}": of_close(pta.hma, n) for n in (9, 14, 20)},
    "ema_spread_fast": lambda d: 100 * (pta.ema(d.close, 12) - pta.ema(d.close, 26)) / d.close,
    "ema_spread_medium": lambda d: 100 * (pta.ema(d.close, 21) - pta.ema(d.close, 50)) / d.close,
    **{f"rsi_{n}": of_close(pta.rsi, n) for n in (7, 14, 21, 28)},
    "stoch_k": lambda d: pta.stoch(d.high, d.low, d.close, 14, 3, 3)["STOCHk_14_3_3"],
    "stoch_d": lambda d: pta.stoch(d.high, d.low, d.close, 14, 3, 3)["STOCHd_14_3_3"],
    "williams_r_14": lambda d: pta.willr(d.high, d.low, d.close, 14),
    "cci_20": lambda d: pta.cci(d.high, d.low, d.close, 20),
    "trix_15": lambda d: pta.trix(d.close, 15)["TRIX_15_9"],
    "ultimate_osc": lambda d: pta.uo(d.high, d.low, d.close),
    **{f"roc_{n}": of_close(pta.roc, n) for n in (9, 12, 25)},
    "tsi": lambda d: pta.tsi(d.close, 13, 25)["TSI_13_25_13"],
    "awesome_osc": lambda d: pta.ao(d.high, d.low),
    "mass_index": lambda d: pta.massi(d.high, d.low),
    "bb_upper": lambda d: pta.bbands(d.close, 20, 2)["BBU_20_2.0"],
    "bb_middle": lambda d: pta.bbands(d.close, 20, 2)["BBM_20_2.0"],
    "bb_lower": lambda d: pta.bbands(d.close, 20, 2)["BBL_20_2.0"],
    "bb_width": lambda d: pta.bbands(d.close, 20, 2)["BBB_20_2.0"] / 100,
    "bb_percent_b": lambda d: pta.bbands(d.close, 20, 2)["BBP_20_2.0"],
    "atr_14": lambda d: pta.atr(d.high, d.low, d.close, 14),
    "atr_percent": lambda d: pta.natr(d.high, d.low, d.close, 14),
    "donchian_upper": lambda d: pta.donchian(d.high, d.low, 20, 20)["DCU_20_20"],
    "donchian_lower": lambda d: pta.donchian(d.high, d.low, 20, 20)["DCL_20_20"],
    "keltner_upper": lambda d: pta.ema(d.close, 20) + 2 * pta.atr(d.high, d.low, d.close, 10),
    "keltner_middle": lambda d: pta.kc(d.high, d.low, d.close, 20, 2)["KCBe_20_2.0"],
    "keltner_lower": lambda d: pta.ema(d.close, 20) - 2 * pta.atr(d.high, d.low, d.close, 10),
    "chandelier_long": lambda d: pta.ce(d.high, d.low, d.close, 22, 3)["CE_L_22_3.0"],
    "chandelier_short": lambda d: pta.ce(d.high, d.low, d.close, 22, 3)["CE_S_22_3.0"],
    "obv": lambda d: pta.obv(d.close, d.volume),
    "vwap": lambda d: pta.vwap(d.high, d.low, d.close, d.volume),
    "cmf_20": lambda d: pta.cmf(d.high, d.low, d.close, d.volume),
}

TA_LIB: dict[str, Oracle] = {
    **{name: macd_line(i) for i, name in enumerate(("macd", "macd_signal", "macd_histogram"))},
    # pandas-ta-classic lets a SuperTrend band loosen at a flip and takes CMO by plain sums: TA-Lib's form is ours.
    "supertrend": lambda d: talib.SUPERTREND(d.high, d.low, d.close, 14, 3.0)[0],
    "cmo_14": lambda d: talib.CMO(d.close, 14),
    **{f"hma_{n}": of_close(talib.HMA, n) for n in (9, 14, 20)},
    **{f"rsi_{n}": of_close(talib.RSI, n) for n in (7, 14, 21, 28)},
    "stoch_k": lambda d: talib.STOCH(d.high, d.low, d.close, 14, 3, slowd_period=3)[0],
    "stoch_d": lambda d: talib.STOCH(d.high, d.low, d.close, 14, 3, slowd_period=3)[1],
    "williams_r_14": lambda d: talib.WILLR(d.high, d.low, d.close, 14),
    "ultimate_osc": lambda d: talib.ULTOSC(d.high, d.low, d.close, 7, 14, 28),
    "bb_upper": lambda d: talib.BBANDS(d.close, 20, 2.0, 2.0)[0],
    "bb_lower": lambda d: talib.BBANDS(d.close, 20, 2.0, 2.0)[2],
    "donchian_upper": lambda d: talib.DONCHIAN(d.high, d.low, 20)[0],
    "donchian_lower": lambda d: talib.DONCHIAN(d.high, d.low, 20)[2],
    "cmf_20": lambda d: talib.CMF(d.high, d.low, d.close, d.volume, 20),
}

# --- where a library has no answer, or one that says something else on purpose ----------------------------------------


def spread(high: pd.Series, low: pd.Series, bars: int) -> pd.Series:
    """The range of the last `bars` bars, from as many as there are."""
    return high.rolling(bars, min_periods=1).max() - low.rolling(bars, min_periods=1).min()


def lately(happened: pd.Series, bars: int) -> pd.Series:
    """Whether it happened on one of the last `bars` bars."""
    return happened.astype(float).rolling(bars, min_periods=1).max() > 0


def still(bars: int, smoothed: int = 1) -> Oracle:
    """Rows whose value rests on a range of zero over `bars` bars, directly or by a mean of `smoothed` rows."""
    return lambda d: lately(spread(d.high, d.low, bars) == 0, smoothed)


# A market that does not move is neutral here; the libraries say 0, 100, a rounding error or nothing.
UNDEFINED: dict[str, Oracle] = {
    **dict.fromkeys((f"rsi_{n}" for n in (7, 14, 21, 28)), lambda d: d.close.cummax() == d.close.cummin()),
    "stoch_k": still(14, smoothed=3),
    "stoch_d": still(14, smoothed=5),
    "williams_r_14": still(14),
    "ultimate_osc": lambda d: pd.Series(np.nan_to_num(talib.TRANGE(d.high, d.low, d.close))).rolling(7).max() == 0,
    # pandas' moving deviation of twenty equal closes is what its sums have lost, not zero.
    "bb_percent_b": lambda d: spread(d.close, d.close, 20) == 0,
    # pandas-ta-classic takes 2e-16 for a range of zero, which the quotient of two fading averages brings to light.
    "mass_index": still(20, smoothed=90),
}

# --- markets ----------------------------------------------------------------------------------------------------------

STEP_MS, FIRST_MS = 900_000, 1_623_369_600_000


def market(close: FloatArray, wick: float = 0.0, volume: FloatArray | None = None) -> pd.DataFrame:
    """Bars that open at the close before, with wicks of random length up to a share `wick` of the price."""
    draw, bars = np.random.default_rng(7), len(close)
    opening = np.r_[close[:1], close[:-1]]
    columns = {
        "open_ms": (FIRST_MS + STEP_MS * np.arange(bars)).astype(np.float64),
        "open": opening,
        "high": np.maximum(opening, close) * (1 + wick * draw.random(bars)),
        "low": np.minimum(opening, close) * (1 - wick * draw.random(bars)),
        "close": close,
        "volume": draw.lognormal(3, 1, bars) if volume is None else volume,
    }
    table = pd.DataFrame(columns)
    return table.set_index(pd.to_datetime(table.open_ms, unit="ms"))


def walk(price: float = 100.0) -> FloatArray:
    moves = np.random.default_rng(3).normal(0, 0.004, BARS)
    return price * np.exp(np.cumsum(moves))


def stopped() -> FloatArray:
    """A walk that stands still for a hundred bars."""
    close = walk()
    close[300:400] = close[299]
    return close


def with_a_silence() -> FloatArray:
    volume = np.random.default_rng(5).lognormal(3, 1, BARS)
    volume[200:260] = 0.0
    return volume


def gapped() -> pd.DataFrame:
    """A walk whose price jumps by a fifth, twice, with an outage before each jump and a lost bar."""
    close = walk()
    close[130:] *= 1.2
    close[560:] *= 0.8
    table = market(close, wick=0.001)
    return table.drop(table.index[[*range(100, 130), 300, *range(500, 560)]])


BITCOIN = HERE.parents[1] / "data" / "btcusdt_15m_2021-06.csv.gz"
REAL = {
    "BTC 15m 2021": BITCOIN,
    "DOGE 1h 2023": SHARED / "spot_1h" / "DOGEUSDT-1h.csv.gz",
    "ETH 1d 2017": SHARED / "spot_1d" / "ETHUSDT-1d.csv.gz",
    # A price of 0.24 in ticks of 0.0001: equal highs, equal closes and minutes without a range are everywhere.
    "ALGO 1m 2023": SHARED / "futures_um_1m" / "2023-02" / "ALGOUSDT-1m.csv.gz",
}


def load(path: Path, bars: int = BARS) -> pd.DataFrame:
    if not path.exists():
        pytest.skip(f"{path.name} is not here; the shared candles lie beside the project")
    table = pd.read_csv(path, nrows=bars, usecols=range(6), dtype=float)
    assert len(table) == bars
    table.columns = pd.Index(["open_ms", "open", "high", "low", "close", "volume"])
    return table.set_index(pd.to_datetime(table.open_ms, unit="ms"))


MARKETS: dict[str, Callable[[], pd.DataFrame]] = {
    **{name: partial(load, path) for name, path in REAL.items()},
    **{f"{bars} bars": partial(load, BITCOIN, bars) for bars in (10, 20, 52, 100, 250)},
    "2000 bars": lambda: load(REAL["DOGE 1h 2023"], 2000),
    "flat": lambda: market(np.full(BARS, 100.0)),
    "a hundred still bars": lambda: market(stopped(), wick=0.0),
    "one tick": lambda: market(100 + 0.01 * np.random.default_rng(1).integers(0, 2, BARS).astype(np.float64)),
    "no volume": lambda: market(walk(), 0.001, np.zeros(BARS)),
    "sixty silent bars": lambda: market(walk(), 0.001, with_a_silence()),
    "gaps": gapped,
    "price 1e9": lambda: market(walk(1e9), wick=0.001),
    "price 1e-8": lambda: market(walk(1e-8), wick=0.001),
}

# --- the comparison ---------------------------------------------------------------------------------------------------

NATURAL = dict.fromkeys(("bb_width", "bb_percent_b", "cmf_20"), 1.0)
QUIET = 1e-3


def compute(name: str, candles: pd.DataFrame) -> FloatArray:
    columns = {name: candles[name].to_numpy().copy() for name in candles.columns}
    columns["open_ms"] = columns["open_ms"].astype(np.int64)
    return computed(name, columns)


def scale_of(name: str, found: FloatArray, candles: pd.DataFrame) -> float:
    """What a difference is measured by: the series' largest value.

    On a market that hardly moves that is a difference of nearly equal prices, and its digits are those prices' last;
    so it counts as at least a thousandth of what the indicator is made of: prices, or percent.
    """
    natural = float(candles.high.max()) if name in IN_PRICE_UNITS else NATURAL.get(name, 100.0)
    return max(float(np.max(np.abs(found), initial=0.0)), QUIET * natural)


def difference(name: str, oracle: Oracle, candles: pd.DataFrame) -> tuple[float, int]:
    """The largest relative difference over the rows where both have a value, and how many rows those are."""
    found = compute(name, candles)
    if not np.isfinite(found).any():  # too short: pandas-ta-classic says so by a None, which has no columns
        return 0.0, 0
    stated = np.asarray(oracle(candles), dtype=np.float64)
    both = np.isfinite(found) & np.isfinite(stated)
    if name in UNDEFINED:
        both &= ~np.asarray(UNDEFINED[name](candles), dtype=bool)
    apart = np.max(np.abs(found - stated)[both], initial=0.0)
    return float(apart / scale_of(name, found[both], candles)), int(both.sum())


def test_every_indicator_has_an_oracle_nobody_here_wrote() -> None:
    assert set(ORACLES) | set(TA_LIB) == set(INDICATORS)


@pytest.mark.parametrize("name", MARKETS)
def test_indicators_agree_with_the_libraries(name: str, record_property: Callable[[str, object], None]) -> None:
    candles = MARKETS[name]()

    table = []
    for library, oracles in (("P", ORACLES), ("T", TA_LIB)):
        for indicator, oracle in oracles.items():
            apart, rows = difference(indicator, oracle, candles)
            table.append((indicator, library, name, apart, rows))

    record_property(oracle_table.PROPERTY, [list(row) for row in table])
    assert [row for row in table if row[3] > TOLERANCE] == []
    if name in REAL:
        assert [row for row in table if row[4] <= BARS // 2] == []


@pytest.mark.parametrize("name", ["flat", "a hundred still bars", "no volume"])
def test_what_the_libraries_leave_open_is_neutral_here(name: str) -> None:
    candles = MARKETS[name]()
    neutral = {"stoch_k": 50.0, "stoch_d": 50.0, "williams_r_14": -50.0, "ultimate_osc": 50.0, "bb_percent_b": 0.5}
    if name == "flat":
        neutral |= {"rsi_14": 50.0, "cci_20": 0.0, "cmo_14": 0.0, "tsi": 0.0, "mass_index": 25.0, "adx_14": 0.0}
    if name == "no volume":
        assert np.isnan(compute("vwap", candles)).all()
        assert np.isnan(compute("cmf_20", candles)).all()
        return

    row = 390

    assert {each: compute(each, candles)[row] for each in neutral} == pytest.approx(neutral)
