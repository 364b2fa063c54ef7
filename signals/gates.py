"""The gates between a lean and a signal: each gives a verdict and a margin, all are asked after a refusal too. Pure."""

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingestion.timeframes import MINUTE_MS
from signals.consensus import FloatArray, SideArray
from signals.regime import Regime

GATES = ("data", "consensus", "quality", "regime", "cooldown", "risk")
DAY_MS = 1440 * MINUTE_MS
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

    min_heads: int = 4
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
    """What is open and what came of it, as the serial gates see it at one close after another."""

    def __init__(self, past: Sequence[PastSignal], rules: GateRules) -> None:
        self.rules, self.at_ms = rules, 0
        self._longest_ms = MINUTE_MS * max(rules.any_cooldown, rules.symbol_cooldown, rules.direction_cooldown)
        self._waiting = sorted(past, key=lambda signal: signal.opened_ms)
        self.open: list[PastSignal] = []
        self.recent: list[PastSignal] = []
        self._closed: list[tuple[int, float]] = []  # (exit_ms, net_r), in order of both
        self._headroom_of: tuple[tuple[int, int, int], float] | None = None
        # What `room` and `places` found, until something opens or ends.
        self._room: FloatArray | None = None
        self._places: tuple[float, float] | None = None

    def turn_to(self, at_ms: int) -> None:
        """Go on to a later close: signals opened by then come in, those that ended by then are over."""
        if at_ms < self.at_ms:
            raise ValueError(f"the book stands at {self.at_ms} and does not turn back to {at_ms}; open a new one")
        self.at_ms = at_ms
        while self._waiting and self._waiting[0].opened_ms <= at_ms:
            self.add(self._waiting.pop(0))
        self.recent = [signal for signal in self.recent if at_ms - signal.opened_ms < self._longest_ms]
        for signal in [signal for signal in self.open if not signal.is_open(at_ms)]:
            self.open.remove(signal)
            self._room = self._places = None
            if signal.exit_ms is not None and signal.net_r is not None:
                insort(self._closed, (signal.exit_ms, signal.net_r))

    def add(self, signal: PastSignal) -> None:
        self.open.append(signal)
        self.recent.append(signal)
        self._room = self._places = None

    def margins(self, symbol: npt.NDArray[np.str_], side: SideArray, regime: SideArray) -> FloatArray:
        """Margins of the regime, cooldown and risk gates for leans of one close, shape (n, 3)."""
        margins = np.empty((len(symbol), 3))
        # Regimes are counted from UNKNOWN = -1 on, as they are listed.
        margins[:, 0] = self.room[regime - Regime.UNKNOWN]
        margins[:, 1] = self._cooldown_margin(symbol, side) if self.recent else np.nan
        margins[:, 2] = self._risk_margin(side)
        return margins

    @property
    def room(self) -> FloatArray:
        """Signals that each regime still has room for after one more, in their order. Passes at >= 0."""
        if self._room is None:
            taken = [signal.regime for signal in self.open]
            self._room = np.array(
                [float(self.rules.regime_limits.get(each, 0) - 1 - taken.count(each)) for each in Regime]
            )
        return self._room

    def _cooldown_margin(self, symbol: npt.NDArray[np.str_], side: SideArray) -> FloatArray:
        """Minutes by which the tightest cooldown is over. Passes at >= 0; NaN (no signal recently) passes too."""
        rules, margin = self.rules, np.full(len(symbol), np.nan)
        for signal in self.recent:
            same = symbol == signal.symbol
            required = np.where(same, max(rules.any_cooldown, rules.symbol_cooldown), rules.any_cooldown)
            again = same & (side == signal.side)
            required = np.where(again, np.maximum(required, rules.direction_cooldown), required)
            margin = np.fmin(margin, (self.at_ms - signal.opened_ms) / MINUTE_MS - required)
        return margin

    def _risk_margin(self, side: SideArray) -> FloatArray:
        """The least headroom among the risk limits, as a share of its limit. Passes at > 0."""
        long, short = (min(left, self._headroom()) for left in self.places)
        return np.where(side > 0, long, short)

    @property
    def places(self) -> tuple[float, float]:
        """The share of the open places that is left for a long and for a short."""
        if self._places is None:
            rules, sides = self.rules, [signal.side for signal in self.open]
            either = (rules.max_open - len(sides)) / rules.max_open
            long, short = (
                min(either, (rules.max_same_side - sides.count(side)) / rules.max_same_side) for side in (1, -1)
            )
            self._places = long, short
        return self._places

    def _headroom(self) -> float:
        """What losses leave of the daily limit and of the drawdown limit, in R of closed signals."""
        midnight = self.at_ms // DAY_MS * DAY_MS
        since = self.at_ms - self.rules.drawdown_days * DAY_MS
        first, today = (bisect_right(self._closed, (at_ms, np.inf)) for at_ms in (since, midnight))
        key = (first, max(first, today), len(self._closed))
        if self._headroom_of is None or self._headroom_of[0] != key:
            self._headroom_of = (key, self._headroom_between(*key))
        return self._headroom_of[1]

    def _headroom_between(self, first: int, today: int, last: int) -> float:
        """Headroom from the closed signals [first, last), those from `today` on being of this day."""
        loss = sum(net_r for _, net_r in self._closed[today:last])
        equity = peak = 0.0
        for _, net_r in self._closed[first:last]:
            equity += net_r
            peak = max(peak, equity)
        return min(
            (self.rules.daily_loss_r + loss) / self.rules.daily_loss_r,
            (self.rules.max_drawdown_r - (peak - equity)) / self.rules.max_drawdown_r,
        )


def verdicts(margins: FloatArray) -> npt.NDArray[np.bool_]:
    """Which gates pass, from margins (n, 6). Risk passes above 0, the others from 0 on; a NaN cooldown passes."""
    passed = margins >= 0
    passed[:, 4] |= np.isnan(margins[:, 4])
    passed[:, 5] = margins[:, 5] > 0
    return passed


def rejection_reasons(passed: npt.NDArray[np.bool_]) -> npt.NDArray[np.str_]:
    """The first gate that refused, as its coded reason; empty for a signal. Shape (n,) of verdicts (n, gates)."""
    return np.where(passed.all(axis=1), "", np.array(REASONS)[np.argmin(passed, axis=1)])
