"""The regime of each bar, from ADX, Bollinger width and ATR, the last two ranked against their own past. Pure."""

from enum import IntEnum

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import BoolArray, FloatArray, IntArray
from signals.frame import Frame
from signals.window import and_before

# Wilder, New Concepts in Technical Trading Systems (1978): a trend worth following has an ADX of 25 or more.
TREND_ADX = 25.0
# Ranks are taken among this many bars before. Bollinger seeks the lowest BandWidth of six months of daily bars, some
# 125 (Bollinger on Bollinger Bands, 2001, "the Squeeze"); a hundred make whole percentiles and fit behind a ready bar.
RANK_BARS = 100
# The lowest and highest fifth of the recent past.
LOW_RANK, HIGH_RANK = 0.20, 0.80
# A squeeze counts as the start of a breakout for as many bars as the Bollinger bands average over.
SQUEEZE_BARS = 20
MEMORY = RANK_BARS + SQUEEZE_BARS


class Regime(IntEnum):
    """What the market is doing at a bar. Stored by value: never renumber. UNKNOWN: an input is not warm yet."""

    UNKNOWN = -1
    TRENDING = 0
    RANGING = 1
    VOLATILE = 2
    BREAKOUT = 3
    QUIET = 4


def classify(frame: Frame, rows: IntArray | None = None) -> npt.NDArray[np.int8]:
    """The regime at some rows of the frame, or at all, as `Regime` values; UNKNOWN where an input is NaN.

    It remembers MEMORY bars. The first rule that holds decides: breakout (a squeeze of the last 20 bars has opened to a
    wide band while the range is high), trending (ADX >= 25), volatile (ATR in its top fifth), quiet (ATR and band width
    in their bottom fifth), else ranging.
    """
    wanted = np.arange(len(frame)) if rows is None else rows
    adx = frame["adx_14"][wanted]
    widths = rolling_rank(frame["bb_width"], RANK_BARS, and_before(wanted, SQUEEZE_BARS, len(frame)))
    width_rank = widths[wanted]
    range_rank = rolling_rank(frame["atr_percent"], RANK_BARS, wanted)[wanted]
    squeezed = recently(widths <= LOW_RANK, SQUEEZE_BARS)[wanted]
    rules = [
        (~(np.isfinite(adx) & np.isfinite(width_rank) & np.isfinite(range_rank)), Regime.UNKNOWN),
        (squeezed & (width_rank >= HIGH_RANK) & (range_rank >= HIGH_RANK), Regime.BREAKOUT),
        (adx >= TREND_ADX, Regime.TRENDING),
        (range_rank >= HIGH_RANK, Regime.VOLATILE),
        ((range_rank <= LOW_RANK) & (width_rank <= LOW_RANK), Regime.QUIET),
    ]
    chosen = np.select([holds for holds, _ in rules], [regime for _, regime in rules], Regime.RANGING)
    return chosen.astype(np.int8)


def rolling_rank(values: FloatArray, bars: int, rows: IntArray | None = None) -> FloatArray:
    """Share of the `bars` values before each one that lie below it, equal ones counted half; 0..1, shape of `values`.

    NaN until that many finite values stand before it, and where `rows` does not ask. Counts are whole numbers, so the
    rank is exact in any order.
    """
    rank = np.full(len(values), np.nan)
    asked = np.arange(len(values)) if rows is None else rows
    asked = asked[asked >= bars]
    if not len(asked):
        return rank
    windows = np.lib.stride_tricks.sliding_window_view(values, bars + 1)[asked - bars]
    before, now = windows[:, :-1], windows[:, -1:]
    below, not_above = np.count_nonzero(before < now, axis=1), np.count_nonzero(before <= now, axis=1)
    rank[asked] = np.where(np.isfinite(windows).all(axis=1), (below + not_above) / (2.0 * bars), np.nan)
    return rank


def recently(happened: BoolArray, bars: int) -> BoolArray:
    """True where it happened at this bar or at one of the `bars` before it."""
    index = np.arange(len(happened))
    last = np.maximum.accumulate(np.where(happened, index, -bars - 1))
    return index - last <= bars
