"""Each of the 69 indicators against a library nobody here wrote, on real candles; run with -s to see the table.

TA-Lib's own call where it has the function, pandas-ta-classic in its native form (not its TA-Lib form) beside it.
"""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib

from signals.indicators import INDICATORS
from signals.indicators.base import FloatArray

with warnings.catch_warnings():
    # The library asks pandas for the day of the year, by a name pandas means to drop, on being imported.
    warnings.simplefilter("ignore", DeprecationWarning)
    import pandas_ta_classic as pta

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

HERE = Path(__file__).resolve()
SHARED = HERE.parents[2].parent / "shared" / "data" / "candles"
BARS = 700
# Of the largest absolute value in the series. The worst are Bollinger widths: pandas adds squares up on the move and
# keeps eleven to thirteen digits of a deviation, TA-Lib takes it in two passes and keeps fifteen.
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

MARKETS = {
    "BTC 15m 2021": HERE.parents[1] / "data" / "btcusdt_15m_2021-06.csv.gz",
    "DOGE 1h 2023": SHARED / "spot_1h" / "DOGEUSDT-1h.csv.gz",
    "ETH 1d 2017": SHARED / "spot_1d" / "ETHUSDT-1d.csv.gz",
    # A price of 0.24 in ticks of 0.0001: equal highs, equal closes and minutes without a range are everywhere.
    "ALGO 1m 2023": SHARED / "futures_um_1m" / "2023-02" / "ALGOUSDT-1m.csv.gz",
}


def load(path: Path) -> pd.DataFrame:
    if not path.exists():
        pytest.skip(f"{path.name} is not here; the shared candles lie beside the project")
    table = pd.read_csv(path, nrows=BARS, usecols=range(6), dtype=float)
    table.columns = pd.Index(["open_ms", "open", "high", "low", "close", "volume"])
    return table.set_index(pd.to_datetime(table.open_ms, unit="ms"))


def compute(name: str, candles: pd.DataFrame) -> FloatArray:
    columns = {name: candles[name].to_numpy().copy() for name in candles.columns}
    columns["open_ms"] = columns["open_ms"].astype(np.int64)
    return INDICATORS[name].compute(*(columns[column] for column in INDICATORS[name].inputs))


def largest_difference(found: FloatArray, oracle: FloatArray) -> float:
    """The largest absolute difference in units of the series' largest value, over the rows where both have one."""
    both = ~np.isnan(found) & ~np.isnan(oracle)
    assert both.sum() > len(found) // 2, "hardly a row to compare"
    return float(np.max(np.abs(found - oracle)[both]) / np.max(np.abs(found[both])))


def test_every_indicator_has_an_oracle_nobody_here_wrote() -> None:
    assert set(ORACLES) | set(TA_LIB) == set(INDICATORS)


@pytest.mark.parametrize("market", MARKETS)
def test_indicators_agree_with_the_libraries(market: str) -> None:
    candles = load(MARKETS[market])

    table = [
        (largest_difference(compute(name, candles), oracle(candles).to_numpy(np.float64)), name, library)
        for library, oracles in (("pandas-ta-classic", ORACLES), ("TA-Lib", TA_LIB))
        for name, oracle in oracles.items()
    ]

    print(f"\n{market}: largest relative difference of {len(candles)} bars")
    print("\n".join(f"{name:18} {library:18} {difference:.1e}" for difference, name, library in sorted(table)[::-1]))
    assert [row for row in table if row[0] > TOLERANCE] == []
