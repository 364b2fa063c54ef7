"""Head C: what was traded behind the move. Pure.

All parts are read with the flow: more bought than sold, or trading above the prices where the volume lies, is long.
"""

from collections.abc import Callable
from dataclasses import replace
from math import isfinite

import numpy as np
import talib

from ingestion.timeframes import FloatArray, IntArray
from signals.frame import Frame
from signals.heads.base import Needs, Reason, Votes, strongest
from signals.heads.parts import balance, bounded, change, in_atrs, stated_probability
from signals.heads.volume_profile import volume_profile
from signals.indicators.base import ta
from signals.indicators.primitives import ratio, rolling_sum
from signals.window import Window

AD, EMA = ta(talib.AD), ta(talib.EMA)
FLOW_BARS = 20  # the span of CMF (Chaikin), used for CVD and OBV too
# Longer than CMF's: over the same bars the change of the A/D line, divided by the volume, is the CMF itself.
ACCUMULATION_BARS = 50
TAKER_BARS = 3
FORCE_BARS = 13  # Elder, Trading for a Living, 1993
EASE_BARS = 14  # Arms, Volume Cycles in the Stock Market, 1983
PROFILE_BARS = 96  # one day of 15m bars

# Full votes. Where no book names a level they are measured: about the 90th percentile of the absolute reading on 15m
# candles (eight spot symbols, June 2021; the takers' on five futures symbols, February 2023), rounded.
CVD_SHARE = 0.10
TAKER_SHARE = 0.14
OBV_SHARE = 0.45
VWAP_ATRS = 3.5
CMF_REACH = 0.25  # beyond it Chaikin calls the pressure strong
ACCUMULATION_SHARE = 0.18
FORCE_ATRS = 0.46
EASE_REACH = 0.25
# Inside the value area price is at home, and the distance from its fullest price is half a vote at most.
INSIDE_VALUE = 0.5

# A divergence is one that a reader of the chart would see: price one ATR one way, the takers on balance the other way.
DIVERGENCE_ATRS = 1.0
DIVERGENCE_SHARE = 0.02


class Volume:
    """Sides with the balance of the volume parts that have data; the takers' parts are absent without taker columns."""

    name, letter = "volume", "C"
    needs = Needs(indicators=frozenset({"obv", "vwap", "cmf_20", "atr_14"}), memory=PROFILE_BARS)
    inputs = (
        *("cumulative_delta", "obv_slope", "vwap_distance", "profile_position", "money_flow", "accumulation_slope"),
        *("force_index", "ease_of_movement", "taker_flow"),
    )

    def vote(self, window: Window) -> Votes:
        """Vote on every bar of the window; shapes (bars,). Confidence is lower where parts lack data."""
        recent = window.recent(PROFILE_BARS)
        found = balance([(weight, values) for _, weight, values in readings(recent)])
        speaks = recent.base.ready & (np.abs(found.score) > DEAD_BAND)
        return Votes.of(
            side=np.where(speaks, found.score, np.nan),
            probability=stated_probability(found.score),
            confidence=found.agreement * found.present,
        ).padded(len(window))

    def explain(self, window: Window, row: int) -> tuple[Reason, ...]:
        """The parts by what each adds to the score; a part's value is its reading, -1 sold to 1 bought."""
        recent = replace(window, first=row).recent(PROFILE_BARS)
        now = row - (len(window) - len(recent))
        read = [(name, weight, float(values[now])) for name, weight, values in readings(recent)]
        present = sum(weight for _, weight, value in read if isfinite(value))
        return strongest(Reason(name, value, value * weight / present) for name, weight, value in read if present)


def readings(window: Window) -> list[tuple[str, float, FloatArray]]:
    """Each part's name, weight and reading, shape (bars,); the profile is drawn for the rows that are read only."""
    frame = window.base
    return [
        (
            read.__name__,
            weight,
            profile_position(frame, window.wanted) if read is profile_position else read(frame),
        )
        for weight, read in PARTS
    ]


def taker_share(frame: Frame, bars: int) -> FloatArray:
    """Taker buys less taker sells as a share of the volume of the last bars, -1..1, shape (bars,), NaN without data.

    Its running total over the same bars is the change of the cumulative volume delta.
    """
    delta = 2 * frame["taker_base"] - frame["volume"]
    return share_of_volume(frame, rolling_sum(delta, bars), bars)


