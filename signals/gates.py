"""The gates between a lean and a signal: each gives a verdict and a margin, all are asked after a refusal too. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import MINUTE_MS
from signals.consensus import FloatArray, SideArray
from signals.regime import Regime

GATES = ("data", "consensus", "quality", "regime", "cooldown", "risk")
# The gates that need only the symbol; the rest depend on what is open and are asked one lean at a time.
SYMBOL_GATES = 3
REASONS = ("stale_data", "no_consensus", "low_quality", "regime_limit", "cooldown", "risk_limit")


@dataclass(frozen=True)
class Thresholds:
    """What the weekly job may move: the expected net R a lean must promise."""

    quality_r: float = 0.05


@dataclass(frozen=True)
class GateRules:
    """The fixed part of the gates (market.md 3); durations in minutes."""

    min_heads: int = 3
    min_probability: float = 0.38
    regime_limits: Mapping[Regime, int] = field(
        default_factory=lambda: {
            Regime.TRENDING: 2,
            Regime.RANGING: 1,
            Regime.VOLATILE: 1,
            Regime.BREAKOUT: 3,
            Regime.QUIET: 2,
        }
    )
    symbol_cooldown: int = 60
    direction_cooldown: int = 30
    any_cooldown: int = 15
    max_open: int = 9
    max_same_side: int = 6
    # At 0.5 % of equity a trade: 5 % a day, and 20 % from the peak of the last week.
    daily_loss_r: float = 10.0
    max_drawdown_r: float = 40.0
    drawdown_days: int = 7


@dataclass(frozen=True)
class PastSignal:
    """What the serial gates remember of a signal; `exit_ms` and `net_r` are None while it is open."""

    symbol: str
    side: int
    regime: int
    opened_ms: int
    exit_ms: int | None
    net_r: float | None

    def is_open(self, at_ms: int) -> bool:
        return self.exit_ms is None or self.exit_ms > at_ms


def data_margin(missing_minutes: npt.NDArray[np.int64]) -> FloatArray:
    """Minus the minutes that the scan's bar lacks or that an unexplained gap hides in its window. Passes at 0."""
    return -missing_minutes.astype(np.float64)


def consensus_margin(agreeing: npt.NDArray[np.int64], probability: FloatArray, rules: GateRules) -> FloatArray:
    """Heads short of the quorum (negative), else probability above the least one. Passes at >= 0, NaN refuses."""
    short = (agreeing - rules.min_heads).astype(np.float64)
    return np.where(short < 0, short, probability - rules.min_probability)


def quality_margin(expected_r: FloatArray, thresholds: Thresholds) -> FloatArray:
    """Expected net R above the threshold. Passes at >= 0, NaN refuses."""
    return expected_r - thresholds.quality_r


def agreeing_heads(direction: SideArray, lean: SideArray) -> npt.NDArray[np.int64]:
    """How many heads (n, H) vote for the lean's side (n,)."""
    agreeing: npt.NDArray[np.int64] = ((direction == lean[:, None]) & (lean != 0)[:, None]).sum(axis=1)
    return agreeing


def has_quorum(direction: SideArray, rules: GateRules) -> npt.NDArray[np.bool_]:
    """Whether enough heads (n, H) vote for one and the same side, whatever the weights make of it."""
    most: npt.NDArray[np.int64] = np.maximum((direction > 0).sum(axis=1), (direction < 0).sum(axis=1))
    return most >= rules.min_heads


class Book:
    """What is open and what came of it, as the serial gates see it at one close."""

    def __init__(self, past: list[PastSignal], at_ms: int, rules: GateRules) -> None:
        self.rules, self.at_ms = rules, at_ms
        self.past = [signal for signal in past if signal.opened_ms <= at_ms]
        self.open = [signal for signal in self.past if signal.is_open(at_ms)]
        longest = max(rules.any_cooldown, rules.symbol_cooldown, rules.direction_cooldown) * MINUTE_MS
        self.recent = [signal for signal in self.past if at_ms - signal.opened_ms < longest]
        self._loss_headroom = self._headroom()

    def add(self, signal: PastSignal) -> None:
        self.open.append(signal)
        self.recent.append(signal)

    def margins(self, symbol: str, side: int, regime: int) -> tuple[float, float, float]:
        """Margins of the regime, cooldown and risk gates for one lean."""
        return self._regime_margin(regime), self._cooldown_margin(symbol, side), self._risk_margin(side)

    def _regime_margin(self, regime: int) -> float:
        """Signals that the regime still has room for after this one. Passes at >= 0."""
        limit = self.rules.regime_limits.get(Regime(regime), 0)
        return float(limit - 1 - sum(1 for signal in self.open if signal.regime == regime))

    def _cooldown_margin(self, symbol: str, side: int) -> float:
        """Minutes by which the tightest cooldown is over. Passes at >= 0; NaN (no signal recently) passes too."""
        margins = [
            (self.at_ms - signal.opened_ms) / MINUTE_MS - required
            for signal in self.recent
            for required in self._cooldowns(signal, symbol, side)
        ]
        return min(margins, default=float("nan"))

    def _cooldowns(self, signal: PastSignal, symbol: str, side: int) -> list[int]:
        required = [self.rules.any_cooldown]
        if signal.symbol == symbol:
            required.append(self.rules.symbol_cooldown)
            if signal.side == side:
                required.append(self.rules.direction_cooldown)
        return required

    def _risk_margin(self, side: int) -> float:
        """The least headroom among the risk limits, as a share of its limit. Passes at > 0."""
        rules = self.rules
        same_side = sum(1 for signal in self.open if signal.side == side)
        return min(
            (rules.max_open - len(self.open)) / rules.max_open,
            (rules.max_same_side - same_side) / rules.max_same_side,
            self._loss_headroom,
        )

    def _headroom(self) -> float:
        """What losses leave of the daily limit and of the drawdown limit, in R of closed signals."""
        day_ms = 1440 * MINUTE_MS
        midnight = self.at_ms // day_ms * day_ms
        since = self.at_ms - self.rules.drawdown_days * day_ms
        closed = sorted(
            (signal.exit_ms, signal.net_r)
            for signal in self.past
            if signal.exit_ms is not None and signal.net_r is not None and since < signal.exit_ms <= self.at_ms
        )
        today = sum(net_r for exit_ms, net_r in closed if exit_ms > midnight)
        equity = peak = 0.0
        for _, net_r in closed:
            equity += net_r
            peak = max(peak, equity)
        return min(
            (self.rules.daily_loss_r + today) / self.rules.daily_loss_r,
            (self.rules.max_drawdown_r - (peak - equity)) / self.rules.max_drawdown_r,
        )


def verdicts(margins: FloatArray) -> npt.NDArray[np.bool_]:
    """Which gates pass, from margins (n, 6). Risk passes above 0, the others from 0 on; a NaN cooldown passes."""
    passed = margins >= 0
    passed[:, 4] |= np.isnan(margins[:, 4])
    passed[:, 5] = margins[:, 5] > 0
    return passed


def rejection_reasons(passed: npt.NDArray[np.bool_]) -> list[str]:
    """The first gate that refused, as its coded reason; empty for a signal."""
    return ["" if row.all() else REASONS[int(np.argmin(row))] for row in passed]