def share_of_volume(frame: Frame, flow: FloatArray, bars: int) -> FloatArray:
    """A flow in base currency over the volume of the last bars, shape (bars,), NaN where nothing was traded."""
    return ratio(flow, rolling_sum(frame["volume"], bars), at_zero=np.nan)


def cumulative_delta(frame: Frame) -> FloatArray:
    """The change of the CVD; a full vote in its direction where price went the other way."""
    share = taker_share(frame, FLOW_BARS)
    moved = in_atrs(frame, change(frame["close"], FLOW_BARS))
    diverges = (np.abs(moved) >= DIVERGENCE_ATRS) & (np.abs(share) >= DIVERGENCE_SHARE) & (moved * share < 0)
    return np.where(diverges, np.sign(share), bounded(share / CVD_SHARE))


def taker_flow(frame: Frame) -> FloatArray:
    """Who took in the last few bars."""
    return bounded(taker_share(frame, TAKER_BARS) / TAKER_SHARE)


def obv_slope(frame: Frame) -> FloatArray:
    """The change of the on-balance volume (Granville, 1963)."""
    return bounded(share_of_volume(frame, change(frame["obv"], FLOW_BARS), FLOW_BARS) / OBV_SHARE)


def vwap_distance(frame: Frame) -> FloatArray:
    """The close over the day's volume-weighted average price."""
    return bounded(in_atrs(frame, frame["close"] - frame["vwap"]) / VWAP_ATRS)


def profile_position(frame: Frame, rows: IntArray | None = None) -> FloatArray:
    """Above the value area long, below it short, inside it as far as the close is from the point of control."""
    ready, close = np.flatnonzero(frame.ready), frame["close"]
    asked = ready if rows is None else rows[frame.ready[rows]]
    profile = volume_profile(frame["high"], frame["low"], close, frame["volume"], span=PROFILE_BARS, rows=asked)
    away = close - profile.point_of_control
    edge = np.where(away > 0, profile.value_high, profile.value_low) - profile.point_of_control
    inside = INSIDE_VALUE * np.sign(away) * ratio(away, edge, at_zero=np.nan)
    return np.where(np.abs(away) > np.abs(edge), np.sign(away), inside)


def money_flow(frame: Frame) -> FloatArray:
    """Chaikin's money flow."""
    return bounded(frame["cmf_20"] / CMF_REACH)


def accumulation_slope(frame: Frame) -> FloatArray:
    """The change of the accumulation/distribution line (Chaikin; TA-Lib AD)."""
    line = change(frame.derived(accumulation_line), ACCUMULATION_BARS)
    share = share_of_volume(frame, line, ACCUMULATION_BARS)
    return bounded(share / ACCUMULATION_SHARE)


def accumulation_line(frame: Frame) -> FloatArray:
    return AD(frame["high"], frame["low"], frame["close"], frame["volume"])


def smoothed_force(frame: Frame) -> FloatArray:
    return EMA(change(frame["close"], 1) * frame["volume"], timeperiod=FORCE_BARS)


def force_index(frame: Frame) -> FloatArray:
    """EMA 13 of change times volume, in ATR times usual volume (Elder, 1993)."""
    usual = rolling_sum(frame["volume"], FORCE_BARS) / FORCE_BARS
    return bounded(ratio(frame.derived(smoothed_force), frame["atr_14"] * usual, at_zero=np.nan) / FORCE_ATRS)


def ease_of_movement(frame: Frame) -> FloatArray:
    """How far price moves for how little volume: mean of 14, in ATR and usual volume (Arms, 1983)."""
    high, low, volume = frame["high"], frame["low"], frame["volume"]
    moved = in_atrs(frame, change((high + low) / 2, 1))
    usual = rolling_sum(volume, FLOW_BARS) / FLOW_BARS
    # A bar without trades has not moved: its ease is 0, not 0 / 0.
    lightness = ratio(in_atrs(frame, high - low) * usual, volume, at_zero=0.0)
    return bounded(rolling_sum(moved * lightness, EASE_BARS) / EASE_BARS / EASE_REACH)


# market.md, section 2.
PARTS: tuple[tuple[float, Callable[[Frame], FloatArray]], ...] = (
    (0.20, cumulative_delta),
    (0.15, obv_slope),
    (0.15, vwap_distance),
    (0.12, profile_position),
    (0.10, money_flow),
    (0.10, accumulation_slope),
    (0.08, force_index),
    (0.05, ease_of_movement),
    (0.05, taker_flow),
)
# market.md names none for this head. With 0.10 it would speak on five bars of six; with this on two of five.
DEAD_BAND = 0.40
